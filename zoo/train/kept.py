"""The images that an export of translators needs, kept with the run: the export then works without the data.

Folders of photos may be moved or deleted while a model trains. `export_images.npz` holds uint8 arrays [N, H, W, C]:

    <input>/measured, <input>/order   training images for the statistics of batch norm, and indices into them in the
                                      order in which batches take them, int64 [batches * batch size]
    <input>/golden                    4 held-out images, of the golden vectors
    <input>/shown                     16 held-out images, of samples.png
    meta                              JSON: the split of the held-out images, and the batches
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.core.arrays import Array, evenly_spaced, load_arrays, save_arrays
from zoo.core.errors import DataError
from zoo.data.dataset import Dataset, Domains
from zoo.spec import feeds
from zoo.spec.plan import BATCH_NORMS
from zoo.spec.read import Spec
from zoo.spec.sections import Export

KEPT_FILE = "export_images.npz"
GOLDEN, SHOWN = 4, 16


@dataclass(frozen=True)
class KeptImages:
    """Images for the export of a run.

    Attributes:
        split: The split of the held-out images: "test", or "train" where the user's own photos have no other.
        arrays: The arrays of the file by name.
    """

    split: str
    arrays: Mapping[str, Array]

    def measured(self, name: str, batches: int, size: int) -> list[Array]:
        """Return training images in `batches` batches, each uint8 [size, H, W, C]; none where they are not needed."""
        if f"{name}/order" not in self.arrays:
            return []
        order = self.arrays[f"{name}/order"][: batches * size].reshape(batches, size)
        return list(self.arrays[f"{name}/measured"][order])

    def golden(self, name: str) -> Array:
        """Return the images of the golden vectors, uint8 [4, H, W, C] or fewer."""
        return self.arrays[f"{name}/golden"]

    def shown(self, name: str) -> Array:
        """Return the images of samples.png, uint8 [16, H, W, C] or fewer."""
        return self.arrays[f"{name}/shown"]


def read_images(spec: Spec) -> KeptImages:
    """Read the images that an export needs from the data of a spec.

    Args:
        spec: A spec that can be trained.

    Returns:
        The images of every exported network that takes some; nothing is read where none does.

    Raises:
        DataError: The data cannot be read.
    """
    split = "test"
    arrays: dict[str, Array] = {}
    data: dict[str, Dataset | Domains] = {}

    def load(split: str) -> Dataset | Domains:
        if split not in data:
            data[split] = feeds.load_data(spec, split=split)
        return data[split]

    for name, count in _wanted(spec).items():
        try:
            items = load(split).parts[name].items
        except DataError:
            split = "train"
            items = load(split).parts[name].items
        arrays |= {f"{name}/golden": evenly_spaced(items, GOLDEN), f"{name}/shown": evenly_spaced(items, SHOWN)}
        if count:
            pixels, random = load("train").parts[name].items, np.random.RandomState(0)
            drawn = [random.randint(len(pixels), size=batch_size(spec)) for _ in range(count // batch_size(spec))]
            used, order = np.unique(np.concatenate(drawn), return_inverse=True)
            arrays |= {f"{name}/measured": pixels[used], f"{name}/order": order.astype(np.int64)}
    return KeptImages(split, arrays)


def keep_inputs(spec: Spec, folder: Path) -> None:
    """Keep the images that an export needs in the folder of a run; nothing where no network takes images.

    Args:
        spec: The spec that is trained.
        folder: The folder of its run.

    Raises:
        DataError: The data cannot be read.
    """
    if not (folder / KEPT_FILE).exists() and (images := read_images(spec)).arrays:
        save_arrays(folder / KEPT_FILE, images.arrays, {"split": images.split})


def kept_images(spec: Spec, folder: Path) -> KeptImages:
    """Return the images that were kept with a run; those of a run of an earlier version are read from the data.

    Args:
        spec: The spec that was trained.
        folder: The folder of its run.

    Returns:
        The images.

    Raises:
        DataError: The file is damaged, or there is none and the data cannot be read.
    """
    path = folder / KEPT_FILE
    if not path.exists() or not (wanted := _wanted(spec)):
        return read_images(spec)
    try:
        arrays, meta = load_arrays(path)
        enough = all(
            f"{name}/golden" in arrays and len(arrays.get(f"{name}/order", ())) >= count
            for name, count in wanted.items()
        )
        return KeptImages(str(meta["split"]), arrays) if enough else read_images(spec)
    except DataError:
        raise
    except Exception as error:  # decoders of broken files raise almost anything
        raise DataError(f"{path}: not readable as images for an export: {error}. Delete it") from error


def batch_size(spec: Spec) -> int:
    """Return the images of a batch that measures batch norm: as many as in training.

    Args:
        spec: A spec, which need not say how it is trained.

    Returns:
        Images.
    """
    return spec.sections.training.batch_size if spec.sections.training else 64


def _wanted(spec: Spec) -> dict[str, int]:
    """Return the images that exported networks take, and for how many of them batch norm is measured."""
    section, wanted = spec.sections.export or Export(), {}
    for plan in spec.leaving.values():
        norms = any(step.layer in BATCH_NORMS for step in plan.steps)
        for name in plan.inputs.keys() & set(spec.image_fields):
            wanted[name] = section.batch_norm_batches * batch_size(spec) if norms else 0
    return wanted
