"""A claim in YAML: variants of a spec, what is measured on each, and what must hold. `zoo.claims.experiment` runs it.

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

A claim is about trainings; what a formula has in closed form is a claim in Python, a file of zoo/claims.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.core.errors import SpecError
from zoo.core.registry import suggest
from zoo.spec.diagnostics import Problems
from zoo.spec.read import Spec, read_spec, spec_file
from zoo.spec.types import Figure, Identifier, Measurement, Part, PositiveInt, construct
from zoo.spec.validate import document, names_of, validate
from zoo.spec.yaml_tree import YamlNode, parse_file

SNAPSHOTS = 5


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
    snapshots: PositiveInt = SNAPSHOTS
    changes: Mapping[str, Any] = field(default_factory=dict)
    figure: Figure = field(default_factory=lambda: Part("samples", {}))


def is_claim(file: Path) -> bool:
    """Return True for a YAML file with a claim: it has the key `claim`.

    Args:
        file: The file; what cannot be read is not a claim.

    Returns:
        True for a claim, False for a spec.
    """
    tree = parse_file(file, Problems())
    return tree is not None and tree.get("claim") is not None


def read_claim(file: Path) -> Experiment:
    """Read and check a claim, the specs of its variants aside.

    Args:
        file: The YAML file.

    Returns:
        The checked claim.

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
    return experiment


def variant_specs(experiment: Experiment, file: Path) -> dict[str, Spec]:
    """Read and check the specs of all variants.

    Args:
        experiment: The claim.
        file: Its file; a spec beside it comes before a shipped one.

    Returns:
        The spec of each variant.

    Raises:
        SpecError: The spec is wrong with the changes of a variant.
    """
    found = {}
    for variant in experiment.variants:
        try:
            found[variant] = read_spec(base_spec(experiment, file), changes_of(experiment, variant))
        except SpecError as error:
            raise SpecError(f"{file}: variant '{variant}': {error}") from error
    return found


def base_spec(experiment: Experiment, file: Path) -> Path:
    """Return the file of the spec that all variants change: beside the claim, or a shipped one.

    Args:
        experiment: The claim.
        file: Its file.

    Returns:
        A path, which may not exist.
    """
    beside = file.parent / experiment.spec
    return beside if beside.is_file() else spec_file(experiment.spec)


def changes_of(experiment: Experiment, variant: str) -> list[str]:
    """Return the changes of a variant as `--set` has them, those of all variants first.

    Args:
        experiment: The claim.
        variant: The name of the variant.

    Returns:
        Texts such as "training.batch_size=64".
    """
    changes = {**experiment.changes, **experiment.variants[variant]}
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]  # JSON is YAML too


def numbers_of(experiment: Experiment) -> list[str]:
    """Return the names of the numbers that a snapshot of a training has.

    Args:
        experiment: The claim.

    Returns:
        Those of all measurements, then the logged ones.
    """
    parts = names_of("measurement")
    return [*(name for part in experiment.measure for name in parts[part.name]["x-numbers"]), *experiment.logged]


def _check_bounds(tree: YamlNode, experiment: Experiment, problems: Problems) -> None:
    """Report bounds of variants and numbers that there are not."""
    numbers = numbers_of(experiment)
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
