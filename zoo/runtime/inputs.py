"""What may be fed to an exported network, and pixels on their way in and out: errors are one line each. NumPy only.

Nothing is cast in silence but class ids.

What goes into an exported network: draws from its priors, ways between them, sums of them, class ids. NumPy only.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import AXES, Tensor
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.runtime import priors

COLOURS = {1: "grey", 3: "RGB"}


def row_shape(tensor: Tensor, axes: Mapping[str, int] | None = None) -> tuple[int, ...]:
    """The shape of one row, with the sizes of its named axes from `axes`."""
    return tuple((axes or {})[size] if isinstance(size, str) else size for size in tensor.shape[1:])


def check_input(tensor: Tensor, value: Any) -> Array:
    """`value` as the array that `tensor` describes. Raises ServeError."""
    array = as_array(tensor.name, value)
    received = f"received {array.dtype} {list(array.shape)}"
    fixed = [
        (size, stated) for size, stated in zip(array.shape[1:], tensor.shape[1:], strict=False) if stated not in AXES
    ]
    if array.ndim != len(tensor.shape) or any(size != stated for size, stated in fixed):
        raise ServeError(f"input '{tensor.name}': expected {tensor}, {received}")
    if len(array) == 0:
        raise ServeError(f"input '{tensor.name}': the batch is empty, {received}; give at least one row")
    if tensor.classes:
        return check_ids(tensor, array).astype(tensor.dtype)
    if tensor.sizes:
        check_size(tensor, array.shape[1], array.shape[2])
    if array.dtype != np.float32:
        raise ServeError(f"input '{tensor.name}': expected {tensor}, {received}; convert it with .astype(\"float32\")")
    if not np.isfinite(array).all():
        raise ServeError(f"input '{tensor.name}': every number must be finite, received NaN or infinity")
    return array


def check_images(tensor: Tensor, images: Any) -> Array:
    """uint8 [n, H, W, C] of images, or of one image [H, W, C], that the input `tensor` takes. Raises ServeError."""
    array, channels = as_array("images", images), tensor.shape[-1]
    kind, received = COLOURS.get(int(channels), f"{channels}-channel"), f"received {array.dtype} {list(array.shape)}"
    where = f"input '{tensor.name}'"
    if array.ndim not in (3, 4):
        cure = "; a grey image ends in an axis of 1: images[..., None]" if array.ndim == 2 else ""
        raise ServeError(
            f"{where}: expected {kind} images [n, H, W, {channels}] or one [H, W, {channels}], {received}{cure}"
        )
    if array.shape[-1] != channels:
        cure = "; repeat the channel with images.repeat(3, axis=-1)" if (array.shape[-1], channels) == (1, 3) else ""
        colour = COLOURS.get(array.shape[-1], f"{array.shape[-1]} channels")
        raise ServeError(f"{where}: expected {kind} images, received {colour} {list(array.shape)}{cure}")
    if array.dtype != np.uint8:
        raw = f"numbers in [{tensor.range[0]:g}, {tensor.range[1]:g}]" if tensor.range else "raw numbers"
        raise ServeError(f"{where}: expected uint8 pixels 0..255, {received}; {raw} go to generator({tensor.name}=...)")
    if array.size == 0:
        raise ServeError(f"{where}: there is no image in it, {received}")
    check_size(tensor, *array.shape[-3:-1])
    return array if array.ndim == 4 else array[None]


def check_size(tensor: Tensor, height: int, width: int) -> None:
    """Raises ServeError, with the nearest sizes that are allowed, for images that the network cannot take."""
    where, received = f"input '{tensor.name}'", f"received {height} x {width}"
    if tensor.sizes is None:
        if (height, width) != tensor.shape[1:3]:
            raise ServeError(
                f"{where}: this network takes images of {tensor.shape[1]} x {tensor.shape[2]} alone, {received}"
            )
        return
    near = [
        f"{axis} {' or '.join(map(str, allowed))}"
        for axis, size in zip(AXES, (height, width), strict=True)
        if size not in (allowed := nearest_sizes(size, tensor.sizes[axis]))
    ]
    if near:
        rule = tensor.rule().removeprefix(", ")
        raise ServeError(f"{where}: {rule}, {received}; the nearest that is allowed: {', '.join(near)}")


def nearest_size(tensor: Tensor, height: int, width: int) -> tuple[int, int]:
    """The allowed height and width nearest to these, the smaller of two that are as near."""
    if tensor.sizes is None:
        return int(tensor.shape[1]), int(tensor.shape[2])
    tall, wide = (nearest_sizes(size, tensor.sizes[axis]) for axis, size in zip(AXES, (height, width), strict=True))
    return min(tall, key=lambda size: abs(size - height)), min(wide, key=lambda size: abs(size - width))


def nearest_sizes(size: int, rule: Mapping[str, int]) -> list[int]:
    """The allowed size, or the two, nearest to `size`: multiples from the minimum up."""
    step, minimum = rule["multiple"], rule["minimum"]
    return sorted({max(size // step * step, minimum), max(-(-size // step) * step, minimum)})


def check_ids(tensor: Tensor, ids: Array) -> Array:
    """Class ids in the range of the classes. Raises ServeError."""
    if ids.dtype.kind not in "iu":
        cure = 'convert them with .astype("int64")'
        raise ServeError(f"input '{tensor.name}': class ids are whole numbers, received {ids.dtype}; {cure}")
    last = len(tensor.classes) - 1
    if ids.min() < 0 or ids.max() > last:
        wrong = int(ids[(ids < 0) | (ids > last)][0])
        names = f"{tensor.classes[0]}..{tensor.classes[-1]}"
        raise ServeError(f"input '{tensor.name}': class ids lie in 0..{last} ({names}), received {wrong}")
    return ids


def as_ids(ids: Array, tensor: Tensor) -> Array:
    """Class ids [n] as the input wants them."""
    return ids.astype(tensor.dtype).reshape(len(ids), *row_shape(tensor))


def as_array(name: str, value: Any) -> Array:
    """Whatever NumPy makes an array of. Raises ServeError for ragged lists."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ServeError(f"'{name}' is not an array: {str(error).splitlines()[0]}") from error


