"""The measurements of claims in YAML: on the networks after some steps of a training, or on its logs.

A measurement is registered with the names of the numbers that it returns:

    @measurement("modes", "high_quality", "reverse_kl")
    def modes(spec: Spec, *, samples: PositiveInt = 2500) -> Take: ...

Its keyword arguments are those of the YAML. It loads data once and returns a function of the algorithm, which is called
after the steps of the snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.claims.trainings import Take, forward
from zoo.core.arrays import Array
from zoo.core.errors import UsageError
from zoo.core.images import to_uint8
from zoo.core.registry import Registry, suggest
from zoo.metrics import classifier, ssim
from zoo.metrics import modes as mixtures
from zoo.metrics import stacked as stacked_digits
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks.judge import CLASSES, SOURCES, judge_file, load_judge
from zoo.spec.read import Spec
from zoo.spec.types import Part, PositiveInt, construct_part

if TYPE_CHECKING:
    from zoo.spec.plan import Plan
    from zoo.train.algorithms.base import Algorithm

Snapshot = Mapping[str, Array]
Numbers = Mapping[str, float]
Measure = Callable[[Any], Numbers]  # of an Algorithm
SHOWN, SHOWN_IMAGES = "shown", 64  # what a figure shows of a snapshot: images, or all points

MEASUREMENTS: Registry[Callable[..., Measure]] = Registry("measurement")
NUMBERS: dict[str, tuple[str, ...]] = {}  # of each measurement


def measurement(*numbers: str) -> Callable[[Callable[..., Measure]], Callable[..., Measure]]:
    """Register a function that measures these numbers.

    Args:
        numbers: Their names; without one the numbers are named after the argument `name` of the measurement.

    Returns:
        A decorator that returns its function unchanged.
    """

    def register(function: Callable[..., Measure]) -> Callable[..., Measure]:
        NUMBERS[function.__name__] = numbers
        return MEASUREMENTS.register(function)

    return register


def make_take(spec: Spec, parts: Sequence[Part]) -> Take:
    """Return a function that takes a snapshot of an algorithm: all numbers, and what figures show.

    Args:
        spec: The spec that is trained.
        parts: Measurements with their arguments.

    Returns:
        take(algorithm) returns arrays by name: the numbers, without axes, and `shown`.
    """
    measures = [construct_part(MEASUREMENTS, part, spec) for part in parts]

    def take(algorithm: Algorithm) -> Mapping[str, Array]:
        numbers = {name: value for measure in measures for name, value in measure(algorithm).items()}
        return {**{name: np.array(float(value)) for name, value in numbers.items()}, SHOWN: shown(spec, algorithm)}

    return take


def shown(spec: Spec, algorithm: Algorithm) -> Array:
    """Return what a figure shows: points [2500, 2], uint8 images of seed 0, or translations beside their inputs."""
    plan = first_leaving(spec)
    if len(plan.output_shape) == 1:
        return made(spec, algorithm, mixtures.SAMPLES)
    images = made(spec, algorithm, SHOWN_IMAGES)
    given = next((field for field in plan.inputs if field in spec.image_fields), None)
    if given is None:
        return images
    pairs = _test(spec)
    sides = [pairs[given][: len(images)], images, *([pairs[plan.output_name]] if plan.output_name in pairs else ())]
    return np.concatenate([side[: len(images)] for side in sides], axis=2)


def first_leaving(spec: Spec) -> Plan:
    """Return the plan of the first network or value that leaves: what a measurement looks at."""
    return next(iter(spec.leaving.values()))


def made(spec: Spec, algorithm: Algorithm, count: int, **given: Array) -> Array:
    """Return what the first exported network, or value, makes with its present weights.

    Args:
        spec: The spec that is trained.
        algorithm: The algorithm with its weights.
        count: The number of examples.
        given: Inputs in place of those of seed 0, [count, ...].

    Returns:
        uint8 images [N, H, W, C], or float32 points [N, 2]; of test pairs at most as many as there are.
    """
    from zoo.spec.feeds import draw_inputs

    network, plan = algorithm.leaving(spec.exported[0])
    inputs = {**draw_inputs(spec, count, seed=0), **given}
    for field in plan.inputs:
        if field in spec.image_fields and field not in given:
            inputs[field] = _floats(spec, _test(spec)[field][:count])
    least = min(len(inputs[field]) for field in plan.inputs)
    outputs = forward(network, {field: inputs[field][:least] for field in plan.inputs}, plan.output_name)
    if len(plan.output_shape) == 1:
        return outputs
    assert spec.sections.data is not None
    return to_uint8(outputs, spec.sections.data.range)


def _floats(spec: Spec, images: Array) -> Array:
    from zoo.core.images import from_uint8

    assert spec.sections.data is not None
    return from_uint8(images, spec.sections.data.range)


def _test(spec: Spec) -> Mapping[str, Array]:
    """Return the test images of each field."""
    from zoo.spec.feeds import load_data

    return {name: part.items for name, part in load_data(spec, split="test").parts.items()}


@measurement("modes", "high_quality", "reverse_kl")
def modes(spec: Spec, *, samples: PositiveInt = mixtures.SAMPLES) -> Measure:
    """Modes of a mixture of Gaussians that are found, the share of samples within 3 deviations of one, and the KL
    divergence to the even mixture (Srivastava et al. 2017)."""
    from zoo.spec.feeds import load_data

    data: Any = load_data(spec, split="test")
    if getattr(data, "centres", None) is None:
        raise UsageError(f"{spec.path}: `modes` needs a mixture of Gaussians such as ring or grid as its data")

    def measure(algorithm: Algorithm) -> Numbers:
        found = mixtures.coverage(made(spec, algorithm, samples), data.centres, data.std)
        return {"modes": found.found, "high_quality": found.high_quality, "reverse_kl": found.reverse_kl}

    return measure


@measurement("judge_frechet")
def judge_frechet(spec: Spec, *, samples: PositiveInt = 2000) -> Measure:
    """Frechet distance of the judge's features between samples and real test images; lower is better."""
    judge = _judge(spec)
    real = judge(_test(spec)[spec.image_fields[0]]).features

    def measure(algorithm: Algorithm) -> Numbers:
        return {"judge_frechet": frechet_distance(judge(made(spec, algorithm, samples)).features, real)}

    return measure


