"""The registries of layers and initialisers, and what several files of layers share. Images are [B, H, W, C].

A layer is part of the spec language once it is registered and `zoo.spec.shapes` has its shape rule; an initialiser,
once it is registered. The arguments of the constructor are those of the spec. `zoo.nn.layers` imports all the files.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.core.registry import Registry

LAYERS: Registry[type[keras.Layer]] = Registry("layer")
INITIALIZERS: Registry[type[keras.initializers.Initializer]] = Registry("initializer")
Size = int | tuple[int, int]


def standard_normal() -> keras.initializers.Initializer:
    """Return an initialiser that draws from N(0, 1)."""
    return keras.initializers.RandomNormal(stddev=1.0)


def wide(x: Any) -> Any:
    """Return halves as float32: their squares overflow, and 1e-8 is zero; everything else as it is."""
    x = ops.convert_to_tensor(x)
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
