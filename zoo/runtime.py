"""Draws from exported generators with NumPy and ONNX Runtime alone.

    images = zoo.load("exported/dcgan").sample(16, seed=0)                           # uint8 [16, H, W, C]
    summer = zoo.load("exported/cyclegan", network="b_to_a").translate(photos)      # uint8 [n, H, W, C]

The first 4 images of `sample(16)` ARE `sample(4)`, to the last bit. Matrix kernels may choose another order of
summation for another batch size, so row i always runs at the same place of a block of the same size, whatever n is:
blocks of 1, 1, 2, 4, 8, 16, 16, ... rows, the last one padded. One image then costs one image, not a full block.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import priors
from zoo.arrays import (
    Array,
    as_array,
    as_ids,
    check_ids,
    check_images,
    check_input,
    from_uint8,
    row_shape,
    to_uint8,
    whole,
)
from zoo.errors import ServeError
from zoo.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, choose, read, read_all
from zoo.registry import suggest
from zoo.session import Session, check_agreement, first_line, open_session
from zoo.tensor import Tensor

__all__ = ["Array", "Generator", "load", "to_uint8"]
BATCH_SIZE = 16  # rows in a full block: convolutions are flat from 8 on, and small draws waste little
MAX_ROWS = 10**9


def load(
    path: str | os.PathLike[str], *, network: str | None = None, threads: int | None = None, verify: bool = True
) -> Generator:
    """The generator in an artifact folder (manifest.json beside generator.onnx), or in a lone .onnx of this zoo.

    `network` names one where the folder holds several, such as "b_to_a".
    `threads` bounds the cores of one call (default: all). `verify` holds the file against the manifest's SHA-256, and
    the manifest against the contract inside the file. Raises ServeError with one line for all that can be wrong.
    """
    place = Path(path)
    threads = None if threads is None else whole("threads", threads, low=1)
    try:
        manifest, file = _find(place, network)
        data = file.read_bytes()  # once: what was checked is what runs
    except OSError as error:
        raise ServeError(f"{error.filename or place}: cannot be read: {error.strerror}") from error
    if manifest and verify and manifest.files.get(file.name) != hashlib.sha256(data).hexdigest():
        raise ServeError(f"{file}: changed or damaged: its SHA-256 is not the one in {MANIFEST_FILE}")
    session = open_session(data, source=str(file), threads=threads)
    embedded = session.get_modelmeta().custom_metadata_map.get("gan.manifest")
    if embedded is None and manifest is None:
        raise ServeError(f"{file}: not a gan-zoo file: its metadata lacks 'gan.manifest', which states range and prior")
    if embedded is not None and (manifest is None or verify):
        inside = Manifest.from_json(embedded, source=f"{file} (metadata)", contract=True)
        if manifest and inside.contract() != manifest.contract():
            raise ServeError(
                f"{file.with_name(MANIFEST_FILE)}: changed: it differs from the contract inside {file.name}"
            )
        manifest = manifest or inside
    assert manifest is not None
    manifest = choose((manifest,), network, source=str(file))
    check_agreement(session, manifest, source=str(file))
    return Generator(manifest, session)


def _find(place: Path, network: str | None) -> tuple[Manifest | None, Path]:
    """The manifest, where one stands in or beside `place`, and the .onnx file."""
    if not place.exists():
        near = suggest(place.name, os.listdir(place.parent)) if place.parent.is_dir() else ""
        raise ServeError(f"{place}: there is no such file or folder.{near}")
    if place.is_dir():
        if not (place / MANIFEST_FILE).is_file():
            raise ServeError(f"{place}: not an exported generator: it has no {MANIFEST_FILE}")
        manifest = read(place, network)
        return manifest, place / manifest.file
    return next((facts for facts in _beside(place) if facts.file == place.name), None), place


def _beside(file: Path) -> tuple[Manifest, ...]:
    """The manifests of the folder of `file`. Its manifest.json may be anyone's, unless the file is generator.onnx."""
    if not file.with_name(MANIFEST_FILE).is_file():
        return ()
    try:
        return read_all(file.parent)
    except ServeError:
        if file.name == MODEL_FILE:
            raise
        return ()


