"""Inputs of an export's networks: batches to measure batch norm, golden inputs, and the examples of samples.png.

Latents are drawn from their priors. Batch norm is measured on training images; test images are shown.
"""

from __future__ import annotations

import numpy as np

from zoo.artifact.tensor import CELLS
from zoo.core import pictures
from zoo.core.arrays import Array
from zoo.core.images import fitted, from_uint8
from zoo.data.caption_draws import CaptionDraws
from zoo.data.catalogue import TEXT
from zoo.runtime import parity, priors
from zoo.runtime.cells import drawn_shape
from zoo.runtime.generator import Generator
from zoo.spec.feeds import given_rows, prior_of
from zoo.spec.game_leaving import given_inputs
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.train.kept import GOLDEN, KeptImages, batch_size

SAMPLES, POINTS = 64, 2500  # in samples.png


def batches(spec: Spec, plan: Plan, count: int, images: KeptImages) -> list[dict[str, Array]]:
    """Draw batches of inputs for measuring batch norm, the same for the same spec.

    Args:
        spec: The spec that was trained.
        plan: The network; its inputs are drawn.
        count: How many batches of the batch size of training.
        images: The images of the run, for a network that takes some.

    Returns:
        `count` times name of an input -> array [B, ...]: latents of the priors, int64 labels drawn uniformly,
        int32 ids of captions, float32 training images in the spec's range. No batch for a network of images without
        batch norm.
    """
    assert spec.sections.data is not None
    size, random, pixels = batch_size(spec), np.random.RandomState(0), spec.sections.data.range
    given = given_inputs(spec.game)
    kept = {name: images.measured(name, count, size) for name in plan.inputs if name in spec.image_fields}

    def draw(input_name: str, batch: int) -> Array:
        if input_name in spec.sections.latent:
            return prior_of(spec.sections.latent[input_name]).draw(random, size)
        if input_name in given:
            return given_rows(given[input_name], size)
        if input_name == TEXT and spec.captions is not None:
            return CaptionDraws(spec.captions).drawn(random, size)
        if input_name in kept:
            return from_uint8(kept[input_name][batch], pixels)
        return priors.labels(random, size, classes=len(spec.labels[input_name]))

    count = min([count, *map(len, kept.values())])  # 0 for a network of images without batch norm
    return [{input_name: draw(input_name, batch) for input_name in plan.inputs} for batch in range(count)]


def golden_inputs(generator: Generator, images: KeptImages) -> dict[str, Array]:
    """Return 4 inputs of the network: latents of seed 0, or held-out images, float32 in the spec's range. Of a network
    of texts also the captions that the ids are of, `NAME.words`: uint8, UTF-8, a caption in each line."""
    if generator.manifest.kind != "translation":
        texts = {t.name: list(t.text["examples"][:GOLDEN]) for t in generator.manifest.inputs if t.text}
        lines = {name: "".join(f"{text}\n" for text in written).encode() for name, written in texts.items()}
        words = {f"{name}.words": np.frombuffer(text, np.uint8) for name, text in lines.items()}
        return {**generator.latents(GOLDEN, seed=0, **texts), **words}
    (tensor,) = generator.manifest.inputs
    assert tensor.range is not None  # of images
    return {tensor.name: from_uint8(images.golden(tensor.name), tensor.range)}


def golden_of_other_sizes(generator: Generator, images: KeptImages) -> dict[str, dict[str, Array]]:
    """Return one input for each further size at which a network of images, or of a map of latents, is tried, such as
    "160x192"; else none."""
    found = {}
    for height, width in parity.other_sizes(generator.manifest):
        (tensor,) = generator.manifest.inputs
        if tensor.prior is None:
            pixels = fitted(images.golden(tensor.name)[:1], height, width, "crop")
            found[f"{height}x{width}"] = {tensor.name: from_uint8(pixels, tensor.range or (-1.0, 1.0))}
        else:
            tall, wide, *_ = drawn_shape(generator.manifest, dict(zip(CELLS, (height, width), strict=True)))
            found[f"{height}x{width}"] = generator.sized(tall, wide).latents(1, seed=0)
    return found


def picture(generator: Generator, images: KeptImages) -> pictures.Image:
    """Draw samples of seed 0, or held-out images with their translations beside them: uint8 [H, W, C]."""
    if (kind := generator.manifest.kind) != "translation":
        return pictures.picture(generator.sample(SAMPLES if kind == "images" else POINTS, seed=0))
    (input_name,) = generator.inputs
    originals = images.shown(input_name)
    return pictures.pairs(originals, generator.translate(originals))
