"""Similarity of aligned pairs of uint8 images [N, H, W, C]: L1 and SSIM of each image and its own partner."""

from __future__ import annotations

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError


def l1(a: Array, b: Array) -> Array:
    """Compute the mean absolute difference of each pair of images.

    Args:
        a: images uint8 [N, H, W, C].
        b: their partners, of the same shape.

    Returns:
        Shares of the full range 255, float64 [N] in 0..1, lower is better, 0 for equal images.

    Raises:
        DataError: for other dtypes, other shapes or no images.
    """
    _check(a, b)
    return np.abs(a.astype(np.float64) - b).mean(axis=(1, 2, 3)) / 255


def ssim(a: Array, b: Array, *, window: int = 11, sigma: float = 1.5) -> Array:
    """Compute the structural similarity of each pair of images (Wang et al. 2004, eq. 13), with K1 0.01 and K2 0.03.

    Args:
        a: images uint8 [N, H, W, C], H and W at least `window`.
        b: their partners, of the same shape.
        window: side of the Gaussian window in pixels; the paper's is 11.
        sigma: standard deviation of the window in pixels; the paper's is 1.5.

    Returns:
        Means over all places where the window fits whole, and over channels: float64 [N] in -1..1, higher is better,
        1 for equal images.

    Raises:
        DataError: for other dtypes or shapes, no images, or images smaller than the window.
    """
    _check(a, b)
    if min(a.shape[1:3]) < window:
        raise DataError(f"SSIM looks through a window of {window} pixels, received images of {a.shape[1]}x{a.shape[2]}")
    weights = np.exp(-((np.arange(window) - (window - 1) / 2) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    result = np.empty(len(a))
    for i, (x, y) in enumerate(zip(a.astype(np.float64), b.astype(np.float64), strict=True)):
        mx, my = _blur(x, weights), _blur(y, weights)  # [h, w, C]
        vx, vy = _blur(x * x, weights) - mx * mx, _blur(y * y, weights) - my * my
        both = _blur(x * y, weights) - mx * my
        result[i] = ((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    return result


def _blur(image: Array, weights: Array) -> Array:
    """Return the window's weighted mean wherever it fits: [H, W, C] -> [H - k + 1, W - k + 1, C]."""
    for axis in (0, 1):
        image = np.lib.stride_tricks.sliding_window_view(image, len(weights), axis=axis) @ weights
    return image


def _check(a: Array, b: Array) -> None:
    if a.shape != b.shape or a.ndim != 4 or not len(a) or a.dtype != np.uint8 or b.dtype != np.uint8:
        received = f"{a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
        raise DataError(f"pairs are two arrays uint8 [N, H, W, C] of one shape, received {received}")
