"""What every data set is, without its data: shapes, classes, sizes, licences, hashes. Standard library only.

The spec checker asks this module what shape a network will meet; nothing here touches a disk or a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from zoo.core.errors import DataError

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Card:
    """One data set. `shape` is that of a native item: (H, W, C), (2,) for points, None if the user's files decide.

    `domains` names the fields of a source of two sets of images (for translation); `splits` then count the smaller one,
    and `paired` says that item i of both shows the same thing in its test split.
    `sha256` is taken over the decoded uint8 arrays, one after the other: train images [N, H, W, C], train labels,
    test images, test labels. It does not depend on the container that the data came in.
    """

    name: str
    title: str
    shape: tuple[int, ...] | None
    classes: tuple[str, ...]
    splits: Mapping[str, int]
    licence: str
    homepage: str
    citation: str
    range: Literal["uint8", "points"] = "uint8"
    sha256: str | None = None
    domains: tuple[str, ...] = ()
    paired: bool = False


DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

VENDORS = ("noto", "twemoji", "fluent")
EMOJI_KINDS = (
    *("Smileys & Emotion", "People & Body", "Animals & Nature", "Food & Drink"),
    *("Activities", "Travel & Places", "Objects", "Symbols"),
)
EMOJI_SPLITS = {"train": 2_742, "test": 341}
EMOJI_HALF = 1_329  # where the second half of the emoji begins: no relative of one is in the other


def mode_names(count: int) -> tuple[str, ...]:
    """The classes of a mixture of `count` Gaussians: "mode 0", "mode 1" ..."""
    return tuple(f"mode {index}" for index in range(count))


_CARDS = (
    Card(
        name="fashion_mnist",
        title="Fashion-MNIST",
        shape=(28, 28, 1),
        classes=CLOTHES,
        splits={"train": 60_000, "test": 10_000},
        licence="MIT",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        citation="Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747",
        sha256="ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
    ),
    Card(
        name="mnist",
        title="MNIST",
        shape=(28, 28, 1),
        classes=DIGITS,
        splits={"train": 60_000, "test": 10_000},
        licence="CC BY-SA 3.0 (as commonly stated)",
        homepage="http://yann.lecun.com/exdb/mnist/",
        citation="LeCun, Bottou, Bengio, Haffner 1998, Proceedings of the IEEE 86(11)",
        sha256="06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
    ),
    Card(
        name="cifar10",
        title="CIFAR-10",
        shape=(32, 32, 3),
        classes=THINGS,
        splits={"train": 50_000, "test": 10_000},
        licence="no formal licence: cite Krizhevsky 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        citation="Krizhevsky 2009, Learning multiple layers of features from tiny images",
        sha256="80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
    ),
    Card(
        name="noto",
        title="Noto Emoji",
        shape=(64, 64, 3),
        classes=EMOJI_KINDS,
        splits=EMOJI_SPLITS,
        licence="Apache-2.0",
        homepage="https://github.com/googlefonts/noto-emoji",
        citation="Images of Noto Emoji, Google",
        sha256="db052ccf1270a0b1b0d7f0508602f01d95c47abb370f1bec90a30c542748495a",
    ),
    Card(
        name="twemoji",
        title="Twemoji",
        shape=(64, 64, 3),
        classes=EMOJI_KINDS,
        splits=EMOJI_SPLITS,
        licence="CC-BY-4.0",
        homepage="https://github.com/jdecked/twemoji",
        citation="Graphics of Twemoji, (c) Twitter, Inc and other contributors, https://creativecommons.org/licenses/by/4.0/",
        sha256="1dc755f41cf495835c692bd86e7d996db2fd5fd5388ef127c439ef241e2c691f",
    ),
    Card(
        name="fluent",
        title="Fluent Emoji 3D",
        shape=(64, 64, 3),
        classes=EMOJI_KINDS,
        splits=EMOJI_SPLITS,
        licence="MIT",
        homepage="https://github.com/microsoft/fluentui-emoji",
        citation="Fluent Emoji, (c) Microsoft Corporation",
        sha256="8d718278b75dfc26a518373630d4b1b3c1aa2f891e4526670d07792592b4f2cd",
    ),
    Card(
        name="digits",
        title="Optical digits (scikit-learn)",
        shape=(8, 8, 1),
        classes=DIGITS,
        splits={"train": 1_500, "test": 297},
        licence="BSD-3-Clause (as shipped with scikit-learn)",
        homepage="https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_digits.html",
        citation="Alpaydin, Kaynak 1998, Optical recognition of handwritten digits, UCI repository",
        sha256="4794179a7c207c1ed723b650ecb231bb75c230669ba7db661dbaaff445bfc1ff",
    ),
    Card(
        name="ring",
        title="Ring of Gaussians",
        shape=(2,),
        classes=mode_names(8),
        splits={"train": 100_000, "test": 100_000},
        licence="synthetic: no rights attached",
        homepage="https://arxiv.org/abs/1611.02163",
        citation="Metz, Poole, Pfau, Sohl-Dickstein 2016, arXiv 1611.02163",
        range="points",
    ),
    Card(
        name="grid",
        title="Grid of Gaussians",
        shape=(2,),
        classes=mode_names(25),
        splits={"train": 100_000, "test": 100_000},
        licence="synthetic: no rights attached",
        homepage="https://arxiv.org/abs/1712.04086",
        citation="Lin, Khetan, Fanti, Oh 2017, arXiv 1712.04086",
        range="points",
    ),
    Card(
        name="folder",
        title="A folder of images",
        shape=None,
        classes=(),
        splits={},
        licence="the user's own",
        homepage="",
        citation="",
    ),
    Card(
        name="emoji",
        title="Emoji of two vendors",
        shape=(64, 64, 3),
        classes=(),
        splits={"train": min(EMOJI_HALF, EMOJI_SPLITS["train"] - EMOJI_HALF), "test": EMOJI_SPLITS["test"]},
        licence="those of the two vendors",
        homepage="",
        citation="",
        domains=("a", "b"),
        paired=True,
    ),
    Card(
        name="cifar10_pair",
        title="Two classes of CIFAR-10",
        shape=(32, 32, 3),
        classes=(),
        splits={"train": 5_000, "test": 1_000},
        licence="no formal licence: cite Krizhevsky 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        citation="Krizhevsky 2009, Learning multiple layers of features from tiny images",
        domains=("a", "b"),
    ),
    Card(
        name="folders",
        title="Two folders of images",
        shape=None,
        classes=(),
        splits={},
        licence="the user's own",
        homepage="",
        citation="",
        domains=("a", "b"),
    ),
)
CARDS: dict[str, Card] = {card.name: card for card in _CARDS}


def describe(source: str, args: Mapping[str, Any]) -> Card:
    """The card of `source` as its arguments make it: `modes`, `side` and `samples` change classes and sizes, and `a`
    and `b` whose pictures these are, with the licences of both. Raises DataError for two domains that are the same.
    """
    card = CARDS[source]
    if card.domains:
        return _describe_two(card, args["a"], args["b"])
    if card.range != "points":
        return card
    modes = args.get("modes", len(card.classes)) if source == "ring" else args.get("side", 5) ** 2
    samples = args.get("samples", card.splits["train"])
    return replace(card, classes=mode_names(modes), splits={"train": samples, "test": samples})


def _describe_two(card: Card, a: str, b: str) -> Card:
    known = {"emoji": VENDORS, "cifar10_pair": THINGS}.get(card.name, (a, b))
    if wrong := {a, b} - set(known):
        raise DataError(f"data source '{card.name}': unknown {min(wrong)!r}. Known: {', '.join(known)}")
    if a == b:
        raise DataError(f"data source '{card.name}': a and b are both {a!r}; there is nothing to translate")
    if card.name != "emoji":
        return card if card.name == "folders" else replace(card, title=f"{card.title}: {a} and {b}")
    both = [CARDS[vendor] for vendor in (a, b)]
    return replace(
        card,
        title=" and ".join(vendor.title for vendor in both),
        licence=", ".join(f"{vendor.licence} ({vendor.title})" for vendor in both),
        homepage=", ".join(vendor.homepage for vendor in both),
        citation="; ".join(vendor.citation for vendor in both),
    )


def window_shape(shape: tuple[int, ...], jitter_from: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """The height and width at which images are held, for windows of `shape` to be drawn from; None without jitter.

    Raises DataError for points, and for a height or width below that of the window.
    """
    if jitter_from is None:
        return None
    if len(shape) != 3:
        raise DataError(f"jitter_from belongs to images; these items are points of shape {shape}")
    height, width, _ = final_shape(None, jitter_from, None)
    if height < shape[0] or width < shape[1]:
        raise DataError(f"jitter_from must be at least the size, {shape[0]} x {shape[1]}. Received: {jitter_from!r}")
    return height, width


def final_shape(
    native: tuple[int, ...] | None, size: int | tuple[int, int] | None, channels: int | None
) -> tuple[int, ...]:
    """The shape of one item after `prepare`: (H, W, C), or (2,) for points.

    `size` is a side or (height, width), `channels` 1 or 3; None keeps the native one (3 channels for a folder).
    Raises DataError for a size that is not positive, other channels, points with a size, or a folder without one.
    """
    if native is not None and len(native) != 3:
        if size is not None or channels is not None:
            raise DataError(f"size and channels belong to images; these items are points of shape {native}")
        return native
    if channels not in (None, 1, 3):
        raise DataError(f"channels must be 1 (grey) or 3 (RGB). Received: {channels!r}")
    if size is None:
        if native is None:
            raise DataError("a folder of images has no size of its own: state one, such as size: 64")
        size = (native[0], native[1])
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise DataError(f"size must be a side, or a height and a width, of at least 1 pixel. Received: {size!r}")
    return (*sides, channels or (3 if native is None else native[2]))
