"""Stands in for what is fetched beside data: the weights of given networks, and paintings."""

import numpy as np

from zoo.data import photos
from zoo.metrics.networks import vgg

real_load, real_painting = vgg.load, photos.painting


def weights():
    """VGG-16 with random weights that keep the size of what passes it: {"relu1_1/kernel": array, ...}."""
    random, width, made = np.random.RandomState(0), 3, {}
    for name in vgg.names():
        filters = vgg.WIDTHS[int(name[4]) - 1]
        made[f"{name}/kernel"] = random.standard_normal((3, 3, width, filters)).astype("f4") * (2 / (9 * width)) ** 0.5
        made[f"{name}/bias"] = 0.1 * random.standard_normal(filters).astype("f4")
        width = filters
    return made


def painting(name):
    """Noise of another seed for each painting, uint8 [60, 48, 3]."""
    seed = list(photos.PAINTINGS).index(name)
    return np.random.RandomState(seed).randint(256, size=(60, 48, 3)).astype(np.uint8)


def install():
    """Put both in the place of what would be fetched."""
    vgg.load, photos.painting = weights, painting
