"""exported/README.md: every artifact of a folder in one table, and `gallery.png`, a row of samples of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import zoo
from zoo import manifest, pictures
from zoo.loading import artifacts
from zoo.report import tables

PICTURE, FILE = "gallery.png", "README.md"
COLUMNS, SIDE, LABEL = 12, 64, 150  # samples of a row, their size, the width of the name before them


def markdown(folder: Path) -> str:
    """The text of the gallery, from the manifests and scores alone."""
    return "\n\n".join([
        "# The zoo", f"![samples of every model that makes images, and translations of test images]({PICTURE})",
        "Every folder here is one model: an ONNX file that any program can run, its manifest, its recipe, its scores "
        "and its card. Scores are measured on the very files (`zoo evaluate`); each card has all, with their protocol.",
        tables.table(folder, "gallery"),
        "`zoo report` writes this page and all cards anew from the JSON files beside them.",
    ]) + "\n"  # fmt: skip


def picture(folder: Path) -> pictures.Image:
    """uint8 [H, W, 3]: the name of each model, and samples of seed 0 beside it."""
    rows = [_samples(path) for path in artifacts(folder)]
    return np.concatenate([row for row in rows if row is not None])


def _samples(path: Path) -> pictures.Image | None:
    facts = manifest.read_all(path)[0]
    if any(tensor.is_image for tensor in facts.inputs):
        images = _cells(pictures.read_png(path / "samples.png"))
    elif not facts.outputs[0].is_image:
        return None
    else:
        generator = zoo.load(path)
        label = np.arange(COLUMNS) % 10 if any(tensor.classes for tensor in facts.inputs) else None
        images = generator.sample(COLUMNS, seed=0, label=label)
    strip = Image.new("RGB", (LABEL + COLUMNS * (SIDE + 2), SIDE + 4), "white")
    ImageDraw.Draw(strip).text((4, SIDE // 2 - 7), path.name, fill="black", font=ImageFont.load_default(15))
    for i, image in enumerate(images[:COLUMNS]):
        strip.paste(_cell(image), (LABEL + i * (SIDE + 2), 2))
    return np.asarray(strip)


def _cell(image: np.ndarray[Any, Any]) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).resize(
        (SIDE, SIDE), Image.Resampling.NEAREST
    )


def _cells(sheet: pictures.Image) -> np.ndarray[Any, Any]:
    """Some of the 16 pairs at the top of a translator's picture: cells of equal size, 2 pixels apart, 8 a row."""
    step = (sheet.shape[1] + 2) // 8
    chosen = [2 * pair + side for pair in range(0, 16, 3) for side in (0, 1)]
    corners = [(i // 8 * step, i % 8 * step) for i in chosen]
    return np.stack([sheet[y : y + step - 2, x : x + step - 2] for y, x in corners])
