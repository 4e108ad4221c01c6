"""Pictures that are made of a map of latents: their sizes, and pieces of one that has no end. NumPy only.

    rows x columns of latents  ->  height = scale * rows + offset pixels        (`grid` of the output)

A window into an endless picture draws its latents block by block, each block from a stream of its own, so that a cell
has the same latents in whatever window it is seen. The network runs on a map that is larger by its margin, within which
pixels depend on where the map ends; the margin is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import AXES, CELLS, Tensor
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.core.images import to_uint8
from zoo.runtime import priors
from zoo.runtime.inputs import check_int, row_shape

if TYPE_CHECKING:
    from zoo.runtime.generator import Generator

Cells = Mapping[str, int]  # "rows" and "columns" -> their number
BLOCK = 16  # cells along one side of what is drawn from one stream
FURTHEST = 10**9  # pixels from the middle of an endless picture
ENDLESS = ("normal", "uniform")  # priors whose cells know nothing of each other


def drawn_shape(manifest: Manifest, cells: Cells | None = None, output: Tensor | None = None) -> tuple[int, ...]:
    """Return the shape of one output, without the batch axis.

    Args:
        manifest: The network.
        cells: The size of its map of latents; None stands for the sizes of the training.
        output: The output; None stands for the first.

    Returns:
        Sizes above 0.
    """
    trained = {axis: rule["trained"] for tensor in manifest.inputs for axis, rule in (tensor.sizes or {}).items()}
    output = output or manifest.outputs[0]
    return row_shape(output, output.spread({**trained, **(cells or {})}))


def cells_of(manifest: Manifest, height: int, width: int) -> Cells:
    """Return the size of the map of latents for pictures of a size.

    Args:
        manifest: The network.
        height: Rows of the pictures.
        width: Their columns.

    Returns:
        "rows" and "columns" -> their number.

    Raises:
        ServeError: The network draws pictures of one size alone, or not of this one.
    """
    tensor, output = _map(manifest), manifest.outputs[0]
    assert tensor.sizes is not None and output.grid is not None
    found, near = dict[str, int](), []
    sides = zip(AXES, (height, width), CELLS, output.grid["scale"], output.grid["offset"], strict=True)
    for side, size, axis, scale, offset in sides:
        size, least = check_int(side, size, low=1), tensor.sizes[axis]["minimum"]
        found[axis] = max((size - offset) // scale, least)
        allowed = sorted({scale * max(-(-(size - offset) // scale), least) + offset, scale * found[axis] + offset})
        if size not in allowed:
            near.append(f"{side} {' or '.join(map(str, allowed))}")
    if near:
        (tall, wide), (more, further) = output.grid["scale"], output.grid["offset"]
        rule = f"{tall} for each row of latents{more:+d}, {wide} for each column{further:+d}"
        rule = rule.replace("+0", "")
        raise ServeError(
            f"{manifest.model} draws pictures of {rule}, received {height} x {width}; nearest: {', '.join(near)}"
        )
    return found


def draw_window(generator: Generator, top: int, left: int, height: int, width: int, seed: int) -> Array:
    """Return a piece of a picture without end, as `Generator.window` does."""
    manifest = generator.manifest
    tensor, output = _map(manifest), manifest.outputs[0]
    ((prior, _),) = (tensor.prior or {}).items()
    assert tensor.sizes is not None and output.grid is not None
    if output.grid["margin"] is None or prior not in ENDLESS:
        raise ServeError(f"{manifest.model}: every pixel depends on the whole map of latents, so that a picture ends")
    seed = check_int("seed", seed, low=0, high=priors.MAX_SEED)
    spans, cuts = [], []
    for side, (axis, first, size) in enumerate(zip(CELLS, (top, left), (height, width), strict=True)):
        first = check_int(("top", "left")[side], first, low=-FURTHEST, high=FURTHEST)
        size = check_int(AXES[side], size, low=1, high=FURTHEST)
        scale, offset, margin = (output.grid[key][side] for key in ("scale", "offset", "margin"))
        start = (first - margin) // scale  # the cell whose first pixel is at start * scale
        stop = max(-(-(first + size + margin - offset) // scale), start + tensor.sizes[axis]["minimum"])
        spans.append((start, stop))
        cuts.append(slice(first - start * scale, first - start * scale + size))
    raw = generator(**{tensor.name: _latents(tensor, spans[0], spans[1], seed)})[0]
    return to_uint8(raw[cuts[0], cuts[1]], output.range or (-1.0, 1.0))


def _latents(tensor: Tensor, rows: tuple[int, int], columns: tuple[int, int], seed: int) -> Array:
    """Return the latents [1, rows, columns, k] of the cells from `start` to before `stop` along both axes."""
    depth = int(tensor.shape[-1])
    prior = priors.make(tensor.prior or {}, shape=(BLOCK, BLOCK, depth))
    found = np.empty((1, rows[1] - rows[0], columns[1] - columns[0], depth), np.float32)
    for i, here, inside in _blocks(*rows):
        for j, there, within in _blocks(*columns):
            block = prior.draw(priors.stream(seed, f"{tensor.name} {i} {j}"), 1)
            found[:, here, there] = block[:, inside, within]
    return found


def _blocks(start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield every block between two cells: its number, where it lies in the map, and which part of it."""
    for number in range(start // BLOCK, (stop - 1) // BLOCK + 1):
        low, high = max(start, number * BLOCK), min(stop, (number + 1) * BLOCK)
        yield number, slice(low - start, high - start), slice(low - number * BLOCK, high - number * BLOCK)


def _map(manifest: Manifest) -> Tensor:
    """Return the input that is a map of latents. Raises ServeError."""
    found = next((tensor for tensor in manifest.inputs if tensor.prior and tensor.sizes), None)
    if found is None:
        if manifest.kind == "translation":
            raise ServeError(f"{manifest.model} translates: its pictures have the size of what it is given")
        shape = ", ".join(map(str, drawn_shape(manifest)))
        raise ServeError(f"{manifest.model} makes {manifest.kind} [{shape}] alone; it is not fed a map of latents")
    return found
