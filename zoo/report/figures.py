"""Pictures of an artifact for its card: curves.png, walk.webp, neighbours.png, each drawn where it has a meaning."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np

from zoo.core import pictures
from zoo.core.errors import ServeError
from zoo.core.files import write_whole
from zoo.evaluate.measures import thumbnails
from zoo.evaluate.subject import Subject, extract, split_judge
from zoo.metrics import prdc

CURVES = "curves.json"
WALKERS, FRAMES, FPS = 6, 36, 12  # of the walk: three stops, a second from each to the next
SAMPLES, NEAREST = 8, 5


def draw(folder: Path) -> list[Path]:
    """Draw the pictures of an artifact.

    Args:
        folder: of the artifact.

    Returns:
        The files that were written.

    Raises:
        DataError: where the training images cannot be had.
        ServeError: for a curves.json that is not readable.
    """
    subject = Subject(folder, n=SAMPLES, seed=0)
    made = []
    if (folder / CURVES).is_file():
        made.append(write_whole(folder / "curves.png", curves(folder)))
    if subject.kind == "images":
        made.append(write_whole(folder / "walk.webp", walk(subject)))
        if subject.full_size:
            made.append(pictures.write_png(folder / "neighbours.png", nearest(subject)))
    return made


def curves(folder: Path) -> bytes:
    """Draw losses, values of the game, and the metric that was watched over thousands of real images, as a PNG file.

    Raises ServeError for a file that does not hold the curves of a training.
    """
    from matplotlib.figure import Figure

    try:
        history = json.loads((folder / CURVES).read_text("utf-8"))
        kimg, watched, values = history["kimg"], history.get("metric"), history.get("values")
        figure = Figure(figsize=(7.2, 2.4), layout="constrained", dpi=100)
        lines = {"loss": history["losses"], **({"value": values} if values else {})}
        panels = figure.subplots(1, len(lines) + bool(watched), squeeze=False)[0]
        for panel, (label, numbers) in zip(panels, lines.items(), strict=False):
            for name, line in numbers.items():
                panel.plot(kimg, [math.nan if x is None else x for x in line], linewidth=1, label=name)
            panel.set(xlabel="thousand images", ylabel=label)
            panel.legend(fontsize=7, frameon=False)
        if watched:
            panels[-1].plot(watched["kimg"], watched["values"], marker=".", linewidth=1)
            panels[-1].set(xlabel="thousand images", ylabel=watched["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise ServeError(f"{folder / CURVES}: not the curves of a training: {error}") from error
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def walk(subject: Subject) -> bytes:
    """Draw walks through the latents that end where they began, one a column, as the bytes of a WebP animation."""
    generator = subject.generator()
    paths = [generator.walk(FRAMES, seed=seed, stops=3) for seed in range(WALKERS)]
    frames = [pictures.grid(pictures.scale(images), columns=WALKERS) for images in np.stack(paths, axis=1)]
    return pictures.animation(np.stack(frames), fps=FPS, kind=".webp")


def nearest(subject: Subject) -> pictures.Image:
    """Draw samples, each with the training images nearest to it in the judge's features, or in pixels, at its right."""
    train = subject.cropped(subject.real("train").items)
    fakes = subject.cropped(subject.fakes)
    if subject.judged:
        sets = ((fakes, ""), (train, "training"))
        a, b = (split_judge(extract(subject.judge, images, which))[0] for images, which in sets)
    else:
        a, b = (images.reshape(len(images), -1).astype(np.float32) for images in (fakes, train))
    order = np.stack([np.argsort(((b - x) ** 2).sum(axis=1))[:NEAREST] for x in a])  # [N, 5]
    gap = np.full((len(fakes), 1, *fakes.shape[1:]), pictures.WHITE, np.uint8)
    left, right = np.split(np.concatenate([fakes[:, None], gap, train[order]], axis=1), 2)  # [N / 2, 7, H, W, C]
    rows = np.concatenate([left, gap[: len(left)], right], axis=1)  # two of the list beside each other
    return pictures.grid(pictures.scale(rows.reshape(-1, *fakes.shape[1:])), columns=rows.shape[1])


def copies(subject: Subject, count: int = 8) -> pictures.Image:
    """Draw the samples that lie nearest to training images, in rows.

    Args:
        subject: An artifact of images with a test split.
        count: How many.

    Returns:
        uint8 [H, W, C]: in a row a sample, the three training images nearest in pixels, and where there is a judge the
        three nearest in its features.
    """
    train, fakes = subject.cropped(subject.real("train").items), subject.cropped(subject.fakes)
    spaces = [(thumbnails(fakes), thumbnails(train))]
    distances, _ = prdc.nearest(*spaces[0])
    chosen = np.argsort(distances)[:count]
    if subject.judged:
        made, real = subject.judge_features.fake[chosen], extract(subject.judge, train, "training")
        spaces.append((split_judge(made)[0], split_judge(real)[0]))
    spaces[0] = (spaces[0][0][chosen], spaces[0][1])
    gap = np.full((count, 1, *fakes.shape[1:]), pictures.WHITE, np.uint8)
    row = [fakes[chosen][:, None]]
    for made, real in spaces:
        order = np.stack([np.argsort(((real - x) ** 2).sum(axis=1))[:3] for x in made])  # [count, 3]
        row += [gap, train[order]]
    cells = np.concatenate(row, axis=1)  # [count, columns, H, W, C]
    return pictures.grid(pictures.scale(cells.reshape(-1, *fakes.shape[1:])), columns=cells.shape[1])
