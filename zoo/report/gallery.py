"""The gallery of a folder of artifacts, its README.md and gallery.png, and its tables for other Markdown files.

markdown(folder)      the page: every artifact in one table
picture(folder)       a row of samples, or of translations, of each
renew_tables(text)    tables between marks of any other page
check_entry(path)     an artifact that cannot be shown is one line, and is left out by `skip`
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import zoo
from zoo.artifact.artifact_folders import find_artifacts
from zoo.artifact.manifest import Manifest
from zoo.artifact.scores import Score, read_seeds
from zoo.core import pictures
from zoo.core.arrays import Array, evenly_spaced
from zoo.core.errors import DataError, UsageError, ZooError
from zoo.core.images import on_white, to_uint8
from zoo.evaluate.measures import METRICS, format_score, ordered, stem
from zoo.report.records import located, networks_of, scores_of
from zoo.report.score_table import aim, published
from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec

PICTURE, FILE = "gallery.png", "README.md"
COLUMNS, SIDE, LABEL = 12, 64, 150  # images of a row, their size, the width of the name before them
ORIGINALS = 16  # in the samples.png of a translator; the gallery shows some of them
FID = "fid_10k"


def markdown(folder: Path, *, skip: Collection[Path] = ()) -> str:
    """Write the page of the gallery, from manifests and scores alone.

    Args:
        folder: holds the artifacts.
        skip: artifacts that are left out.

    Returns:
        Markdown.
    """
    shown = [f"![samples of every model that makes images, and translations of test images]({PICTURE})"]
    return "\n\n".join([
        "# The zoo", *(shown if any(map(_makes_images, _shown(folder, skip))) else []),
        "Every folder here is one model: an ONNX file that any program can run, its manifest, its recipe, its scores "
        "and its card. Scores are measured on the very files (`zoo evaluate`); each card has all, with their protocol.",
        table(folder, "gallery", skip=skip),
        "`zoo report` writes this page and all cards anew from the JSON files beside them.",
    ]) + "\n"  # fmt: skip


def _shown(folder: Path, skip: Collection[Path]) -> list[Path]:
    """Return the artifacts by name, those in colour first: a visitor looks at the top."""
    return sorted((path for path in find_artifacts(folder) if path not in skip), key=lambda path: not _in_colour(path))


def _in_colour(path: Path) -> bool:
    with contextlib.suppress(ZooError):  # a damaged one is reported where it is shown
        output = networks_of(path)[0].outputs[0]
        return output.is_image and output.shape[-1] == 3
    return False


def check_entry(path: Path) -> None:
    """Check that an artifact can be shown in every table.

    Args:
        path: The folder of the artifact.

    Raises:
        ServeError: One of its files is damaged or lacks something.
    """
    with located(path):
        for column in TABLE_COLUMNS.values():
            column(_entry(path, ""))


@dataclass(frozen=True)
class Entry:
    """An artifact, its manifests and scores, and the link to it from the page with the table."""

    path: Path
    networks: Sequence[Manifest]
    measured: Mapping[str, Score]
    link: str

    @property
    def manifest(self) -> Manifest:
        """The manifest of its first network; most facts are the same in all."""
        return self.networks[0]


def _entry(path: Path, way: str) -> Entry:
    return Entry(path, networks_of(path), scores_of(path), f"{way}{path.name}")


def _model(entry: Entry) -> str:
    return f"[{entry.path.name}]({entry.link}/README.md)"


def _picture(entry: Entry) -> str:
    return f'<img src="{entry.link}/samples.png" width="112" alt="samples of {entry.path.name}">'


def _paper(entry: Entry) -> str:
    paper = entry.manifest.paper
    if not paper:
        return ""
    authors = paper["authors"].split(", ")
    return f"{', '.join(authors) if len(authors) < 3 else f'{authors[0]} et al.'} {paper['year']}"


def _fid(entry: Entry) -> str:
    """Return the score of the file, and mean and deviation of all seeds where several were tried."""
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
    """List the scores that matter most for such a model, as their metrics state."""
    values: dict[str, list[str]] = {}
    for name in ordered(entry.measured):
        metric = METRICS.get(stem(name))
        if metric and metric.gallery:
            values.setdefault(metric.gallery, []).append(_with_reference(name, entry.measured[name]))
    return ", ".join(f"{title} {' and '.join(several)}" for title, several in values.items())


def _with_reference(name: str, score: Score) -> str:
    """Return a score; that of a translation beside what doing nothing gets."""
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


def table(folder: Path, name: str, *, way: str = "", skip: Collection[Path] = ()) -> str:
    """Write one of `TABLES` for the artifacts of a folder but `skip`; `way` leads to the folder from the page."""
    columns = TABLES[name]
    entries = [_entry(path, way) for path in _shown(folder, skip)]
    rows = [[TABLE_COLUMNS[column](entry) for column in columns] for entry in entries]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def renew_tables(text: str, folder: Path, *, way: str, skip: Collection[Path] = ()) -> str:
    """Write every table between `<!-- zoo: NAME -->` and `<!-- zoo -->` of a page anew.

    Args:
        text: Markdown.
        folder: holds the artifacts.
        way: the link from the page to `folder`, with a slash at its end.
        skip: artifacts that are left out.

    Returns:
        The page with its new tables.

    Raises:
        UsageError: for an unknown table, or a page without one.
    """

    def anew(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise UsageError(f"<!-- zoo: {name} -->: there is no such table. Known: {', '.join(TABLES)}")
        return f"<!-- zoo: {name} -->\n{table(folder, name, way=way, skip=skip)}\n<!-- zoo -->"

    renewed, count = re.subn(r"<!-- zoo: (\S+) -->\n(?:(?!<!-- zoo).*\n)*<!-- zoo -->", anew, text)
    if not count:
        raise UsageError(f"no table to renew: put <!-- zoo: {next(iter(TABLES))} --> and <!-- zoo --> on two lines")
    return renewed


def picture(
    folder: Path,
    *,
    skip: Collection[Path] = (),
    attempt: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> pictures.Image | None:
    """Draw a row for each model that makes images: its name, and samples of seed 0 or translations beside it.

    Args:
        folder: holds the artifacts.
        skip: artifacts that are left out.
        attempt: a context in which each row is drawn; a row whose error it suppresses is left out.

    Returns:
        uint8 [H, W, 3], or None where no model makes images.
    """
    rows: list[pictures.Image] = []
    for path in filter(_makes_images, _shown(folder, skip)):
        with attempt():
            rows.append(_row(path))
    return np.concatenate(rows) if rows else None


def _makes_images(path: Path) -> bool:
    return networks_of(path)[0].outputs[0].is_image


def _row(path: Path) -> pictures.Image:
    strip = Image.new("RGB", (LABEL + COLUMNS * (SIDE + 2), SIDE + 4), "white")
    ImageDraw.Draw(strip).text((4, SIDE // 2 - 7), path.name, fill="black", font=ImageFont.load_default(15))
    for i, image in enumerate(_images(path)):
        strip.paste(_cell(image), (LABEL + i * (SIDE + 2), 2))
    return np.asarray(strip)


def _images(path: Path) -> list[Array]:
    """Return at most COLUMNS images uint8 [H, W, C]: samples of seed 0, or pairs of originals and translations."""
    manifest = networks_of(path)[0]
    generator = zoo.load(path, network=manifest.network or None)
    if manifest.kind == "translation":
        originals = evenly_spaced(_originals(path, manifest), COLUMNS // 2)
        return [image for pair in zip(originals, generator.translate(originals), strict=True) for image in pair]
    fixed: dict[str, Any] = {one.name: np.arange(COLUMNS) % len(one.classes) for one in manifest.inputs if one.classes}
    return list(generator.sample(COLUMNS, seed=0, **fixed))


def _originals(path: Path, manifest: Manifest) -> Array:
    """Return the images of the artifact's samples.png, uint8 [N, H, W, C]; without the data, its golden inputs."""
    spec, tensor = read_spec(path / "spec.yaml"), manifest.inputs[0]
    for split in ("test", "train"):  # the user's own photos may have no test split
        with contextlib.suppress(DataError):
            return evenly_spaced(load_data(spec, split=split).parts[tensor.name].items, ORIGINALS)
    assert tensor.range is not None  # of images
    with np.load(path / manifest.golden) as golden:
        return to_uint8(golden[tensor.name], tensor.range)


def _cell(image: Array) -> Image.Image:
    """Return a square of white with the image in its middle, as large as it fits."""
    height, width = (max(1, round(SIDE * side / max(image.shape[:2]))) for side in image.shape[:2])
    drawn = Image.fromarray(image[..., 0] if image.shape[2] == 1 else on_white(image))
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(drawn.resize((width, height), Image.Resampling.NEAREST), ((SIDE - width) // 2, (SIDE - height) // 2))
    return square
