"""Data sources: one function each, whose signature is its schema in a spec, and whose first sentence is its help there.

Each returns one split as a `Dataset` or as `Domains`. Its facts are in datasets.json under the same name. A downloaded
one is `_fetched`, and has its places in `places.DOWNLOADS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from zoo.core.errors import DataError
from zoo.core.images import Fit
from zoo.core.registry import Registry
from zoo.data import drawings, earth, glyphs
from zoo.data.catalogue import DATASETS, Split, describe, final_shape, mode_names
from zoo.data.critters import critters as draw_critters
from zoo.data.dataset import Dataset, Domains, prepare
from zoo.data.fetch import read
from zoo.data.folder_reader import read_folder
from zoo.data.paired_folders import read_pairs
from zoo.data.photos import crops as crop_photos
from zoo.data.photos import squares as squares_of_paintings

SOURCES: Registry = Registry("data source")
Vendor = Literal["noto", "twemoji", "fluent"]
Thing = Literal["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@SOURCES.register
def fashion_mnist(*, split: Split = "train") -> Dataset:
    """Clothes, 28x28 grey, 10 classes: 60 000 + 10 000."""
    return _fetched("fashion_mnist", split)


@SOURCES.register
def mnist(*, split: Split = "train") -> Dataset:
    """Handwritten digits, 28x28 grey, 10 classes: 60 000 + 10 000."""
    return _fetched("mnist", split)


@SOURCES.register
def stacked_mnist(*, split: Split = "train") -> Dataset:
    """Three random digits of MNIST in the three channels, 28x28 RGB, 1 000 modes and no labels: 60 000 + 25 600.

    Metz et al. 2016, section 3.3.1; the triples are drawn once, where the paper draws them as it trains.
    """
    digits = read("mnist").x_train if _is_train(split) else read("mnist").x_test
    count = DATASETS["stacked_mnist"].splits[split]
    chosen = np.random.RandomState([0, not _is_train(split)]).randint(0, len(digits), (3, count))
    return Dataset("stacked_mnist", images=np.concatenate([digits[one] for one in chosen], axis=-1))


@SOURCES.register
def cifar10(*, split: Split = "train") -> Dataset:
    """Photographs of animals and vehicles, 32x32 RGB, 10 classes: 50 000 + 10 000."""
    return _fetched("cifar10", split)


@SOURCES.register
def noto(*, split: Split = "train") -> Dataset:
    """Google's emoji, 64x64 RGB, 8 classes: 2 742 + 341, no flags; item i is the same emoji for all vendors."""
    return _fetched("noto", split)


@SOURCES.register
def twemoji(*, split: Split = "train") -> Dataset:
    """Twitter's emoji, 64x64 RGB, 8 classes: 2 742 + 341, no flags; item i is the same emoji for all vendors."""
    return _fetched("twemoji", split)


@SOURCES.register
def fluent(*, split: Split = "train") -> Dataset:
    """Microsoft's 3D emoji, 64x64 RGB, 8 classes: 2 742 + 341, no flags; item i is the same emoji for all vendors."""
    return _fetched("fluent", split)


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
    classes = DATASETS["digits"].classes
    return Dataset("digits", images=images[part], labels=labels[part].astype(np.int64), classes=classes)


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
def folder(
    *,
    path: str,
    classes: bool | tuple[str, ...] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3, 4] | None = None,
    fit: Fit = "crop",
    skip_broken: bool = False,
) -> Dataset:
    """The user's own images of any size, as RGB, or with 4 `channels` as RGBA: what is transparent stays so.
    Sub-folders that hold images are classes, sorted by name, the field `label`; `classes` insists on them (true),
    ignores them (false), or lists those to use, in the order of their ids. A relative path begins at the spec's folder.
    `skip_broken` leaves out images that cannot be read.

    `size`, `channels` and `fit` are those of the spec's data section unless stated here. `read_folder` has the rules
    and the errors: DataError for a missing or empty folder, and for broken images.
    """
    height, width, _ = final_shape(None, size, 3)
    images, owners, reading = read_folder(
        path, height, width, fit, skip_broken=skip_broken, classes=classes is not False, alpha=channels == 4
    )
    found = tuple(sorted(set(owners) - {""}))
    names = found if classes is None or isinstance(classes, bool) else tuple(classes)
    if missing := [name for name in names if name not in found] or ([] if found else ["any class"] * bool(classes)):
        there = ", ".join(found) or "no sub-folder with images"
        raise DataError(f"data source 'folder': {reading.folder} has no images of {missing[0]}. It has {there}")
    if not names:
        return Dataset("folder", images=images, reading=reading)
    if len(names) < len(found):
        kept = np.array([owner in names for owner in owners])
        owners, images = [owner for owner in owners if owner in names], images[kept]
        reading = replace(reading, images=len(images), classes=len(names))
    labels = np.array([names.index(owner) for owner in owners], np.int64)
    return Dataset("folder", images=images, labels=labels, classes=names, reading=reading)


