"""The history of a training, read from the folder of its run into an artifact.

curves.json  the losses, and the metric that was watched, over the images shown: TensorBoard's events, thinned out
film.png     what the network made of the same latents, or images, at up to 8 moments: cut out of the run's pictures
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.core import pictures
from zoo.core.errors import DataError
from zoo.core.files import write_whole
from zoo.core.images import fitted
from zoo.core.pictures import WHITE, Image

CURVES = "curves.json"
BINS, DIGITS = 200, 5  # points of a curve; significant digits of its numbers
LOSS, METRIC = "_loss", "metric/"  # how the names of TensorBoard's scalars end, and begin
MOMENTS, COLUMNS = 8, 8  # rows of a film; what it shows: the first row of a run's picture
CELL, PLOT = 64, 192  # pixels: about the shorter side of an image, and at least that of a plot of points
GAP, LETTERS, BORDER, FRAME = 2, 15, 6, 170  # between images, of the labels, around all; the grey around a plot
FILM_BYTES = 300_000
Scalars = dict[str, dict[int, float]]


@dataclass(frozen=True)
class Subject:
    """One network of the film: `height` and `width` of an image, both 0 for points; whether it translates images."""

    network: str
    height: int
    width: int
    translates: bool = False


def write_curves(run: Path, artifact: Path, *, images_per_step: int, until: int) -> bool:
    """Write curves.json of the steps up to `until`. Whether there was anything to write."""
    found = curves(run / "tensorboard", images_per_step=images_per_step, until=until)
    if found is not None:
        write_whole(artifact / CURVES, (json.dumps(found, allow_nan=False) + "\n").encode())
    return found is not None


def write_film(run: Path, target: Path, subject: Subject, *, until: int) -> bool:
    """Write the film of the steps up to `until` as a PNG file, above 300 kB with fewer colours. Whether there was any.

    Raises DataError for a picture that the run did not make.
    """
    made = film(run, subject, until=until)
    if made is not None:
        write_whole(target, pictures.png(made, at_most=FILM_BYTES))
    return made is not None


def curves(folder: Path, *, images_per_step: int, until: int) -> dict[str, Any] | None:
    """The curves in a folder of TensorBoard's event files, each as means of at most 200 neighbouring points.

    {"kimg": thousands of real images shown to D, "losses": {name: values}}, and "metric": {"name", "kimg", "values"}
    where one was watched; None where no loss was written.
    """
    found = _scalars(folder, until)
    losses = {tag.removesuffix(LOSS): line for tag, line in found.items() if tag.endswith(LOSS) and line}
    if not losses:
        return None
    steps = sorted(set.intersection(*(set(line) for line in losses.values())))
    result: dict[str, Any] = {
        "kimg": _kimg(steps, images_per_step),
        "losses": {name: _thinned([line[step] for step in steps]) for name, line in losses.items()},
    }
    for tag, line in found.items():
        if tag.startswith(METRIC) and line:
            at = sorted(line)
            values = _thinned([line[step] for step in at])
            result["metric"] = {"name": tag.removeprefix(METRIC), "kimg": _kimg(at, images_per_step), "values": values}
    return result


def _kimg(steps: Sequence[int], images_per_step: int) -> list[float]:
    return _thinned([step * images_per_step / 1000 for step in steps])


def _thinned(values: Sequence[float]) -> list[float]:
    parts = np.array_split(np.array(values, np.float64), min(BINS, max(len(values), 1)))
    return [float(f"{part.mean():.{DIGITS}g}") for part in parts]


def _scalars(folder: Path, until: int) -> Scalars:
    """{tag: {step: value}} of all event files. A later file begins where a run was resumed: what an earlier one says of
    its first step and of those behind it is of weights that were lost."""
    found: Scalars = {}
    for file in sorted(folder.glob("events.out.tfevents.*"), key=_begun):
        part = _read(file)
        first = min((step for line in part.values() for step in line), default=0)
        for tag in found if part else ():
            found[tag] = {step: value for step, value in found[tag].items() if step < first}
        for tag, line in part.items():
            found[tag] = {**found.get(tag, {}), **{step: value for step, value in line.items() if step <= until}}
    return found


def _begun(file: Path) -> tuple[int, int, str]:
    """events.out.tfevents.<seconds>.<host>.<process>.<number>: in the order in which they were begun."""
    seconds, number = re.match(r"events\.out\.tfevents\.(\d*)", file.name), re.search(r"(\d+)$", file.name)
    return int((seconds and seconds[1]) or 0), int(number[1] if number else 0), file.name


def _read(file: Path) -> Scalars:
    """All scalars of one event file; one whose end was never written is read as far as it goes."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(file), size_guidance={"tensors": 0}).Reload()  # 0: all, not a sample
    return {
        tag: {event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}
        for tag in events.Tags()["tensors"]
    }


