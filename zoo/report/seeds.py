"""`zoo report A --seeds B C`: the scores of one recipe with several seeds, gathered into A's seeds.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.artifact.artifact_folders import require_artifact
from zoo.artifact.manifest import read_manifests
from zoo.artifact.scores import SEEDS_FILE, SeedResult, alike, dump_seeds, read_scores
from zoo.core.errors import UsageError
from zoo.core.files import write_whole
from zoo.evaluate.measures import ordered
from zoo.spec.read import read_spec
from zoo.spec.sections import differences

SEED = "training.seed"


def gather(folder: Path, others: Sequence[Path]) -> Path:
    """Write seeds.json of an artifact.

    Args:
        folder: of the artifact.
        others: artifacts of the same recipe with other seeds.

    Returns:
        The path of seeds.json.

    Raises:
        UsageError: for artifacts of another recipe, the same seed or another protocol.
    """
    places = [folder, *others]
    for place in places:
        require_artifact(place, "--seeds")
    recipe = read_spec(folder / "spec.yaml").document
    for place in others:
        changed = [name for name in differences(recipe, read_spec(place / "spec.yaml").document) if name != SEED]
        if changed:
            raise UsageError(
                f"--seeds: {place} was trained by another recipe than {folder}, not just another seed: "
                f"{', '.join(changed)} changed"
            )
    measured = [read_scores(place) for place in places]
    common = [name for name in ordered(measured[0]) if all(name in scores for scores in measured)]
    if not common:
        raise UsageError(
            f"--seeds: no score that all of them have: run `zoo evaluate` on {', '.join(map(str, places))}"
        )
    for name in common:
        if not all(alike(scores[name], measured[0][name]) for scores in measured):
            raise UsageError(f"--seeds: {name} was measured by other protocols: run `zoo evaluate` on each alike")
    trials = [_trial(place, {name: scores[name].value for name in common})
              for place, scores in zip(places, measured, strict=True)]  # fmt: skip
    if len({trial.seed for trial in trials}) < len(trials):
        raise UsageError(f"--seeds: a seed twice: {', '.join(str(trial.seed) for trial in trials)}")
    trials.sort(key=lambda trial: trial.seed)
    return write_whole(folder / SEEDS_FILE, dump_seeds(trials).encode())


def _trial(folder: Path, values: Mapping[str, float]) -> SeedResult:
    manifest = read_manifests(folder)[0]
    return SeedResult(manifest.weights["seed"], manifest.weights["step"], manifest.files[manifest.file], values)