def check_int(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """A whole number in its limits. Raises ServeError."""
    limits = f"a whole number from {low} up" if high is None else f"a whole number in {low}..{high}"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ServeError(f"{name} must be {limits}, received {value!r}") from error
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise ServeError(f"{name} must be {limits}, received {value!r}")
    return number


Feed = dict[str, Array]  # input -> rows [n, ...]
Draw = Callable[[int], Feed]
MAX_ROWS = 10**9
SEEN_ROWS = 10**5  # that one can pick from: they are drawn whole, and nobody looks at more


class Inputs:
    """The inputs of the network that `manifest` describes. Its methods raise ServeError."""

    def __init__(self, manifest: Manifest) -> None:
        self.model = manifest.model
        self.tensors = {tensor.name: tensor for tensor in manifest.inputs}
        self.label = next((tensor for tensor in manifest.inputs if tensor.classes), None)
        self._priors = {tensor.name: _prior(tensor) for tensor in manifest.inputs if tensor.prior}

    def checked(self, inputs: Mapping[str, Any]) -> Feed:
        """One array per input, all of one batch size, as the network takes them."""
        for name in inputs:
            if name not in self.tensors:
                known = ", ".join(self.tensors)
                raise ServeError(
                    f"{self.model} has no input '{name}'.{suggest(name, self.tensors)} Its inputs: {known}"
                )
        if missing := [str(tensor) for name, tensor in self.tensors.items() if name not in inputs]:
            raise ServeError(f"{self.model} lacks its input {missing[0]}")
        feed = {name: check_input(self.tensors[name], value) for name, value in inputs.items()}
        sizes = {name: len(array) for name, array in feed.items()}
        if len(set(sizes.values())) > 1:
            raise ServeError(f"the inputs differ in batch size: {', '.join(f'{k} has {v}' for k, v in sizes.items())}")
        return feed

    def stream(self, seed: int) -> Draw:
        """draw(k): the next k rows of every input's own stream. Draws of any sizes give the same rows."""
        seed = check_int("seed", seed, low=0, high=priors.MAX_SEED)
        for name, tensor in self.tensors.items():
            if not (tensor.classes or tensor.prior):
                cure = (
                    "it translates: translate(images)" if tensor.is_image else f"it has no prior: call it with {tensor}"
                )
                raise ServeError(f"{self.model} cannot draw its input '{name}', {cure}")
        streams = {name: priors.stream(seed, name) for name in self.tensors}

        def draw(k: int) -> Feed:
            return {
                name: self._priors[name].draw(streams[name], k)
                if name in self._priors
                else as_ids(priors.labels(streams[name], k, classes=len(tensor.classes)), tensor)
                for name, tensor in self.tensors.items()
            }

        return draw

    def ids(self, label: Any, n: int) -> Array | None:
        """Class ids [n] from `n` ids or names, or from one for all; None stays None: they are drawn."""
        if label is None:
            return None
        if self.label is None:
            raise ServeError(f"{self.model} takes no label: it is not conditional")
        ids = as_array("label", label)
        if ids.dtype.kind == "U":
            ids = np.array([self._class_id(str(name)) for name in ids.flat], np.int64).reshape(ids.shape)
        if ids.shape not in ((), (n,)):
            raise ServeError(f"label must be one class or {n} of them, received shape {list(ids.shape)}")
        return np.broadcast_to(check_ids(self.label, ids), n)

    def labelled(self, feed: Feed, ids: Array | None) -> Feed:
        """`feed` with the class ids [n] in place of what it has; None changes nothing."""
        return feed if ids is None or self.label is None else {**feed, self.label.name: as_ids(ids, self.label)}

    def held(self, feed: Feed, row: int, label: Any) -> Array | None:
        """The class id [] that is held all the way: `label`, or that of a row of `feed`; None without classes."""
        if label is None and self.label is not None:
            label = int(feed[self.label.name][row].flat[0])
        ids = self.ids(label, 1)
        return None if ids is None else ids[0]

    def between(self, ends: Feed, places: Array, held: Array | None) -> Feed:
        """Latents at `places` [n] on the way through the rows of `ends`: 0.5 is half-way from row 0 to row 1.

        The way goes on from the last row to the first. Each prior has a path of its own.
        """
        start = places.astype(int)  # [n]
        walk = {
            name: np.stack([
                prior.between(z[k], z[(k + 1) % len(z)], place - k) for k, place in zip(start, places, strict=True)
            ])
            for name, prior in self._priors.items() for z in (ends[name],)
        }  # fmt: skip
        return self.labelled(walk, None if held is None else np.broadcast_to(held, len(places)))

    def sums(
        self, seed: int, a: Iterable[int], b: Iterable[int], c: Iterable[int], *, n: int, noise: float, label: Any
    ) -> Feed:
        """`n` rows: mean(a) - mean(b) + mean(c) over rows of the stream of `seed`; all but the first with noise."""
        picked = [[check_int("a row", row, low=0, high=SEEN_ROWS - 1) for row in rows] for rows in (a, b, c)]
        if not all(picked):
            raise ServeError("each of a, b and c is a list of one or more rows, such as [0, 5, 17]")
        if not (isinstance(noise, int | float) and 0 <= noise < math.inf):
            raise ServeError(f"noise must be a number from 0 up, received {noise!r}")
        drawn = self.stream(seed)(1 + max(map(max, picked)))
        made: Feed = {}
        for name, prior in self._priors.items():
            means = [drawn[name][rows].mean(axis=0, dtype=np.float64) for rows in picked]  # 3 x [*shape]
            shake = priors.stream(seed, f"{name} noise").uniform(-noise, noise, (n - 1, *prior.shape))
            about = np.concatenate([np.zeros((1, *prior.shape)), shake])
            made[name] = prior.nearest(means[0] - means[1] + means[2] + about).astype(np.float32)  # [n, *shape]
        held = self.held(drawn, picked[0][0], label)
        return self.labelled(made, None if held is None else np.broadcast_to(held, n))

    def zeros(self, n: int) -> Feed:
        """`n` rows of zeros, images at the size of training."""
        rules = [(tensor, tensor.sizes or {}) for tensor in self.tensors.values()]
        trained = {axis: size["trained"] for _, sizes in rules for axis, size in sizes.items()}
        return {tensor.name: np.zeros((n, *row_shape(tensor, trained)), tensor.dtype) for tensor, _ in rules}

    def _class_id(self, name: str) -> int:
        assert self.label is not None
        if name not in self.label.classes:
            near = suggest(name, self.label.classes)
            raise ServeError(f"{self.model} has no class '{name}'.{near} Its classes: {', '.join(self.label.classes)}")
        return self.label.classes.index(name)


def _prior(tensor: Tensor) -> priors.Prior:
    try:
        return priors.make(tensor.prior or {}, shape=row_shape(tensor))
    except ValueError as error:
        raise ServeError(f"input '{tensor.name}': wrong prior: {error}") from error