@measurement("right_class")
def right_class(spec: Spec, *, samples: PositiveInt = 2000) -> Measure:
    """Share of samples in which the judge sees the class that was asked for; higher is better."""
    judge, classes = _judge(spec), len(spec.classes)

    def measure(algorithm: Algorithm) -> Numbers:
        asked = np.arange(samples) % classes
        seen = judge(made(spec, algorithm, samples, label=asked)).classes
        return {"right_class": classifier.agreement(asked, seen, classes=classes).overall}

    return measure


@measurement("modes", "reverse_kl", "confidence")
def stacked(spec: Spec, *, samples: PositiveInt = stacked_digits.SAMPLES) -> Measure:
    """How many of the 1,000 triples of digits the judge sees in the channels of samples, their KL divergence to
    the even mixture, and the judge's mean confidence, low for images that are no digits (Metz et al. 2016)."""
    data, shape = spec.sections.data, first_leaving(spec).output_shape
    if data is None or data.source.name != "stacked_mnist" or shape[-1] != stacked_digits.CHANNELS:
        raise UsageError(f"{spec.path}: `stacked` needs stacked_mnist, in three channels, as its data")
    judge = load_judge(judge_file("mnist"))

    def measure(algorithm: Algorithm) -> Numbers:
        from scipy.special import softmax

        images = made(spec, algorithm, samples)
        seen = [judge(np.ascontiguousarray(images[..., i : i + 1])) for i in range(stacked_digits.CHANNELS)]
        found = stacked_digits.stacked_modes(np.stack([one.classes for one in seen], axis=1))
        confidence = float(np.mean([softmax(one.logits, axis=1).max(axis=1) for one in seen]))
        return {"modes": found.found, "reverse_kl": found.reverse_kl, "confidence": confidence}

    return measure


