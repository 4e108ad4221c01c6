"""The scores of a card: a table with what others report, and the protocol that makes the numbers comparable.

`seeds.json` of an artifact: what became of its recipe with other seeds, so that luck can be told from quality.

[{"seed": 0, "step": 5661, "file_sha256": ..., "scores": {"fid_10k": 16.1, ...}}, ...]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from zoo.artifact.scores import METRICS, SPEED, Score, SeedResult, format_score, ordered, stem
from zoo.report.published import TRIED, aim, published

REFERENCES = {  # in a protocol: what gives the number its scale
    "of_the_input": "for the input itself",
    "of_the_real": "for real images",
    "of_two_halves_of_the_real": "for one half of the real images against the other",
}


def scores_chapter(name: str, scores: Mapping[str, Score], reached: str = "") -> str:
    """The scores of artifact `name`, whose training `reached` so far; empty where nothing was measured."""
    if not ordered(scores):
        return ""
    rows = ["| metric | | better | here | others |", "|---|---|---|---|---|"]
    rows += [_row(name, metric, scores[metric]) for metric in ordered(scores)]
    how = "Measured on the file in this folder (`zoo evaluate`), all of it in [metrics.json](metrics.json)."
    return "\n\n".join(["## Scores", how, "\n".join(rows), *_aims(name, scores, reached), *_protocols(scores)])


def _row(name: str, metric: str, score: Score) -> str:
    kind = METRICS.get(stem(metric))
    title, better = (kind.title, kind.better) if kind else ("", "")
    other = published(metric, score.protocol.get("data", ""), name)
    beside = [other.text] if other else []
    beside += [
        f"{format_score(metric, score.protocol[key])} {of}" for key, of in REFERENCES.items() if key in score.protocol
    ]
    return f"| `{metric}` | {title} | {better} | {format_score(metric, score.value)} | {'; '.join(beside)} |"


def _aims(name: str, scores: Mapping[str, Score], reached: str) -> list[str]:
    """Where a target is missed, by how much and what was tried; and where the numbers of others come from."""
    lines = []
    for metric, score in scores.items():
        wanted, other = (find(metric, score.protocol.get("data", ""), name) for find in (aim, published))
        if isinstance(wanted, float):
            off = score.value - wanted
            missed = ", ".join(filter(None, (f"missed by {format_score(metric, off)}", reached)))
            lines.append(f"Aim of this zoo: `{metric}` of at most {wanted:g}; {'reached' if off <= 0 else missed}.")
            if name in TRIED:
                lines[-1] += f" Tried on the way: {TRIED[name]}."
        if other is not None and not isinstance(other, float):
            lines.append(f"Others: {other.source}: {other.how}.")
    return lines


def _protocols(scores: Mapping[str, Score]) -> list[str]:
    """One sentence for each network that was looked through, and one for the rest."""
    told: dict[str, list[str]] = {}
    for metric in ordered(scores):
        told.setdefault(_sentence(scores[metric].protocol), []).append(f"`{metric}`")
    return ["\n".join(f"* {', '.join(names)}: {sentence}." for sentence, names in told.items())]


def _sentence(about: Mapping[str, Any]) -> str:
    parts = [f"{about['n_fake']:,} samples of seed {about['seed']}"] if "seed" in about else []
    if "walks" in about:
        parts = [f"{about['walks']} walks of {about['frames']} frames, from seed {about['seed']} on"]
    if "n_real" in about:
        parts.append(f"{about['n_real']:,} real images of the {about['split']} split")
    if "input" in about:
        parts.append(about["input"])
    if "network" in about:
        parts.append(f"features of {about['network']} (SHA-256 {about['network_sha256'][:12]}...), resized: "
                     f"{about['resize']}")  # fmt: skip
    chosen = f", the {about['weights']}" if "weights" in about else ""
    return "; ".join([*parts, f"weights of step {about['step']:,}{chosen}"])


def speed_sentence(scores: Mapping[str, Score]) -> str:
    """Size and speed in a sentence; empty where nothing was timed."""
    if not all(name in scores for name in SPEED):
        return ""
    one, many = (scores[name] for name in SPEED)
    return (
        f"On {one.protocol['machine']}: {one.value:.3g} ms for one sample on one core, {many.value:.3g} ms each in "
        f"batches of {many.protocol['batch']} on {many.protocol['threads']}."
    )


def seeds_chapter(name: str, trials: Sequence[SeedResult]) -> str:
    """Mean and standard deviation (of the sample) of every score of artifact `name`; empty for a single seed."""
    if len(trials) < 2:
        return ""
    head = ["metric", "mean", "sd", *(f"seed {trial.seed}" for trial in trials)]
    lines = [head, ["---"] * len(head)]
    for metric in ordered(trials[0].scores):
        values = [trial.scores[metric] for trial in trials]
        lines.append([f"`{metric}`", *(format_score(metric, x) for x in (fmean(values), stdev(values), *values))])
    steps = ", ".join(f"{trial.step:,}" for trial in trials)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    build = f"zoo build exported/{name}/spec.yaml --seed 1 --steps {trials[-1].step} --out seed1"
    gather = f"zoo report exported/{name} --seeds seed1/{name}"
    return (
        f"## Other seeds\n\nThe same recipe, trained once for each seed (steps: {steps}), as with `{build}`, "
        f"`zoo evaluate seed1/{name}` and `{gather}`:\n\n{table}"
    )
