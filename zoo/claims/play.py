"""Small games that need no data set: networks from a YAML file of this folder, batches that the claim makes itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zoo.algorithms import Algorithm

Array = np.ndarray[Any, np.dtype[Any]]
SGD = "SGD"


def game(name: str, algorithm: str, seed: int = 0, **args: Any) -> Algorithm:
    """The networks of <name>.yaml in this folder under `algorithm` with these arguments, freshly initialised."""
    import keras

    from zoo import algorithms, spec
    from zoo.spec.types import Part

    keras.utils.set_random_seed(seed)
    made = algorithms.make(Part(algorithm, args), spec.read(Path(__file__).with_name(f"{name}.yaml")).plans)
    made.compile()
    return made


def player(rate: float, kind: str = SGD, **args: Any) -> dict[str, Any]:
    """A player with a learning rate, as a spec would write it."""
    return {"optimizer": {kind: {"learning_rate": rate, **args}}}


def play(
    algorithm: Algorithm, batch: Callable[[int], Mapping[str, Array]], steps: int,
    watch: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """`steps` steps of Keras's `fit` on batch(0), batch(1), ...; `watch(n)` is called when n steps are made."""
    import keras

    class Steps(keras.utils.PyDataset):
        def __len__(self) -> int:
            return steps

        def __getitem__(self, index: int) -> tuple[Mapping[str, Array]]:
            return (batch(index),)

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, index: int, logs: Any = None) -> None:
            if watch:
                algorithm.state()  # JAX's `fit` fills the variables when they are asked for
                watch(index + 1)

    algorithm.fit(Steps(workers=1), epochs=1, verbose=0, shuffle=False, callbacks=[Watch()])


def memory(algorithm: Algorithm) -> dict[str, Array]:
    """All state as it is now: weights, optimizers, seeds."""
    import keras

    return {name: keras.ops.convert_to_numpy(variable) for name, variable in algorithm.state().items()}


def recall(algorithm: Algorithm, state: Mapping[str, Array]) -> None:
    """Back to that state: the next game need not be compiled again."""
    for name, variable in algorithm.state().items():
        variable.assign(state[name])


def weights(algorithm: Algorithm, role: str) -> list[Array]:
    """The trained weights of a player."""
    import keras

    algorithm.state()
    return [keras.ops.convert_to_numpy(variable) for variable in algorithm.players[role].trainable_variables]
