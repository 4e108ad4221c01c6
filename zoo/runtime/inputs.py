"""Inputs of an exported network: what may be fed, and what is drawn for it. NumPy only.

One input first (its shape, and the checks of a value for it), then all inputs of a network together: `Inputs` checks a
call, draws from the priors, walks between draws and adds them. Only class ids are cast, to the integer type of their
input; everything else is refused with one line that has the rule, what was received, and the nearest right thing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import AXES, CHANNELS, Tensor
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.runtime import priors
from zoo.runtime.texts import Texts

Feed = dict[str, Array]  # name of an input -> rows [n, ...]
Draw = Callable[[int], Feed]
MAX_ROWS = 10**9
MAX_PICKED_ROW = 10**5 - 1  # of `Inputs.sums`: all rows up to it are drawn, and nobody looks at more


def row_shape(tensor: Tensor, axes: Mapping[str, int] | None = None) -> tuple[int, ...]:
    """Return the shape of one row of an input or output, without the batch axis.

    Args:
        tensor: The input or output.
        axes: The sizes of its named axes, such as "height" and "width"; by default those that it was trained with.

    Returns:
        Sizes above 0.
    """
    sizes = axes or {axis: rule["trained"] for axis, rule in (tensor.sizes or {}).items()}
    return tuple(sizes[size] if isinstance(size, str) else size for size in tensor.shape[1:])


def check_input(tensor: Tensor, value: Any) -> Array:
    """Check a value for one input.

    Args:
        tensor: The input.
        value: An array [n, ...] of the input's type and shape, n > 0; of an input with classes or words any integers.

    Returns:
        The value as an array, without a copy where it is one already.

    Raises:
        ServeError: Wrong type, shape, size of images or class id, an empty batch, or numbers that are not finite.
    """
    array, where = as_array(tensor.name, value), f"input '{tensor.name}'"
    received = f"received {array.dtype} {list(array.shape)}"
    sizes = zip(array.shape[1:], tensor.shape[1:], strict=False)
    if array.ndim != len(tensor.shape) or any(size != stated for size, stated in sizes if not isinstance(stated, str)):
        raise ServeError(f"{where}: expected {tensor}, {received}")
    if len(array) == 0:
        raise ServeError(f"{where}: the batch is empty, {received}; give at least one row")
    if tensor.ids:
        return check_ids(tensor, array).astype(tensor.dtype)
    if tensor.sizes:
        _check_size(tensor, array.shape[1], array.shape[2])
    if array.dtype != np.float32:
        raise ServeError(f'{where}: expected {tensor}, {received}; convert it with .astype("float32")')
    if not np.isfinite(array).all():
        raise ServeError(f"{where}: every number must be finite, received NaN or infinity")
    return array


def check_images(tensor: Tensor, images: Any) -> Array:
    """Check pixels for an input of images.

    Args:
        tensor: The input.
        images: uint8 [n, H, W, C], or one image [H, W, C]; of any size that is not below the smallest, see
            `enclosing_size`.

    Returns:
        uint8 [n, H, W, C].

    Raises:
        ServeError: Wrong type, channels or size, or an empty batch.
    """
    array, channels, where = as_array("images", images), tensor.shape[-1], f"input '{tensor.name}'"
    colour, received = CHANNELS.get(channels, f"{channels}-channel"), f"received {array.dtype} {list(array.shape)}"
    if array.ndim not in (3, 4):
        hint = "; a grey image ends in an axis of 1: images[..., None]" if array.ndim == 2 else ""
        shapes = f"[n, H, W, {channels}] or one [H, W, {channels}]"
        raise ServeError(f"{where}: expected {colour} images {shapes}, {received}{hint}")
    if array.shape[-1] != channels:
        hint = "; repeat the channel with images.repeat(3, axis=-1)" if (array.shape[-1], channels) == (1, 3) else ""
        other = CHANNELS.get(array.shape[-1], f"{array.shape[-1]} channels")
        raise ServeError(f"{where}: expected {colour} images, received {other} {list(array.shape)}{hint}")
    if array.dtype != np.uint8:
        raw = f"numbers in [{tensor.range[0]:g}, {tensor.range[1]:g}]" if tensor.range else "raw numbers"
        raise ServeError(f"{where}: expected uint8 pixels 0..255, {received}; {raw} go to generator({tensor.name}=...)")
    if array.size == 0:
        raise ServeError(f"{where}: there is no image in it, {received}")
    height, width = array.shape[-3:-1]
    if tensor.sizes is None:
        _check_size(tensor, height, width)
    elif height < (least := [tensor.sizes[axis]["minimum"] for axis in AXES])[0] or width < least[1]:
        raise ServeError(f"{where}: expected images of {least[0]} x {least[1]} or more, received {height} x {width}")
    return array if array.ndim == 4 else array[None]


def check_int(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """Return a whole number within its limits, else raise ServeError: NumPy integers pass, `True` and 2.0 do not."""
    limits = f"a whole number from {low} up" if high is None else f"a whole number in {low}..{high}"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ServeError(f"{name} must be {limits}, received {value!r}") from error
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise ServeError(f"{name} must be {limits}, received {value!r}")
    return number


def nearest_size(tensor: Tensor, height: int, width: int) -> tuple[int, int]:
    """Return the allowed size that is nearest to a size of images.

    Args:
        tensor: The input of images.
        height: Rows that an image has.
        width: Columns that it has.

    Returns:
        Height and width; of two that are as near, the smaller.
    """
    if tensor.sizes is None:
        return int(tensor.shape[1]), int(tensor.shape[2])
    tall, wide = (nearest_sizes(size, tensor.sizes[axis]) for axis, size in zip(AXES, (height, width), strict=True))
    return min(tall, key=lambda size: abs(size - height)), min(wide, key=lambda size: abs(size - width))


def enclosing_size(tensor: Tensor, height: int, width: int) -> tuple[int, int]:
    """Return the smallest allowed size of which no side is shorter than that of an image.

    Args:
        tensor: The input of images.
        height: Rows that an image has.
        width: Columns that it has.

    Returns:
        Height and width; for an input of one size that size.
    """
    if tensor.sizes is None:
        return int(tensor.shape[1]), int(tensor.shape[2])
    tall, wide = (nearest_sizes(size, tensor.sizes[axis])[-1] for axis, size in zip(AXES, (height, width), strict=True))
    return tall, wide


def nearest_sizes(size: int, rule: Mapping[str, int]) -> list[int]:
    """Return the one or two allowed sizes nearest to `size`: multiples of rule["multiple"] from rule["minimum"] up."""
    step, minimum = rule["multiple"], rule["minimum"]
    return sorted({max(size // step * step, minimum), max(-(-size // step) * step, minimum)})


def _check_size(tensor: Tensor, height: int, width: int) -> None:
    where, received = f"input '{tensor.name}'", f"received {height} x {width}"
    if tensor.sizes is None:
        if (height, width) != tensor.shape[1:3]:
            only = f"{tensor.shape[1]} x {tensor.shape[2]}"
            raise ServeError(f"{where}: this network takes only images of {only}, {received}")
        return
    near = [
        f"{axis} {' or '.join(map(str, allowed))}"
        for (axis, allowed_ones), size in zip(tensor.sizes.items(), (height, width), strict=True)
        if size not in (allowed := nearest_sizes(size, allowed_ones))
    ]
    if near:
        rule = tensor.rule().removeprefix(", ")
        raise ServeError(f"{where}: {rule}, {received}; the nearest that is allowed: {', '.join(near)}")


def check_ids(tensor: Tensor, ids: Array) -> Array:
    """Return ids of classes or words as they are. Raises ServeError unless they are whole numbers within those of the
    input."""
    what = "ids of words" if tensor.text else "class ids"
    if ids.dtype.kind not in "iu":
        hint = 'convert them with .astype("int64")'
        raise ServeError(f"input '{tensor.name}': {what} are whole numbers, received {ids.dtype}; {hint}")
    last = tensor.ids - 1
    if ids.min() < 0 or ids.max() > last:
        wrong = int(ids[(ids < 0) | (ids > last)][0])
        names = "0 fills up" if tensor.text else f"{tensor.classes[0]}..{tensor.classes[-1]}"
        raise ServeError(f"input '{tensor.name}': {what} lie in 0..{last} ({names}), received {wrong}")
    return ids


def as_array(name: str, value: Any) -> Array:
    """Return a value as an array. Raises ServeError for a ragged list."""
    try:
        return np.asarray(value)
    except ValueError as error:  # a ragged list
        raise ServeError(f"'{name}' is not an array: {str(error).splitlines()[0]}") from error


class Inputs:
    """All inputs of one network: checks of a call, and draws from its priors. The methods raise ServeError."""

    def __init__(self, manifest: Manifest, texts: Texts | None = None, cells: Mapping[str, int] | None = None) -> None:
        self.model = manifest.model
        self.tensors = {tensor.name: tensor for tensor in manifest.inputs}
        self._texts = texts or Texts(manifest.model, {})
        self._priors = {tensor.name: _prior(tensor, cells) for tensor in manifest.inputs if tensor.prior}

    def check(self, inputs: Mapping[str, Any]) -> Feed:
        """Check a call: every input is there, is what its tensor states, and all have the same number of rows."""
        for name in inputs:
            if name not in self.tensors:
                hint = f"{suggest(name, self.tensors)} Its inputs: {', '.join(self.tensors)}"
                raise ServeError(f"{self.model} has no input '{name}'.{hint}")
        if missing := [str(tensor) for name, tensor in self.tensors.items() if name not in inputs]:
            raise ServeError(f"{self.model} lacks its input {missing[0]}")
        feed = {name: check_input(self.tensors[name], value) for name, value in inputs.items()}
        if len({len(array) for array in feed.values()}) > 1:
            sizes = ", ".join(f"{name} has {len(array)}" for name, array in feed.items())
            raise ServeError(f"the inputs differ in batch size: {sizes}")
        return feed

    def stream(self, seed: int) -> Draw:
        """Return draw(k): the next k rows, each input from its own stream. Draws of any sizes give the same rows."""
        seed = check_int("seed", seed, low=0, high=priors.MAX_SEED)
        for name, tensor in self.tensors.items():
            if not (tensor.ids or tensor.prior):
                hint = (
                    "it translates: translate(images)" if tensor.is_image else f"it has no prior: call it with {tensor}"
                )
                raise ServeError(f"{self.model} cannot draw its input '{name}', {hint}")
        streams = {name: priors.stream(seed, name) for name in self.tensors}

        def draw(k: int) -> Feed:
            return {
                name: self._priors[name].draw(streams[name], k)
                if name in self._priors
                else self._texts.examples(tensor)[priors.labels(streams[name], k, classes=len(tensor.text["examples"]))]
                if tensor.text
                else as_input(priors.labels(streams[name], k, classes=len(tensor.classes)), tensor)
                for name, tensor in self.tensors.items()
            }

        return draw

    def held(self, feed: Feed, row: int, fixed: Feed) -> Feed:
        """Return the one row of each input that a walk or sum does not move: `fixed`, and the ids of a row."""
        classes = {name: feed[name][row : row + 1] for name, tensor in self.tensors.items() if tensor.ids}
        return {**classes, **fixed}

    def between(self, stops: Feed, places: Array, held: Feed) -> Feed:
        """Return the rows at `places` [n] of the closed way through the rows of `stops`, with the `held` row in all.

        Place 0.5 is half-way from row 0 to row 1; behind the last row the way goes back to the first. Between two rows
        it follows the path of the prior.
        """
        rows: Feed = {}
        for name, prior in self._priors.items():
            z = stops[name]
            legs = [(z[int(place)], z[(int(place) + 1) % len(z)], place % 1) for place in places]
            rows[name] = np.stack([prior.between(a, b, t) for a, b, t in legs])
        return {**rows, **repeated(held, len(places))}

    def sums(
        self, seed: int, a: Iterable[int], b: Iterable[int], c: Iterable[int], *, n: int, noise: float, fixed: Feed
    ) -> Feed:
        """Return `n` rows mean(a) - mean(b) + mean(c) over rows of the stream of `seed`, noise on all but the first."""
        picked = [[check_int("a row", row, low=0, high=MAX_PICKED_ROW) for row in rows] for rows in (a, b, c)]
        if not all(picked):
            raise ServeError("each of a, b and c is a list of one or more rows, such as [0, 5, 17]")
        if not (isinstance(noise, int | float) and 0 <= noise < math.inf):
            raise ServeError(f"noise must be a number from 0 up, received {noise!r}")
        drawn = self.stream(seed)(1 + max(map(max, picked)))
        rows: Feed = {}
        for name, prior in self._priors.items():
            means = [drawn[name][some].mean(axis=0, dtype=np.float64) for some in picked]  # 3 x [*shape]
            shift = priors.stream(seed, f"{name} noise").uniform(-noise, noise, (n - 1, *prior.shape))
            shift = np.concatenate([np.zeros((1, *prior.shape)), shift])  # [n, *shape]
            rows[name] = prior.nearest(means[0] - means[1] + means[2] + shift).astype(np.float32)
        return {**rows, **repeated(self.held(drawn, picked[0][0], fixed), n)}

    def zeros(self, n: int) -> Feed:
        """Return `n` rows of zeros, images at the size of training."""
        return {name: np.zeros((n, *row_shape(tensor)), tensor.dtype) for name, tensor in self.tensors.items()}


def repeated(row: Feed, n: int) -> Feed:
    """Return `n` equal rows of each input from one row [1, ...]."""
    return {name: np.repeat(array, n, axis=0) for name, array in row.items()}


def as_input(ids: Array, tensor: Tensor) -> Array:
    """Return class ids [n] in the type and shape of their input."""
    return ids.astype(tensor.dtype).reshape(len(ids), *row_shape(tensor))


def _prior(tensor: Tensor, cells: Mapping[str, int] | None) -> priors.Prior:
    try:
        return priors.make(tensor.prior or {}, shape=row_shape(tensor, cells if tensor.sizes else None))
    except ValueError as error:
        raise ServeError(f"input '{tensor.name}': wrong prior: {error}") from error