class Generator:
    """An exported generator; `load` makes it. It keeps no state, so threads may share it.

    `inputs` and `outputs` map names to `Tensor`s: `generator.outputs["image"].range`.
    """

    def __init__(self, manifest: Manifest, session: Session) -> None:
        self.manifest = manifest
        self.name, self.title = manifest.model, manifest.title
        self.inputs = {tensor.name: tensor for tensor in manifest.inputs}
        self.outputs = {tensor.name: tensor for tensor in manifest.outputs}
        self._session = session
        self._output = manifest.outputs[0]
        self._label = next((tensor for tensor in manifest.inputs if tensor.classes), None)
        self._priors = {tensor.name: _prior(tensor) for tensor in manifest.inputs if tensor.prior}

    def __repr__(self) -> str:
        arrow = f"{', '.join(map(str, self.inputs.values()))} -> {self._output}"
        return f"<Generator {self.name}: {arrow}>"

    def __call__(self, **inputs: Any) -> Array:
        """The raw output, float32 [batch, ...] in the output's range, for one array per input. Raises ServeError."""
        for name in inputs:
            if name not in self.inputs:
                known = ", ".join(self.inputs)
                raise ServeError(f"{self.name} has no input '{name}'.{suggest(name, self.inputs)} Its inputs: {known}")
        if missing := [str(tensor) for name, tensor in self.inputs.items() if name not in inputs]:
            raise ServeError(f"{self.name} lacks its input {missing[0]}")
        feed = {name: check_input(self.inputs[name], value) for name, value in inputs.items()}
        sizes = {name: len(array) for name, array in feed.items()}
        if len(set(sizes.values())) > 1:
            raise ServeError(f"the inputs differ in batch size: {', '.join(f'{k} has {v}' for k, v in sizes.items())}")
        return self._run(feed)

    def latents(self, n: int, seed: int = 0) -> dict[str, Array]:
        """What `sample(n, seed)` feeds: every input drawn from its prior, class ids uniformly. Raises ServeError."""
        return self._drawer(seed)(whole("n", n, low=1, high=MAX_ROWS))

    def sample(self, n: int, seed: int = 0, *, label: Any = None, batch_size: int = BATCH_SIZE) -> Array:
        """`n` draws: uint8 [n, H, W, C] for an output with a range, else float32 as it is (points in the plane).

        `label` is a class id, a class name, or `n` of them; None draws classes too. Memory: the result and one block of
        `batch_size`, which leaves the latents alone but may move the last bit of the network's arithmetic.
        Raises ServeError.
        """
        n, draw = whole("n", n, low=1, high=MAX_ROWS), self._drawer(seed)
        ids = None if label is None else self._label_ids(label, n)

        def rows(start: int, stop: int) -> dict[str, Array]:
            feed = draw(stop - start)
            if ids is not None and self._label is not None:
                part = ids[start:stop] if ids.ndim else np.full(stop - start, ids)
                feed[self._label.name] = as_ids(part, self._label)
            return feed

        return self._render(n, rows, batch_size)

    def translate(self, images: Any, *, batch_size: int = 1) -> Array:
        """Images uint8 [n, H, W, C], or one [H, W, C] -> as many translations, uint8 [n, H, W, C'] or [H, W, C'].

        H and W are any that `inputs` allows. Whatever `n`, one image at a time is the default: the result is then that
        of the image alone, to the last bit, and memory is that of one. Raises ServeError, with the nearest sizes that
        are allowed.
        """
        source = next((tensor for tensor in self.inputs.values() if tensor.is_image), None)
        if source is None or source.range is None:
            raise ServeError(f"{self.name} takes no images: it makes them, use sample(n)")
        if others := [str(tensor) for tensor in self.inputs.values() if tensor is not source]:
            raise ServeError(f"{self.name} takes more than images: call it with {others[0]} and raw images")
        pixels, limits = check_images(source, images), source.range

        def rows(start: int, stop: int) -> dict[str, Array]:
            return {source.name: from_uint8(pixels[start:stop], limits)}

        axes = dict(zip(source.shape[1:3], pixels.shape[1:3], strict=True))
        result = self._render(len(pixels), rows, batch_size, {str(axis): size for axis, size in axes.items()})
        return result if np.ndim(images) == 4 else result[0]

    def interpolate(self, n: int, seed: int = 0, *, stops: int = 2, label: Any = None) -> Array:
        """`n` frames of a walk through the first `stops` latents of `seed`, along the path that its prior prescribes.

        The walk starts and ends exactly at images of `sample(stops, seed, label=label)`. One class is held all the
        way: `label`, or the first that `seed` draws. Types as in `sample`. Raises ServeError.
        """
        stops = whole("stops", stops, low=2)
        n = whole("n", n, low=stops, high=MAX_ROWS)
        ends = self.latents(stops, seed)
        if self._label is not None and label is None:
            label = int(ends[self._label.name].flat[0])
        place = np.arange(n) * (stops - 1) / (n - 1)  # [n] in 0..stops-1, whole at a stop
        leg = np.minimum(place.astype(int), stops - 2)  # [n]
        walk = {
            name: np.stack([prior.between(z[k], z[k + 1], p - k) for k, p in zip(leg, place, strict=True)])
            for name, prior in self._priors.items()
            for z in (ends[name],)
        }
        if label is not None:
            ids = np.broadcast_to(self._label_ids(label, 1), n)
            walk |= {name: as_ids(ids, tensor) for name, tensor in self.inputs.items() if name not in walk}
        frames = self._render(n, lambda start, stop: {name: z[start:stop] for name, z in walk.items()}, BATCH_SIZE)
        at_stop = place == np.round(place)
        frames[at_stop] = self.sample(stops, seed, label=label)[place[at_stop].astype(int)]  # rows sit elsewhere there
        return frames

    def _drawer(self, seed: int) -> Callable[[int], dict[str, Array]]:
        """draw(k): the next k rows of every input's own stream. Blocks of any sizes give the same rows."""
        seed = whole("seed", seed, low=0, high=priors.MAX_SEED)
        for name, tensor in self.inputs.items():
            if not (tensor.classes or tensor.prior):
                cure = (
                    "it translates: translate(images)" if tensor.is_image else f"it has no prior: call it with {tensor}"
                )
                raise ServeError(f"{self.name} cannot draw its input '{name}', {cure}")
        streams = {name: priors.stream(seed, name) for name in self.inputs}

        def draw(k: int) -> dict[str, Array]:
            return {
                name: self._priors[name].draw(streams[name], k)
                if name in self._priors
                else as_ids(priors.labels(streams[name], k, classes=len(tensor.classes)), tensor)
                for name, tensor in self.inputs.items()
            }

        return draw

    def _render(
        self,
        n: int,
        rows: Callable[[int, int], Mapping[str, Array]],
        batch_size: int,
        axes: Mapping[str, int] | None = None,
    ) -> Array:
        """Run rows(start, stop) block by block into one array that is made beforehand."""
        batch_size, limits = whole("batch_size", batch_size, low=1), self._output.range
        try:
            result: Array = np.empty((n, *row_shape(self._output, axes)), "float32" if limits is None else "uint8")
        except (MemoryError, ValueError) as error:
            raise ServeError(f"n={n} asks for more memory than there is; draw fewer at a time") from error
        for start, size in _blocks(n, batch_size):
            stop = min(start + size, n)
            feed = {name: _padded(array, size) for name, array in rows(start, stop).items()}
            raw = self._run(feed)[: stop - start]
            result[start:stop] = raw if limits is None else to_uint8(raw, limits)
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

    def _label_ids(self, label: Any, n: int) -> Array:
        """Class ids [n] from ids or names; one for all stays a scalar []."""
        if self._label is None:
            raise ServeError(f"{self.name} takes no label: it is not conditional")
        ids = as_array("label", label)
        if ids.dtype.kind == "U":
            ids = np.array([self._class_id(str(name)) for name in ids.flat], np.int64).reshape(ids.shape)
        if ids.shape not in ((), (n,)):
            raise ServeError(f"label must be one class or {n} of them, received shape {list(ids.shape)}")
        return check_ids(self._label, ids)

    def _class_id(self, name: str) -> int:
        assert self._label is not None
        if name not in self._label.classes:
            near = suggest(name, self._label.classes)
            raise ServeError(f"{self.name} has no class '{name}'.{near} Its classes: {', '.join(self._label.classes)}")
        return self._label.classes.index(name)


def _prior(tensor: Tensor) -> priors.Prior:
    try:
        return priors.make(tensor.prior or {}, shape=row_shape(tensor))
    except ValueError as error:
        raise ServeError(f"input '{tensor.name}': wrong prior: {error}") from error


def _blocks(n: int, batch_size: int) -> Iterator[tuple[int, int]]:
    """(first row, rows) of 1, 1, 2, 4, ... up to `batch_size`: a row's block follows from its index, never from n."""
    start = 0
    while start < n:
        size = min(max(start, 1), batch_size)
        yield start, size
        start += size


def _padded(rows: Array, size: int) -> Array:
    return rows if len(rows) == size else np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
