"""Layers of texts, which come as ids of words [B, longest]; 0 fills up."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.nn.layer_registry import LAYERS
from zoo.spec.types import PositiveInt


@LAYERS.register
@keras.saving.register_keras_serializable("zoo")
class BagOfWords(keras.layers.Layer):
    """The sum of the learned vectors of a text's words, divided by the square root of their number: a linear map of the
    counts of words, brought to length 1 where no word is there twice. The order of words and the filling, id 0, do not
    count. `input_dim` is one more than the vocabulary has words."""

    def __init__(
        self, input_dim: PositiveInt, output_dim: PositiveInt, embeddings_initializer: Any = "uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.input_dim, self.output_dim = input_dim, output_dim
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        shape = (self.input_dim, self.output_dim)
        self.embeddings = self.add_weight(name="embeddings", shape=shape, initializer=self.embeddings_initializer)

    def call(self, ids: Any) -> Any:
        ids = ops.cast(ids, "int32")
        there = ops.cast(ops.not_equal(ids, 0), self.compute_dtype)  # [B, longest]
        vectors = ops.take(self.embeddings, ids, axis=0)  # [B, longest, d]
        number = ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)
        return ops.sum(vectors * ops.expand_dims(there, -1), axis=1) / ops.sqrt(number)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "input_dim": self.input_dim, "output_dim": self.output_dim,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }  # fmt: skip
