"""Growing against the same networks at full size from the start: time to equal quality, speed at each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import Snapshots, forward, machine_of, seconds_of, train_with_snapshots
from zoo.core.arrays import Array, evenly_spaced
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks.judge import FEATURES, Judge, load_judge
from zoo.train import speed

if TYPE_CHECKING:
    from zoo.spec.read import Spec
    from zoo.train.algorithms.base import Algorithm
    from zoo.train.algorithms.progressive import Stage


SPEC = "progressive"
GROWING, FULL = "growing", "full size from the start"
FAKES, SNAPSHOTS = 2000, 40
Curve = tuple[list[float], list[float]]  # seconds, Frechet distances


@claim(
    title="Growing reaches the same quality in less time",
    source="Karras et al. 2017, section 6.3 and figure 4 (about 2 times at 128 x 128, 5.4 times at 1024 x 1024)",
    states="Most steps of a growing training are made at small sizes, which cost less; it reaches a given quality "
    "earlier than the same networks trained at full size from the start.",
    spec=SPEC,
    takes=("an hour or two", "10 minutes"),
)
def growing(options: Options) -> Outcome:
    """Train both, full size for half the steps, which take about as long.

    Seconds are steps times the pace of their stage; all paces are measured at the end in one run, so that other work of
    the machine during the trainings does not count.
    """
    from zoo.spec.read import read_spec, spec_file

    judge, seed = load_judge(), options.seeds[0] if options.seeds else 0
    spec = read_spec(spec_file(SPEC))
    size, steps = spec.plans["generator"].output_shape[0], length(spec)
    shrink = [f"algorithm.progressive.{knob}_kimg={_kimg(spec, knob) / 10}" for knob in ("stabilise", "fade")]
    steps, scale = (steps // 10, shrink) if options.quick else (steps, [])
    recipes = {
        GROWING: [*scale, f"training.seed={seed}"],
        FULL: [*scale, f"algorithm.progressive.start={size}", f"training.seed={seed}"],
    }
    trainings = {
        name: _train(options, name, recipes[name], moments(until), judge, size)
        for name, until in ((GROWING, steps), (FULL, steps // 2))
    }
    stages, rates = _paces(options, {name: read_spec(spec_file(SPEC), changes) for name, changes in recipes.items()})
    batch = spec.sections.training.batch_size  # type: ignore[union-attr]
    curves = {name: curve(trainings[name], stages[name], rates, batch) for name in trainings}
    quality, times = equal_quality(curves)
    faster = times[FULL] / times[GROWING]
    return Outcome(
        rows=(
            Row(quantity="time to equal quality, full size / growing", paper="above 1 (2 at 128 px, 5.4 at 1024 px)",
                ours=faster, low=1.0, form=".2f"),
            *(Row(quantity=f"last Frechet distance, {name}", paper="", ours=distances[-1])
              for name, (_, distances) in curves.items()),
            *(Row(quantity=f"images/s, {stage}", paper="", ours=pace, form=",.0f") for stage, pace in rates.items()),
        ),
        seeds=(seed,),
        machine=machine_of(list(trainings.values())),
        picture=_picture(trainings, curves, quality),
        notes=(
            f"Equal quality: the best that both reach, a Frechet distance of {quality:.3g} ({FEATURES} features "
            f"of the judge, {FAKES:,} samples of the averaged G against 10,000 test images). Growing took "
            f"{times[GROWING]:,.0f} s to it in {steps:,} steps, full size {times[FULL]:,.0f} s in {steps // 2:,}.",
            "Seconds are steps times the pace of their stage; all paces were measured in one run, in turns.",
            f"The judge: {judge}.",
        ),
        seconds=sum(map(seconds_of, trainings.values())),
    )  # fmt: skip


def moments(until: int) -> list[int]:
    """Return the steps of the snapshots, evenly up to the last."""
    return sorted({round(step) for step in np.linspace(0, until, SNAPSHOTS + 1)[1:]})


def length(spec: Spec) -> int:
    """Return the steps of a run whose last stage is as long as the others; the recipe itself trains longer there."""
    from zoo.spec import growth

    assert spec.sections.algorithm is not None and spec.sections.training is not None
    networks = (spec.plans["generator"], spec.plans["discriminator"])
    sizes = len(growth.sizes(*networks, spec.sections.algorithm.args["start"]))
    images = 1000 * (sizes * _kimg(spec, "stabilise") + (sizes - 1) * _kimg(spec, "fade"))
    return round(images / spec.sections.training.batch_size)


def _kimg(spec: object, knob: str) -> float:
    """Return a duration of the growing spec, in thousands of images."""
    return float(spec.sections.algorithm.args[f"{knob}_kimg"])  # type: ignore[attr-defined]


def _train(
    options: Options, name: str, overrides: Sequence[str], at: Sequence[int], judge: Judge, size: int
) -> Snapshots:
    from zoo.core.images import to_uint8
    from zoo.spec.feeds import draw_inputs, load_data
    from zoo.spec.read import read_spec, spec_file

    spec = read_spec(spec_file(SPEC), overrides)
    assert spec.sections.data is not None
    limits, inputs = spec.sections.data.range, {"z": draw_inputs(spec, FAKES, seed=0)["z"]}
    real_features = judge(load_data(spec, split="test").images).features  # type: ignore[union-attr, arg-type]

    def take(algorithm: Algorithm) -> dict[str, Array]:
        images = to_uint8(forward(algorithm.exported("generator"), inputs, "image"), limits)
        factor = size // images.shape[1]
        shown = images.repeat(factor, axis=1).repeat(factor, axis=2)
        return {
            "frechet": np.array(frechet_distance(judge(shown).features, real_features)),
            "stage": np.array(str(algorithm.stage)),
            "shown": shown[:8],
        }

    label = f"growing-{'grown' if name == GROWING else 'full'}"
    return train_with_snapshots(options, label, SPEC, overrides, at=at, take=take)


def _paces(options: Options, specs: Mapping[str, Spec]) -> tuple[dict[str, list[Stage]], dict[str, float]]:
    """Return the stages of each training, and the images per second of every stage."""
    from zoo.spec import feeds
    from zoo.train import loop

    stages, steppers = {}, {}
    for name, spec in specs.items():
        stages[name], dataset = loop.make(spec).stages, feeds.load_data(spec)
        for stage in stages[name]:
            if str(stage) not in steppers:  # the last stage of both is the same
                options.log(f"growing: preparing to measure the pace of {stage}")
                algorithm = loop.make(spec)
                algorithm.begin(stage.first)
                algorithm.compile(xla=loop.recipe(spec).xla)
                batches = loop.make_batches(spec, algorithm, dataset)
                steppers[str(stage)] = speed.stepper(algorithm, [batches[stage.first + i] for i in range(8)])
    batch = loop.recipe(next(iter(specs.values()))).batch_size
    found = speed.race("step", steppers, rounds=5, round_seconds=2.0, per_call=batch)
    return stages, {result.variant: result.images_per_second for result in found}


def curve(snapshots: Snapshots, stages: Sequence[Stage], rates: Mapping[str, float], batch: int) -> Curve:
    """Return the seconds until each snapshot, for `rates` images per second of each stage, and its Frechet distance."""

    def seconds(step: int) -> float:
        made = {str(stage): min(step, stage.last or step) - min(step, stage.first) for stage in stages}
        return sum(steps * batch / rates[stage] for stage, steps in made.items())

    steps = sorted(snapshots)
    return [seconds(step) for step in steps], [float(snapshots[step]["frechet"]) for step in steps]


def equal_quality(curves: Mapping[str, Curve]) -> tuple[float, dict[str, float]]:
    """Return the lowest distance that all curves (seconds, distances) reach, and the time at which each first does."""
    quality = max(min(distances) for _, distances in curves.values())
    return quality, {
        name: next(second for second, distance in zip(seconds, distances, strict=True) if distance <= quality)
        for name, (seconds, distances) in curves.items()
    }


def _picture(trainings: dict[str, Snapshots], curves: Mapping[str, Curve], quality: float) -> bytes:
    figure, axes = new_figure(2, 1, width=6.4, height=2.6)
    for name, (seconds, distances) in curves.items():
        axes[0, 0].semilogy(np.array(seconds) / 60, distances, ".-", label=name, linewidth=1)
    axes[0, 0].axhline(quality, color="grey", linewidth=0.5)
    axes[0, 0].set(xlabel="minutes of training", ylabel="Frechet distance")
    axes[0, 0].legend(fontsize=7)
    strips = []
    for snapshots in trainings.values():
        ten = evenly_spaced(np.array(sorted(snapshots)), 10)
        strips += [np.concatenate([snapshots[step]["shown"][i] for step in ten], axis=1) for i in (0, 1)]
    axes[1, 0].imshow(np.concatenate(strips, axis=0)[..., 0], cmap="gray")
    axes[1, 0].set(xticks=[], yticks=[], title="the same two latents over the same time: growing, then full size")
    axes[1, 0].title.set_fontsize(8)
    return figure_png(figure)
