"""gan-zoo: generative adversarial networks as YAML specs, trained with Keras, shipped as checked ONNX files.

Importing this package imports nothing heavy: no Keras, no TensorFlow, no YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.loading import Source
    from zoo.runtime import Generator

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(source: Source, **options: Any) -> Generator:
    """Load an exported generator: a folder such as `exported/dcgan`, a lone .onnx, its bytes, or an open file.

    Options: network, precision, provider, threads, verify. See `zoo.loading.load`.
    """
    from zoo.loading import load as load_generator

    return load_generator(source, **options)
