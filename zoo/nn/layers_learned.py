"""Small layers: learned scalars and maps, slices, resampling by a fixed filter; an initialiser of residual blocks."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.nn.layer_registry import INITIALIZERS, LAYERS, Size, standard_normal
from zoo.spec.types import NonNegativeFloat, PositiveInt


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class Scale(keras.layers.Layer):
    """x times a learned number, or with `per_channel` one for each channel; 0 at the start makes a residual block begin
    as the identity (Zhang et al. 2019, "Fixup Initialization")."""

    def __init__(self, initial: float = 1.0, per_channel: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial, self.per_channel = initial, per_channel

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape = (input_shape[-1],) if self.per_channel else ()
        self.factor = self.add_weight(name="factor", shape=shape, initializer=keras.initializers.Constant(self.initial))

    def call(self, x: Any) -> Any:
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"initial": self.initial, "per_channel": self.per_channel}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class Bias(keras.layers.Layer):
    """x plus a learned number for each channel, or a single one without `per_channel`; 0 at the start."""

    def __init__(self, per_channel: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.per_channel = per_channel

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape = (input_shape[-1],) if self.per_channel else ()
        self.bias = self.add_weight(name="bias", shape=shape, initializer="zeros")

    def call(self, x: Any) -> Any:
        return x + self.bias

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"per_channel": self.per_channel}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class LearnedMap(keras.layers.Layer):
    """Huang et al. 2024 (authors' code): a learned map [h, w, C] ~ N(0, 1), each channel times a number of x [B, C]."""

    def __init__(self, size: Size = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = (size, size) if isinstance(size, int) else tuple(size)

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.map = self.add_weight(name="map", shape=(*self.size, input_shape[-1]), initializer=standard_normal())

    def call(self, x: Any) -> Any:
        return self.map * ops.expand_dims(x, (1, 2))  # [B, h, w, C]

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], *self.size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"size": self.size}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class Slice(keras.layers.Layer):
    """The part of x from `begin` to before `end` along an axis (the batch has 0), such as a piece of z for each block
    (Brock et al. 2018). Negative numbers count from the end; without `end` all of the rest."""

    def __init__(self, begin: int = 0, end: int | None = None, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begin, self.end, self.axis = begin, end, axis

    def call(self, x: Any) -> Any:
        index: list[Any] = [slice(None)] * len(x.shape)
        index[self.axis] = slice(self.begin, self.end)
        return x[tuple(index)]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"begin": self.begin, "end": self.end, "axis": self.axis}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class FilteredUpSampling2D(keras.layers.Layer):
    """Karras et al. 2019, "upfirdn": twice the size, zeros in between, smoothed by [1, 3, 3, 1] along both axes.

    It is bilinear, half a pixel off, with zeros beyond the border.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return _doubled(_doubled(x, 1), 2)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        batch, h, w, c = input_shape
        return batch, h and 2 * h, w and 2 * w, c


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class FilteredDownSampling2D(keras.layers.Layer):
    """Karras et al. 2019, "upfirdn": smoothed by [1, 3, 3, 1] along both axes, zeros beyond the border, then every
    second pixel. Height and width must be even."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, x: Any) -> Any:
        return _halved(_halved(x, 1), 2)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        batch, h, w, c = input_shape
        return batch, h and h // 2, w and w // 2, c


def _padded(x: Any, axis: int) -> Any:
    return ops.pad(x, [(1, 1) if i == axis else (0, 0) for i in range(4)])


def _part(x: Any, axis: int, *where: int | None) -> Any:
    return x[tuple(slice(*where) if i == axis else slice(None) for i in range(4))]


def _doubled(x: Any, axis: int) -> Any:
    """Return x with twice the pixels along an axis: 2i is x[i-1] / 4 + 3 x[i] / 4, 2i+1 is 3 x[i] / 4 + x[i+1] / 4."""
    wide = _padded(x, axis)
    before, after = _part(wide, axis, 0, -2), _part(wide, axis, 2, None)
    pairs = ops.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
    shape = list(ops.shape(x))
    shape[0], shape[axis] = -1, 2 * shape[axis]
    return ops.reshape(pairs, shape)


def _halved(x: Any, axis: int) -> Any:
    """Return x with half the pixels along an axis: i is (x[2i-1] + 3 x[2i] + 3 x[2i+1] + x[2i+2]) / 8."""
    wide = _padded(x, axis)  # begins at x[-1]
    a, d = _part(wide, axis, 0, -2, 2), _part(wide, axis, 3, None, 2)
    b, c = _part(x, axis, 0, None, 2), _part(x, axis, 1, None, 2)
    return 0.125 * (a + d) + 0.375 * (b + c)


@INITIALIZERS.register
@keras.saving.register_keras_serializable("zoo")
class Fixup(keras.initializers.VarianceScaling):
    """Huang et al. 2024 (authors' code): N(0, g^2 / fan_in), g^2 = 2 / (1 + negative_slope^2) / sqrt(blocks), for the
    first two of the three convolutions in each of a network's residual `blocks`; the third begins at zero."""

    def __init__(self, blocks: PositiveInt, negative_slope: NonNegativeFloat = 0.2) -> None:
        self.blocks, self.negative_slope = blocks, negative_slope
        scale = 2 / (1 + negative_slope**2) / math.sqrt(blocks)
        super().__init__(scale=scale, mode="fan_in", distribution="untruncated_normal")

    def get_config(self) -> dict[str, Any]:
        return {"blocks": self.blocks, "negative_slope": self.negative_slope}
