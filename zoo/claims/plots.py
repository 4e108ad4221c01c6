"""The figures of claims in YAML, registered by name. Each takes the snapshots of all trainings and returns a PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.claims.base import COLOURS, figure_png, new_figure
from zoo.claims.measurements import SHOWN
from zoo.claims.trainings import Snapshots
from zoo.core.arrays import Array, evenly_spaced
from zoo.core.registry import Registry
from zoo.spec.types import PositiveInt

Trainings = Mapping[tuple[str, int], Snapshots]  # of a variant and a seed
FIGURES: Registry[Callable[..., bytes]] = Registry("figure")


@FIGURES.register
def samples(trainings: Trainings, *, columns: PositiveInt = 4, side: PositiveInt = 6) -> bytes:
    """Samples of each variant, a row each, at up to `columns` snapshots of the first seed: points, or `side` x `side`
    images of the same latents."""
    rows = {variant: snapshots for (variant, _), snapshots in reversed(list(trainings.items()))}
    rows = dict(reversed(list(rows.items())))
    at = evenly_spaced(np.array(sorted(next(iter(rows.values())))), columns)
    figure, axes = new_figure(len(rows), len(at), width=1.9, height=1.95)
    for line, (variant, snapshots) in zip(axes, rows.items(), strict=True):
        for panel, step in zip(line, at, strict=True):
            _draw(panel, snapshots[step][SHOWN], side)
            panel.set_title(f"step {step:,}", fontsize=8)
        line[0].set_ylabel(variant, fontsize=8)
    return figure_png(figure)


def _draw(panel: Any, made: Array, side: int) -> None:
    """Draw points [N, 2], or a grid of images [N, H, W, C]."""
    panel.set(xticks=[], yticks=[])
    if made.ndim == 2:
        reach = max(float(np.abs(made).max()), 1e-3) * 1.1
        panel.plot(*made.T, ".", markersize=1, alpha=0.3, color=COLOURS[0])
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        return
    wide = side if made.shape[2] <= made.shape[1] else max(side // 3, 1)  # translations come as triples
    images = made[: side * wide]
    lines = [np.concatenate(images[i : i + wide], axis=1) for i in range(0, len(images) - wide + 1, wide)]
    grid = np.concatenate(lines, axis=0)
    panel.imshow(grid[..., 0] if grid.shape[2] == 1 else grid, cmap="gray", vmin=0, vmax=255)


@FIGURES.register
def curves(trainings: Trainings, *, number: str) -> bytes:
    """A number over the steps of training, a line for each variant and seed."""
    figure, axes = new_figure(1, 1, width=5.0, height=3.2)
    variants = list(dict.fromkeys(variant for variant, _ in trainings))
    for (variant, seed), snapshots in trainings.items():
        steps = sorted(snapshots)
        values = [float(snapshots[step][number]) for step in steps]
        first = seed == min(other for name, other in trainings if name == variant)
        colour = COLOURS[variants.index(variant) % len(COLOURS)]
        axes[0, 0].plot(steps, values, ".-", linewidth=1, color=colour, label=variant if first else None)
    axes[0, 0].set(xlabel="step", ylabel=number.replace("_", " "))
    axes[0, 0].legend(fontsize=7)
    return figure_png(figure)


@FIGURES.register
def scatter(trainings: Trainings, *, x: str, y: str) -> bytes:
    """One number against another, a point for each snapshot."""
    figure, axes = new_figure(1, 1, width=4.2, height=3.4)
    for (variant, seed), snapshots in trainings.items():
        points = [(float(snapshots[step][x]), float(snapshots[step][y])) for step in sorted(snapshots)]
        axes[0, 0].plot(*zip(*points, strict=True), "o", markersize=4, label=f"{variant}, seed {seed}")
        for step, point in zip(sorted(snapshots), points, strict=True):
            axes[0, 0].annotate(f"{step:,}", point, fontsize=5, xytext=(3, 3), textcoords="offset points")
    axes[0, 0].set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    axes[0, 0].legend(fontsize=7)
    return figure_png(figure)
