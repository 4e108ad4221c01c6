"""From measures to scores: which of them, in which order, and what all their protocols state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from zoo import guards, machine
from zoo.card.numbers import SPEED, stem
from zoo.errors import UsageError
from zoo.evaluation import speed
from zoo.evaluation.measures import MEASURES, Measure
from zoo.evaluation.subject import Subject, way
from zoo.registry import suggest
from zoo.scores import Score, counted

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
        if subject.unheld:
            tell(f"nothing is compared with real data: {subject.unheld}")
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
        guards.need("evaluate", ("onnx",), extra="evaluate")  # converts what it fetches
    return found


def _asked(subject: Subject, name: str) -> Measure:
    known = {name: one for one in MEASURES.values() for name in one.names}
    short = stem(name)
    whole = [f"{short}_{way(facts)}" for facts in subject.networks] if subject.kind == "translations" else []
    if short not in known or not (known[short].counted or name in (short, *whole)):
        near = suggest(name, [*known, *whole])
        raise UsageError(f"--metrics: there is no metric '{name}'.{near} Known: {', '.join(known)}")
    one = known[short]
    if one.counted and name not in (short, f"{short}_{counted(subject.n)}"):
        raise UsageError(f"--metrics: {name} and --n {subject.n} do not go together: say {short}")
    if not one.applies(subject):
        why = f": {subject.unheld}" if subject.unheld else ""
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
        took = speed.seconds(subject, batch=batch, threads=threads or machine.cores())
        about = {"batch": batch, **speed.provenance(threads or machine.cores())}
        yield name, Score(1e3 * took / batch, {**_file(subject), **about})


def _common(subject: Subject, file: str | None) -> dict[str, object]:
    drawn = {} if subject.kind == "translations" else {"n_fake": subject.n, "seed": subject.seed}
    return {**_file(subject, file), **drawn}


def _file(subject: Subject, file: str | None = None) -> dict[str, object]:
    """Which weights: the file (its first, unless a measure names another), the step of the training it is of, and
    by what they were chosen where they are not the last ones: such numbers flatter."""
    facts = next((facts for facts in subject.networks if facts.file == file), subject.facts)
    return {
        "file": facts.file,
        "file_sha256": facts.files[facts.file],
        "step": facts.weights["step"],
        "data": facts.data["title"],
        **({"weights": facts.training["kept"]} if "kept" in facts.training else {}),
    }
