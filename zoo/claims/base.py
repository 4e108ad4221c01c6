"""Figures of claims: matplotlib without a window, PNG bytes that are the same for the same numbers.

What a claim is: a statement of a paper that a program can try, and how it is run, timed and kept.

What claims about an exported model share: the folder that they ask for, and where its weights come from.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.artifact.claim_results import CLAIMS_FOLDER, Result, Row
from zoo.artifact.manifest import is_artifact
from zoo.core.errors import UsageError
from zoo.core.files import sha256_file, write_whole
from zoo.core.host import cpu
from zoo.core.registry import suggest

Figure = Any  # matplotlib.figure.Figure
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito: for all eyes


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 3.2, height: float = 2.8, **options: Any
) -> tuple[Any, Any]:
    """(figure, axes [rows, columns]); inches of one panel. `options` are those of `Figure.subplots`."""
    from matplotlib.figure import Figure as Sheet

    sheet = Sheet(figsize=(columns * width, rows * height), dpi=120, layout="constrained")
    axes = sheet.subplots(rows, columns, squeeze=False, **options)
    for panel in axes.flat:
        panel.set_prop_cycle(color=COLOURS)
    return sheet, axes


def figure_png(figure: Figure) -> bytes:
    """The finished picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # no version in it
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to try a claim: at which scale, with which seeds (None: the claim's own), where its trainings are kept."""

    quick: bool = False
    seeds: tuple[int, ...] | None = None
    folder: Path = Path("runs/claims")
    artifact: Path | None = None

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a claim found. `seconds` of all its trainings, resumed ones included; None: the time that it just took."""

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    machine: str
    picture: bytes
    notes: tuple[str, ...] = ()
    seconds: float | None = None
    about: tuple[Path, ...] = ()  # files of an artifact that the numbers speak of


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement, and the function that tries it. `spec` names the model whose card tells of it.

    `takes` says roughly how long two CPU cores need: at full scale, and with --quick, or "" where there is no other.
    `seeds` is how many one may choose.
    """

    name: str
    title: str
    source: str
    states: str
    spec: str
    takes: tuple[str, str]
    seeds: int
    run: Callable[[Options], Outcome]


CLAIMS: dict[str, Claim] = {}


def claim(
    *, title: str, source: str, states: str, spec: str, takes: tuple[str, str], seeds: int = 1
) -> Callable[[Callable[[Options], Outcome]], Callable[[Options], Outcome]]:
    """Decorator: the function tries the claim of its own name."""

    def register(function: Callable[[Options], Outcome]) -> Callable[[Options], Outcome]:
        name = function.__name__
        if name in CLAIMS:
            raise ValueError(f"claim '{name}' is registered twice")
        CLAIMS[name] = Claim(
            name=name, title=title, source=source, states=states, spec=spec, takes=takes, seeds=seeds, run=function
        )
        return function

    return register


def get_claim(name: str) -> Claim:
    """The claim called `name`. Raises UsageError that says which name is near."""
    if name not in CLAIMS:
        raise UsageError(f"there is no claim '{name}'.{suggest(name, CLAIMS)} There are: {', '.join(CLAIMS)}")
    return CLAIMS[name]


def listing() -> str:
    """All claims, a line each: name, how long it takes, title, paper."""
    width = max(map(len, CLAIMS))
    lines = []
    for one in CLAIMS.values():
        quick = f"; --quick {one.takes[1]}" if one.takes[1] else ""
        lines.append(f"{one.name:<{width}}  {one.title} ({one.takes[0]}{quick})\n{'':<{width}}  {one.source}")
    return "\n".join(lines)


def reproduce(name: str, options: Options) -> Result:
    """Try a claim and keep <folder>/<name>.json and .png. Raises UsageError, and what its trainings raise."""
    chosen = get_claim(name)
    if options.quick and not chosen.takes[1]:
        raise UsageError(f"claim '{name}' has one scale only: leave --quick out (it takes {chosen.takes[0]})")
    if options.seeds and len(set(options.seeds)) != len(options.seeds):
        raise UsageError(f"--seeds: a seed twice: {', '.join(map(str, options.seeds))}")
    if len(options.seeds or ()) > chosen.seeds:
        most = f"{chosen.seeds} of them at most" if chosen.seeds else "none: nothing in it is drawn by a seed of yours"
        raise UsageError(f"--seeds: claim '{name}' takes {most}")
    begun = time.monotonic()
    found = chosen.run(options)
    result = Result(
        name=name, title=chosen.title, source=chosen.source, states=chosen.states, rows=found.rows, seeds=found.seeds,
        machine=found.machine, seconds=round(time.monotonic() - begun if found.seconds is None else found.seconds, 1),
        scale="quick" if options.quick else "full", notes=found.notes,
        about={file.name: sha256_file(file) for file in found.about} or None,
    )  # fmt: skip
    options.folder.mkdir(parents=True, exist_ok=True)
    write_whole(options.folder / f"{name}.png", found.picture)
    write_whole(options.folder / f"{name}.json", result.to_json().encode())
    return result


def add_to_card(result: Result, folder: Path, artifact: Path) -> None:
    """Put a result that stands in `folder` into an artifact's folder and card. A new export begins without."""
    from zoo.report.card import write_card

    (artifact / CLAIMS_FOLDER).mkdir(exist_ok=True)
    for file in (f"{result.name}.png", f"{result.name}.json"):
        write_whole(artifact / CLAIMS_FOLDER / file, (folder / file).read_bytes())
    write_card(artifact)


def shipped_artifact(options: Options, name: str) -> Path:
    """The folder of the exported model. Raises UsageError without one."""
    folder = options.artifact
    if folder is None or not is_artifact(folder):
        raise UsageError(f"this claim is about an exported model: build {name} first, there is none in {folder}")
    return folder


def provenance(manifest: Any) -> str:
    """A manifest's weights in words: which step, seed, machine."""
    step, seed = manifest.weights["step"], manifest.weights["seed"]
    machine = manifest.training.get("machine", "an unknown machine")
    return f"Weights of step {step:,}, trained with seed {seed} on {machine}."


def onnx_machine() -> str:
    """What runs an exported model here."""
    return f"{cpu()}, ONNX Runtime"
