"""`zoo evaluate --check`: measures once more what metrics.json says, by its own protocols, and writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo import manifest, scores
from zoo.card.numbers import KINDS, SPEED, ordered, rounding, stem
from zoo.errors import UsageError
from zoo.evaluation.numbers import FETCHED, chosen, measured
from zoo.evaluation.subject import Subject
from zoo.registry import suggest
from zoo.scores import Score


def check(folder: Path, asked: Sequence[str] | None, *, quick: bool, threads: int | None) -> int:
    """Print each number beside the one of metrics.json. Returns 1 when one differs by more than the card's rounding.

    Raises UsageError where there is nothing to check, or metrics.json is of another file.
    """
    kept = _kept(folder, asked)
    groups: dict[tuple[int, int], list[str]] = {}  # by number of samples and seed
    for name in ordered(kept):
        about = kept[name].protocol
        groups.setdefault((int(about.get("n_fake", 1)), int(about.get("seed", 0))), []).append(name)
    agree = []
    for (n, seed), names in groups.items():
        subject = Subject(folder, n, seed, threads)
        measures = chosen(subject, [stem(name) for name in names])
        for name, score in measured(subject, [one for one in measures if not (quick and one.looks in FETCHED)]):
            if name in names:
                agree.append(abs(score.value - kept[name].value) <= rounding(name))
                told = "agrees" if agree[-1] else "DIFFERS"
                print(f"{name:24} {score.value:<11.5g} {scores.FILE}: {kept[name].value:<11.5g} {told}", flush=True)
    if not agree:
        raise UsageError(f"{folder}: none of its numbers can be checked so; drop --quick")
    wrong, of = agree.count(False), len(agree)
    verdict = f"{wrong} of {of} numbers differ from" if wrong else f"all {of} numbers agree with"
    print(f"\n{folder}: {verdict} {scores.FILE}, to the digits of the card", file=sys.stderr)
    return 1 if wrong else 0


def _kept(folder: Path, asked: Sequence[str] | None) -> Mapping[str, Score]:
    """The numbers to check, by name."""
    kept = {name: score for name, score in scores.read(folder).items() if stem(name) in KINDS}
    if not kept:
        raise UsageError(f"{folder}: nothing to check: it has no scores yet. Drop --check to measure them")
    hashes = {facts.file: facts.files[facts.file] for facts in manifest.read_all(folder)}
    for name, score in kept.items():
        if score.protocol.get("file_sha256") != hashes.get(score.protocol.get("file", "")):
            raise UsageError(f"{folder / scores.FILE}: {name} was measured on another file. Drop --check to replace it")
    for one in asked or ():
        if one in SPEED:
            raise UsageError(f"--metrics: {one} is a time, which no second run repeats; --check compares scores")
        if one not in {*kept, *map(stem, kept)}:
            raise UsageError(f"--metrics: '{one}' is not in {folder / scores.FILE}.{suggest(one, map(stem, kept))}")
    return {name: score for name, score in kept.items() if not asked or {name, stem(name)} & set(asked)}
