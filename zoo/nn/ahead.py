"""The batches that `fit` reads, in the order of the steps, made ahead by threads while the device computes.

    batches.pixels(step)  ->  2 threads  ->  a queue of 16  ->  `fit`

For TensorFlow the threads are those of tf.data, for the other backends Keras's. Keras would hand TensorFlow each batch
through a second queue and a generator, which halves the batches per second that a step without work can get.
"""

from __future__ import annotations

from typing import Any, Protocol

import keras
import numpy as np

FEEDERS, QUEUED = 2, 16  # threads that make batches ahead of the step, and how many


class Pixels(Protocol):
    """Batches with images as they are stored, such as `zoo.data.pipeline.Batches`."""

    def pixels(self, step: int) -> dict[str, np.ndarray]:
        """Return the batch of a step, to several threads at once.

        Args:
            step: The number of the step, from 0.

        Returns:
            Arrays by name.
        """


def steps(batches: Pixels, first: int, last: int) -> Any:
    """Return the batches of some steps as Keras's `fit` of the backend takes them.

    Args:
        batches: The batches.
        first: The first step.
        last: The step after the last one, which may be far: "until the budget is used".

    Returns:
        The argument of `fit`; its length is the number of steps, 2**31 - 1 at most.
    """
    count = min(last - first, 2**31 - 1)
    if keras.backend.backend() == "tensorflow":
        return _mapped(batches, first, count)
    return _Sequence(batches, first, count)


def _mapped(batches: Pixels, first: int, count: int) -> Any:
    import tensorflow as tf

    names, examples = zip(*batches.pixels(first).items(), strict=True)

    def made(index: np.ndarray) -> list[np.ndarray]:
        batch = batches.pixels(first + int(index))
        return [batch[name] for name in names]

    def one(index: Any) -> Any:
        arrays = tf.numpy_function(made, [index], [example.dtype for example in examples])
        for array, example in zip(arrays, examples, strict=True):
            array.set_shape([None, *example.shape[1:]])  # as Keras has it of its own sequences
        return (dict(zip(names, arrays, strict=True)),)

    options = tf.data.Options()
    options.autotune.enabled = False
    mapped = tf.data.Dataset.range(count).map(one, num_parallel_calls=FEEDERS, deterministic=True)
    return mapped.prefetch(QUEUED).with_options(options)


class _Sequence(keras.utils.PyDataset):
    def __init__(self, batches: Pixels, first: int, count: int) -> None:
        super().__init__(workers=FEEDERS, max_queue_size=QUEUED)
        self.batches, self.first, self.count = batches, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return (self.batches.pixels(self.first + index),)
