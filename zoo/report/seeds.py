"""`zoo report A --seeds B C`: what the same recipe became with other seeds, gathered into A's seeds.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo import manifest, scores, spec
from zoo.card import numbers, seeds
from zoo.card.seeds import Trial
from zoo.errors import UsageError
from zoo.manifest import MANIFEST_FILE, write_whole
from zoo.spec.changes import differences

SEED = "training.seed"


def gather(folder: Path, others: Sequence[Path]) -> Path:
    """Write seeds.json of `folder`. Raises UsageError for artifacts of another recipe, seed or protocol."""
    places = [folder, *others]
    for place in places:
        if not (place / MANIFEST_FILE).is_file():
            raise UsageError(f"--seeds: {place} is not an exported model: it has no {MANIFEST_FILE}")
    recipe = spec.read(folder / "spec.yaml").document
    for place in others:
        changed = [name for name in differences(recipe, spec.read(place / "spec.yaml").document) if name != SEED]
        if changed:
            raise UsageError(
                f"--seeds: {place} was trained by another recipe than {folder}, not just another seed: "
                f"{', '.join(changed)} changed"
            )
    measured = [scores.read(place) for place in places]
    common = [name for name in numbers.ordered(measured[0]) if all(name in found for found in measured)]
    if not common:
        raise UsageError(
            f"--seeds: no score that all of them have: run `zoo evaluate` on {', '.join(map(str, places))}"
        )
    for name in common:
        if not all(scores.alike(found[name], measured[0][name]) for found in measured):
            raise UsageError(f"--seeds: {name} was measured by other protocols: run `zoo evaluate` on each alike")
    trials = [_trial(place, {name: found[name].value for name in common})
              for place, found in zip(places, measured, strict=True)]  # fmt: skip
    if len({trial.seed for trial in trials}) < len(trials):
        raise UsageError(f"--seeds: a seed twice: {', '.join(str(trial.seed) for trial in trials)}")
    ordered = sorted(trials, key=lambda trial: trial.seed)
    return write_whole(folder / seeds.FILE, seeds.dumps(ordered).encode())


def _trial(folder: Path, values: Mapping[str, float]) -> Trial:
    facts = manifest.read_all(folder)[0]
    return Trial(facts.weights["seed"], facts.weights["step"], facts.files[facts.file], values)
