"""Sliced Wasserstein distance of image patches, scale by scale (Karras et al. 2018, section 5 and authors' code).

From each level of an image's Laplacian pyramid, from full size down to 16 pixels, 7 x 7 patches are taken at random
places. Each set's patches are standardised by channel, projected on random directions and sorted; the distance is the
mean absolute difference, here x 1000. The paper uses 16,384 images and 128 patches of each. Both sets keep noise of
their own, so two halves of real data give a floor above 0, which belongs beside the number.
"""

from __future__ import annotations

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError

PATCH, SMALLEST = 7, 16
FILTER = np.array([1, 4, 6, 4, 1]) / 16  # Burt and Adelson's, in each direction


def sliced_wasserstein(
    a: Array, b: Array, *, patches: int = 128, repeats: int = 4, directions: int = 128, seed: int = 0
) -> dict[int, float]:
    """Compute the sliced Wasserstein distance of two sets of images at every level of their Laplacian pyramids.

    Karras et al. 2018, section 5. Grey images are measured as they are (the authors' code takes colour only).

    Args:
        a: images uint8 [N, S, S, C], S 16 times a power of two.
        b: as many images of the same shape.
        patches: patches of each image and level.
        repeats: draws of random directions to average over.
        directions: random projections of each draw.
        seed: of patches and directions; the same seed gives the same numbers.

    Returns:
        {height of the level: distance x 1000}, the largest height first; no unit, from 0 up, lower is better. Two
        halves of real data give the floor.

    Raises:
        DataError: for other dtypes or shapes, or sizes without a pyramid.
    """
    size = a.shape[1] if a.ndim == 4 else 0
    good = a.shape == b.shape and a.ndim == 4 and a.shape[2] == size and a.dtype == b.dtype == np.uint8
    if not good or size < SMALLEST or size & (size - 1):
        received = f"{a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
        raise DataError(f"expected two sets uint8 [N, S, S, C] with S = 16, 32, 64 ..., received {received}")
    random = np.random.RandomState(seed)
    levels = [_patches(images, patches, random) for images in (a, b)]  # {height: [P, 7 * 7 * C]}
    result = {}
    for height in levels[0]:
        x, y = (standardised(level[height], a.shape[-1]) for level in levels)
        result[height] = 1000 * float(np.mean([patch_distance(x, y, directions, random) for _ in range(repeats)]))
    return result


def patch_distance(a: Array, b: Array, directions: int, random: np.random.RandomState) -> float:
    """Return the mean 1-D Wasserstein distance over random unit directions of two sets [P, D] of the same number."""
    axes = random.standard_normal((a.shape[1], directions))
    axes /= np.linalg.norm(axes, axis=0)
    return float(np.abs(np.sort(a @ axes, axis=0) - np.sort(b @ axes, axis=0)).mean())


def standardised(patches: Array, channels: int) -> Array:
    """Return patches [P, 7 * 7 * C] with mean 0 and standard deviation 1 in each channel over the whole set."""
    pixels = patches.reshape(-1, channels)
    return ((pixels - pixels.mean(axis=0)) / (pixels.std(axis=0) + 1e-12)).reshape(patches.shape)


def pyramid(images: Array) -> list[Array]:
    """Return the Laplacian pyramid of [N, S, S, C]: details of S, S/2, ... and the rest at 16, float32.

    `up` and + undo it.
    """
    levels, rest = [], images.astype(np.float32)
    while rest.shape[1] > SMALLEST:
        smaller = _filtered(rest)[:, ::2, ::2]
        levels.append(rest - up(smaller))
        rest = smaller
    return [*levels, rest]


def up(images: Array) -> Array:
    """Return images of twice the size: zeros between the pixels, then the filter at four times its weight."""
    n, h, w, c = images.shape
    wide = np.zeros((n, 2 * h, 2 * w, c), np.float32)
    wide[:, ::2, ::2] = 4 * images
    return _filtered(wide)


def _filtered(images: Array) -> Array:
    """Return [N, H, W, C] filtered in both directions; at the edge the image is mirrored about its last pixel."""
    for axis in (1, 2):
        around = [(2, 2) if i == axis else (0, 0) for i in range(4)]
        padded, size = np.pad(images, around, mode="reflect"), images.shape[axis]
        images = np.zeros_like(images)
        for k, weight in enumerate(FILTER):
            images += np.float32(weight) * padded.take(range(k, k + size), axis=axis)
    return images


def _patches(images: Array, count: int, random: np.random.RandomState) -> dict[int, Array]:
    """Cut `count` patches out of every image at every level of its pyramid: {height: [N * count, 7 * 7 * C]}."""
    parts: dict[int, list[Array]] = {}
    for start in range(0, len(images), 512):  # the pyramids of all images at once would take gigabytes
        for level in pyramid(images[start : start + 512]):
            n, height = level.shape[:2]
            top, left = random.randint(0, height - PATCH + 1, (2, n, count, 1, 1))
            rows, columns = top + np.arange(PATCH)[:, None], left + np.arange(PATCH)  # [n, count, 7, 1], [.., 1, 7]
            cut = level[np.arange(n)[:, None, None, None], rows, columns]  # [n, count, 7, 7, C]
            parts.setdefault(height, []).append(cut.reshape(n * count, -1))
    return {height: np.concatenate(several) for height, several in parts.items()}
