"""gan-zoo: generative adversarial networks as YAML specs, trained with Keras, shipped as checked ONNX files.

Importing this package imports nothing heavy: no Keras, no TensorFlow, no YAML.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.runtime import Generator

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(path: str | os.PathLike[str], **options: Any) -> Generator:
    """Load an exported generator: a folder such as `exported/dcgan`, or a lone .onnx file. See `zoo.runtime.load`."""
    from zoo.runtime import load as load_generator

    return load_generator(path, **options)
