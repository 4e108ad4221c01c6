"""Layers whose matrices are divided by their largest singular value, and attention built of them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.nn.layer_registry import LAYERS, standard_normal, wide
from zoo.nn.layers_grouped import GroupedConv2D


def power_iteration(w: Any, u: keras.Variable, *, training: bool) -> Any:
    """Estimate the largest singular value of a matrix after one more power iteration (Miyato et al. 2018, algorithm 1).

    The gradient flows through sigma = |u W v|, with u and v as constants.

    Args:
        w: The matrix [in, out], float32.
        u: The estimate of its singular vector [out]; moved in training.
        training: True in a training pass.

    Returns:
        A scalar.
    """
    constant = ops.stop_gradient(w)
    v = _unit(ops.matmul(constant, u))  # [in]
    moved = _unit(ops.matmul(v, constant))  # [out]
    if training:
        u.assign(moved)
    return ops.sum(ops.matmul(v, w) * moved)


def _unit(x: Any) -> Any:
    return x / (ops.norm(x) + 1e-12)


class _Spectral(keras.layers.Layer):
    """Miyato et al. 2018, eq. 8 and algorithm 1: a Keras layer that computes with W / sigma(W); the raw W is trained.

    A subclass adds the Keras layer, whose arguments it takes, and `linear(x, kernel)`. W is the matrix [everything
    else, out]. `u` [out] is not trained: every training pass moves it by one power iteration, and no other pass does.
    """

    def build(self, input_shape: tuple[int, ...]) -> None:
        super().build(input_shape)
        width = self.matrix().shape[-1]
        self.u = self.add_weight(name="u", shape=(width,), initializer=standard_normal(), trainable=False,
                                 autocast=False)  # fmt: skip

    def matrix(self) -> Any:
        """Return W [in, out], float32."""
        return ops.reshape(wide(self.kernel), (-1, self.kernel.shape[-1]))

    def call(self, x: Any, training: bool = False) -> Any:
        y = self.linear(x, self.kernel / ops.cast(self.sigma(training=training), self.compute_dtype))
        return self.activation(y + self.bias if self.use_bias else y)

    def sigma(self, *, training: bool) -> Any:
        """Return the estimate of the largest singular value of W after one more power iteration; a scalar."""
        return power_iteration(self.matrix(), self.u, training=training)


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class SpectralDense(_Spectral, keras.layers.Dense):
    """Miyato et al. 2018, algorithm 1: Keras's Dense, its kernel divided by its largest singular value."""

    def linear(self, x: Any, kernel: Any) -> Any:
        return ops.matmul(x, kernel)


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class SpectralConv2D(_Spectral, GroupedConv2D):
    """Miyato et al. 2018, algorithm 1: Keras's Conv2D, its kernel, as a matrix of one row for each filter, divided by
    its largest singular value."""

    def linear(self, x: Any, kernel: Any) -> Any:
        return self.convolution_op(x, kernel)


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class SpectralEmbedding(_Spectral, keras.layers.Embedding):
    """Miyato & Koyama 2018 (authors' code): Keras's Embedding, its whole table [classes, dimensions] divided by its
    largest singular value; u has one number for each class."""

    def matrix(self) -> Any:
        return ops.transpose(wide(self.embeddings))  # [dimensions, classes]

    def call(self, x: Any, training: bool = False) -> Any:
        table = self.embeddings / ops.cast(self.sigma(training=training), self.compute_dtype)
        return ops.take(table, ops.cast(x, "int32"), axis=0)

    def compute_output_spec(self, x: Any, training: bool = False) -> Any:
        return super().compute_output_spec(x)


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class SelfAttention(keras.layers.Layer):
    """Zhang et al. 2018 (authors' code): x + scale * o(softmax(theta(x) phi(x)^T) g(x)) over all pixels of an image.

    theta and phi have an eighth of the channels, g a half, phi and g are pooled by 2; four 1 x 1 convolutions without
    bias, spectral norm on each unless `spectral` is false. The scalar `scale` is 0 at the start, and the products are
    not divided by a root.
    """

    def __init__(self, spectral: bool = True, kernel_initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spectral = spectral
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        channels = input_shape[-1]
        shapes = {
            "theta": (channels, channels // 8), "phi": (channels, channels // 8),
            "g": (channels, channels // 2), "o": (channels // 2, channels),
        }  # fmt: skip
        self.kernels: dict[str, Any] = {}
        self.us: dict[str, Any] = {}
        for name, shape in shapes.items():
            self.kernels[name] = self.add_weight(name=name, shape=shape, initializer=self.kernel_initializer)
            if self.spectral:
                self.us[name] = self.add_weight(
                    name=f"u_{name}", shape=shape[1:], initializer=standard_normal(), trainable=False, autocast=False
                )
        self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")

    def call(self, x: Any, training: bool = False) -> Any:
        _, h, w, c = ops.shape(x)
        theta = ops.reshape(self._map("theta", x, training), (-1, h * w, c // 8))  # [B, N, C / 8]
        phi, g = (ops.max_pool(self._map(name, x, training), 2) for name in ("phi", "g"))
        phi = ops.reshape(phi, (-1, (h // 2) * (w // 2), c // 8))  # [B, N / 4, C / 8]
        g = ops.reshape(g, (-1, (h // 2) * (w // 2), c // 2))  # [B, N / 4, C / 2]
        weights = ops.matmul(theta, ops.transpose(phi, (0, 2, 1)))  # [B, N, N / 4]
        weights = ops.cast(ops.softmax(wide(weights), axis=-1), g.dtype)
        seen = ops.reshape(ops.matmul(weights, g), (-1, h, w, c // 2))
        return x + self.scale * self._map("o", seen, training)

    def _map(self, name: str, x: Any, training: bool) -> Any:
        """Apply a 1 x 1 convolution."""
        kernel = self.kernels[name]
        if self.spectral:
            sigma = power_iteration(wide(kernel), self.us[name], training=training)
            kernel = kernel / ops.cast(sigma, self.compute_dtype)
        return ops.conv(x, ops.expand_dims(kernel, (0, 1)))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return super().get_config() | {"spectral": self.spectral, "kernel_initializer": initializer}
