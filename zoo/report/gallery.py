"""exported/README.md: every artifact of a folder in one table, and `gallery.png`, a row of samples of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import zoo
from zoo import manifest, pictures
from zoo.inputs import Inputs
from zoo.loading import artifacts
from zoo.manifest import Manifest
from zoo.report import tables

PICTURE, FILE = "gallery.png", "README.md"
COLUMNS, SIDE, LABEL = 12, 64, 150  # samples of a row, their size, the width of the name before them


def markdown(folder: Path) -> str:
    """The text of the gallery, from the manifests and scores alone."""
    shown = [f"![samples of every model that makes images, and translations of test images]({PICTURE})"]
    return "\n\n".join([
        "# The zoo", *(shown if any(map(_pictured, artifacts(folder))) else []),
        "Every folder here is one model: an ONNX file that any program can run, its manifest, its recipe, its scores "
        "and its card. Scores are measured on the very files (`zoo evaluate`); each card has all, with their protocol.",
        tables.table(folder, "gallery"),
        "`zoo report` writes this page and all cards anew from the JSON files beside them.",
    ]) + "\n"  # fmt: skip


def picture(folder: Path) -> pictures.Image | None:
    """uint8 [H, W, 3]: the name of each model that makes images, and samples of seed 0 beside it; None without any."""
    rows = [_samples(path) for path in artifacts(folder) if _pictured(path)]
    return np.concatenate(rows) if rows else None


def _pictured(path: Path) -> bool:
    return manifest.read_all(path)[0].outputs[0].is_image


def _samples(path: Path) -> pictures.Image:
    networks = manifest.read_all(path)
    if any(tensor.is_image for tensor in networks[0].inputs):
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
