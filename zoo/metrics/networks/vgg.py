"""The convolutions of VGG-16 (Simonyan and Zisserman 2015), trained on ImageNet, as plain arrays.

The weights are those of torchvision: they want RGB pixels, standardised by the mean and the deviation of ImageNet, and
maxima in the pooling. `zoo.spec.given_networks` has the layers, under the names that papers use: relu3_3 is the third
convolution of the third group, with its ReLU.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.networks import download
from zoo.metrics.networks.network import kept_network
from zoo.metrics.networks.pickled import ODD, read_pickled

NAME, RECIPE = "vgg16", 1
GROUPS = (2, 2, 3, 3, 3)  # convolutions before each pooling
WIDTHS = (64, 128, 256, 512, 512)  # their filters


def names() -> list[str]:
    """Return the names of the convolutions with their ReLU, in order: relu1_1, relu1_2, relu2_1, ..., relu5_3."""
    return [f"relu{group}_{one}" for group, count in enumerate(GROUPS, 1) for one in range(1, count + 1)]


def load() -> Mapping[str, Array]:
    """Load the weights; they are fetched, checked and converted once.

    Returns:
        `relu1_1/kernel` float32 [3, 3, in, out], `relu1_1/bias` [out], and so on.

    Raises:
        DataError: The weights cannot be had.
    """
    content = kept_network(NAME, RECIPE, download.VGG16, "the convolutions of VGG-16 (64 MB)", convert, ".npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def convert(checkpoint: Path) -> bytes:
    """Return the .npz of a pickled checkpoint. Raises DataError for one that is not this network."""
    what = "the weights of VGG-16"
    try:
        layers = read_pickled(checkpoint, what)["VGG16_0"]
        arrays = {
            f"{name}/{part}": np.asarray(layers[f"Conv_{number}"][part], np.float32)
            for number, name in enumerate(names())
            for part in ("kernel", "bias")
        }
        _check(arrays)
    except ODD as error:
        raise DataError(f"{checkpoint}: not {what}: {error}") from error
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:  # as numpy.savez, without the time of day
        for name, array in arrays.items():
            with packed.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _check(arrays: Mapping[str, Array]) -> None:
    width = 3
    for group, count in enumerate(GROUPS, 1):
        for one in range(1, count + 1):
            name, filters = f"relu{group}_{one}", WIDTHS[group - 1]
            shapes = [arrays[f"{name}/{part}"].shape for part in ("kernel", "bias")]
            if shapes != [(3, 3, width, filters), (filters,)]:
                raise ValueError(f"{name} has the shapes {shapes}")
            width = filters
