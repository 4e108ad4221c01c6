"""How long the file takes on this machine: no score, but what a user asks next.

From measures to scores: which of them, in which order, and what all their protocols state.

`zoo evaluate --check`: measures once more what metrics.json says, by its own protocols, and writes nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import zoo
from zoo.artifact.manifest import read_manifests
from zoo.artifact.scores import METRICS, SCORES_FILE, SPEED, Score, counted, ordered, read_scores, rounding, stem
from zoo.core.errors import UsageError
from zoo.core.host import cores, describe_host, require_packages
from zoo.core.registry import suggest
from zoo.evaluate.measures import MEASURES, Measure
from zoo.evaluate.subject import Subject, way
from zoo.runtime.inputs import Inputs

TIMED_CALLS = 50


def seconds_per_image(subject: Subject, *, batch: int, threads: int) -> float:
    """The median time of a call with `batch` images on `threads` cores."""
    generator = zoo.load(subject.folder, network=subject.manifest.network or None, threads=threads)
    translates = subject.kind == "translation"
    feed = Inputs(subject.manifest).zeros(batch) if translates else generator.latents(batch, subject.seed)
    generator(**feed)
    times = []
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        generator(**feed)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def provenance(threads: int) -> dict[str, Any]:
    """What it was measured on."""
    packages = ("onnxruntime", "onnxruntime-gpu")
    versions = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"] in packages}
    return {
        "machine": describe_host(),
        "threads": threads,
        "provider": "CPU",
        **versions,
    }


CALLS = dict(zip(SPEED, ((1, 1), (64, None)), strict=True))  # name -> images of a call, cores (None: all)

# networks that are fetched once, which takes long or looks long: --quick leaves them out
FETCHED = ("inception", "lpips")


def chosen(
    subject: Subject, asked: Sequence[str] | None, *, quick: bool = False, tell: Callable[[str], object] = str
) -> list[Measure]:
    """The measures that were asked for by any of their names, or all that apply; `tell` hears what is left out and why.

    Raises UsageError.
    """
    if asked is None:
        if subject.no_reference:
            tell(f"nothing is compared with real data: {subject.no_reference}")
        found = []
        for one in MEASURES.values():
            if not one.applies(subject) or (quick and one.looks in FETCHED):
                continue
            if lacks := one.lacks(subject):
                tell(f"left out: {lacks}")
            else:
                found.append(one)
    else:
        found = list(dict.fromkeys(_asked(subject, name) for name in asked))
    if any(one.looks in FETCHED for one in found):
        require_packages("evaluate", ("onnx",), extra="evaluate")  # converts what it fetches
    return found


def _asked(subject: Subject, name: str) -> Measure:
    known = {name: one for one in MEASURES.values() for name in one.names}
    short = stem(name)
    whole = [f"{short}_{way(manifest)}" for manifest in subject.networks] if subject.kind == "translation" else []
    if short not in known or not (known[short].counted or name in (short, *whole)):
        near = suggest(name, [*known, *whole])
        raise UsageError(f"--metrics: there is no metric '{name}'.{near} Known: {', '.join(known)}")
    one = known[short]
    if one.counted and name not in (short, f"{short}_{counted(subject.n)}"):
        raise UsageError(f"--metrics: {name} and --n {subject.n} do not go together: say {short}")
    if not one.applies(subject):
        why = f": {subject.no_reference}" if subject.no_reference else ""
        raise UsageError(f"--metrics: {short} does not apply to {subject.folder}{why}")
    if lacks := one.lacks(subject):
        raise UsageError(f"--metrics: {lacks}")
    return one


def measured(subject: Subject, measures: Sequence[Measure]) -> Iterator[tuple[str, Score]]:
    """Names and scores, each as soon as it is there."""
    for one in measures:
        for short, (value, about) in one.run(subject).items():
            name = f"{short}_{counted(subject.n)}" if one.counted else short
            yield name, Score(value, {**_common(subject, about.get("file")), **about})


def timed(subject: Subject) -> Iterator[tuple[str, Score]]:
    """How long the file takes on this machine."""
    for name, (batch, threads) in CALLS.items():
        took = seconds_per_image(subject, batch=batch, threads=threads or cores())
        about = {"batch": batch, **provenance(threads or cores())}
        yield name, Score(1e3 * took / batch, {**_file(subject), **about})


def _common(subject: Subject, file: str | None) -> dict[str, object]:
    drawn = {} if subject.kind == "translation" else {"n_fake": subject.n, "seed": subject.seed}
    return {**_file(subject, file), **drawn}


def _file(subject: Subject, file: str | None = None) -> dict[str, object]:
    """Which weights: the file (its first, unless a measure names another), the step of the training it is of, and
    by what they were chosen where they are not the last ones: such numbers flatter."""
    manifest = next((manifest for manifest in subject.networks if manifest.file == file), subject.manifest)
    return {
        "file": manifest.file,
        "file_sha256": manifest.files[manifest.file],
        "step": manifest.weights["step"],
        "data": manifest.data["title"],
        **({"weights": manifest.training["kept"]} if "kept" in manifest.training else {}),
    }


def check_scores(folder: Path, asked: Sequence[str] | None, *, quick: bool, threads: int | None) -> int:
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
                print(f"{name:24} {score.value:<11.5g} {SCORES_FILE}: {kept[name].value:<11.5g} {told}", flush=True)
    if not agree:
        raise UsageError(f"{folder}: none of its numbers can be checked so; drop --quick")
    wrong, of = agree.count(False), len(agree)
    verdict = f"{wrong} of {of} numbers differ from" if wrong else f"all {of} numbers agree with"
    print(f"\n{folder}: {verdict} {SCORES_FILE}, to the digits of the card", file=sys.stderr)
    return 1 if wrong else 0


def _kept(folder: Path, asked: Sequence[str] | None) -> Mapping[str, Score]:
    """The numbers to check, by name."""
    kept = {name: score for name, score in read_scores(folder).items() if stem(name) in METRICS}
    if not kept:
        raise UsageError(f"{folder}: nothing to check: it has no scores yet. Drop --check to measure them")
    hashes = {manifest.file: manifest.files[manifest.file] for manifest in read_manifests(folder)}
    for name, score in kept.items():
        if score.protocol.get("file_sha256") != hashes.get(score.protocol.get("file", "")):
            raise UsageError(f"{folder / SCORES_FILE}: {name} was measured on another file. Drop --check to replace it")
    for one in asked or ():
        if one in SPEED:
            raise UsageError(f"--metrics: {one} is a time, which no second run repeats; --check compares scores")
        if one not in {*kept, *map(stem, kept)}:
            raise UsageError(f"--metrics: '{one}' is not in {folder / SCORES_FILE}.{suggest(one, map(stem, kept))}")
    return {name: score for name, score in kept.items() if not asked or {name, stem(name)} & set(asked)}
