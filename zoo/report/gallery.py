"""Tables of all artifacts of a folder: for its gallery, and between marks of any other Markdown file.

exported/README.md: every artifact of a folder in one table, and `gallery.png`, a row of samples of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import zoo
from zoo.artifact.manifest import Manifest, find_artifacts, read_manifests
from zoo.artifact.scores import METRICS, Score, format_score, ordered, read_scores, read_seeds, stem
from zoo.core import pictures
from zoo.core.errors import UsageError
from zoo.report.published import aim, published
from zoo.runtime.inputs import Inputs

FID = "fid_10k"
BESIDES = (("high_quality", "modes"), ("ssim",), ("conditional_accuracy", "precision", "recall"))
SHORT = {  # where the title of a metric is too long for a table
    "conditional_accuracy": "right class", "high_quality": "high quality", "ssim": "SSIM to the unseen partner",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """An artifact, what it says of itself, its scores, and how to get there from the page with the table."""

    path: Path
    networks: Sequence[Manifest]
    measured: Mapping[str, Score]
    way: str

    @property
    def manifest(self) -> Manifest:
        """What all its networks share."""
        return self.networks[0]


def _model(entry: Entry) -> str:
    return f"[{entry.path.name}]({entry.way}/README.md)"


def _picture(entry: Entry) -> str:
    return f'<img src="{entry.way}/samples.png" width="112" alt="samples of {entry.path.name}">'


def _paper(entry: Entry) -> str:
    paper = entry.manifest.paper
    if not paper:
        return ""
    authors = paper["authors"].split(", ")
    return f"{', '.join(authors) if len(authors) < 3 else f'{authors[0]} et al.'} {paper['year']}"


def _fid(entry: Entry) -> str:
    """Of the file; of all seeds too where several were tried."""
    if FID not in entry.measured:
        return ""
    tried = [trial.scores[FID] for trial in read_seeds(entry.path) if FID in trial.scores]
    spread = ""
    if len(tried) > 1:
        mean, sd = (format_score(FID, x) for x in (fmean(tried), stdev(tried)))
        spread = f" ({mean} +- {sd} over {len(tried)} seeds)"
    return f"**{format_score(FID, entry.measured[FID].value)}**{spread}"


def _published(entry: Entry) -> str:
    other = published(FID, entry.manifest.data["title"], entry.manifest.name) if FID in entry.measured else None
    return other.text if other else ""


def _aim(entry: Entry) -> str:
    wanted = aim(FID, entry.manifest.data["title"], entry.manifest.name)
    if wanted is None or FID not in entry.measured:
        return ""
    off = entry.measured[FID].value - wanted
    return f"{wanted:g}, {'reached' if off <= 0 else f'missed by {format_score(FID, off)}'}"


def _besides(entry: Entry) -> str:
    """The scores that say most for such a model."""
    for stems in BESIDES:
        found = [name for name in ordered(entry.measured) if stem(name) in stems]
        if found:
            values: dict[str, list[str]] = {}
            for name in found:
                title = SHORT.get(stem(name), METRICS[stem(name)].title)
                values.setdefault(title, []).append(_with_reference(name, entry.measured[name]))
            return ", ".join(f"{title} {' and '.join(several)}" for title, several in values.items())
    return ""


def _with_reference(name: str, score: Score) -> str:
    """A translation is worth what it gains over doing nothing."""
    idle = score.protocol.get("of_the_input")
    return format_score(name, score.value) + (f" (doing nothing: {format_score(name, idle)})" if idle else "")


def _trained(entry: Entry) -> str:
    run, weights = entry.manifest.training, entry.manifest.weights
    images, minutes = run.get("images", weights["images"]), run["seconds"] / 60
    return f"{entry.manifest.data['title']}, {images:,} images, {minutes:.0f} minutes"


def _parameters(entry: Entry) -> str:
    return " + ".join(f"{one.weights['parameters']:,}" for one in entry.networks)


def _size(entry: Entry) -> str:
    return f"{sum((entry.path / one.file).stat().st_size for one in entry.networks) / 1e6:.1f} MB"


def _difference(entry: Entry) -> str:
    return f"{max(one.parity['max_abs_difference'] for one in entry.networks):.1e}"


def _pace(entry: Entry) -> str:
    pace = entry.measured.get("ms_per_image")
    return f"{pace.value:.2g} ms" if pace else ""


TABLE_COLUMNS: Mapping[str, Callable[[Entry], str]] = {
    "model": _model, "samples": _picture, "paper": _paper, "FID": _fid, "published": _published, "aimed at": _aim,
    "besides": _besides, "trained on": _trained, "parameters of G": _parameters, "ONNX file": _size,
    "largest difference to Keras": _difference, "one image": _pace,
}  # fmt: skip
TABLES: Mapping[str, Sequence[str]] = {
    "gallery": ("samples", "model", "paper", "FID", "published", "aimed at", "besides", "parameters of G", "ONNX file",
                "one image"),
    "scores": ("model", "paper", "FID", "published", "aimed at", "besides"),
    "models": ("model", "trained on", "parameters of G", "ONNX file", "one image", "largest difference to Keras"),
}  # fmt: skip


def table(folder: Path, name: str, *, way: str = "") -> str:
    """One of `TABLES` for the artifacts of a folder, to which `way` leads from the page."""
    columns = TABLES[name]
    entries = [
        Entry(path, read_manifests(path), read_scores(path), f"{way}{path.name}") for path in find_artifacts(folder)
    ]
    rows = [[TABLE_COLUMNS[column](entry) for column in columns] for entry in entries]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def renew_tables(text: str, folder: Path, *, way: str) -> str:
    """`text` with every table between `<!-- zoo: NAME -->` and `<!-- zoo -->` made anew. Raises UsageError."""

    def anew(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise UsageError(f"<!-- zoo: {name} -->: there is no such table. Known: {', '.join(TABLES)}")
        return f"<!-- zoo: {name} -->\n{table(folder, name, way=way)}\n<!-- zoo -->"

    renewed, count = re.subn(r"<!-- zoo: (\S+) -->\n(?:(?!<!-- zoo).*\n)*<!-- zoo -->", anew, text)
    if not count:
        raise UsageError(f"no table to renew: put <!-- zoo: {next(iter(TABLES))} --> and <!-- zoo --> on two lines")
    return renewed


PICTURE, FILE = "gallery.png", "README.md"
COLUMNS, SIDE, LABEL = 12, 64, 150  # samples of a row, their size, the width of the name before them


def markdown(folder: Path) -> str:
    """The text of the gallery, from the manifests and scores alone."""
    shown = [f"![samples of every model that makes images, and translations of test images]({PICTURE})"]
    return "\n\n".join([
        "# The zoo", *(shown if any(map(_pictured, find_artifacts(folder))) else []),
        "Every folder here is one model: an ONNX file that any program can run, its manifest, its recipe, its scores "
        "and its card. Scores are measured on the very files (`zoo evaluate`); each card has all, with their protocol.",
        table(folder, "gallery"),
        "`zoo report` writes this page and all cards anew from the JSON files beside them.",
    ]) + "\n"  # fmt: skip


def picture(folder: Path) -> pictures.Image | None:
    """uint8 [H, W, 3]: the name of each model that makes images, and samples of seed 0 beside it; None without any."""
    rows = [_samples(path) for path in find_artifacts(folder) if _pictured(path)]
    return np.concatenate(rows) if rows else None


def _pictured(path: Path) -> bool:
    return read_manifests(path)[0].outputs[0].is_image


def _samples(path: Path) -> pictures.Image:
    networks = read_manifests(path)
    if networks[0].kind == "translation":
        images = _translations(pictures.read_png(path / "samples.png"), networks)
    else:
        classes = next((len(tensor.classes) for tensor in networks[0].inputs if tensor.classes), 0)
        label = np.arange(COLUMNS) % classes if classes else None
        images = zoo.load(path).sample(COLUMNS, seed=0, label=label)
    strip = Image.new("RGB", (LABEL + COLUMNS * (SIDE + 2), SIDE + 4), "white")
    ImageDraw.Draw(strip).text((4, SIDE // 2 - 7), path.name, fill="black", font=ImageFont.load_default(15))
    for i, image in enumerate(images[:COLUMNS]):
        strip.paste(_cell(image), (LABEL + i * (SIDE + 2), 2))
    return np.asarray(strip)


def _cell(image: np.ndarray[Any, Any]) -> Image.Image:
    """A square of white with the image in its middle, as large as it fits."""
    height, width = (max(1, round(SIDE * side / max(image.shape[:2]))) for side in image.shape[:2])
    drawn = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(drawn.resize((width, height), Image.Resampling.NEAREST), ((SIDE - width) // 2, (SIDE - height) // 2))
    return square


def _translations(sheet: pictures.Image, networks: Sequence[Manifest]) -> np.ndarray[Any, Any]:
    """Some of the pairs of the first network, from the picture in which those of all stand below each other."""
    first = sheet[: (sheet.shape[0] + pictures.STACK_GAP) // len(networks) - pictures.STACK_GAP]
    (given,) = Inputs(networks[0]).zeros(1).values()
    cells = pictures.cells(first, height=given.shape[1], width=given.shape[2], columns=2 * pictures.PAIRS)
    pairs = cells.reshape(-1, 2, *cells.shape[1:])
    pairs = pairs[(pairs != pictures.WHITE).any(axis=(1, 2, 3, 4))]  # without places that the grid left empty
    some = np.linspace(0, len(pairs) - 1, COLUMNS // 2).astype(int)
    return pairs[some].reshape(-1, *cells.shape[1:])
