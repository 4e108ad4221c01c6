"""Inputs of an export's networks: batches to measure batch norm, golden inputs, and the examples of samples.png.

Latents are drawn from their priors. Batch norm is measured on training images; test images are shown.
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
SAMPLES, POINTS, PAIRS = 64, 2500, 16  # in samples.png: images or points, images with their translations


class DataImages:
    """The images of a spec's data at the spec's size; a split is loaded when it is first needed.

    Args:
        spec: A spec with data.
    """

    def __init__(self, spec: Spec) -> None:
        assert spec.sections.data is not None
        self.spec, self.range = spec, spec.sections.data.range
        self._splits: dict[str, Dataset | Domains] = {}

    def of(self, field: str, split: str) -> Array:
        """Return the images of the field `image`, `a` or `b`, uint8 [N, H, W, C].

        Raises DataError for a split that does not exist.
        """
        return self._load(split).parts[field].items

    def _load(self, split: str) -> Dataset | Domains:
        if split not in self._splits:
            self._splits[split] = feeds.load_data(self.spec, split=split)
        return self._splits[split]

    @property
    def shown(self) -> str:
        """The split that samples.png shows: "test", or "train" where the user's own photos have no other."""
        try:
            self._load("test")
        except DataError:
            return "train"
        return "test"

    def held_out(self, field: str, n: int) -> Array:
        """Return at most `n` images of the split that is shown, from all over it: uint8 [n, H, W, C]."""
        return evenly_spaced(self.of(field, self.shown), n)


def batches(spec: Spec, plan: Plan, count: int, images: DataImages) -> list[dict[str, Array]]:
    """Draw batches of inputs for measuring batch norm, the same for the same spec.

    Args:
        spec: The spec that was trained.
        plan: The network; its inputs are drawn.
        count: How many batches of the batch size of training.
        images: The data, for a network that takes images.

    Returns:
        `count` times name of an input -> array [B, ...]: float32 latents of the priors, int64 labels drawn uniformly,
        float32 training images in the spec's range.
    """
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
    """Return 4 inputs of the network: latents of seed 0, or held-out images, float32 in the spec's range."""
    if generator.manifest.kind != "translation":
        return generator.latents(GOLDEN_SAMPLES, seed=0)
    (input_name,) = generator.inputs
    return {input_name: from_uint8(images.held_out(input_name, GOLDEN_SAMPLES), images.range)}


def picture(generator: Generator, images: DataImages) -> pictures.Image:
    """Draw samples of seed 0, or held-out images with their translations beside them: uint8 [H, W, C]."""
    if (kind := generator.manifest.kind) != "translation":
        return pictures.picture(generator.sample(SAMPLES if kind == "images" else POINTS, seed=0))
    (input_name,) = generator.inputs
    originals = images.held_out(input_name, PAIRS)
    return pictures.pairs(originals, generator.translate(originals))
