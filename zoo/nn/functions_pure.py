"""Functions of a game that only compute: means, sums, pieces and sizes of tensors, constants."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from zoo.core.image_files import read_image
from zoo.core.images import fitted, from_uint8, with_channels
from zoo.data import photos
from zoo.nn.autodiff import Tensor
from zoo.nn.functions import Per, aligned, averaged, function
from zoo.spec.types import Amount, NonNegativeInt, Number, PositiveInt, Terms, Value, Values

Size = PositiveInt | tuple[PositiveInt, PositiveInt]
Style = Literal["bouquet", "flowers", "mountain", "rivers", "venice"]


@function()
def stop_gradient(*, of: Value) -> Tensor:
    """The value as a constant: no gradient passes."""
    return ops.stop_gradient(of)


@function()
def lerp(*, from_: Value, to: Value, share: Amount) -> Tensor:
    """share * to + (1 - share) * from; a share for each example, [1], or one number."""
    from_, to, share = aligned(from_, to, share)
    return share * to + (1.0 - share) * from_


@function("sum")
def weighted_sum(*, terms: Terms, constant: Number = 0.0) -> Tensor:
    """The sum of values, each with its weight, and of a constant."""
    total: Any = constant
    numbers = aligned(*(x for term in terms for x in term))
    for value, weight in zip(numbers[::2], numbers[1::2], strict=True):
        total = total + weight * value
    return total


@function()
def product(*, of: Values) -> Tensor:
    """The product of values."""
    total, *rest = aligned(*of)
    for value in rest:
        total = total * value
    return total


@function()
def mean(*, of: Value, per: Per = "batch") -> Tensor:
    """The mean over everything, or of each example."""
    return averaged(of, per)


@function("abs")
def absolute(*, of: Value) -> Tensor:
    """The absolute value."""
    return ops.abs(of)


@function()
def square(*, of: Value) -> Tensor:
    """The square."""
    return ops.square(of)


@function()
def relu(*, of: Value) -> Tensor:
    """max(0, x)."""
    return ops.relu(of)


@function()
def sign(*, of: Value) -> Tensor:
    """-1, 0 or 1."""
    return ops.sign(of)


@function()
def log(*, of: Value) -> Tensor:
    """The natural logarithm."""
    return ops.log(of)


@function()
def softmax(*, of: Value) -> Tensor:
    """The probabilities of the classes, of logits along the last axis. A loss of logits contains it."""
    return ops.softmax(of)


@function()
def one_hot(*, of: Value, classes: PositiveInt) -> Tensor:
    """Class ids as vectors [classes] of a 1 and zeros."""
    return ops.one_hot(ops.cast(of, "int32"), classes)


@function("slice")
def piece(*, of: Value, size: PositiveInt, start: NonNegativeInt = 0) -> Tensor:
    """`size` components of the last axis from `start` on, such as a part of z."""
    return of[..., start : start + size]


@function()
def tiled(*, of: Value, times: PositiveInt) -> Tensor:
    """The same for each of `times` layers: [n] becomes [times, n]."""
    return ops.repeat(ops.expand_dims(of, 1), times, axis=1)


@function()
def resized(*, of: Value, size: Size, method: Literal["bilinear", "nearest"] = "bilinear") -> Tensor:
    """Images in another size, by means of several pixels where they shrink (antialiased)."""
    height, width = (size, size) if isinstance(size, int) else size
    down, across = (_weights(old, new, method) for old, new in zip(of.shape[1:3], (height, width), strict=True))
    down, across = (ops.cast(weights, of.dtype) for weights in (down, across))
    return ops.einsum("ih,bhwc,jw->bijc", down, of, across)


def _weights(old: int, new: int, method: str) -> np.ndarray:
    """Return the weights of `old` pixels in each of `new` ones, [new, old]: a triangle as wide as a larger pixel."""
    centres = (np.arange(new)[:, None] + 0.5) * old / new
    if method == "nearest":
        return (np.arange(old) == np.floor(centres)).astype("float32")
    triangle = np.maximum(0.0, 1.0 - np.abs(np.arange(old) + 0.5 - centres) / max(1.0, old / new))
    return triangle / triangle.sum(1, keepdims=True)


@function()
def picture(
    *,
    path: str | None = None,
    painting: Style | None = None,
    size: Size,
    channels: Literal[1, 3] = 3,
    range: tuple[float, float] = (-1.0, 1.0),
) -> np.ndarray:
    """A constant picture, [1, height, width, channels]: the file `path`, or one of the five paintings that the zoo
    fetches. It is cut to its middle and resized; `range` are the numbers of black and white, those of the data."""
    height, width = (size, size) if isinstance(size, int) else size
    pixels = read_image(Path(path).expanduser()) if path is not None else photos.painting(str(painting))
    cut = fitted(pixels[None], height, width, "crop")
    return from_uint8(with_channels(cut, channels), range)


@function("input")
def given(*, default: float, within: tuple[float, float] | None = None) -> Tensor:
    """A number that a user of what is exported gives, such as the psi of a truncation. Training takes the default."""
    return ops.convert_to_tensor(default, keras.config.floatx())
