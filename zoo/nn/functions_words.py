"""Functions of a game of texts, which come as ids of words [B, longest]; 0 fills up."""

from __future__ import annotations

import keras
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.functions import Per, averaged, function
from zoo.spec.types import PositiveInt, Value


@function()
def word_set(*, of: Value, size: PositiveInt) -> Tensor:
    """A text as a vector [size] of ones and zeros, a one for each id of a word in it; that of the filling, 0, is 0.
    `size` is one more than the vocabulary has words."""
    there = ops.any(ops.equal(ops.expand_dims(ops.cast(of, "int32"), -1), ops.arange(size, dtype="int32")), axis=1)
    return ops.cast(ops.logical_and(there, ops.arange(size, dtype="int32") > 0), keras.config.floatx())


@function()
def words_nll(*, of: Value, text: Value, per: Per = "batch") -> Tensor:
    """Minus the log-likelihood of the words of a text under a logit for each id, in the mean over its words: what the
    text leaves unsaid costs nothing."""
    told = ops.cast(word_set(of=text, size=of.shape[-1]), of.dtype)  # [B, size]
    number = ops.maximum(ops.sum(told, axis=-1), 1)
    return averaged(ops.sum(told * ops.softplus(-of), axis=-1) / number, per)
