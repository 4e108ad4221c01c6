"""Draws from exported generators with NumPy and ONNX Runtime alone.

    images = zoo.load("exported/dcgan").sample(16, seed=0)                           # uint8 [16, H, W, C]
    summer = zoo.load("exported/cyclegan", network="b_to_a").translate(photos)      # uint8 [n, H, W, C]

The first 4 images of `sample(16)` ARE `sample(4)`, to the last bit. Matrix kernels may choose another order of
summation for another batch size, so row i always runs at the same place of a block of the same size, whatever n is:
blocks of 1, 1, 2, 4, 8, 16, 16, ... rows, the missing ones padded. One image then costs one image, not a full block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from zoo.artifact.manifest import FLOAT32, Manifest
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.core.images import from_uint8, to_uint8
from zoo.runtime.inputs import MAX_ROWS, Draw, Feed, Inputs, check_images, check_int, row_shape
from zoo.runtime.session import Session, first_line

BATCH_SIZE = 16  # rows in a full block: convolutions are flat from 8 on, and small draws waste little


class Generator:
    """An exported generator; `zoo.load` makes it. It keeps no state, so threads may share it.

    `inputs` and `outputs` map names to `Tensor`s: `generator.outputs["image"].range`. All methods raise ServeError.
    """

    def __init__(
        self, manifest: Manifest, session: Session, *, provider: str = "cpu", precision: str = FLOAT32
    ) -> None:
        self.manifest, self.provider, self.precision = manifest, provider, precision
        self.name, self.title = manifest.model, manifest.title
        self.inputs = {tensor.name: tensor for tensor in manifest.inputs}
        self.outputs = {tensor.name: tensor for tensor in manifest.outputs}
        self._session = session
        self._output = manifest.outputs[0]
        self._inputs = Inputs(manifest)

    def __repr__(self) -> str:
        arrow = f"{', '.join(map(str, self.inputs.values()))} -> {self._output}"
        return f"<Generator {self.name}: {arrow}>"

    def __call__(self, **inputs: Any) -> Array:
        """The raw output, float32 [batch, ...] in the output's range, for one array per input."""
        return self._run(self._inputs.checked(inputs))

    def latents(self, n: int, seed: int = 0, *, label: Any = None) -> Feed:
        """What `sample(n, seed, label=label)` feeds: inputs drawn from their priors, class ids uniformly."""
        n, draw = check_int("n", n, low=1, high=MAX_ROWS), self._inputs.stream(seed)
        ids = self._inputs.ids(label, n)
        return self._inputs.labelled(draw(n), ids)

    def sample(self, n: int, seed: int = 0, *, label: Any = None, batch_size: int = BATCH_SIZE) -> Array:
        """`n` draws: uint8 [n, H, W, C] for an output with a range, else float32 as it is (points in the plane).

        `label` is a class id, a class name, or `n` of them; None draws classes too. Memory: the result and one block of
        `batch_size`, which leaves the latents alone but may move the last bit of the network's arithmetic.
        """
        return self._joined(n, self.batches(n, seed, label=label, batch_size=batch_size))

    def batches(self, n: int, seed: int = 0, *, label: Any = None, batch_size: int = BATCH_SIZE) -> Iterator[Array]:
        """`sample(n, seed)` block by block, each computed when asked for: 1, 1, 2, 4, 8, 16, 16, ... rows."""
        n = check_int("n", n, low=1, high=MAX_ROWS)
        return self._draws(self._inputs.stream(seed), n, label, batch_size)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[Draws]:
        """A stream of draws, each going on where the one before it ended:

            with generator.seeded(7) as draw:
                a, b = draw.sample(4), draw.sample(4)

        Together they are `sample(8, seed=7)` to the last bit, however the 8 are split.
        """
        yield Draws(self, seed)

    def translate(self, images: Any, *, batch_size: int = 1) -> Array:
        """Images uint8 [n, H, W, C], or one [H, W, C] -> as many translations, uint8 [n, H, W, C'] or [H, W, C'].

        H and W are any that `inputs` allows; an error names the nearest sizes. Whatever `n`, one image at a time is the
        default: the result is then that of the image alone, to the last bit, and memory is that of one.
        """
        source = next((tensor for tensor in self.inputs.values() if tensor.is_image), None)
        if source is None or source.range is None:
            raise ServeError(f"{self.name} takes no images: it makes them, use sample(n)")
        if others := [str(tensor) for tensor in self.inputs.values() if tensor is not source]:
            raise ServeError(f"{self.name} takes more than images: call it with {others[0]} and raw images")
        pixels, limits = check_images(source, images), source.range

        def rows(start: int, stop: int) -> Feed:
            return {source.name: from_uint8(pixels[start:stop], limits)}

        sizes = zip(source.shape[1:3], pixels.shape[1:3], strict=True)
        axes = {str(axis): size for axis, size in sizes}
        result = self._joined(len(pixels), self._blocks(len(pixels), rows, batch_size), axes)
        return result if np.ndim(images) == 4 else result[0]

    def interpolate(self, n: int, seed: int = 0, *, stops: int = 2, label: Any = None) -> Array:
        """`n` frames of a walk through the first `stops` latents of `seed`, along the path that its prior prescribes.

        The walk starts and ends exactly at images of `sample(stops, seed, label=label)`. One class is held all the
        way: `label`, or the first that `seed` draws. Types as in `sample`.
        """
        stops = check_int("stops", stops, low=2)
        n = check_int("n", n, low=stops, high=MAX_ROWS)
        return self._frames(n, Fraction(stops - 1, n - 1), seed, stops, label)

    def walk(self, n: int, seed: int = 0, *, stops: int = 4, label: Any = None) -> Array:
        """`n` frames of a closed walk: as `interpolate`, but from the last stop it goes back to the first.

        The step from the last frame to the first is like all others, so that an animation of them loops without a
        jump. Where `stops` divides `n`, every n/stops-th frame is exactly an image of `sample(stops, seed)`.
        """
        stops = check_int("stops", stops, low=2)
        n = check_int("n", n, low=stops, high=MAX_ROWS)
        return self._frames(n, Fraction(stops, n), seed, stops, label)

    def arithmetic(
        self, a: Iterable[int], b: Iterable[int], c: Iterable[int], seed: int = 0, *, n: int = 9, noise: float = 0.25,
        label: Any = None,
    ) -> Array:  # fmt: skip
        """Radford et al. 2015, figure 7: mean(a) - mean(b) + mean(c) of latents, and `n` - 1 images close to it.

        `a`, `b` and `c` are rows of `sample(.., seed)` that show a concept each (the paper takes three of each); the
        first image is the sum's, the others add noise from U(-`noise`, `noise`). One class is held: `label`, or that of
        the first row of `a`. Types as in `sample`.

        Where the sum lies: normal latents are not rescaled, and need not be; a mean of k has a norm of sqrt(d/k), so
        that the sum of three means of three has sqrt(d) again. Uniform latents are not clipped to their box, as in the
        paper. On the sphere every latent is brought back to its norm.
        """
        n = check_int("n", n, low=1, high=MAX_ROWS)
        feed = self._inputs.sums(seed, a, b, c, n=n, noise=noise, label=label)
        return self._joined(n, self._blocks(n, _slices(feed), BATCH_SIZE))

    def warm_up(self, batch_size: int = BATCH_SIZE) -> None:
        """Run every size of block up to `batch_size` once, so that no later call pays for memory and choice of kernels.

        A translator is warmed up at the size of images that it was trained with.
        """
        batch_size = check_int("batch_size", batch_size, low=1)
        for size in sorted({size for _, size in _plan(0, 2 * batch_size, batch_size)}):
            self._run(self._inputs.zeros(size))

    def _draws(self, draw: Draw, n: int, label: Any, batch_size: int, first: int = 0) -> Iterator[Array]:
        """Blocks of `n` rows from `draw`, the first of which is row `first` of the stream."""
        ids = self._inputs.ids(label, n)

        def rows(start: int, stop: int) -> Feed:
            return self._inputs.labelled(draw(stop - start), None if ids is None else ids[start - first : stop - first])

        return self._blocks(n, rows, batch_size, first)

    def _frames(self, n: int, pace: Fraction, seed: int, stops: int, label: Any) -> Array:
        """Frame i of `n` lies at i * `pace` on the closed way through the first `stops` latents; stop k lies at k."""
        ends = self.latents(stops, seed)
        held = self._inputs.held(ends, 0, label)

        def rows(start: int, stop: int) -> Feed:
            return self._inputs.between(ends, np.arange(start, stop) * pace.numerator / pace.denominator, held)

        frames, images = self._joined(n, self._blocks(n, rows, BATCH_SIZE)), self.sample(stops, seed, label=held)
        for k, image in enumerate(images):
            if (k / pace).denominator == 1:
                frames[int(k / pace)] = image  # as a draw: its row sits elsewhere in a block
        return frames

    def _blocks(
        self, n: int, rows: Callable[[int, int], Mapping[str, Array]], batch_size: int, first: int = 0
    ) -> Iterator[Array]:
        """Run rows(start, stop) for rows `first` to `first` + `n`, block by block; yields finished images or points."""
        batch_size, limits = check_int("batch_size", batch_size, low=1), self._output.range

        def run() -> Iterator[Array]:
            for at, size in _plan(first, first + n, batch_size):
                start, stop = max(at, first), min(at + size, first + n)
                padding = (start - at, at + size - stop)
                raw = self._run({name: _padded(array, *padding) for name, array in rows(start, stop).items()})
                raw = raw[start - at : stop - at]
                yield raw if limits is None else to_uint8(raw, limits)

        return run()

    def _joined(self, n: int, blocks: Iterator[Array], axes: Mapping[str, int] | None = None) -> Array:
        """All blocks in one array [n, ...] that is made beforehand: memory is that array and one block."""
        kind = FLOAT32 if self._output.range is None else "uint8"
        try:
            result: Array = np.empty((n, *row_shape(self._output, axes)), kind)
        except (MemoryError, ValueError) as error:
            raise ServeError(f"n={n} asks for more memory than there is; draw fewer at a time") from error
        at = 0
        for block in blocks:
            result[at : at + len(block)] = block
            at += len(block)
        return result

    def _run(self, feed: Mapping[str, Array]) -> Array:
        try:
            raw: Array = self._session.run([self._output.name], feed)[0]
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise ServeError(f"{self.name}: ONNX Runtime failed: {first_line(error)}") from error
        axes = {str(axis): size for name, array in feed.items()
                for axis, size in zip(self.inputs[name].shape, array.shape, strict=True)}  # fmt: skip
        expected = (axes["batch"], *row_shape(self._output, axes))
        if raw.shape != expected:
            raise ServeError(f"{self.name}: the model returned {list(raw.shape)} where {list(expected)} is stated")
        return raw


