"""The measurement of claims on texts: do the words change the picture, does the noise, and is it what was said?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.claims.measurements import Measure, Numbers, first_leaving, made, measurement
from zoo.core.arrays import Array
from zoo.core.errors import UsageError
from zoo.data.catalogue import TEXT
from zoo.data.critters import COLOURS, LABELS
from zoo.spec.read import Spec
from zoo.spec.types import PositiveInt

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm

GROUND = "ground"  # the label whose colour stands in the upper corners of every critter


@measurement("by_words", "by_noise", "right_ground")
def told_words(spec: Spec, *, samples: PositiveInt = 240) -> Measure:
    """Mean absolute difference of pixels, of 1, between samples of the same noise and two captions, and of the same
    caption and two noises; and the share of samples whose upper corners are nearest to the ground that was asked for,
    of twelve. Whole captions of critters, whose labels are drawn evenly."""
    captions = spec.captions
    if captions is None or captions.source != "critters" or TEXT not in first_leaving(spec).inputs:
        raise UsageError(f"{spec.path}: `told_words` needs a generator that reads captions of critters")
    random = np.random.RandomState(0)
    ids = {name: random.randint(len(classes), size=samples) for name, classes in LABELS.items()}
    written = [captions.describe({name: LABELS[name][ids[name][i]] for name in ids}) for i in range(samples)]
    texts = np.array([captions.vocabulary.read(text, captions.longest).ids for text in written], "int32")

    def measure(algorithm: Algorithm) -> Numbers:
        from zoo.spec.feeds import draw_inputs

        noise = {name: x for name, x in draw_inputs(spec, samples, seed=0).items() if name in spec.latents}
        moved = {name: np.roll(x, 1, axis=0) for name, x in noise.items()}
        images = made(spec, algorithm, samples, text=texts)
        other_words = made(spec, algorithm, samples, text=np.roll(texts, 1, axis=0))
        other_noise = made(spec, algorithm, samples, text=texts, **moved)
        return {
            "by_words": _difference(images, other_words),
            "by_noise": _difference(images, other_noise),
            "right_ground": float(np.mean(seen_grounds(images) == ids[GROUND])),
        }

    return measure


def seen_grounds(images: Array) -> Array:
    """Return the ids of the grounds that are nearest to the upper corners of critters.

    Args:
        images: uint8 [N, H, W, 3].

    Returns:
        int64 [N].
    """
    codes = {name: code for code, name in COLOURS.items()}
    palette = np.array([[*bytes.fromhex(codes[name])] for name in LABELS[GROUND]], float)  # [12, 3]
    corners = images[:, 0, [0, -1]].astype(float).mean(axis=1)  # [N, 3]
    nearest: Array = ((corners[:, None] - palette) ** 2).sum(axis=-1).argmin(axis=1)
    return nearest


def _difference(images: Array, others: Array) -> float:
    return float(np.abs(images.astype(float) - others).mean() / 255)
