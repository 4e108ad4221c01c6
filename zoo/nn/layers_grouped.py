"""Convolutions in groups that a CPU can train.

TensorFlow has no grouped convolution on the CPU: Keras compiles one by XLA, whose second derivatives, as penalties on
gradients need them, take a hundred times as long as the same groups one by one.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras's Conv2D, whose groups are convolved one by one where TensorFlow computes on the CPU. The language calls it
    Conv2D: `networks` builds it for more than one group."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.groups == 1 or not one_by_one():
            return super().convolution_op(inputs, kernel)
        pairs = zip(ops.split(inputs, self.groups, axis=-1), ops.split(kernel, self.groups, axis=-1), strict=True)
        how = {"strides": list(self.strides), "padding": self.padding, "dilation_rate": self.dilation_rate}
        return ops.concatenate([ops.conv(x, w, **how) for x, w in pairs], axis=-1)


def one_by_one() -> bool:
    """Return True if groups are convolved one by one: on TensorFlow without a GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
