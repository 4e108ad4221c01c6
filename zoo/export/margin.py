"""How far the edge of a map of latents reaches into the image, measured on the finished network.

A padded convolution sees where its map ends. Further inside, an image of a map is a piece of the image of every larger
map: that is what lets `Generator.window` draw a world without end, piece by piece, without a seam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.core.arrays import Array
from zoo.runtime import priors

FURTHER = 3  # cells that the larger map has more on every side
LEAST, MOST = 12, 24  # cells along one axis of the smaller map
ALIKE = 1e-3  # of values in [-1, 1]: an eighth of a step of a pixel


def with_margin(manifest: Manifest, generate: Callable[[dict[str, Array]], dict[str, Array]]) -> Manifest:
    """Return the manifest with the margin of its image, in pixels from the edge along both axes.

    Args:
        manifest: A network that makes one image of a map of latents.
        generate: The network: its inputs -> its raw outputs by name.

    Returns:
        The manifest. The margin is null where the edge reaches everywhere, as in a network with instance norm.
    """
    ((tensor,), (output,)) = manifest.inputs, manifest.outputs
    assert tensor.sizes is not None and tensor.prior is not None and output.grid is not None
    cells = [min(MOST, max(LEAST, 2 * rule["trained"], rule["minimum"])) for rule in tensor.sizes.values()]
    larger = [size + 2 * FURTHER for size in cells]
    shape = (*larger, int(tensor.shape[-1]))
    whole = priors.make(tensor.prior, shape=shape).draw(priors.stream(0, tensor.name), 1)
    piece = whole[:, FURTHER:-FURTHER, FURTHER:-FURTHER]
    made, world = (generate({tensor.name: z})[output.name][0] for z in (piece, whole))
    top, left = (FURTHER * scale for scale in output.grid["scale"])
    same = world[top : top + made.shape[0], left : left + made.shape[1]]
    apart = np.abs(made - same).max(axis=-1) > ALIKE  # [H, W]
    height, width = apart.shape
    margin = [
        _reach(apart[:, width // 3 : -(width // 3)].any(axis=1)),
        _reach(apart[height // 3 : -(height // 3)].any(axis=0)),
    ]
    grid = {**output.grid, "margin": None if None in margin else margin}
    return replace(manifest, outputs=(replace(output, grid=grid),))


def _reach(apart: Array) -> int | None:
    """Return how many lines have to go from either end so that none is apart, or None if a line of the middle third is.

    The lines are looked at in the middle third of the other axis, where its own edges do not reach.
    """
    lines, third = np.flatnonzero(apart), len(apart) // 3
    reach = max((min(line + 1, len(apart) - line) for line in lines), default=0)
    return int(reach) if reach <= third else None
