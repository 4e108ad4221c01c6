"""Random changes of images that gradients pass, of each image apart: Zhao et al. 2020, DiffAugment.

Images are [B, H, W, C] in a range around 0, such as -1 to 1; a fourth channel is alpha, which keeps its numbers where
colours change. All random numbers are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from keras import ops

from zoo.nn.autodiff import Tensor

Policy = Literal["flip", "color", "translation", "cutout"]
NUMBERS = 12  # uniform ones for each image: four coins, then the parameters


def augmented(images: Tensor, policy: Sequence[str], probability: Any, chance: Tensor) -> Tensor:
    """Change images, each by each change of the policy with `probability`.

    Args:
        images: [B, H, W, C].
        policy: Names of changes; they are made in the order of `CHANGES`.
        probability: A number in [0, 1].
        chance: Uniform in [0, 1), [B, NUMBERS].

    Returns:
        [B, H, W, C].
    """
    chance = ops.cast(chance, images.dtype)
    for coin, (name, change) in enumerate(CHANGES.items()):
        if name in policy:
            changed = ops.reshape(chance[:, coin] < probability, (-1, 1, 1, 1))
            images = ops.where(changed, change(images, chance), images)
    return images


def _flip(images: Tensor, chance: Tensor) -> Tensor:
    """Mirror half of them, left to right."""
    return ops.where(_number(chance, 4) < 0.5, ops.flip(images, axis=2), images)


def _color(images: Tensor, chance: Tensor) -> Tensor:
    """Brightness + U(-0.5, 0.5), then saturation by U(0, 2), then contrast by U(0.5, 1.5)."""
    images, alpha = images[..., :3], images[..., 3:]
    images = images + _number(chance, 5) - 0.5
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + 2.0 * _number(chance, 6) * (images - grey)
    middle = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    images = middle + (0.5 + _number(chance, 7)) * (images - middle)
    return ops.concatenate([images, alpha], axis=3) if alpha.shape[3] else images


def _translation(images: Tensor, chance: Tensor) -> Tensor:
    """Move by whole pixels, up to 1/8 of a side each way; what comes in is 0."""
    for axis, number in ((1, 8), (2, 9)):
        size = images.shape[axis]
        most = int(size / 8 + 0.5)
        moved = ops.floor(chance[:, number] * (2 * most + 1)) - most  # [B]
        images = _shifted(images, ops.minimum(moved, most), axis)
    return images


def _shifted(images: Tensor, moved: Tensor, axis: int) -> Tensor:
    """Move images [B, H, W, C] by whole numbers of pixels [B] along an axis: a product with a matrix of 0 and 1."""
    places = ops.cast(ops.arange(images.shape[axis]), images.dtype)
    matrix = ops.cast(places[None, :, None] - ops.reshape(moved, (-1, 1, 1)) == places[None, None, :], images.dtype)
    return ops.einsum("bih,bhwc->biwc" if axis == 1 else "biw,bhwc->bhic", matrix, images)


def _cutout(images: Tensor, chance: Tensor) -> Tensor:
    """A square of half a side becomes 0; its middle is anywhere in the image."""
    inside = True
    for axis, number in ((1, 10), (2, 11)):
        size = images.shape[axis]
        half = int(size / 2 + 0.5)
        start = ops.floor(_number(chance, number) * (size + 1 - half % 2)) - half // 2  # [B, 1, 1, 1]
        shape = (1, -1, 1, 1) if axis == 1 else (1, 1, -1, 1)
        places = ops.reshape(ops.cast(ops.arange(size), images.dtype), shape)
        inside = ops.logical_and(inside, ops.logical_and(places >= start, places < start + half))
    return ops.where(inside, ops.zeros_like(images), images)


def _number(chance: Tensor, number: int) -> Tensor:
    return ops.reshape(chance[:, number], (-1, 1, 1, 1))


CHANGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "flip": _flip,
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}