@SOURCES.register
def emoji(*, a: Vendor, b: Vendor, split: Split = "train") -> Domains:
    """Emoji as vendor `a` and vendor `b` draw them, 64x64 RGB. Train: 1 329 of a, 1 413 others of b; test: 341 pairs.

    No relative of an emoji (skin tone, woman for man) is in another part: what the test pairs show was never seen.
    """
    half = describe("emoji", {"a": a, "b": b}).splits["train"]  # no relative of a later item is among the first `half`
    of_a, of_b = (replace(_fetched(vendor, split), labels=None, classes=()) for vendor in (a, b))
    if _is_train(split):
        of_a, of_b = replace(of_a, images=of_a.items[:half]), replace(of_b, images=of_b.items[half:])
    return Domains("emoji", of_a, of_b, paired=not _is_train(split))


@SOURCES.register
def cifar10_pair(*, a: Thing, b: Thing, split: Split = "train") -> Domains:
    """The photographs of two classes of CIFAR-10, 32x32 RGB: 5 000 + 1 000 each."""
    describe("cifar10_pair", {"a": a, "b": b})
    whole = _fetched("cifar10", split)
    of_a, of_b = (Dataset(c, images=whole.items[whole.labels == whole.classes.index(c)]) for c in (a, b))
    return Domains("cifar10_pair", of_a, of_b)


@SOURCES.register
def folders(
    *, a: str, b: str, size: int | tuple[int, int] | None = None, fit: Fit = "crop", skip_broken: bool = False
) -> Domains:
    """The user's own images in the folders `a` and `b`, as RGB; sub-folders are read, too. See `folder`."""
    describe("folders", {"a": a, "b": b})
    options: dict[str, Any] = {"size": size, "fit": fit, "skip_broken": skip_broken}
    return Domains("folders", *(folder(path=path, classes=False, **options) for path in (a, b)))


@SOURCES.register
def pairs(
    *,
    path: str | None = None,
    a: str | None = None,
    b: str | None = None,
    size: int | tuple[int, int] | None = None,
    fit: Fit = "crop",
) -> Domains:
    """The user's own pairs of images, as RGB, fields `a` and `b`: the folders `a` and `b`, whose files have the same
    names, or the folder `path` of images that hold both side by side, `a` on the left. Both are fitted alike.

    `zoo.data.paired_folders` has the rules and the errors.
    """
    height, width, _ = final_shape(None, size, 3)
    images, readings = read_pairs(path, a, b, height, width, fit)
    of_a, of_b = (Dataset("pairs", images=one, reading=reading) for one, reading in zip(images, readings, strict=True))
    return Domains("pairs", of_a, of_b, paired=True, together=True)


@SOURCES.register
def terrain(*, split: Split = "train") -> Dataset:
    """The earth from a satellite, crops of 64x64 RGB, about 4 degrees high: 5 836 + 461, of other longitudes."""
    return Dataset("terrain", images=earth.terrain_crops(64, 16 if _is_train(split) else 32, split))


@SOURCES.register
def terrain_128(*, split: Split = "train") -> Dataset:
    """The earth from a satellite, crops of 128x128 RGB, about 8 degrees high: 1 622 + 379, of other longitudes."""
    _is_train(split)
    return Dataset("terrain_128", images=earth.terrain_crops(128, 32, split))


@SOURCES.register
def planet(*, size: int | tuple[int, int] | None = None, split: Split = "train") -> Domains:
    """Pairs: `a` a map painted in eight colours, `b` the satellite picture, 128x128 RGB or smaller: 5 516 + 1 260.

    A smaller `size` shows the same ground; the map keeps its colours.
    """
    _is_train(split)
    return _pair("planet", earth.planet_pairs(128, 16, _side(size, 128), split))


@SOURCES.register
def letters(*, size: int | tuple[int, int] | None = None, split: Split = "train") -> Dataset:
    """Capitals of 464 display fonts in colours of the font, 64x64 RGB or another size, 26 classes: 10 452 + 1 612."""
    images, labels = glyphs.capitals(_side(size, 64), split if _is_train(split) else "test")
    return Dataset("letters", images=images, labels=labels, classes=DATASETS["letters"].classes)


