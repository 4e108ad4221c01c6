"""PNG files as arrays, to look at what the zoo wrote."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from zoo.core.arrays import Array


def read_png(path: str | os.PathLike[str]) -> Array:
    """Return uint8 [H, W, C]: C = 1 for a grey file, 3 for all others."""
    with Image.open(path, formats=("PNG",)) as picture:
        pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
