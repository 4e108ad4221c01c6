"""What an export feeds its networks: batches that measure batch norm, golden inputs, and what its picture shows.

Latents come from their priors; the training images measure, the test images are shown.
"""

from __future__ import annotations

import numpy as np

from zoo import examples, latents, pictures, priors
from zoo.arrays import Array, from_uint8, spread
from zoo.data import Dataset, Domains
from zoo.errors import DataError
from zoo.exportable import image_fields
from zoo.runtime import Generator
from zoo.spec import Plan, Spec

GOLDEN_SAMPLES = 4
SAMPLES, POINTS, PAIRS = 64, 2500, 16  # in the picture: images or points that were drawn, images with translations


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
            self._splits[split] = examples.load(self.spec, split=split)
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
        """At most `n` images that the networks have not seen, as far as there are any: from all over the split."""
        return spread(self.of(field, self.shown), n)


def batches(spec: Spec, plan: Plan, count: int, images: Images) -> list[dict[str, Array]]:
    """`count` batches of inputs, of the batch size of training: latents from the priors, labels uniformly, images."""
    size = spec.sections.training.batch_size if spec.sections.training else 64
    random = np.random.RandomState(0)

    def draw(tap: str) -> Array:
        if tap in spec.sections.latent:
            return latents.prior(spec.sections.latent[tap]).draw(random, size)
        if tap in image_fields(spec):
            pixels = images.of(tap, "train")
            return from_uint8(pixels[random.randint(len(pixels), size=size)], images.range)
        return priors.labels(random, size, classes=len(spec.classes))

    return [{tap: draw(tap) for tap in plan.inputs} for _ in range(count)]


def golden_inputs(generator: Generator, images: Images) -> dict[str, Array]:
    """Latents of seed 0, or held-out images as the network wants them."""
    taps = [tensor for tensor in generator.inputs.values() if tensor.is_image]
    if not taps:
        return generator.latents(GOLDEN_SAMPLES, seed=0)
    return {tensor.name: from_uint8(images.held_out(tensor.name, GOLDEN_SAMPLES), images.range) for tensor in taps}


def picture(generator: Generator, images: Images) -> pictures.Image:
    """Samples of seed 0, or held-out images with their translations beside them."""
    tap = next((tensor.name for tensor in generator.inputs.values() if tensor.is_image), None)
    if tap is None:
        made = next(iter(generator.outputs.values()))
        return pictures.picture(generator.sample(SAMPLES if made.is_image else POINTS, seed=0))
    originals = images.held_out(tap, PAIRS)
    return pictures.pairs(originals, generator.translate(originals))
