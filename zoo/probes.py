"""What an export takes from its data: batches that measure batch norm, and held-out images that are shown.

Latents come from their priors; the training images measure, the test images are shown.
"""

from __future__ import annotations

import numpy as np

from zoo import priors, training
from zoo.arrays import Array, from_uint8
from zoo.data import Dataset, Domains
from zoo.errors import DataError
from zoo.exportable import image_fields
from zoo.spec import Plan, Spec


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
