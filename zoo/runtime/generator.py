"""Images from exported generators, with NumPy and ONNX Runtime alone.

    images = zoo.load("exported/dcgan").sample(16, seed=0)                           # uint8 [16, H, W, C]
    summer = zoo.load("exported/cyclegan", network="b_to_a").translate(photos)      # uint8 [n, H, W, C]

The first 4 images of `sample(16)` ARE `sample(4)`, to the last bit. Matrix kernels may choose another order of
summation for another batch size, so row i always runs at the same place of a block of the same size, whatever n is:
blocks of 1, 1, 2, 4, 8, 16, 16, ... rows, the missing ones padded. One image then costs one image, not a full block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from zoo.artifact.manifest import FLOAT32, Manifest
from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array, growing_blocks, repeat_ends
from zoo.core.errors import ServeError
from zoo.core.images import extended, from_uint8, to_uint8
from zoo.core.registry import suggest
from zoo.core.text import Reading
from zoo.runtime.cells import Cells, cells_of, draw_window, drawn_shape
from zoo.runtime.draws import BATCH_SIZE, Draws
from zoo.runtime.fixed import rows_of
from zoo.runtime.inputs import (
    MAX_ROWS,
    Draw,
    Feed,
    Inputs,
    check_images,
    check_int,
    enclosing_size,
    repeated,
    row_shape,
)
from zoo.runtime.session import Session, first_line
from zoo.runtime.texts import Texts


class Generator:
    """An exported generator, as `zoo.load` returns it. It keeps no state, so threads may share it.

    After a fork, a pickle or a deep copy it opens its file, or the bytes that it was loaded from, again.

    Where the output has a range, such as [-1, 1], the methods return images, uint8 [n, H, W, C]. Outputs without one,
    such as points in the plane, are returned as the network computes them, float32 [n, ...]. Seeds are whole numbers in
    0..2**32 - 1; a seed gives the same latents everywhere and for ever, while another processor or version of ONNX
    Runtime may move the last bit of what the network computes. All errors are a ServeError of one line.

    Attributes:
        name: Name of the model, such as "dcgan" or "cyclegan_a_to_b".
        title: Its name in words.
        manifest: Everything that the artifact states: paper, data, licence, parity, files.
        inputs: Name -> `Tensor`: type, shape, prior, classes, range.
        outputs: Name -> `Tensor`; `generator.outputs["image"].range` is (black, white).
        provider: "cpu" or "cuda".
        precision: "float32" or the variant that was loaded, such as "fp16".
        texts: What reads texts, for inputs of words.
    """

    def __init__(
        self, manifest: Manifest, session: Session, *, provider: str = "cpu", precision: str = FLOAT32,
        texts: Texts | None = None, cells: Cells | None = None, output: str | None = None,
    ) -> None:  # fmt: skip
        self.manifest, self.provider, self.precision = manifest, provider, precision
        self.name, self.title = manifest.model, manifest.title
        self.inputs = {tensor.name: tensor for tensor in manifest.inputs}
        self.outputs = {tensor.name: tensor for tensor in manifest.outputs}
        self._session = session
        self._output = self.outputs[output or manifest.outputs[0].name]
        self.texts = texts or Texts(manifest.model, {})
        self._cells = cells
        self._shape = drawn_shape(manifest, cells, self._output)
        self._inputs = Inputs(manifest, self.texts, cells)

    def __repr__(self) -> str:
        arrow = f"{', '.join(map(str, self.inputs.values()))} -> {self._output}"
        return f"<Generator {self.name}: {arrow}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Generator, **self._options()), (self.manifest, self._session)

    def _options(self) -> dict[str, Any]:
        return {
            "provider": self.provider, "precision": self.precision, "texts": self.texts, "cells": self._cells,
            "output": self._output.name,
        }  # fmt: skip

    def __call__(self, **inputs: Any) -> Array:
        """Run the network on raw inputs.

        Args:
            **inputs: One array [batch, ...] for every input, by its name: latents and images float32, images in the
                range of the input; class ids of any integer type.

        Returns:
            float32 [batch, ...], in the range of the output; of several the one that is shown, see `showing`.

        Raises:
            ServeError: An input is missing or unknown, or is not what `inputs` states.
        """
        return self._run(self._inputs.check(inputs), [self._output])[self._output.name]

    def all(self, **inputs: Any) -> Feed:
        """Run the network on raw inputs, and return all of its outputs.

        Args:
            **inputs: As for a call of the generator.

        Returns:
            Name of an output -> float32 [batch, ...].

        Raises:
            ServeError: An input is missing or unknown, or is not what `inputs` states.
        """
        return self._run(self._inputs.check(inputs), [*self.outputs.values()])

    def showing(self, output: str) -> Generator:
        """Return this generator with another output in view: calls, samples and walks are of that one.

        The same seed gives the same latents, so that `g.showing("mask").sample(4)` belongs to `g.sample(4)`.

        Example:
            >>> zoo.load("exported/dcgan").showing("image").sample(2).shape
            (2, 32, 32, 1)

        Args:
            output: The name of an output; `outputs` lists them. The first one is shown otherwise.

        Returns:
            A generator of the same file.

        Raises:
            ServeError: There is no such output.
        """
        if output not in self.outputs:
            hint = suggest(output, self.outputs)
            raise ServeError(f"{self.name} has no output '{output}'.{hint} It has {', '.join(self.outputs)}")
        return Generator(self.manifest, self._session, **{**self._options(), "output": output})

    @property
    def shown(self) -> Tensor:
        """The output in view."""
        return self._output

    def read(self, text: str | bytes) -> Reading:
        """Read a text as `sample` does: the ids of its words, and the words that are unknown or cut.

        Example:
            >>> # after zoo build specs/text_to_image.yaml --out mine
            >>> zoo.load("mine/text_to_image").read("mint critter, wings").unknown
            ('wings',)

        Args:
            text: A text, or its bytes in UTF-8.

        Returns:
            The reading.

        Raises:
            ServeError: No word of it is known, it is not UTF-8, or the network takes no text.
        """
        tensor = next((tensor for tensor in self.inputs.values() if tensor.text), None)
        if tensor is None:
            raise ServeError(f"{self.name} takes no text. Its inputs: {', '.join(self.inputs)}")
        return self.texts.read(tensor, text)

    def latents(self, n: int, seed: int = 0, *, label: Any = None, **fixed: Any) -> Feed:
        """Return the inputs of `sample(n, seed, label=label)`: `generator(**generator.latents(8))` are raw images.

        Args:
            n: The number of rows, 1..10**9.
            seed: Seed of all inputs.
            label: As for `sample`.
            **fixed: As for `sample`.

        Returns:
            Name of an input -> float32 [n, ...] drawn from its prior, or class ids [n].

        Raises:
            ServeError: A wrong argument, or the network has an input without a prior: it translates.
        """
        n, draw = check_int("n", n, low=1, high=MAX_ROWS), self._inputs.stream(seed)
        given = self._fixed(n, label, fixed)
        return {**draw(n), **given}

    def sample(self, n: int, seed: int = 0, *, label: Any = None, batch_size: int = BATCH_SIZE, **fixed: Any) -> Array:
        """Draw images. The first 4 of `sample(16)` are `sample(4)`, to the last bit.

        Example:
            >>> zoo.load("exported/cgan").sample(16, seed=0, label="Coat").shape
            (16, 28, 28, 1)

        Args:
            n: The number of images, 1..10**9. Memory is that of the result and of one block.
            seed: Seed of the latents, and of the classes where `label` is None.
            label: A class id, a class name, or a list of `n` of them; None draws classes uniformly. Only for
                conditional generators; several labels have names of their own.
            **fixed: Inputs by name that are not drawn: `digit=3`, `body="dome"`, a code `slant=0.5`, words
                `text="mint critter, horns"`; for all rows, or a list of `n`. `inputs` lists them. Words that the
                network does not know are skipped, and those beyond its longest text cut, with a `TextWarning`; without
                a text one of the manifest's examples is drawn for each row.
            batch_size: Rows of the largest block that runs at once. It leaves the latents alone, but may move the last
                bit of the network's arithmetic.

        Returns:
            uint8 [n, H, W, C] for an output with a range, else float32 [n, ...].

        Raises:
            ServeError: A wrong argument, a translator (it has nothing to draw from), or a result larger than memory.
        """
        return self._joined(n, self.batches(n, seed, label=label, batch_size=batch_size, **fixed))

    def batches(
        self, n: int, seed: int = 0, *, label: Any = None, batch_size: int = BATCH_SIZE, **fixed: Any
    ) -> Iterator[Array]:
        """Return the images of `sample` block by block, each computed when it is asked for.

        Args:
            n: The number of images of all blocks, 1..10**9.
            seed: As for `sample`.
            label: As for `sample`.
            batch_size: Rows of a full block.
            **fixed: As for `sample`.

        Returns:
            Blocks of 1, 1, 2, 4, 8, 16, 16, ... rows with the types of `sample`.

        Raises:
            ServeError: A wrong argument; at once, not with the first block.
        """
        n = check_int("n", n, low=1, high=MAX_ROWS)
        return self._draws(self._inputs.stream(seed), n, self._fixed(n, label, fixed), batch_size)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[Draws]:
        """Draw from one seed in several calls, each going on where the one before it ended.

        Example:
            >>> with zoo.load("exported/dcgan").seeded(7) as draw:
            ...     a, b = draw.sample(4), draw.sample(4)

            Together they are `sample(8, seed=7)` to the last bit, however the 8 are split.

        Args:
            seed: As for `sample`.

        Yields:
            The draws.

        Raises:
            ServeError: A wrong seed, or a translator.
        """
        yield Draws(self, seed)

    def translate(self, images: Any, *, batch_size: int = 1) -> Array:
        """Translate images of one domain into another, as CycleGAN does.

        Example:
            >>> import numpy as np
            >>> grey = np.full((48, 64, 3), 128, np.uint8)  # or np.asarray(PIL.Image.open(file).convert("RGB"))
            >>> zoo.load("exported/cyclegan", network="b_to_a").translate(grey).shape
            (48, 64, 3)

        Args:
            images: uint8 [n, H, W, C], or one image [H, W, C]. A network that takes images of many sizes takes any H
                and W from its smallest on: where its rule asks for a multiple, the image is continued by its own mirror
                image at the bottom and at the right, and the result is cut back.
            batch_size: Images that run at once. With 1, the result is that of each image by itself, to the last bit,
                and memory is that of one.

        Returns:
            uint8 [n, H, W, C'], or [H, W, C'] for one image.

        Raises:
            ServeError: Wrong type, size or channels, or a network that makes images from latents.
        """
        source = next((tensor for tensor in self.inputs.values() if tensor.is_image), None)
        if source is None or source.range is None:
            raise ServeError(f"{self.name} takes no images: it makes them, use sample(n)")
        if others := [str(tensor) for tensor in self.inputs.values() if tensor is not source]:
            raise ServeError(f"{self.name} takes more than images: call it with {others[0]} and raw images")
        pixels, limits = check_images(source, images), source.range
        height, width = pixels.shape[1:3]
        tall, wide = enclosing_size(source, height, width)

        def rows(start: int, stop: int) -> Feed:
            return {source.name: from_uint8(extended(pixels[start:stop], tall, wide), limits)}

        axes = {str(axis): size for axis, size in zip(source.shape[1:3], (tall, wide), strict=True)}
        result = self._joined(len(pixels), self._blocks(len(pixels), rows, batch_size), axes)
        result = result[:, :height, :width] if source.sizes else result
        return result if np.ndim(images) == 4 else result[0]

    def sized(self, height: int, width: int) -> Generator:
        """Return this generator with pictures of another size: a larger map of latents draws a larger world.

        Example:
            >>> # after zoo build specs/terrain.yaml --out mine
            >>> zoo.load("mine/terrain").sized(256, 512).sample(2).shape
            (2, 256, 512, 3)

        Args:
            height: Rows of the pictures that `sample`, `walk` and the others draw.
            width: Their columns.

        Returns:
            A generator of the same file. Another size draws other pictures, also of the same seed.

        Raises:
            ServeError: The network has one size alone, or not this one; the message has the nearest.
        """
        cells = cells_of(self.manifest, height, width)
        return Generator(self.manifest, self._session, **{**self._options(), "cells": cells})

    def window(self, top: int, left: int, height: int, width: int, seed: int = 0) -> Array:
        """Return a piece of one picture that has no end: where two pieces overlap, they are the same.

        Example:
            >>> # after zoo build specs/terrain.yaml --out mine
            >>> zoo.load("mine/terrain").window(-100, 2000, 256, 512, seed=3).shape
            (256, 512, 3)

        Args:
            top: The first row, in pixels, -10**9..10**9.
            left: The first column.
            height: Rows of the piece, from 1 up.
            width: Its columns.
            seed: The world, as for `sample`.

        Returns:
            uint8 [height, width, C].

        Raises:
            ServeError: A wrong argument, or a network whose pictures end: it has no map of latents, or every pixel
                depends on all of it.
        """
        return draw_window(self, top, left, height, width, seed)

    def interpolate(self, n: int, seed: int = 0, *, stops: int = 2, label: Any = None, **fixed: Any) -> Array:
        """Walk through latents from the first to the last, along the path that suits their prior.

        Normal latents and those on a sphere follow great circles, uniform ones straight lines.

        Args:
            n: The number of frames, `stops` or more.
            seed: As for `sample`. The walk starts and ends exactly at images of `sample(stops, seed, label=label)`.
            stops: The number of latents that it goes through, 2 or more.
            label: The one class of all frames, an id or a name; None takes the first class that `seed` draws.
            **fixed: Inputs by name that do not move, as for `sample`.

        Returns:
            [n, ...] with the types of `sample`.

        Raises:
            ServeError: A wrong argument, or a translator.
        """
        return self._frames(n, seed, stops, self._fixed(1, label, fixed), closed=False)

    def walk(self, n: int, seed: int = 0, *, stops: int = 4, label: Any = None, **fixed: Any) -> Array:
        """Walk through latents and back to the first: frames of an animation that loops without a jump.

        As `interpolate`, but from the last stop the walk goes on to the first, and all steps are equal, the one from
        the last frame to the first too. Where `stops` divides `n`, every n/stops-th frame is exactly an image of
        `sample(stops, seed, label=label)`.

        Example:
            >>> from zoo.core.pictures import animation
            >>> frames = zoo.load("exported/dcgan").walk(24, seed=3, stops=4)
            >>> frames.shape
            (24, 32, 32, 1)
            >>> file = animation(frames, fps=12, kind=".webp")  # bytes, for Path("walk.webp").write_bytes

        Args:
            n: The number of frames, `stops` or more.
            seed: As for `sample`.
            stops: The number of latents that it goes through, 2 or more.
            label: As for `interpolate`.
            **fixed: As for `interpolate`.

        Returns:
            [n, ...] with the types of `sample`.

        Raises:
            ServeError: A wrong argument, or a translator.
        """
        return self._frames(n, seed, stops, self._fixed(1, label, fixed), closed=True)

    def arithmetic(
        self, a: Iterable[int], b: Iterable[int], c: Iterable[int], seed: int = 0, *, n: int = 9, noise: float = 0.25,
        label: Any = None, **fixed: Any,
    ) -> Array:  # fmt: skip
        """Add and subtract concepts: mean(a) - mean(b) + mean(c) of latents (Radford et al. 2015, figure 7).

        The first image is that of the sum, the others are close to it. Normal latents are not rescaled and need not be:
        a mean of k has a norm of sqrt(d/k), so that the sum of three means of three has sqrt(d) again. Uniform latents
        are not clipped to their box, as in the paper. On the sphere every latent is brought back to its norm.

        Args:
            a: Rows of `sample(..., seed)` that show a concept, each in 0..99999; the paper takes three.
            b: Rows that show the concept to be subtracted.
            c: Rows that show the concept to be added.
            seed: As for `sample`.
            n: The number of images.
            noise: All images but the first add noise from U(-noise, noise) to the sum.
            label: The one class of all images, an id or a name; None takes that of the first row of `a`.
            **fixed: As for `interpolate`.

        Returns:
            [n, ...] with the types of `sample`.

        Raises:
            ServeError: A wrong argument, or a translator.
        """
        n = check_int("n", n, low=1, high=MAX_ROWS)
        feed = self._inputs.sums(seed, a, b, c, n=n, noise=noise, fixed=self._fixed(1, label, fixed))

        def rows(start: int, stop: int) -> Feed:
            return {name: array[start:stop] for name, array in feed.items()}

        return self._joined(n, self._blocks(n, rows, BATCH_SIZE))

    def _fixed(self, n: int, label: Any, named: Mapping[str, Any]) -> Feed:
        return rows_of(self.name, self.inputs, {"label": label, **named}, n, self.texts)

    def _draws(self, draw: Draw, n: int, fixed: Feed, batch_size: int, first: int = 0) -> Iterator[Array]:
        """Blocks of `n` rows from `draw`, the first of which is row `first` of the stream."""

        def rows(start: int, stop: int) -> Feed:
            return {**draw(stop - start), **{name: x[start - first : stop - first] for name, x in fixed.items()}}

        return self._blocks(n, rows, batch_size, first)

    def _frames(self, n: int, seed: int, stops: int, fixed: Feed, *, closed: bool) -> Array:
        """Draw frame i of `n` at place i * pace of the closed way through the first latents; stop k is at place k."""
        stops = check_int("stops", stops, low=2)
        n = check_int("n", n, low=stops, high=MAX_ROWS)
        pace = Fraction(stops, n) if closed else Fraction(stops - 1, n - 1)
        latents = self.latents(stops, seed)
        held = self._inputs.held(latents, 0, fixed)

        def rows(start: int, stop: int) -> Feed:
            return self._inputs.between(latents, np.arange(start, stop) * pace.numerator / pace.denominator, held)

        frames = self._joined(n, self._blocks(n, rows, BATCH_SIZE))
        ends = self._draws(self._inputs.stream(seed), stops, repeated(held, stops), BATCH_SIZE)
        for k, image in enumerate(self._joined(stops, ends)):
            if (k / pace).denominator == 1:
                frames[int(k / pace)] = image  # as `sample` draws it: in a walk its row has another place in a block
        return frames

    def _blocks(
        self, n: int, rows: Callable[[int, int], Mapping[str, Array]], batch_size: int, first: int = 0
    ) -> Iterator[Array]:
        """Run rows(start, stop) for rows `first` to `first` + `n`, block by block, into images or points."""
        batch_size, limits = check_int("batch_size", batch_size, low=1), self._output.range

        def run() -> Iterator[Array]:
            for at, size in growing_blocks(first, first + n, batch_size):
                start, stop = max(at, first), min(at + size, first + n)
                padding = (start - at, at + size - stop)
                feed = {name: repeat_ends(array, *padding) for name, array in rows(start, stop).items()}
                raw = self._run(feed, [self._output])[self._output.name][start - at : stop - at]
                yield raw if limits is None else to_uint8(raw, limits)

        return run()

    def _joined(self, n: int, blocks: Iterator[Array], axes: Mapping[str, int] | None = None) -> Array:
        """Join blocks in one array [n, ...] that is made beforehand: memory is that array and one block."""
        kind = FLOAT32 if self._output.range is None else "uint8"
        try:
            shape = row_shape(self._output, axes) if axes else self._shape
            result: Array = np.empty((n, *shape), kind)
        except (MemoryError, ValueError) as error:
            raise ServeError(f"n={n} needs more memory than there is; draw fewer at a time") from error
        at = 0
        for block in blocks:
            result[at : at + len(block)] = block
            at += len(block)
        return result

    def _run(self, feed: Mapping[str, Array], outputs: Sequence[Tensor]) -> Feed:
        try:
            made: list[Array] = self._session.run([tensor.name for tensor in outputs], feed)
        except Exception as error:  # ONNX Runtime's errors share no base class but this one
            raise ServeError(f"{self.name}: ONNX Runtime failed: {first_line(error)}") from error
        axes = {str(axis): size for name, array in feed.items()
                for axis, size in zip(self.inputs[name].shape, array.shape, strict=True)}  # fmt: skip
        for tensor, raw in zip(outputs, made, strict=True):
            expected = (axes["batch"], *row_shape(tensor, tensor.spread(axes)))
            if raw.shape != expected:
                raise ServeError(f"{self.name}: the model returned {list(raw.shape)} where {list(expected)} is stated")
        return {tensor.name: raw for tensor, raw in zip(outputs, made, strict=True)}
