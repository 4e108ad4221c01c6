"""What may be fed to an exported network, and pixels on their way in and out: errors are one line each. NumPy only.

Nothing is cast in silence but class ids.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.errors import ServeError
from zoo.tensor import AXES, Tensor

Array = np.ndarray[Any, np.dtype[Any]]
COLOURS = {1: "grey", 3: "RGB"}


def to_uint8(raw: Array, range: tuple[float, float]) -> Array:
    """Pixels: `range` onto 0..255, rounded half to even, clipped. Raises ServeError for numbers that are not finite."""
    if not np.isfinite(raw).all():
        raise ServeError("the generator returned numbers that are not finite: they have no colour")
    low, high = range
    return np.rint(np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def from_uint8(images: Array, range: tuple[float, float]) -> Array:
    """uint8 pixels -> float32 with 0 -> range[0] and 255 -> range[1], both exactly; the numbers that training saw."""
    return np.linspace(*range, 256).astype(np.float32)[images]


def spread(rows: Array, n: int) -> Array:
    """At most `n` of the rows, evenly from the first to the last: neighbours in a data set are often alike."""
    return rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).round().astype(int)]


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
        if size not in (allowed := nearest(size, tensor.sizes[axis]))
    ]
    if near:
        rule = tensor.rule().removeprefix(", ")
        raise ServeError(f"{where}: {rule}, {received}; the nearest that is allowed: {', '.join(near)}")


def near(tensor: Tensor, height: int, width: int) -> tuple[int, int]:
    """The allowed height and width nearest to these, the smaller of two that are as near."""
    if tensor.sizes is None:
        return int(tensor.shape[1]), int(tensor.shape[2])
    tall, wide = (nearest(size, tensor.sizes[axis]) for axis, size in zip(AXES, (height, width), strict=True))
    return min(tall, key=lambda size: abs(size - height)), min(wide, key=lambda size: abs(size - width))


def nearest(size: int, rule: Mapping[str, int]) -> list[int]:
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


def whole(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """A whole number in its limits. Raises ServeError."""
    limits = f"a whole number from {low} up" if high is None else f"a whole number in {low}..{high}"
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ServeError(f"{name} must be {limits}, received {value!r}") from error
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise ServeError(f"{name} must be {limits}, received {value!r}")
    return number
