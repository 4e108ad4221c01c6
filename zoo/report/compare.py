"""Two artifacts side by side: scores, parameters, size, speed, samples of the same seeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import zoo
from zoo.artifact.scores import SPEED, alike
from zoo.core import pictures
from zoo.core.errors import UsageError
from zoo.evaluate.measures import format_score, ordered
from zoo.report.records import located, networks_of, scores_of

SAMPLES = 64


def table(a: Path, b: Path) -> str:
    """Write a table of two artifacts.

    Args:
        a: folder of the first.
        b: folder of the second.

    Returns:
        Lines of three columns. Scores whose protocols differ in more than the file are marked.
    """
    lines = [("", a.name, b.name), *_rows(a, b)]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)  # fmt: skip


def _rows(a: Path, b: Path) -> Iterator[tuple[str, str, str]]:
    first, second = (networks_of(folder) for folder in (a, b))
    yield "title", first[0].title, second[0].title
    yield "data", first[0].data["title"], second[0].data["title"]
    left, right = (f"{sum(one.weights['parameters'] for one in manifest):,}" for manifest in (first, second))
    yield "parameters", left, right
    left, right = (f"{sum((folder / one.file).stat().st_size for one in manifest) / 1e6:.1f} MB"
                   for folder, manifest in ((a, first), (b, second)))  # fmt: skip
    yield "size", left, right
    measured = scores_of(a), scores_of(b)
    for name in [*ordered({**measured[0], **measured[1]}), *SPEED]:
        if any(name in one for one in measured):
            left, right = (format_score(name, one[name].value) if name in one else "-" for one in measured)
            both = [one[name] for one in measured if name in one]
            yield name + ("" if alike(both[0], both[-1]) else " (other protocols)"), left, right


def check_side(folder: Path) -> None:
    """Check that an artifact can be compared.

    Args:
        folder: of the artifact.

    Raises:
        ServeError: One of its files is damaged or lacks something.
    """
    with located(folder):
        list(_rows(folder, folder))


def picture(a: Path, b: Path) -> pictures.Image:
    """Draw samples of seed 0 of two artifacts.

    Args:
        a: folder of the artifact on the left.
        b: folder of the artifact on the right.

    Returns:
        uint8 [H, W, C].

    Raises:
        UsageError: for a translator, which has no samples.
    """
    sheets = []
    for folder in (a, b):
        manifest = networks_of(folder)[0]
        if manifest.kind == "translation":
            raise UsageError(f"--out: {folder} translates images, it has no samples of a seed")
        sheets.append(
            pictures.picture(zoo.load(folder).sample(SAMPLES if manifest.outputs[0].is_image else 2500, seed=0))
        )
    return pictures.beside(sheets)
