"""Claims in YAML: variants of a spec are trained, a number is measured on each, and what must hold is stated.

    claim: pairing                                   # zoo reproduce pairing, or zoo reproduce FILE
    title: Pairing keeps the modes
    source: Huang et al. 2024, section 2 and table 1
    states: With both penalties ... finds all modes, without ... loses some.
    card: r3gan                                      # the model whose card reports the result
    takes: {full: 20 minutes, quick: 2 minutes}      # on two CPU cores
    spec: unrolled                                   # a shipped spec, or a file beside this one
    changes: {data.source: {grid: {side: 5}}}        # of all variants, as `--set` has them
    variants:
      paired: {algorithm.alternating.loss: {...}}    # what only this one changes; {} for nothing
      plain: {}
    steps: {full: 10000, quick: 1000}
    seeds: {full: 3, quick: 1}                       # seeds 0, 1, 2; numbers are means over them
    measure: [{modes: {samples: 2500}}]              # at each of `snapshots` steps of a training
    logged: [m_global]                               # numbers that the training logs: means between the snapshots
    correlations: {agree: [m_global, judge_frechet]} # Spearman's, over the snapshots of a training
    holds:                                           # without a bound a number is only reported
      - {number: modes, of: paired, at_least: 23, paper: '25'}
      - {number: modes, of: paired, above: plain}
    figure: {samples: {}}

A claim is about trainings; what a formula has in closed form is a claim in Python, a file of this folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import CLAIMS, Claim, Options, Outcome
from zoo.claims.measurements import logged, make_take, numbers_of, rank_correlation
from zoo.claims.plots import FIGURES
from zoo.claims.trainings import Snapshots, machine_of, run_folder, seconds_of, train_with_snapshots
from zoo.core.errors import SpecError
from zoo.core.registry import suggest
from zoo.spec.diagnostics import Problems
from zoo.spec.read import read_spec, spec_file
from zoo.spec.types import Figure, Identifier, Measurement, Part, PositiveInt, construct, construct_part
from zoo.spec.validate import document, specs_folder, validate
from zoo.spec.yaml_tree import YamlNode, parse_file

SHOWN_SNAPSHOTS = 5


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A number at full scale and with --quick."""

    full: PositiveInt
    quick: PositiveInt


@dataclass(frozen=True, kw_only=True)
class Takes:
    """The rough time on two CPU cores, such as 20 minutes."""

    full: str
    quick: str


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A number of a variant, and what must hold of it: bounds (`at_least`, `at_most`), or to be above or below the same
    number of another variant (by at least `margin`). Without them it is only reported. `paper` is what the paper says;
    `quick: false` leaves the bound out with --quick, where trainings are too short for it."""

    number: str
    of: str
    at_least: float | None = None
    at_most: float | None = None
    above: str | None = None
    below: str | None = None
    margin: float = 0.0
    paper: str = ""
    form: str = ".3g"
    quick: bool = True


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A claim in YAML: trainings of variants of a spec, what is measured on them, and what must hold."""

    claim: Identifier
    title: str
    source: str
    states: str
    card: Identifier
    takes: Takes
    spec: str
    variants: Mapping[str, Mapping[str, Any]]
    steps: Scale
    measure: tuple[Measurement, ...]
    holds: tuple[Bound, ...]
    logged: tuple[str, ...] = ()
    correlations: Mapping[Identifier, tuple[str, str]] = field(default_factory=dict)
    seeds: Scale = field(default_factory=lambda: Scale(full=1, quick=1))
    snapshots: PositiveInt = SHOWN_SNAPSHOTS
    changes: Mapping[str, Any] = field(default_factory=dict)
    figure: Figure = field(default_factory=lambda: Part("samples", {}))


def read_experiment(file: Path) -> Claim:
    """Read and check a claim in YAML. Its specs are checked when it is run, before the first training.

    Args:
        file: The YAML file.

    Returns:
        The claim, ready to run.

    Raises:
        SpecError: A line for each mistake of the file, with its place.
    """
    problems = Problems()
    tree = parse_file(file, problems)
    if tree is None:
        problems.raise_if_any()
    assert tree is not None
    validate(tree, document()["$defs"]["claim"], "", problems)
    problems.raise_if_any()
    experiment: Experiment = construct(Experiment, tree.plain())
    _check_bounds(tree, experiment, problems)
    problems.raise_if_any()
    return Claim(
        name=experiment.claim, title=experiment.title, source=experiment.source, states=experiment.states,
        spec=experiment.card, takes=(experiment.takes.full, experiment.takes.quick), seeds=100,
        run=lambda options: _run(experiment, file, options),
    )  # fmt: skip


