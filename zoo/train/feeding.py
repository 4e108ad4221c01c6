"""Speed of feeding: images per second that `fit` hands to a step that does nothing, which no card can exceed.

    data in memory, uint8  ->  threads that make batches  ->  queue  ->  `fit`  ->  the device, uint8  ->  (the step)

The step itself maps the pixels to numbers (`phases.as_numbers`). Rounds of the variants are interleaved, see `speed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
from keras import ops

from zoo.data.pipeline import Batches
from zoo.nn import ahead
from zoo.nn.phases import Batch
from zoo.spec import feeds
from zoo.spec.read import Spec
from zoo.train import callbacks, loop, speed
from zoo.train.algorithms.base import Algorithm

STEPS = 300  # of a call of `fit`


class _AsNumbers:
    """The batches with their images as float32: what a step gets that is fed numbers in place of pixels."""

    def __init__(self, batches: Batches) -> None:
        self.pixels = batches.__getitem__


def feeding(spec: Spec, *, rounds: int = 5, round_seconds: float = 2.0) -> Iterator[speed.Result]:
    """Measure `fit` with an empty step: as trainings are fed, with numbers made on the host, and the batches alone.

    Args:
        spec: A spec that can be trained; otherwise UsageError is raised.
        rounds: Rounds of each variant.
        round_seconds: The least seconds of a round.

    Yields:
        A result for each variant; images are the real ones that D would be shown.
    """
    algorithm = loop.make(spec)
    algorithm.begin(0)
    batches = loop.make_batches(spec, algorithm, feeds.load_data(spec))
    empty(algorithm)
    variants: dict[str, Callable[[], object]] = {
        "empty step": lambda: fit(algorithm, batches),
        "empty step, host numbers": lambda: fit(algorithm, _AsNumbers(batches)),
        "batches alone": lambda: [batches.pixels(step) for step in range(STEPS)],
    }
    per_call = STEPS * algorithm.step_images
    yield from speed.race("feeding", variants, rounds, round_seconds, per_call=per_call)


def empty(algorithm: Algorithm) -> None:
    """Replace the step of an algorithm by one that leaves its batch unread, and compile it.

    Args:
        algorithm: It is of no use for training afterwards.
    """
    names = [f"{phase.name}_loss" for phase in algorithm.phases()]

    def step(batch: Batch) -> dict[str, object]:
        return {name: ops.zeros(()) for name in names}

    algorithm.step = step  # type: ignore[method-assign]
    algorithm.compile()


def fit(algorithm: Algorithm, batches: ahead.Pixels, steps: int = STEPS) -> dict[str, list[float]]:
    """Make steps as a training does, with the callbacks that look at every step.

    Args:
        algorithm: What makes the steps.
        batches: What they are fed.
        steps: Their number.

    Returns:
        What `fit` has logged, by name.
    """
    clock = callbacks.Clock(step=0, steps=steps, budget_seconds=None, batch_size=algorithm.batch_size)
    looks: list[keras.callbacks.Callback] = [clock, callbacks.Finite(clock, algorithm.unknown)]
    made = algorithm.fit(ahead.steps(batches, 0, steps), epochs=1, verbose=0, shuffle=False, callbacks=looks)
    return dict(made.history)
