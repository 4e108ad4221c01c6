"""The history of a training, read from the folder of its run into an artifact.

    curves.json  the losses, and the metric that was evaluated while training, over the images shown to D:
                 TensorBoard's scalars, thinned out to means of neighbouring points
    film.png     what the network made of the same latents, or images, at up to 8 moments: drawn from the arrays
                 that `zoo.train.monitor.SampleSheets` keeps

Steps are steps of training; what happened after the step of the exported weights (`until`) is left out.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core import pictures
from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.core.files import write_whole
from zoo.core.images import fitted
from zoo.core.pictures import WHITE, Image
from zoo.train.callbacks import BEGUN
from zoo.train.curves import read_scalars

CURVES = "curves.json"
BINS, DIGITS = 200, 5  # points of a curve; significant digits of its numbers
LOSS, METRIC = "_loss", "metric/"  # how the names of TensorBoard's scalars end, and begin
NO_VALUES = ("images_per_second", BEGUN)  # scalars that are no numbers of the game
MOMENTS, COLUMNS = 8, 8  # rows of a film; images in a row
CELL, PLOT = 64, 192  # pixels: about the shorter side of an image, and at least that of a plot of points
GAP, LETTERS, BORDER, FRAME = 2, 15, 6, 170  # between images, of the labels, around all; the grey around a plot
FILM_BYTES = 300_000


def write_curves(run: Path, artifact: Path, *, phases: Sequence[str], images_per_step: int, until: int) -> bool:
    """Write curves.json of the steps up to `until`. Returns False, and writes nothing, where no loss was logged."""
    found = curves(run / "tensorboard", phases=phases, images_per_step=images_per_step, until=until)
    if found is not None:
        write_whole(artifact / CURVES, (json.dumps(found, allow_nan=False) + "\n").encode())
    return found is not None


def write_film(run: Path, target: Path, network: str, *, until: int, every: int = 1, last: int = 0) -> bool:
    """Write the film of the steps up to `until` as a PNG file, above 300 kB with fewer colours.

    Args:
        run: The folder of a run.
        target: The file to write.
        network: The name of the network.
        until: The last step to show.
        every: Sheets of multiples of so many steps are shown, and the first one: others were drawn where a part of the
            run happened to end.
        last: The last step of the run, which is shown in any case.

    Returns:
        False, and writes nothing, where the run has no sample sheets of this network.

    Raises:
        DataError: A sample sheet cannot be read, or is of another run.
    """
    made = film(run, network, until=until, every=every, last=last)
    if made is not None:
        write_whole(target, pictures.png(made, at_most=FILM_BYTES))
    return made is not None


def curves(folder: Path, *, phases: Sequence[str], images_per_step: int, until: int) -> dict[str, Any] | None:
    """Read the curves in a folder of TensorBoard's event files, each thinned out to at most 200 means of neighbours.

    Args:
        folder: The folder of the event files.
        phases: The names of the phases of the step.
        images_per_step: Real images that D is shown in a step.
        until: The last step to read.

    Returns:
        {"kimg": thousands of real images shown to D, "losses": {phase: numbers}}; "values": {name: numbers} where the
        game has values and states that were logged; and "metric": {"name", "kimg", "values"} where one was evaluated.
        None stands for a number that nothing had computed yet. None where no loss was logged.
    """
    found = read_scalars(folder, until)
    losses = {name: found[name + LOSS] for name in phases if found.get(name + LOSS)}
    if not losses:
        return None
    steps = sorted(set.intersection(*(set(line) for line in losses.values())))
    others = {*NO_VALUES, *(name + LOSS for name in phases)}
    values = {n: x for n, x in found.items() if n not in others and not n.startswith(METRIC) and {*steps} <= {*x}}
    result: dict[str, Any] = {"kimg": _kimg(steps, images_per_step)}
    for key, lines in (("losses", losses), ("values", values)):
        drawn = {name: _thinned([line[step] for step in steps]) for name, line in lines.items()}
        result |= {key: drawn} if drawn else {}
    for tag, line in found.items():
        if tag.startswith(METRIC) and line:
            at = sorted(line)
            watched = _thinned([line[step] for step in at])
            result["metric"] = {"name": tag.removeprefix(METRIC), "kimg": _kimg(at, images_per_step), "values": watched}
    return result


def _kimg(steps: Sequence[int], images_per_step: int) -> list[float | None]:
    return _thinned([step * images_per_step / 1000 for step in steps])


def _thinned(values: Sequence[float]) -> list[float | None]:
    parts = np.array_split(np.array(values, np.float64), min(BINS, max(len(values), 1)))
    known = [part[~np.isnan(part)] for part in parts]
    return [float(f"{part.mean():.{DIGITS}g}") if len(part) else None for part in known]


def film(folder: Path, network: str, *, until: int, every: int = 1, last: int = 0) -> Image | None:
    """Draw up to 8 moments of a training, chosen as `write_film` says; None without sample sheets of this network.

    Images: a row for each moment, below the originals where they are translated. Points: one plot beside the other.

    Returns:
        One picture, uint8 [H, W, C].

    Raises:
        DataError: A sample sheet cannot be read, or is of another run.
    """
    files = sheets(folder, network)
    steps = moments([step for step in files if step <= until and (step % every == 0 or step == last)])
    if not steps:
        return None
    shown = {step: _read_sheet(files[step]) for step in steps}
    first = shown[steps[0]]
    for step, sheet in shown.items():
        if _shapes(sheet) != _shapes(first):
            raise DataError(
                f"{files[step]}: holds examples of {_shapes(sheet)}, {files[steps[0]].name} of {_shapes(first)}: "
                "it is of another run; take it out of the folder"
            )
    if first["made"].ndim == 2:
        return _bordered(_plots({step: pictures.picture(sheet["made"]) for step, sheet in shown.items()}))
    rows: list[tuple[str, Image | None]] = [("step", None)]
    if "given" in first:
        rows.append(("original", first["given"][:COLUMNS]))
    rows += [(f"{step:,}", sheet["made"][:COLUMNS]) for step, sheet in shown.items()]
    return _bordered(_table(rows))


def sheets(folder: Path, network: str) -> dict[int, Path]:
    """Return the sample sheets (.npz) of a network in the folder of a run, by step."""
    named = {path: re.fullmatch(rf"{re.escape(network)}-(\d{{7,}})\.npz", path.name) for path in folder.glob("*.npz")}
    return dict(sorted((int(match[1]), path) for path, match in named.items() if match))


def _shapes(sheet: Mapping[str, Array]) -> dict[str, list[int]]:
    return {name: list(array.shape[1:]) for name, array in sorted(sheet.items())}


def _read_sheet(path: Path) -> dict[str, Array]:
    """`made`, and for a translator `given`: uint8 [N, H, W, C], or points [N, 2]."""
    try:
        with np.load(path, allow_pickle=False) as file:
            sheet = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not readable as a sample sheet: {error}; take it out of the folder") from error
    if "made" not in sheet:
        raise DataError(f"{path}: not a sample sheet: it holds no array 'made'; take it out of the folder")
    return sheet


def moments(steps: Sequence[int]) -> list[int]:
    """Choose at most 8 of `steps`, in their order.

    They are the first, the last, and between them evenly spaced by the root of the step: early changes are the largest.
    """
    left, chosen = sorted(steps), []
    if len(left) <= MOMENTS:
        return left
    wanted = np.linspace(left[0] ** 0.5, left[-1] ** 0.5, MOMENTS) ** 2
    for target in (wanted[0], wanted[-1], *wanted[1:-1]):
        chosen.append(min(left, key=lambda step: abs(step - target)))
        left.remove(chosen[-1])
    return sorted(chosen)


def _plots(shown: Mapping[int, Image]) -> Image:
    """Plots of points, four in a row, each below its step: smaller, with dots as dark as they were."""
    cells = []
    for step, image in shown.items():
        factor = max(1, image.shape[0] // PLOT)
        side = image.shape[0] // factor
        blocks = image[: side * factor, : side * factor].reshape(side, factor, side, factor, -1)
        framed = np.pad(blocks.min(axis=(1, 3)), ((1, 1), (1, 1), (0, 0)), constant_values=FRAME)
        cells.append(pictures.stack([pictures.text(f"step {step:,}", size=LETTERS), framed], gap=GAP))
    return pictures.stack([pictures.beside(cells[i : i + 4], gap=8) for i in range(0, len(cells), 4)], gap=8)


def _table(rows: Sequence[tuple[str, Image | None]]) -> Image:
    """Rows of (label, images [N, H, W, C] or none), the labels flush right on the left."""
    labels = [pictures.text(words, size=LETTERS) for words, _ in rows]
    width = max(label.shape[1] for label in labels)
    lines = []
    for label, (_, images) in zip(labels, rows, strict=True):
        line = np.pad(label, ((0, 0), (width - label.shape[1], 0), (0, 0)), constant_values=WHITE)
        if images is not None:
            strip = pictures.grid(_sized(images), columns=COLUMNS, gap=GAP)
            above = (strip.shape[0] - line.shape[0]) // 2  # the label is centred
            line = np.pad(line, ((above, 0), (0, 0), (0, 0)), constant_values=WHITE)
            line = pictures.beside([line, strip], gap=8)
        lines.append(line)
    return pictures.stack(lines, gap=GAP)


def _sized(images: Image) -> Image:
    """Images [N, H, W, C] of about `CELL` pixels on the shorter side: repeated or averaged."""
    height, width = images.shape[1:3]
    if min(height, width) > CELL:
        factor = CELL / min(height, width)
        return fitted(images, round(height * factor), round(width * factor), "resize")
    return pictures.scale(images, at_least=CELL)


def _bordered(image: Image) -> Image:
    return np.pad(image, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), constant_values=WHITE)
