"""Runs claims in YAML (`zoo.spec.claim`): trains the variants, measures, compares, draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import CLAIMS, Claim, Options, Outcome
from zoo.claims.measurements import logged, make_take, rank_correlation
from zoo.claims.plots import FIGURES
from zoo.claims.trainings import Snapshots, machine_of, run_folder, seconds_of, train_with_snapshots
from zoo.spec.claim import Bound, Experiment, base_spec, changes_of, numbers_of, read_claim, variant_specs
from zoo.spec.read import read_spec
from zoo.spec.types import construct_part
from zoo.spec.validate import specs_folder


def read_experiment(file: Path) -> Claim:
    """Read a claim in YAML.

    Args:
        file: The YAML file.

    Returns:
        The claim, ready to run. Its specs are checked when it is, before the first training.

    Raises:
        SpecError: A line for each mistake of the file, with its place.
    """
    experiment = read_claim(file)
    return Claim(
        name=experiment.claim, title=experiment.title, source=experiment.source, states=experiment.states,
        spec=experiment.card, takes=(experiment.takes.full, experiment.takes.quick), seeds=100,
        run=lambda options: _run(experiment, file, options),
    )  # fmt: skip


def register_experiments() -> None:
    """Register the claims in YAML that ship with the zoo.

    Raises:
        SpecError: One of them is wrong.
    """
    for file in sorted((specs_folder() / "claims").glob("*.yaml")):
        one = read_experiment(file)
        CLAIMS.setdefault(one.name, one)


def _run(experiment: Experiment, file: Path, options: Options) -> Outcome:
    """Train every variant with every seed, measure, and compare."""
    variant_specs(experiment, file)  # all mistakes before the first training
    scale = "quick" if options.quick else "full"
    last = getattr(experiment.steps, scale)
    seeds = options.seeds or tuple(range(getattr(experiment.seeds, scale)))
    at = sorted({max(1, round(step)) for step in np.linspace(0, last, experiment.snapshots + 1)[1:]})
    trainings: dict[tuple[str, int], Snapshots] = {}
    jobs = [(variant, seed) for seed in seeds for variant in experiment.variants]
    for number, (variant, seed) in enumerate(jobs, start=1):
        options.log(f"{experiment.claim}: training {number} of {len(jobs)}, {variant}, seed {seed}")
        trainings[variant, seed] = _train(experiment, variant, seed, file, options, at)
    numbers = {key: _of_training(experiment, snapshots) for key, snapshots in trainings.items()}
    found = {
        variant: {name: float(np.mean([numbers[variant, seed][name] for seed in seeds])) for name in numbers[jobs[0]]}
        for variant in experiment.variants
    }
    return Outcome(
        rows=tuple(_row(bound, found, quick=options.quick) for bound in experiment.holds),
        seeds=seeds,
        machine=machine_of(list(trainings.values())),
        picture=construct_part(FIGURES, experiment.figure, trainings),
        notes=_notes(experiment, numbers, seeds, last),
        seconds=sum(map(seconds_of, trainings.values())),
    )


def _train(
    experiment: Experiment, variant: str, seed: int, file: Path, options: Options, at: Sequence[int]
) -> Snapshots:
    name, overrides = str(base_spec(experiment, file)), [*changes_of(experiment, variant), f"training.seed={seed}"]
    label = f"{experiment.claim}-{variant.replace(' ', '-')}-seed{seed}"
    spec = read_spec(name, overrides)
    take = make_take(spec, experiment.measure)
    snapshots = train_with_snapshots(options, label, name, overrides, at=at, take=take)
    if experiment.logged:
        for step, numbers in logged(run_folder(options, label, spec) / "tensorboard", experiment.logged, at).items():
            snapshots[step] |= numbers
    return snapshots


def _of_training(experiment: Experiment, snapshots: Snapshots) -> dict[str, float]:
    """Return the numbers of one training: those of its last snapshot, and correlations over all of them."""
    found = {name: float(snapshots[max(snapshots)][name]) for name in numbers_of(experiment)}
    for name, (a, b) in experiment.correlations.items():
        found[name] = rank_correlation(*([float(snapshots[step][one]) for step in sorted(snapshots)] for one in (a, b)))
    return found


def _row(bound: Bound, found: Mapping[str, Mapping[str, float]], *, quick: bool) -> Row:
    low, high, words = bound.at_least, bound.at_most, bound.paper
    if bound.above is not None:
        low, words = found[bound.above][bound.number] + bound.margin, words or f"above {bound.above}"
    if bound.below is not None:
        high, words = found[bound.below][bound.number] - bound.margin, words or f"below {bound.below}"
    if quick and not bound.quick:
        low = high = None
    return Row(
        quantity=f"{bound.number.replace('_', ' ')}, {bound.of}", paper=words, ours=found[bound.of][bound.number],
        low=low, high=high, form=bound.form,
    )  # fmt: skip


def _notes(
    experiment: Experiment, numbers: Mapping[tuple[str, int], Mapping[str, float]], seeds: Sequence[int], last: int
) -> tuple[str, ...]:
    """Say what was trained, and the numbers of each seed where there are several."""
    lines = [f"{experiment.spec}, {last:,} steps of each variant ({', '.join(experiment.variants)})."]
    for variant in experiment.variants if len(seeds) > 1 else ():
        each = "; ".join(
            f"{name} {', '.join(format(numbers[variant, seed][name], '.3g') for seed in seeds)}"
            for name in dict.fromkeys(bound.number for bound in experiment.holds)
        )
        lines.append(f"{variant}, seed by seed: {each}.")
    return tuple(lines)
