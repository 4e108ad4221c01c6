"""What an export feeds its networks: batches that measure batch norm, golden inputs, and what its picture shows.

Latents come from their priors; the training images measure, the test images are shown.
"""

from __future__ import annotations

import numpy as np

from zoo.core import pictures
from zoo.core.arrays import Array, evenly_spaced
from zoo.core.errors import DataError
from zoo.core.images import from_uint8
from zoo.data.dataset import Dataset, Domains
from zoo.runtime import priors
from zoo.runtime.generator import Generator
from zoo.spec import feeds
from zoo.spec.feeds import prior_of
from zoo.spec.plan import Plan
from zoo.spec.read import Spec

GOLDEN_SAMPLES = 4
SAMPLES, POINTS, PAIRS = 64, 2500, 16  # in the picture: images or points that were drawn, images with translations


class DataImages:
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
            self._splits[split] = feeds.load_data(self.spec, split=split)
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
        return evenly_spaced(self.of(field, self.shown), n)


def batches(spec: Spec, plan: Plan, count: int, images: DataImages) -> list[dict[str, Array]]:
    """`count` batches of inputs, of the batch size of training: latents from the priors, labels uniformly, images."""
    size = spec.sections.training.batch_size if spec.sections.training else 64
    random = np.random.RandomState(0)

    def draw(input_name: str) -> Array:
        if input_name in spec.sections.latent:
            return prior_of(spec.sections.latent[input_name]).draw(random, size)
        if input_name in spec.image_fields:
            pixels = images.of(input_name, "train")
            return from_uint8(pixels[random.randint(len(pixels), size=size)], images.range)
        return priors.labels(random, size, classes=len(spec.classes))

    return [{input_name: draw(input_name) for input_name in plan.inputs} for _ in range(count)]


def golden_inputs(generator: Generator, images: DataImages) -> dict[str, Array]:
    """Latents of seed 0, or held-out images as the network wants them."""
    taps = [tensor for tensor in generator.inputs.values() if tensor.is_image]
    if not taps:
        return generator.latents(GOLDEN_SAMPLES, seed=0)
    return {tensor.name: from_uint8(images.held_out(tensor.name, GOLDEN_SAMPLES), images.range) for tensor in taps}


def picture(generator: Generator, images: DataImages) -> pictures.Image:
    """Samples of seed 0, or held-out images with their translations beside them."""
    input_name = next((tensor.name for tensor in generator.inputs.values() if tensor.is_image), None)
    if input_name is None:
        made = next(iter(generator.outputs.values()))
        return pictures.picture(generator.sample(SAMPLES if made.is_image else POINTS, seed=0))
    originals = images.held_out(input_name, PAIRS)
    return pictures.pairs(originals, generator.translate(originals))
