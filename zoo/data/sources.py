"""Data sources by name. The signature of each function is its schema in a spec; each returns a split as a `Dataset`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.data.catalogue import CARDS, Fit, Split, final_shape, mode_names
from zoo.data.dataset import Dataset
from zoo.data.fetch import read
from zoo.data.prepare import fitted
from zoo.errors import DataError
from zoo.registry import Registry

SOURCES: Registry = Registry("data source")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}


@SOURCES.register
def fashion_mnist(*, split: Split = "train") -> Dataset:
    """Clothes, 28x28 grey, 10 classes: 60 000 + 10 000."""
    return _fetched("fashion_mnist", split)


@SOURCES.register
def mnist(*, split: Split = "train") -> Dataset:
    """Handwritten digits, 28x28 grey, 10 classes: 60 000 + 10 000."""
    return _fetched("mnist", split)


@SOURCES.register
def cifar10(*, split: Split = "train") -> Dataset:
    """Photographs of animals and vehicles, 32x32 RGB, 10 classes: 50 000 + 10 000."""
    return _fetched("cifar10", split)


@SOURCES.register
def digits(*, split: Split = "train") -> Dataset:
    """Handwritten digits, 8x8 grey, 10 classes, from scikit-learn without a download: the first 1 500, the last 297."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("data source 'digits' comes with scikit-learn: pip install scikit-learn") from error
    values, labels = load_digits(return_X_y=True)
    images = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # 17 levels, 0..16
    part = slice(0, 1500) if _is_train(split) else slice(1500, None)
    return Dataset("digits", images=images[part], labels=labels[part].astype(np.int64), classes=CARDS["digits"].classes)


@SOURCES.register
def ring(
    *,
    modes: int = 8,
    radius: float = 2.0,
    std: float = 0.02,
    samples: int = 100_000,
    seed: int = 0,
    split: Split = "train",
) -> Dataset:
    """Gaussians on a circle, the first on the positive x axis (Metz et al. 2016). VEEGAN's ring: radius 1, std 0.01."""
    angles = np.linspace(0, 2 * np.pi, modes, endpoint=False)  # with the endpoint, two modes would be one
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)  # [M, 2]
    return _mixture("ring", centres, std, samples, seed, split)


@SOURCES.register
def grid(
    *,
    side: int = 5,
    spacing: float = 2.0,
    std: float = 0.05,
    samples: int = 100_000,
    seed: int = 0,
    split: Split = "train",
) -> Dataset:
    """side x side Gaussians around the origin, row by row from the lowest (VEEGAN, PacGAN: -4, -2, 0, 2, 4)."""
    line = spacing * (np.arange(side) - (side - 1) / 2)
    centres = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)  # [M, 2]
    return _mixture("grid", centres, std, samples, seed, split)


@SOURCES.register
def folder(*, path: str, size: int | tuple[int, int] | None = None, fit: Fit = "crop") -> Dataset:
    """The user's own images of any size, as RGB. Sub-folders that hold images are classes, sorted by name.

    `size` and `fit` are those of the spec's data section unless stated here. Each file is fitted as it is read, so that
    only the final pixels are held. Raises DataError for a missing or empty folder, or a file that is no image.
    """
    height, width, _ = final_shape(None, size, 3)
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"data source 'folder': there is no folder {root}")
    files = sorted(file for file in root.rglob("[!.]*") if file.suffix.lower() in SUFFIXES and file.is_file())
    owners = [file.relative_to(root).parts[0] if file.parent != root else "" for file in files]
    classes = tuple(sorted(set(owners)))
    if not files:
        raise DataError(f"data source 'folder': no image ({', '.join(sorted(SUFFIXES))}) in {root}")
    if "" in classes and len(classes) > 1:
        raise DataError(f"data source 'folder': images both in {root} and in its sub-folders ({classes[1]}, ...)")
    images = np.empty((len(files), height, width, 3), np.uint8)
    for index, file in enumerate(files):
        images[index] = fitted(_decode(file)[None], height, width, fit)[0]
    if classes == ("",):
        return Dataset("folder", images=images)
    labels = np.array([classes.index(owner) for owner in owners], np.int64)
    return Dataset("folder", images=images, labels=labels, classes=classes)


def _decode(file: Path) -> np.ndarray:
    """uint8 [H, W, 3], upright as the camera meant it, transparent parts on white, the first frame of several."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
                image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
            if image.has_transparency_data:
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image.convert("RGBA"))
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # decoders of broken files raise almost anything
        raise DataError(f"data source 'folder': {file} is not a readable image: {error}") from error


def _fetched(name: str, split: Split) -> Dataset:
    arrays = read(name)
    part = (arrays.x_train, arrays.y_train) if _is_train(split) else (arrays.x_test, arrays.y_test)
    return Dataset(name, images=part[0], labels=part[1].astype(np.int64), classes=CARDS[name].classes)


def _mixture(name: str, centres: np.ndarray, std: float, samples: int, seed: int, split: Split) -> Dataset:
    """Samples of an even mixture; splits are independent draws. RandomState, because its stream is frozen for good."""
    if len(centres) < 1 or samples < 1 or std < 0:
        raise DataError(f"data source '{name}': needs at least 1 mode, 1 sample and a std that is not negative")
    random = np.random.RandomState([seed, not _is_train(split)])
    labels = random.randint(0, len(centres), samples).astype(np.int64)
    points = centres[labels] + std * random.standard_normal((samples, 2))
    return Dataset(
        name,
        points=points.astype(np.float32),
        labels=labels,
        classes=mode_names(len(centres)),
        centres=centres.astype(np.float32),
        std=std,
    )


def _is_train(split: Split) -> bool:
    if split not in ("train", "test"):
        raise DataError(f"split must be 'train' or 'test'. Received: {split!r}")
    return split == "train"