class Draws:
    """Consecutive draws of one seed; `Generator.seeded` makes it. It counts, so every thread has one of its own."""

    def __init__(self, generator: Generator, seed: int) -> None:
        self.drawn = 0
        self._generator, self._stream = generator, generator._inputs.stream(seed)

    def latents(self, n: int, *, label: Any = None) -> Feed:
        """The next `n` rows of `Generator.latents`."""
        n = check_int("n", n, low=1, high=MAX_ROWS)
        ids = self._generator._inputs.ids(label, n)
        return self._generator._inputs.labelled(self._next(n), ids)

    def sample(self, n: int, *, label: Any = None) -> Array:
        """The next `n` rows of `Generator.sample`."""
        n = check_int("n", n, low=1, high=MAX_ROWS)
        return self._generator._joined(n, self._generator._draws(self._next, n, label, BATCH_SIZE, self.drawn))

    def _next(self, k: int) -> Feed:
        self.drawn += k
        return self._stream(k)


def _slices(feed: Feed) -> Callable[[int, int], Feed]:
    return lambda start, stop: {name: array[start:stop] for name, array in feed.items()}


def _plan(start: int, stop: int, batch_size: int) -> Iterator[tuple[int, int]]:
    """(first row, rows) of the blocks that hold rows `start` to `stop`: of 1, 1, 2, 4, ..., `batch_size` from row 0 on.

    A row's block and its place in it follow from the row's number, never from `start` or `stop`.
    """
    at = 0
    while at < stop:
        size = min(max(at, 1), batch_size)
        if size == batch_size:
            at += max(start - at, 0) // size * size  # over whole blocks that end before `start`
        if at + size > start:
            yield at, size
        at += size


def _padded(rows: Array, before: int, after: int) -> Array:
    """`rows` [n, ...] with copies of the first and the last around them."""
    if not (before or after):
        return rows
    return np.concatenate([rows[:1].repeat(before, axis=0), rows, rows[-1:].repeat(after, axis=0)])
