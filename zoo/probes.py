"""What an export is tried with and shown by: inputs of all sizes for the parity check, held-out images for pictures.

Latents come from their priors; images come from the data: the training images measure batch norm, the test images are
shown.
"""

from __future__ import annotations

import numpy as np

from zoo import priors, training
from zoo.arrays import Array, from_uint8, nearest, row_shape
from zoo.data import Dataset, Domains
from zoo.errors import DataError
from zoo.exportable import image_fields
from zoo.manifest import Manifest
from zoo.spec import Plan, Spec
from zoo.tensor import AXES, Tensor

MANY = 64  # latents at once


class Images:
    """The images of a spec's data at the spec's size, uint8 [N, H, W, C]; a split is loaded when first asked for."""

    def __init__(self, spec: Spec) -> None:
        assert spec.sections.data is not None
        self.spec, self.range = spec, spec.sections.data.range
        self._splits: dict[str, Dataset | Domains] = {}

    def of(self, field: str, split: str) -> Array:
        """The images of the field `image`, `a` or `b`. Raises DataError for a split that does not exist."""
        return self._load(split).parts[field].items

    def _load(self, split: str) -> Dataset | Domains:
        if split not in self._splits:
            self._splits[split] = training.load_data(self.spec, split=split)
        return self._splits[split]

    @property
    def shown(self) -> str:
        """The split of which pictures are made: "test", or "train" where the user's own photos have no other."""
        try:
            self._load("test")
        except DataError:
            return "train"
        return "test"

    def held_out(self, field: str, n: int) -> Array:
        """At most `n` images that the networks have not seen, as far as there are any."""
        return self.of(field, self.shown)[:n]


def batches(spec: Spec, plan: Plan, count: int, images: Images) -> list[dict[str, Array]]:
    """`count` batches of inputs, of the batch size of training: latents from the priors, labels uniformly, images."""
    size = spec.sections.training.batch_size if spec.sections.training else 64
    random = np.random.RandomState(0)

    def draw(tap: str) -> Array:
        if tap in spec.sections.latent:
            return training.prior(spec.sections.latent[tap]).draw(random, size)
        if tap in image_fields(spec):
            pixels = images.of(tap, "train")
            return from_uint8(pixels[random.randint(len(pixels), size=size)], images.range)
        return priors.labels(random, size, classes=len(spec.classes))

    return [{tap: draw(tap) for tap in plan.inputs} for _ in range(count)]


def cases(facts: Manifest) -> dict[str, dict[str, Array]]:
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
