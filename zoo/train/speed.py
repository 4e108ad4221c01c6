"""Speed of training and of sampling: images per second of several variants, and their ratios.

Training steps with and without XLA and bfloat16, sampling by ONNX Runtime and by Keras. Rounds of the variants are
interleaved, so that a machine that slows down slows all of them; the median round counts.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import zoo
from zoo.nn import networks
from zoo.spec import feeds
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.train import loop
from zoo.train.algorithms.base import Algorithm

SAMPLE_BATCH = 64


@dataclass(frozen=True)
class Result:
    """Images per second of one variant, and its ratio to the first variant of the group."""

    group: str
    variant: str
    images_per_second: float
    ratio: float

    def __str__(self) -> str:
        return f"{self.group:<9} {self.variant:<24} {self.images_per_second:>10,.0f} images/s   x {self.ratio:.2f}"


def training_steps(spec: Spec, *, rounds: int = 5, round_seconds: float = 3.0) -> Iterator[Result]:
    """Measure training steps on the spec's own data: in float32, with XLA, and in bfloat16.

    Args:
        spec: A spec that can be trained; otherwise UsageError is raised.
        rounds: Rounds of each variant.
        round_seconds: Seconds of a round.

    Yields:
        A result for each variant; images are the real ones that D is shown.
    """
    training = loop.recipe(spec)
    dataset = feeds.load_data(spec)
    variants: dict[str, Callable[[], None]] = {}
    for name, changes in {
        "float32": {"xla": False, "precision": "float32"},
        "float32 with XLA": {"xla": True, "precision": "float32"},
        "mixed_bfloat16": {"xla": False, "precision": "mixed_bfloat16"},
    }.items():
        sections = dataclasses.replace(spec.sections, training=dataclasses.replace(training, **changes))  # type: ignore[arg-type]
        variant = dataclasses.replace(spec, sections=sections)
        algorithm = loop.make(variant)
        algorithm.compile(xla=bool(changes["xla"]))
        batches = loop.make_batches(variant, algorithm, dataset)
        variants[name] = stepper(algorithm, [batches[i] for i in range(8)])
    yield from race("training", variants, rounds, round_seconds, per_call=algorithm.step_images)


def sampling(
    plan: Plan, artifact: Path, *, provider: str = "cpu", rounds: int = 5, round_seconds: float = 1.0
) -> Iterator[Result]:
    """Measure batches of 64 through Keras, as a compiled graph, and through ONNX Runtime, raw arrays in and out.

    Args:
        plan: The plan of the generator.
        artifact: The folder of the exported generator.
        provider: Of ONNX Runtime, "cpu" or "cuda"; Keras computes on the device that was chosen for it.
        rounds: Rounds of each variant.
        round_seconds: Seconds of a round.

    Yields:
        A result for each variant.
    """
    generator = zoo.load(artifact, provider=provider)
    network = networks.build(plan)
    inputs = generator.latents(SAMPLE_BATCH)
    variants: dict[str, Callable[[], object]] = {
        "Keras predict": lambda: network.predict_on_batch(inputs),
        "ONNX Runtime": lambda: generator(**inputs),
    }
    yield from race("sampling", variants, rounds, round_seconds, per_call=SAMPLE_BATCH)


def stepper(algorithm: Algorithm, batches: list[Mapping[str, np.ndarray]]) -> Callable[[], None]:
    """Return a function that makes one training step, through the compiled function that `fit` itself uses.

    Args:
        algorithm: The algorithm, compiled.
        batches: The batches of the steps, used in turn.

    Returns:
        A function without arguments.
    """
    endless = itertools.cycle(batches)
    return lambda: algorithm.train_on_batch(next(endless), return_dict=True)


def race(
    group: str, variants: Mapping[str, Callable[[], object]], rounds: int, round_seconds: float, *, per_call: int
) -> Iterator[Result]:
    """Measure calls of several variants in interleaved rounds.

    Args:
        group: The name of the comparison.
        variants: Functions by name; the ratios are to the first one.
        rounds: Rounds of each variant.
        round_seconds: Seconds of a round.
        per_call: Images that a call handles.

    Yields:
        A result for each variant, in their order.
    """
    for call in variants.values():  # compile and warm up
        call()
        call()
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _, (name, call) in itertools.product(range(rounds), variants.items()):
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < round_seconds:
            call()
            calls += 1
        rates[name].append(calls * per_call / (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    base = next(iter(medians.values()))
    for name, rate in medians.items():
        yield Result(group, name, rate, rate / base)
