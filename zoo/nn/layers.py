"""Layers and initialisers that GAN papers need and Keras does not have; more stand in the files `layers_*`.

Images are [B, H, W, C]. See `layer_registry` for what makes a layer part of the language.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.core.errors import SpecError
from zoo.nn import (  # noqa: F401 - they register their layers
    layers_conditional,
    layers_learned,
    layers_spectral,
    layers_words,
)
from zoo.nn.layer_registry import INITIALIZERS, LAYERS, Size, standard_normal, wide
from zoo.spec.types import NonNegativeFloat, PositiveFloat, PositiveInt

SQRT_2 = math.sqrt(2)  # He's gain for (leaky) ReLU


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class Maxout(keras.layers.Layer):
    """Goodfellow et al. 2013, "Maxout Networks", eq. 2: the largest of `pieces` affine maps, for each of `units`."""

    def __init__(
        self, units: PositiveInt, pieces: PositiveInt, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.units, self.pieces, self.use_bias = units, pieces, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        width = self.units * self.pieces
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], width), initializer=self.kernel_initializer
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(width,), initializer=self.bias_initializer)

    def call(self, x: Any) -> Any:
        y = ops.matmul(x, self.kernel)  # [B, units * pieces]
        y = y + self.bias if self.use_bias else y
        return ops.max(ops.reshape(y, (-1, self.units, self.pieces)), axis=-1)  # [B, units]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units, "pieces": self.pieces, "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }  # fmt: skip


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class PixelNorm(keras.layers.Layer):
    """Karras et al. 2017, section 4.2: every pixel's feature vector is scaled to unit mean square."""

    def __init__(self, epsilon: PositiveFloat = 1e-8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, x: Any) -> Any:
        y = wide(x)
        y = y / ops.sqrt(ops.mean(ops.square(y), axis=-1, keepdims=True) + self.epsilon)
        return ops.cast(y, x.dtype)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"epsilon": self.epsilon}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class MinibatchStdDev(keras.layers.Layer):
    """Karras et al. 2017, section 3: the standard deviation over the batch, averaged to one number, as one more map.

    `group_size` None takes the whole batch (the paper); a number takes groups of that many examples (the later code),
    which must divide the batch.
    """

    def __init__(self, group_size: PositiveInt | None = None, epsilon: PositiveFloat = 1e-8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group_size, self.epsilon = group_size, epsilon

    def call(self, x: Any) -> Any:
        batch, h, w, c = ops.shape(x)
        size = self.group_size or batch
        y = ops.reshape(wide(x), (size, -1, h, w, c))  # [G, M, H, W, C]
        y = ops.sqrt(ops.var(y, axis=0) + self.epsilon)  # [M, H, W, C]
        y = ops.mean(y, axis=(1, 2, 3), keepdims=True)  # [M, 1, 1, 1]
        y = ops.cast(ops.broadcast_to(ops.tile(y, (size, 1, 1, 1)), (batch, h, w, 1)), x.dtype)  # [B, H, W, 1]
        return ops.concatenate([x, y], axis=-1)  # [B, H, W, C + 1]

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"group_size": self.group_size, "epsilon": self.epsilon}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class Fade(keras.layers.Layer):
    """Karras et al. 2017, figure 2: alpha times x. The weight `alpha` is not trained: `progressive` sets it from the
    count of images, and in an exported network it is a constant."""

    def __init__(self, alpha: NonNegativeFloat = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = alpha

    def build(self, input_shape: tuple[int, ...]) -> None:
        start = keras.initializers.Constant(self.initial)
        self.alpha = self.add_weight(name="alpha", shape=(), initializer=start, trainable=False)

    def call(self, x: Any) -> Any:
        return self.alpha * x

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"alpha": self.initial}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class EqualizedDense(keras.layers.Layer):
    """Karras et al. 2017, section 4.1: weights N(0, 1), scaled by gain / sqrt(fan_in) at run time; bias unscaled."""

    def __init__(
        self, units: PositiveInt, gain: NonNegativeFloat = SQRT_2, use_bias: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.gain, self.use_bias = units, gain, use_bias

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.scale = self.gain / math.sqrt(input_shape[-1])
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units), initializer=standard_normal())
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, x: Any) -> Any:
        y = ops.matmul(x, self.kernel * self.scale)
        return y + self.bias if self.use_bias else y

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units, "gain": self.gain, "use_bias": self.use_bias}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class EqualizedConv2D(keras.layers.Layer):
    """Karras et al. 2017, section 4.1, for convolutions: fan_in is kernel height x width x input channels."""

    def __init__(
        self, filters: PositiveInt, kernel_size: Size, strides: Size = 1, padding: str = "same",
        gain: NonNegativeFloat = SQRT_2, use_bias: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.filters, self.gain, self.use_bias, self.padding = filters, gain, use_bias, padding
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.strides = (strides, strides) if isinstance(strides, int) else tuple(strides)

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape = (*self.kernel_size, input_shape[-1], self.filters)
        self.scale = self.gain / math.sqrt(math.prod(shape[:-1]))
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=standard_normal())
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: Any) -> Any:
        y = ops.conv(x, self.kernel * self.scale, strides=self.strides, padding=self.padding)
        return y + self.bias if self.use_bias else y

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides,
            "padding": self.padding, "gain": self.gain, "use_bias": self.use_bias,
        }  # fmt: skip


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class ReflectionPadding2D(keras.layers.Layer):
    """Mirrors the border without repeating the edge pixel, as CycleGAN and Johnson et al. pad before a convolution."""

    def __init__(self, padding: Size = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = (padding, padding) if isinstance(padding, int) else tuple(padding)

    def call(self, x: Any) -> Any:
        h, w = self.padding
        return ops.pad(x, ((0, 0), (h, h), (w, w), (0, 0)), mode="reflect")

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"padding": self.padding}


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class OneHot(keras.layers.Layer):
    """Class ids [B] -> [B, classes] with a single 1, as Mirza & Osindero 2014 condition on labels."""

    def __init__(self, classes: PositiveInt, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = classes

    def call(self, x: Any) -> Any:
        return ops.one_hot(ops.cast(x, "int32"), self.classes, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"classes": self.classes}


@INITIALIZERS.register
@keras.saving.register_keras_serializable("zoo")
class PixelMarginals(keras.initializers.Initializer):
    """The output bias of Goodfellow et al. 2014 (authors' code): the logit of each pixel's mean over the data.

    It is zero until `initialize_from_data` sets it, because networks are built before any data is read.
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.zeros(shape, dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        return {}


@INITIALIZERS.register
@keras.saving.register_keras_serializable("zoo")
class StridedHe(keras.initializers.Initializer):
    """The kernels of Gulrajani et al. 2017 (authors' code): uniform of variance 4 / (fan_in + fan_out), where the fan
    on the side of the smaller image, fan_out of a convolution and fan_in of a transposed one, is divided by strides^2.

    Both kinds of kernels have that side last: [h, w, in, out] and [h, w, out, in].
    """

    def __init__(self, strides: PositiveInt = 2) -> None:
        self.strides = strides

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Draw a kernel [h, w, C, C'] with a seed of Keras's."""
        *field, large, small = shape
        fans = math.prod(field) * (large + small / self.strides**2)
        limit = math.sqrt(3 * 4 / fans)  # a uniform on [-l, l] has variance l^2 / 3
        return keras.initializers.RandomUniform(-limit, limit)(shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"strides": self.strides}


def initialize_from_data(network: keras.Model, mean: np.ndarray) -> None:
    """Set every bias whose initialiser is `PixelMarginals` to the logits of the mean example.

    Args:
        network: The network, which is changed in place.
        mean: The mean example in [0, 1], of any shape with as many numbers as the bias has.

    Raises:
        SpecError: Where a bias is of another size.
    """
    for layer in network.layers:
        if isinstance(getattr(layer, "bias_initializer", None), PixelMarginals):
            if tuple(layer.bias.shape) != (mean.size,):
                raise SpecError(
                    f"PixelMarginals needs one bias per pixel ({mean.size}), '{layer.name}' has {layer.bias.shape[0]}"
                )
            p = np.clip(np.asarray(mean, "float64").reshape(-1), 1e-4, 1 - 1e-4)  # some pixels are black in all images
            layer.bias.assign(np.log(p / (1 - p)).astype("float32"))
