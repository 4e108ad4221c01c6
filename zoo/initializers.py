"""Weight initialisers beyond Keras's own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import SpecError
from zoo.registry import Registry

INITIALIZERS: Registry[type[keras.initializers.Initializer]] = Registry("initializer")


@INITIALIZERS.register
@keras.saving.register_keras_serializable("zoo")
class PixelMarginals(keras.initializers.Initializer):
    """The output bias of Goodfellow et al. 2014 (authors' code): the logit of each pixel's mean over the data.

    It is zero until `apply_data` has seen the data, because a network is built before any data is read.
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.zeros(shape, dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        return {}


def apply_data(network: keras.Model, mean: np.ndarray) -> None:
    """Fill the biases that wait for data. `mean`: the mean example in [0, 1], of any shape with the bias's size."""
    for layer in network.layers:
        if isinstance(getattr(layer, "bias_initializer", None), PixelMarginals):
            if tuple(layer.bias.shape) != (mean.size,):
                text = (
                    f"PixelMarginals needs one bias per pixel ({mean.size}), '{layer.name}' has {layer.bias.shape[0]}"
                )
                raise SpecError(text)
            p = np.clip(np.asarray(mean, "float64").reshape(-1), 1e-4, 1 - 1e-4)  # a pixel that is always black
            layer.bias.assign(np.log(p / (1 - p)).astype("float32"))
