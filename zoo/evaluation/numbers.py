"""From measures to scores: which of them, in which order, and what all their protocols state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo import machine
from zoo.errors import UsageError
from zoo.evaluation import speed
from zoo.evaluation.measures import MEASURES, Measure
from zoo.evaluation.subject import Subject
from zoo.registry import suggest
from zoo.scores import Score, counted

SPEED = (("ms_per_image", 1, 1), ("ms_per_image_of_64", 64, None))  # name, images of a call, cores (None: all)

# networks that are fetched once, which takes long or looks long: --quick leaves them out
FETCHED = ("inception", "lpips")


def chosen(subject: Subject, asked: Sequence[str] | None, *, quick: bool = False) -> list[Measure]:
    """The measures that were asked for by any of their names, or all that apply. Raises UsageError."""
    known = {name: one for one in MEASURES.values() for name in one.names}
    if asked is None:
        return [one for one in MEASURES.values() if one.applies(subject) and not (quick and one.looks in FETCHED)]
    found: list[Measure] = []
    for name in asked:
        stem = name if name in known else name.rpartition("_")[0]
        if stem not in known:
            raise UsageError(f"--metrics: there is no metric '{name}'.{suggest(name, known)} Known: {', '.join(known)}")
        if stem != name and name != f"{stem}_{counted(subject.n)}":
            raise UsageError(f"--metrics: {name} and --n {subject.n} do not go together: say {stem}")
        if not known[stem].applies(subject):
            raise UsageError(f"--metrics: {stem} does not apply to {subject.folder}")
        found += [known[stem]] if known[stem] not in found else []
    return found


def measured(subject: Subject, measures: Sequence[Measure]) -> Iterator[tuple[str, Score]]:
    """Names and scores, each as soon as it is there."""
    for one in measures:
        for stem, (value, about) in one.run(subject).items():
            name = f"{stem}_{counted(subject.n)}" if one.counted else stem
            yield name, Score(value, {**_common(subject, about.get("file")), **about})


def timed(subject: Subject) -> Iterator[tuple[str, Score]]:
    """How long the file takes on this machine."""
    for name, batch, threads in SPEED:
        took = speed.seconds(subject, batch=batch, threads=threads or machine.cores())
        about = {"batch": batch, **speed.provenance(threads or machine.cores())}
        yield name, Score(1e3 * took / batch, {**_file(subject), **about})


def _common(subject: Subject, file: str | None) -> dict[str, object]:
    drawn = {} if subject.kind == "translations" else {"n_fake": subject.n, "seed": subject.seed}
    return {**_file(subject, file), **drawn}


def _file(subject: Subject, file: str | None = None) -> dict[str, object]:
    """Which weights: the file (its first, unless a measure names another), and the step of the training it is of."""
    facts = next((facts for facts in subject.networks if facts.file == file), subject.facts)
    return {
        "file": facts.file,
        "file_sha256": facts.files[facts.file],
        "step": facts.weights["step"],
        "data": facts.data["title"],
    }
