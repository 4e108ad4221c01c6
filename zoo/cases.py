"""What a file is tried with before it is trusted: batches of all sizes, the edges of what one may feed. NumPy only."""

from __future__ import annotations

import numpy as np

from zoo import priors
from zoo.arrays import Array, from_uint8, nearest, row_shape
from zoo.manifest import Manifest
from zoo.tensor import AXES, Tensor

MANY = 64  # latents at once


def make(facts: Manifest) -> dict[str, dict[str, Array]]:
    """Inputs for the parity check: one, three and many examples; latents and pixels at the edges of what one may feed;
    and images of other sizes where the network takes them.
    """
    images = [tensor for tensor in facts.inputs if tensor.is_image]
    counts = (1, 3) if images else (1, 3, MANY)
    made = {f"batch_{count}": _inputs(facts, count) for count in counts}
    if any(tensor.prior for tensor in facts.inputs):
        made |= {f"all_{fill:+.0f}": _inputs(facts, 3, fill=fill) for fill in (0.0, 10.0, -10.0)}
    if images:
        made["extremes"] = _inputs(facts, 3, extremes=True)
    for height, width in _other_sizes(images[0]) if images else ():
        made[f"size_{height}x{width}"] = _inputs(facts, 2, size=(height, width))
    return made


def _other_sizes(tensor: Tensor) -> list[tuple[int, int]]:
    """About the smallest, and a larger one; neither is square."""
    if tensor.sizes is None:
        return []
    tall, wide = (tensor.sizes[axis] for axis in AXES)
    larger = nearest(tall["trained"] * 5 // 4, tall)[-1], nearest(wide["trained"] * 3 // 2, wide)[-1]
    larger = larger if larger[0] != larger[1] else (larger[0], larger[1] + wide["multiple"])
    return [(tall["minimum"], wide["minimum"] + wide["multiple"]), larger]


def _inputs(
    facts: Manifest,
    count: int,
    *,
    fill: float | None = None,
    extremes: bool = False,
    size: tuple[int, int] | None = None,
) -> dict[str, Array]:
    made: dict[str, Array] = {}
    for tensor in facts.inputs:
        random = priors.stream(1, tensor.name)
        if tensor.prior is not None:
            drawn = priors.make(tensor.prior, shape=row_shape(tensor)).draw(random, count)
            made[tensor.name] = drawn if fill is None else np.full_like(drawn, fill)
        elif tensor.classes:
            made[tensor.name] = priors.labels(random, count, classes=len(tensor.classes))
        else:
            trained = {axis: rule["trained"] for axis, rule in (tensor.sizes or {}).items()}
            axes = trained if size is None else dict(zip(AXES, size, strict=True))
            pixels = random.randint(256, size=(count, *row_shape(tensor, axes)))
            pixels = (pixels > 127) * 255 if extremes else pixels
            made[tensor.name] = from_uint8(pixels, tensor.range or (-1.0, 1.0))
    return made