@SOURCES.register
def photos(*, size: int | tuple[int, int] | None = None, split: Split = "train") -> Dataset:
    """Squares of 23 photographs of nature, 256x256 RGB or smaller: 875 + 140, of four other photographs."""
    return Dataset("photos", images=crop_photos(_side(size, 256), split if _is_train(split) else "test"))


@SOURCES.register
def paintings(*, size: int | tuple[int, int] | None = None) -> Dataset:
    """Five paintings, 256x256 RGB or another size, whose styles `picture` hands on: the label is the name of each."""
    classes = DATASETS["paintings"].classes
    images = squares_of_paintings(_side(size, 256))
    return Dataset("paintings", images=images, labels=np.arange(len(images)), classes=classes)


@SOURCES.register
def sketch(*, size: int | tuple[int, int] | None = None, split: Split = "train") -> Domains:
    """Pairs of OpenMoji: `a` the black outline, `b` the colour drawing, 64x64 RGB or another size: 1 269 + 105."""
    _is_train(split)
    return _pair("sketch", drawings.pairs(_side(size, 64), split))


@SOURCES.register
def critters(*, size: int | tuple[int, int] | None = None, split: Split = "train") -> Dataset:
    """Little monsters, drawn, 64x64 RGB or another size: 20 000 + 2 000. Their parts are labels: body, eyes, mouth,
    top, pattern, cheeks, color, accent, ground. Training leaves out 24 of the 168 pairs of body and colour.

    DataError: DiceBear or resvg, which draw them, are not installed.
    """
    images, attributes = draw_critters(_side(size, 64), split if _is_train(split) else "test")
    return Dataset("critters", images=images, attributes=attributes)


def _pair(name: str, images: tuple[np.ndarray, np.ndarray]) -> Domains:
    of_a, of_b = (Dataset(name, images=one) for one in images)
    return Domains(name, of_a, of_b, paired=True, together=True)


def _side(size: int | tuple[int, int] | None, native: int) -> int:
    """Return the side at which square images are drawn, so that they need not be resized."""
    return native if size is None else size if isinstance(size, int) else max(size)


def _fetched(name: str, split: Split) -> Dataset:
    arrays = read(name)
    part = (arrays.x_train, arrays.y_train) if _is_train(split) else (arrays.x_test, arrays.y_test)
    return Dataset(name, images=part[0], labels=part[1].astype(np.int64), classes=DATASETS[name].classes)


def _mixture(name: str, centres: np.ndarray, std: float, samples: int, seed: int, split: Split) -> Dataset:
    """Draw from an even mixture; splits are independent draws. RandomState, because its stream is frozen for good."""
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


def load_dataset(
    source: str,
    args: Mapping[str, Any] | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: Fit | None = None,
    split: Split | None = None,
) -> Dataset | Domains:
    """Load one split of a data set, with images of the size and the channels that a network is built for.

        load_dataset("fashion_mnist", size=32, split="test").images      # uint8 [10000, 32, 32, 1]

    Args:
        source: Name of the source.
        args: Its arguments. A source that itself takes `size`, `channels`, `fit` or `split` (a folder, which fits each
            file as it reads it) gets those below, unless they are stated here.
        size: A side, or (height, width), in pixels; None keeps the native one.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); None keeps the native ones.
        fit: How images of another shape are fitted, see `prepare`. By default "pad", and "crop" for a folder, where
            black bars would be learnt like the rest.
        split: "train" (the default) or "test".

    Returns:
        A data set, or two domains.

    Raises:
        DataError: The source or an argument is unknown, or the data is not available.
    """
    try:
        signature = inspect.signature(SOURCES.get(source))
        common = {"size": size, "channels": channels, "fit": fit, "split": split}
        given = {name: value for name, value in common.items() if name in signature.parameters and value is not None}
        bound = SOURCES.bind(source, {**given, **(args or {})})
        signature.bind(**bound)  # names the argument that is missing, such as a folder's path
    except (KeyError, TypeError) as error:
        raise DataError(f"data source '{source}': {error.args[0]}") from error
    if split == "test" and "split" not in signature.parameters:
        raise DataError(f"data source '{source}' has no test split: point it at other files instead")
    loaded = SOURCES.get(source)(**bound)
    options: dict[str, Any] = {"size": size, "channels": channels, "fit": fit or "pad"}
    if isinstance(loaded, Domains):
        return replace(loaded, a=prepare(loaded.a, **options), b=prepare(loaded.b, **options))
    return prepare(loaded, **options)