def film(folder: Path, subject: Subject, *, until: int) -> Image | None:
    """Up to 8 moments of a training up to step `until`, [H, W, C]; None where a run has no pictures of this network.

    Images: a row for each moment, under the originals where they are translated. Points: one plot beside the other.
    """
    files = shots(folder, subject.network)
    steps = moments([step for step in files if step <= until])
    if not steps:
        return None
    shown = {step: pictures.read_png(files[step]) for step in steps}
    if not subject.height:
        return _bordered(_plots(shown))
    rows: list[tuple[str, Image | None]] = [("step", None)]
    for step, image in shown.items():
        try:
            cut = pictures.cells(image, height=subject.height, width=subject.width, columns=COLUMNS)
        except DataError as error:
            raise DataError(f"{files[step]}: {error}; take it out of the folder") from error
        if subject.translates and step == steps[0]:
            rows.append(("original", cut[0 : 2 * COLUMNS : 2]))
        rows.append((f"{step:,}", cut[1 : 2 * COLUMNS : 2] if subject.translates else cut[:COLUMNS]))
    return _bordered(_table(rows))


def shots(folder: Path, network: str) -> dict[int, Path]:
    """The pictures of a network in the folder of a run, by step."""
    named = {path: re.fullmatch(rf"{re.escape(network)}-(\d{{7,}})\.png", path.name) for path in folder.glob("*.png")}
    return dict(sorted((int(match[1]), path) for path, match in named.items() if match))


def moments(steps: Sequence[int]) -> list[int]:
    """At most 8 of `steps`: the first, the last, and between them evenly by the root of the step, as the early changes
    are the large ones."""
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
        cells.append(_below([_label(f"step {step:,}"), framed]))
    return _below([_beside(cells[i : i + 4], gap=8) for i in range(0, len(cells), 4)], gap=8)


def _table(rows: Sequence[tuple[str, Image | None]]) -> Image:
    """Rows of (label, images [N, H, W, C] or none), the labels flush right on the left."""
    labels = [_label(words) for words, _ in rows]
    width = max(label.shape[1] for label in labels)
    lines = []
    for label, (_, images) in zip(labels, rows, strict=True):
        margin = np.full((label.shape[0], width - label.shape[1], 1), WHITE, np.uint8)
        line = [_beside([margin, label], gap=0)]
        if images is not None:
            line.append(pictures.grid(_sized(images), columns=COLUMNS, gap=GAP))
        lines.append(_beside(line, gap=8))
    return _below(lines)


def _sized(images: Image) -> Image:
    """Images [N, H, W, C] of about `CELL` pixels on the shorter side: repeated or averaged."""
    height, width = images.shape[1:3]
    if min(height, width) > CELL:
        factor = CELL / min(height, width)
        return fitted(images, round(height * factor), round(width * factor), "resize")
    return pictures.scale(images, at_least=CELL)


def _label(words: str) -> Image:
    return pictures.text(words, size=LETTERS)


def _beside(parts: Sequence[Image], *, gap: int = GAP) -> Image:
    """Pictures beside each other on white, centred on the tallest."""
    channels, height = max(part.shape[2] for part in parts), max(part.shape[0] for part in parts)
    width = sum(part.shape[1] for part in parts) + gap * (len(parts) - 1)
    sheet, left = np.full((height, width, channels), WHITE, np.uint8), 0
    for part in parts:
        top = (height - part.shape[0]) // 2
        sheet[top : top + part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + gap
    return sheet


def _below(parts: Sequence[Image], *, gap: int = GAP) -> Image:
    return pictures.stack(parts, gap=gap)


def _bordered(image: Image) -> Image:
    return np.pad(image, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), constant_values=WHITE)