@measurement("code_accuracy")
def code_accuracy(spec: Spec, *, code: str, samples: PositiveInt = 2000) -> Measure:
    """Share of samples whose categorical code agrees with the class that the judge sees, for the best one-to-one
    matching of codes and classes (Chen et al. 2016, section 7.2: 95 % on MNIST); higher is better."""
    judge = _judge(spec)
    if code not in spec.latents:
        raise UsageError(f"{spec.path}: code_accuracy: there is no latent '{code}'.{suggest(code, spec.latents)}")

    def measure(algorithm: Algorithm) -> Numbers:
        from scipy.optimize import linear_sum_assignment

        asked = np.arange(samples) % CLASSES
        seen = judge(made(spec, algorithm, samples, **{code: asked})).classes
        together = np.zeros((CLASSES, CLASSES), int)  # [codes, classes]
        np.add.at(together, (asked, seen), 1)
        return {"code_accuracy": together[linear_sum_assignment(-together)].sum() / samples}

    return measure


@measurement("diversity")
def diversity(spec: Spec, *, samples: PositiveInt = 500) -> Measure:
    """Standard deviation of a pixel over samples, as a share of that over real test images: 1 for the data's own
    variety, 0 for a generator that always makes the same image."""
    real = _spread(_test(spec)[spec.image_fields[0]])

    def measure(algorithm: Algorithm) -> Numbers:
        return {"diversity": _spread(made(spec, algorithm, samples)) / real}

    return measure


def _spread(images: Array) -> float:
    return float(images.astype(np.float64).std(axis=0).mean())


@measurement("l1", "ssim")
def partners(spec: Spec, *, samples: PositiveInt = 500) -> Measure:
    """L1 (lower is better) and SSIM (higher) between translations of unseen images and their unseen partners."""
    output, real = first_leaving(spec).output_name, _test(spec)
    if output not in real:
        raise UsageError(f"{spec.path}: `partners` compares '{output}' with the data, which have {', '.join(real)}")
    truth = real[output][:samples]

    def measure(algorithm: Algorithm) -> Numbers:
        images = made(spec, algorithm, len(truth))
        return {"l1": float(ssim.l1(images, truth).mean()), "ssim": float(ssim.ssim(images, truth).mean())}

    return measure


def _judge(spec: Spec) -> Any:
    """Return the judge of the data of a spec. Raises UsageError where there is none."""
    data = spec.sections.data
    source = data.source.name if data is not None else ""
    if source not in SOURCES:
        raise UsageError(f"{spec.path}: there is no judge of '{source}'. There are those of {', '.join(SOURCES)}")
    return load_judge(judge_file(source))


# ---- numbers of a whole training


def logged(folder: Path, names: Sequence[str], steps: Sequence[int]) -> dict[int, dict[str, Array]]:
    """Return numbers that a training has logged, such as m_global: means over the steps up to each snapshot.

    Args:
        folder: The folder of its event files.
        names: The numbers.
        steps: The steps of the snapshots, in order.

    Returns:
        The numbers, without axes, for each of the steps.

    Raises:
        UsageError: The training does not log one of them, or not between two snapshots.
    """
    from zoo.train.curves import read_scalars

    scalars, found = read_scalars(folder, max(steps)), {}
    if missing := [name for name in names if name not in scalars]:
        known = ", ".join(name for name in scalars if not name.startswith("metric/"))
        raise UsageError(f"nothing logs {', '.join(missing)}; logged are {known}")
    for before, step in zip([0, *steps], steps, strict=False):
        between = {name: [value for at, value in scalars[name].items() if before < at <= step] for name in names}
        if not all(between.values()):
            raise UsageError(f"nothing is logged from step {before:,} to {step:,}: take fewer snapshots or more steps")
        found[step] = {name: np.array(np.mean(values)) for name, values in between.items()}
    return found


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's rank correlation of two numbers over the snapshots, in [-1, 1]; ties share their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)