def register_experiments(folder: Path | None = None) -> None:
    """Register the claims in YAML that ship with the zoo.

    Args:
        folder: Where they are; by default specs/claims.

    Raises:
        SpecError: One of them is wrong.
    """
    for file in sorted((folder or specs_folder() / "claims").glob("*.yaml")):
        one = read_experiment(file)
        CLAIMS.setdefault(one.name, one)


def check_variants(file: Path) -> None:
    """Check the specs of all variants of a claim in YAML.

    Args:
        file: The YAML file of the claim.

    Raises:
        SpecError: The claim is wrong, or the spec with the changes of a variant.
    """
    problems = Problems()
    tree = parse_file(file, problems)
    problems.raise_if_any()
    assert tree is not None
    _check_specs(construct(Experiment, tree.plain()), file)


def _check_specs(experiment: Experiment, file: Path) -> None:
    for variant in experiment.variants:
        _spec(experiment, variant, file)


def _check_bounds(tree: YamlNode, experiment: Experiment, problems: Problems) -> None:
    """Report bounds of variants and numbers that there are not."""
    numbers = [*numbers_of(experiment.measure), *experiment.logged]
    for name, pair in experiment.correlations.items():
        for one in pair:
            if one not in numbers:
                hint = suggest(one, numbers) or f" Measured: {', '.join(numbers)}."
                place = tree.get("correlations", name).place  # type: ignore[union-attr]
                problems.add(place, f"correlations.{name}", f"there is no number '{one}'.{hint}")
    numbers += experiment.correlations
    holds = tree.get("holds")
    for node, bound in zip(holds.value if holds is not None else (), experiment.holds, strict=True):
        where = f"holds.{bound.number}"
        if bound.number not in numbers:
            hint = suggest(bound.number, numbers) or f" Measured: {', '.join(numbers)}."
            problems.add(node.get("number").place, where, f"there is no number '{bound.number}'.{hint}")
        for key in ("of", "above", "below"):
            name = getattr(bound, key)
            if name is not None and name not in experiment.variants:
                hint = suggest(name, experiment.variants) or f" Known: {', '.join(experiment.variants)}."
                problems.add(node.get(key).place, f"{where}.{key}", f"there is no variant '{name}'.{hint}")


def _overrides(experiment: Experiment, variant: str) -> list[str]:
    """Return the changes of a variant as `--set` has them, those of all variants first."""
    changes = {**experiment.changes, **experiment.variants[variant]}
    return [f"{key}={_flow(value)}" for key, value in changes.items()]


def _flow(value: Any) -> str:
    """Return a value as YAML on one line: JSON is YAML too."""
    return json.dumps(value)


def _spec(experiment: Experiment, variant: str, file: Path) -> Any:
    beside = file.parent / experiment.spec
    path = beside if beside.is_file() else spec_file(experiment.spec)
    try:
        return read_spec(path, _overrides(experiment, variant))
    except SpecError as error:
        raise SpecError(f"{file}: variant '{variant}': {error}") from error


def _run(experiment: Experiment, file: Path, options: Options) -> Outcome:
    """Train every variant with every seed, measure, and compare."""
    _check_specs(experiment, file)  # all mistakes before the first training
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
    beside = file.parent / experiment.spec
    name = str(beside) if beside.is_file() else experiment.spec
    overrides = [*_overrides(experiment, variant), f"training.seed={seed}"]
    label = f"{experiment.claim}-{variant.replace(' ', '-')}-seed{seed}"
    spec = read_spec(spec_file(name), overrides)
    take = make_take(spec, experiment.measure)
    snapshots = train_with_snapshots(options, label, name, overrides, at=at, take=take)
    if experiment.logged:
        for step, numbers in logged(run_folder(options, label, spec) / "tensorboard", experiment.logged, at).items():
            snapshots[step] |= numbers
    return snapshots


def _of_training(experiment: Experiment, snapshots: Snapshots) -> dict[str, float]:
    """Return the numbers of one training: those of its last snapshot, and correlations over all of them."""
    names = [*numbers_of(experiment.measure), *experiment.logged]
    found = {name: float(snapshots[max(snapshots)][name]) for name in names}
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
