"""Scores of an artifact: the metrics to measure, what all their protocols state, times, and the check of old scores.

chosen(subject, names) -> measured(subject, measures), timed(subject) -> (name, Score), ...
check_scores(folder)   measures what is in metrics.json again, by its own protocols, and writes nothing
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import zoo
from zoo.artifact.manifest import read_manifests
from zoo.artifact.scores import SCORES_FILE, SPEED, Score, counted, read_scores
from zoo.core.errors import UsageError
from zoo.core.host import cores, describe_host, require_packages
from zoo.core.registry import suggest
from zoo.evaluate.measures import MEASURES, METRICS, Measure, ordered, rounding, stem
from zoo.evaluate.subject import Subject, direction
from zoo.runtime.inputs import Inputs

FETCHED = ("inception", "lpips")  # downloaded networks, slow to run; skipped by --quick
TIMED_CALLS = 50
CALLS = dict(zip(SPEED, ((1, 1), (64, None)), strict=True))  # name -> images of a call, cores (None: all)


def chosen(
    subject: Subject, asked: Sequence[str] | None, *, quick: bool = False, tell: Callable[[str], object] = str
) -> list[Measure]:
    """Choose the measures of an evaluation.

    Args:
        subject: the artifact.
        asked: names of metrics, with or without the number of samples; None for all that apply.
        quick: leave out what needs a downloaded network, where `asked` is None.
        tell: called with a line for each measure that is left out, where `asked` is None.

    Returns:
        The measures, each once.

    Raises:
        UsageError: for an unknown name, a metric that does not apply, too few samples, or a missing package.
    """
    if asked is None:
        if subject.no_reference:
            tell(f"nothing is compared with real data: {subject.no_reference}")
        measures = []
        for one in MEASURES.values():
            if not one.applies(subject) or (quick and one.network in FETCHED):
                continue
            if shortage := one.shortage(subject):
                tell(f"left out: {shortage}")
            else:
                measures.append(one)
    else:
        measures = list(dict.fromkeys(_named(subject, name) for name in asked))
    if any(one.network in FETCHED for one in measures):
        require_packages("evaluate", ("onnx",), extra="evaluate")  # converts what it fetches
    return measures


def _named(subject: Subject, name: str) -> Measure:
    """Return the measure of a name that was asked for. Raises UsageError."""
    known = {name: one for one in MEASURES.values() for name in one.names}
    short = stem(name)
    whole = [f"{short}_{direction(one)}" for one in subject.networks] if subject.kind == "translation" else []
    if short not in known or not (known[short].counted or name in (short, *whole)):
        near = suggest(name, [*known, *whole])
        raise UsageError(f"--metrics: there is no metric '{name}'.{near} Known: {', '.join(known)}")
    one = known[short]
    if one.counted and name not in (short, f"{short}_{counted(subject.n)}"):
        raise UsageError(f"--metrics: {name} and -n {subject.n} do not go together: use {short}")
    if not one.applies(subject):
        why = f": {subject.no_reference}" if subject.no_reference else ""
        raise UsageError(f"--metrics: {short} does not apply to {subject.folder}{why}")
    if shortage := one.shortage(subject):
        raise UsageError(f"--metrics: {shortage}")
    return one


def measured(subject: Subject, measures: Sequence[Measure]) -> Iterator[tuple[str, Score]]:
    """Measure an artifact.

    Args:
        subject: the artifact.
        measures: what to measure, as `chosen` returns it.

    Yields:
        Names and scores, each as soon as it is measured.
    """
    drawn: dict[str, object] = {} if subject.kind == "translation" else {"n_fake": subject.n, "seed": subject.seed}
    drawn |= {} if subject.provider == "cpu" else {"provider": subject.provider.upper()}
    for one in measures:
        for short, (value, about) in one.run(subject).items():
            name = f"{short}_{counted(subject.n)}" if one.counted else short
            yield name, Score(value, {**_weights(subject, about.get("file")), **drawn, **about})


def timed(subject: Subject) -> Iterator[tuple[str, Score]]:
    """Measure how long the artifact's file takes on this machine's CPU.

    Args:
        subject: the artifact.

    Yields:
        Names and scores in milliseconds an image, with machine, cores and versions in their protocols.
    """
    packages = ("onnxruntime", "onnxruntime-gpu")
    versions = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"] in packages}
    for name, (batch, threads) in CALLS.items():
        threads = threads or cores()
        about = {"batch": batch, "machine": describe_host(), "threads": threads, "provider": "CPU", **versions}
        yield name, Score(1e3 * _seconds_per_call(subject, batch, threads) / batch, {**_weights(subject), **about})


def _seconds_per_call(subject: Subject, batch: int, threads: int) -> float:
    """Return the median time of a call with `batch` images on `threads` cores."""
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


def _weights(subject: Subject, file: str | None = None) -> dict[str, object]:
    """Return what a protocol states of the weights: their file (the first, unless a measure names another), its hash,
    its training step, and how they were chosen where they are not the last ones: such numbers flatter."""
    manifest = next((manifest for manifest in subject.networks if manifest.file == file), subject.manifest)
    return {
        "file": manifest.file,
        "file_sha256": manifest.files[manifest.file],
        "step": manifest.weights["step"],
        "data": manifest.data["title"],
        **({"weights": manifest.training["kept"]} if "kept" in manifest.training else {}),
    }


def check_scores(
    folder: Path, asked: Sequence[str] | None, *, quick: bool, threads: int | None, provider: str = "cpu"
) -> int:
    """Measure the scores of an artifact again, and print each beside the one of metrics.json.

    Args:
        folder: of the artifact.
        asked: names of metrics to check; None for all.
        quick: leave out what needs a downloaded network.
        threads: cores for ONNX Runtime; None: all.
        provider: of ONNX Runtime, "cpu" or "cuda".

    Returns:
        1 when a number differs by more than the card's rounding, else 0.

    Raises:
        UsageError: where there is nothing to check, or metrics.json is of another file.
    """
    kept = _kept(folder, asked)
    groups: dict[tuple[int, int], list[str]] = {}  # by number of samples and seed
    for name in ordered(kept):
        about = kept[name].protocol
        groups.setdefault((int(about.get("n_fake", 1)), int(about.get("seed", 0))), []).append(name)
    agree = []
    for (n, seed), names in groups.items():
        subject = Subject(folder, n, seed, threads, provider)
        measures = chosen(subject, [stem(name) for name in names])
        for name, score in measured(subject, [one for one in measures if not (quick and one.network in FETCHED)]):
            if name in names:
                agree.append(abs(score.value - kept[name].value) <= rounding(name))
                result = "agrees" if agree[-1] else "DIFFERS"
                print(f"{name:24} {score.value:<11.5g} {SCORES_FILE}: {kept[name].value:<11.5g} {result}", flush=True)
    if not agree:
        raise UsageError(f"{folder}: none of its numbers can be checked so; drop --quick")
    wrong, of = agree.count(False), len(agree)
    summary = f"{wrong} of {of} numbers differ from" if wrong else f"all {of} numbers agree with"
    print(f"\n{folder}: {summary} {SCORES_FILE}, to the digits of the card", file=sys.stderr)
    return 1 if wrong else 0


def _kept(folder: Path, asked: Sequence[str] | None) -> Mapping[str, Score]:
    """Return the scores of metrics.json to check, by name. Raises UsageError."""
    kept = {name: score for name, score in read_scores(folder).items() if stem(name) in METRICS}
    if not kept:
        raise UsageError(f"{folder}: nothing to check: it has no scores yet. Drop --check to measure them")
    manifests = read_manifests(folder)
    for name, score in kept.items():
        measured_on = (score.protocol.get("file_sha256", ""), score.protocol.get("file", ""))
        if not any(manifest.has_weights_of(*measured_on) for manifest in manifests):
            raise UsageError(f"{folder / SCORES_FILE}: {name} was measured on another file. Drop --check to replace it")
    for one in asked or ():
        if one in SPEED:
            raise UsageError(f"--metrics: {one} is a time, which no second run repeats; --check compares scores")
        if one not in {*kept, *map(stem, kept)}:
            raise UsageError(f"--metrics: '{one}' is not in {folder / SCORES_FILE}.{suggest(one, map(stem, kept))}")
    return {name: score for name, score in kept.items() if not asked or {name, stem(name)} & set(asked)}
