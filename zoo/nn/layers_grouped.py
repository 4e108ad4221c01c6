"""Convolutions in groups that a CPU can train.

TensorFlow has no grouped convolution on the CPU: Keras compiles one by XLA, whose second derivatives, as penalties on
gradients need them, take a hundred times as long as the same groups one by one. Narrow groups are convolved in bundles
of `WIDE` channels, with zeros between the groups: that multiplies more in fewer calls, and is faster still.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

WIDE = 32  # channels of a convolution on the CPU


@keras.saving.register_keras_serializable("zoo")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras's Conv2D, whose groups are convolved a few at a time where TensorFlow computes on the CPU. The language
    calls it Conv2D: `networks` builds it for more than one group."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.groups == 1 or not one_by_one():
            return super().convolution_op(inputs, kernel)
        together = math.gcd(self.groups, max(1, WIDE // kernel.shape[2]))
        kernel, bundles = bundled(kernel, self.groups, together), self.groups // together
        pairs = zip(ops.split(inputs, bundles, axis=-1), ops.split(kernel, bundles, axis=-1), strict=True)
        how = {"strides": list(self.strides), "padding": self.padding, "dilation_rate": self.dilation_rate}
        return ops.concatenate([ops.conv(x, w, **how) for x, w in pairs], axis=-1)


def bundled(kernel: Any, groups: int, together: int) -> Any:
    """Return a kernel of fewer and wider groups that convolves alike.

    Args:
        kernel: [h, w, i, groups * o], of groups with i channels in and o out.
        groups: The number of groups.
        together: How many of them become one; a divisor of `groups`.

    Returns:
        [h, w, together * i, groups * o], with zeros where a channel in and one out are of different groups.
    """
    h, w, channels, filters = kernel.shape
    apart = ops.reshape(kernel, (h, w, 1, channels, groups // together, together, filters // groups))
    own = ops.reshape(ops.eye(together, dtype=kernel.dtype), (together, 1, 1, together, 1))
    return ops.reshape(apart * own, (h, w, together * channels, filters))


def one_by_one() -> bool:
    """Return True if groups are not convolved by one call: on TensorFlow without a GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
