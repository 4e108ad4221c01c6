"""A claim: a statement of a paper that a program can try. How claims are registered, run, timed and kept.

    @claim(title="...", source="Metz et al. 2016, section 2.2", states="...", spec="unrolled", takes=("10 seconds", ""))
    def saddle(options: Options) -> Outcome: ...

Behind that are the helpers that claims share: figures, and the exported model that a claim is about.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.artifact.artifact_folders import is_artifact
from zoo.artifact.claim_results import CLAIMS_FOLDER, Result, Row
from zoo.artifact.manifest import Manifest
from zoo.core.errors import UsageError
from zoo.core.files import sha256_file, write_whole
from zoo.core.host import cpu
from zoo.core.registry import suggest


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to try a claim.

    Attributes:
        quick: Use the smaller scale.
        seeds: Seeds of the trainings; None for the claim's own.
        folder: Folder for the result and the trainings.
        artifact: The exported model that the claim may be about.
    """

    quick: bool = False
    seeds: tuple[int, ...] | None = None
    folder: Path = Path("runs/claims")
    artifact: Path | None = None

    def log(self, line: str) -> None:
        """Print a line of progress to stderr."""
        print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The numbers that a claim has found, and their circumstances.

    Attributes:
        rows: The numbers, beside those of the paper.
        seeds: The seeds that were used.
        machine: The machine in words.
        picture: Bytes of a PNG file.
        notes: Sentences for the card.
        seconds: Time of all trainings, resumed ones included; None for the time of this call.
        about: Files of an artifact that the numbers are about.
    """

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    machine: str
    picture: bytes
    notes: tuple[str, ...] = ()
    seconds: float | None = None
    about: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement, and the function that tries it.

    Attributes:
        name: The name of the function.
        title: One sentence for people.
        source: Paper, section and figure.
        states: The statement in detail.
        spec: The model whose card reports the result.
        takes: Rough time on two CPU cores, at full scale and with --quick; the latter is empty if there is no other.
        seeds: How many seeds one may choose.
        run: The function.
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
    """Register the decorated function as the claim of its own name. For the arguments see `Claim`."""

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
    """Return a claim by its name.

    Args:
        name: The name.

    Returns:
        The claim.

    Raises:
        UsageError: There is none; the message has the nearest name and the list.
    """
    if name not in CLAIMS:
        raise UsageError(f"there is no claim '{name}'.{suggest(name, CLAIMS)} There are: {', '.join(CLAIMS)}")
    return CLAIMS[name]


def listing() -> str:
    """Describe all claims for people.

    Returns:
        Two lines each: name, title and time, then the paper.
    """
    width = max(map(len, CLAIMS))
    lines = []
    for one in CLAIMS.values():
        quick = f"; --quick {one.takes[1]}" if one.takes[1] else ""
        lines.append(f"{one.name:<{width}}  {one.title} ({one.takes[0]}{quick})\n{'':<{width}}  {one.source}")
    return "\n".join(lines)


def reproduce(name: str, options: Options) -> Result:
    """Try a claim, and write its result to <folder>/<name>.json and .png.

    Args:
        name: The claim.
        options: How to try it.

    Returns:
        The result.

    Raises:
        UsageError: The claim is unknown, or has no such scale or number of seeds. Its trainings raise more errors.
    """
    chosen = get_claim(name)
    if options.quick and not chosen.takes[1]:
        raise UsageError(f"claim '{name}' has one scale only: leave --quick out (it takes {chosen.takes[0]})")
    seeds = options.seeds or ()
    if len(set(seeds)) != len(seeds):
        raise UsageError(f"--seeds: a seed twice: {', '.join(map(str, seeds))}")
    if len(seeds) > chosen.seeds:
        most = f"at most {chosen.seeds}" if chosen.seeds else "none, because nothing in it is random"
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
    """Copy a result into an artifact, and write its card again. A new export begins without results.

    Args:
        result: The result.
        folder: The folder with its .json and .png.
        artifact: The artifact's folder.
    """
    from zoo.report.card import write_card

    (artifact / CLAIMS_FOLDER).mkdir(exist_ok=True)
    for file in (f"{result.name}.png", f"{result.name}.json"):
        write_whole(artifact / CLAIMS_FOLDER / file, (folder / file).read_bytes())
    write_card(artifact)


# ---- helpers of claims

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito: for all eyes


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 3.2, height: float = 2.8, **options: Any
) -> tuple[Any, Any]:
    """Return a figure without a window, and its axes [rows, columns].

    `width` and `height` are inches of one panel, `options` those of `Figure.subplots`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * width, rows * height), dpi=120, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for panel in axes.flat:
        panel.set_prop_cycle(color=COLOURS)
    return figure, axes


def figure_png(figure: Any) -> bytes:
    """Return the bytes of a PNG file, the same for the same numbers."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # without a version
    return buffer.getvalue()


def shipped_artifact(options: Options, name: str) -> Path:
    """Return the folder of the exported model that a claim is about. Raises UsageError if it is missing."""
    folder = options.artifact
    if folder is None or not is_artifact(folder):
        raise UsageError(f"this claim is about an exported model, and {folder} is not one: zoo build {name}")
    return folder


def provenance(manifest: Manifest) -> str:
    """Return the step, the seed and the machine of a manifest's weights in a sentence."""
    step, seed = manifest.weights["step"], manifest.weights["seed"]
    machine = manifest.training.get("machine", "an unknown machine")
    return f"Weights of step {step:,}, trained with seed {seed} on {machine}."


def onnx_machine() -> str:
    """Return the machine that runs an exported model here, in words."""
    return f"{cpu()}, ONNX Runtime"
