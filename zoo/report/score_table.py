"""The scores of a card: a table beside the numbers of others, the protocols that make them comparable, other seeds.

published.json holds, by metric and data set, the numbers of papers for a method, our aims and what was tried for them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from zoo.artifact.scores import SPEED, Score, SeedResult
from zoo.evaluate.measures import METRICS, format_score, ordered, stem

REFERENCES = {  # in a protocol: what gives the number its scale
    "of_the_input": "for the input itself",
    "of_the_real": "for real images",
    "of_two_halves_of_the_real": "for one half of the real images against the other",
}


@dataclass(frozen=True)
class Published:
    """A number as its source prints it, for a method on a data set; `how` is the source's protocol."""

    text: str
    source: str
    how: str


def published(metric: str, data: str, name: str) -> Published | None:
    """Return what others report for the method of a model.

    Args:
        metric: the name of the score, such as "fid_10k".
        data: the title of the data set.
        name: of the spec.

    Returns:
        The number with its source; None where there is none.
    """
    record = _record(metric, data)
    one = record.get("published", {}).get(name)
    if one is None:
        return None
    note = f" ({one['note']})" if "note" in one else ""
    return Published(f"{one['mean']} +- {one['sd']}{note}", record["source"], record["how"])


def aim(metric: str, data: str, name: str) -> float | None:
    """Return the largest score that this zoo aims at for a model, None without an aim; arguments of `published`."""
    wanted: float | None = _record(metric, data).get("aims", {}).get(name)
    return wanted


def _record(metric: str, data: str) -> dict[str, Any]:
    record: dict[str, Any] = _records().get(metric, {}).get(data, {})
    return record


@functools.cache
def _records() -> Any:
    return json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))


def scores_chapter(name: str, scores: Mapping[str, Score], reached: str = "") -> str:
    """Write the chapter of a card about scores.

    Args:
        name: of the spec.
        scores: by their names.
        reached: how much of its recipe the model has had, in words.

    Returns:
        Markdown; an empty string where nothing was measured.
    """
    if not ordered(scores):
        return ""
    rows = ["| metric | | better | here | others |", "|---|---|---|---|---|"]
    rows += [_row(name, metric, scores[metric]) for metric in ordered(scores)]
    how = "Measured on the file in this folder (`zoo evaluate`), all of it in [metrics.json](metrics.json)."
    return "\n\n".join(["## Scores", how, "\n".join(rows), *_aims(name, scores, reached), _protocols(scores)])


def _row(name: str, score_name: str, score: Score) -> str:
    metric = METRICS.get(stem(score_name))
    title, better = (metric.title, metric.better) if metric else ("", "")
    other = published(score_name, score.protocol.get("data", ""), name)
    beside = [other.text] if other else []
    for key, of in REFERENCES.items():
        if key in score.protocol:
            beside.append(f"{format_score(score_name, score.protocol[key])} {of}")
    return f"| `{score_name}` | {title} | {better} | {format_score(score_name, score.value)} | {'; '.join(beside)} |"


def _aims(name: str, scores: Mapping[str, Score], reached: str) -> list[str]:
    """List the aims and by how much they are missed, with what was tried, and where the numbers of others come from."""
    lines = []
    for metric, score in scores.items():
        data = score.protocol.get("data", "")
        wanted, other = aim(metric, data, name), published(metric, data, name)
        if wanted is not None:
            off = score.value - wanted
            missed = ", ".join(filter(None, (f"missed by {format_score(metric, off)}", reached)))
            lines.append(f"Aim of this zoo: `{metric}` of at most {wanted:g}; {'reached' if off <= 0 else missed}.")
            if tried := _record(metric, data)["tried"].get(name):
                lines[-1] += f" Tried on the way: {tried}."
        if other is not None:
            lines.append(f"Others: {other.source}: {other.how}.")
    return lines


def _protocols(scores: Mapping[str, Score]) -> str:
    """List the protocols, each with the scores that it is of."""
    by_sentence: dict[str, list[str]] = {}
    for metric in ordered(scores):
        by_sentence.setdefault(_sentence(scores[metric].protocol), []).append(f"`{metric}`")
    return "\n".join(f"* {', '.join(names)}: {sentence}." for sentence, names in by_sentence.items())


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
    """Return the times in a sentence; an empty string where nothing was timed."""
    if not all(name in scores for name in SPEED):
        return ""
    one, many = (scores[name] for name in SPEED)
    return (
        f"On {one.protocol['machine']}: {one.value:.3g} ms for one sample on one core, {many.value:.3g} ms each in "
        f"batches of {many.protocol['batch']} on {many.protocol['threads']}."
    )


def seeds_chapter(name: str, trials: Sequence[SeedResult]) -> str:
    """Write the chapter of a card about other seeds, so that luck can be separated from quality.

    Args:
        name: of the spec.
        trials: the results of the same recipe, one for each seed.

    Returns:
        Markdown with mean and standard deviation (of the sample) of every score; an empty string for a single seed.
    """
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
