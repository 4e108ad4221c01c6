"""Layers of two inputs, one of which says how the other is treated; and one that compares the examples of a batch."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.nn.layer_registry import LAYERS, standard_normal, wide
from zoo.nn.layers_spectral import power_iteration
from zoo.spec.types import NonNegativeFloat, PositiveFloat, PositiveInt


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class ConditionalBatchNormalization(keras.layers.BatchNormalization):
    """Batch norm of x whose scale and shift depend on a second input: gamma(c) * norm(x) + beta(c).

    c is a class id, with a table for `classes` (Miyato & Koyama 2018: gamma 1 and beta 0 for every class at the start),
    or a vector, with gamma = 1 + c W and beta = c V (Brock et al. 2018, where W and V have spectral norm: `spectral`).
    """

    def __init__(
        self, classes: PositiveInt | None = None, momentum: NonNegativeFloat = 0.99, epsilon: PositiveFloat = 1e-3,
        spectral: bool = False, kernel_initializer: Any = "glorot_uniform", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(momentum=momentum, epsilon=epsilon, center=False, scale=False, **kwargs)
        self.classes, self.spectral = classes, spectral
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: list[tuple[int, ...]]) -> None:
        x, c = input_shape
        super().build(x)
        self.input_spec = None  # that of one input
        rows = self.classes or c[-1]
        tables = self.classes is not None
        for name, start in (("gammas", "ones"), ("betas", "zeros")):
            kernel = start if tables else self.kernel_initializer
            setattr(self, name, self.add_weight(name=name, shape=(rows, x[-1]), initializer=kernel))
            if self.spectral and not tables:
                u = self.add_weight(
                    name=f"u_{name}", shape=(x[-1],), initializer=standard_normal(), trainable=False, autocast=False
                )
                setattr(self, f"u_{name}", u)

    def call(self, inputs: list[Any], training: bool = False) -> Any:
        x, c = inputs
        y = super().call(x, training=training)
        gamma, beta = (self._of(name, c, training) for name in ("gammas", "betas"))
        shape = (-1, *(1,) * (len(x.shape) - 2), x.shape[-1])
        return ops.reshape(gamma, shape) * y + ops.reshape(beta, shape)

    def _of(self, name: str, c: Any, training: bool) -> Any:
        """Return gamma or beta [B, C] for the second input."""
        kernel = getattr(self, name)
        if self.classes is not None:
            return ops.take(kernel, ops.cast(c, "int32"), axis=0)
        if self.spectral:
            sigma = power_iteration(wide(kernel), getattr(self, f"u_{name}"), training=training)
            kernel = kernel / ops.cast(sigma, self.compute_dtype)
        return ops.matmul(c, kernel) + (1.0 if name == "gammas" else 0.0)

    def compute_output_shape(self, input_shape: list[tuple[int, ...]]) -> tuple[int, ...]:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return keras.layers.Layer.get_config(self) | {
            "classes": self.classes, "momentum": self.momentum, "epsilon": self.epsilon, "spectral": self.spectral,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }  # fmt: skip


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class MinibatchDiscrimination(keras.layers.Layer):
    """Salimans et al. 2016, section 3.2: how close each example is to the others of the batch, beside its features.

    M = x T [kernels, dimensions]; the new feature b of example i is the sum over the other examples j of
    exp(-|M_ib - M_jb|_1), plus a bias that begins at -1 (authors' code; the example itself is left out).
    """

    def __init__(
        self, kernels: PositiveInt = 100, dimensions: PositiveInt = 5, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.number, self.dimensions, self.use_bias = kernels, dimensions, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape = (input_shape[-1], self.number * self.dimensions)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer)
        if self.use_bias:
            start = keras.initializers.Constant(-1.0)
            self.bias = self.add_weight(name="bias", shape=(self.number,), initializer=start)

    def call(self, x: Any) -> Any:
        m = ops.reshape(wide(ops.matmul(x, self.kernel)), (-1, self.number, self.dimensions))  # [B, b, c]
        distances = ops.sum(ops.abs(ops.expand_dims(m, 0) - ops.expand_dims(m, 1)), axis=-1)  # [B, B, b]
        near = ops.cast(ops.sum(ops.exp(-distances), axis=1) - 1.0, x.dtype)  # [B, b], without the example itself
        return ops.concatenate([x, near + self.bias if self.use_bias else near], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], input_shape[-1] + self.number)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "kernels": self.number, "dimensions": self.dimensions, "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }  # fmt: skip


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class NoiseDropout(keras.layers.Layer):
    """Dropout whose randomness is a second input u, uniform in [0, 1): zero where u < `rate`, else x / (1 - rate).

    The noise is a latent like any other, so that it stays on in an exported network and every image can be drawn again
    (Isola et al. 2016 keep dropout at test time). u has the shape of x, with 1 where it is shared.
    """

    def __init__(self, rate: NonNegativeFloat, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: list[Any]) -> Any:
        x, u = inputs
        return x * ops.cast(u >= self.rate, x.dtype) / (1 - self.rate)

    def compute_output_shape(self, input_shape: list[tuple[int, ...]]) -> tuple[int, ...]:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}
