"""Little monsters, drawn by DiceBear's rules from a name: every part and colour is known, so that each is a label.

The parts are drawn at random, each of its variants equally likely; `top`, `pattern` and `cheeks` may be absent, and so
is the `accent` where no part shows it. A seventh of the pairs of body and colour is left out of the training split, so
that the test split can ask for what training never saw. Drawing takes minutes, once: the cache keeps the pixels.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import itertools
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from zoo.core.errors import DataError
from zoo.core.files import write_whole
from zoo.core.host import cache_folder
from zoo.data.catalogue import DATASETS, Split
from zoo.data.drawings import rendered

LABELS = DATASETS["critters"].labels
NONE = "none"
PACKAGES = ("dicebear-core", "dicebear-styles", "resvg-py")  # whose versions decide the pixels
# the place of each label in DiceBear's options
_OPTIONS = {
    **{name: f"{name}Variant" for name in ("body", "eyes", "mouth", "top", "pattern", "cheeks")},
    **{"color": "bodyColor", "accent": "accentColor", "ground": "backgroundColor"},
}
COLOURS = {
    **{"7dd3fc": "sky", "a5b4fc": "periwinkle", "c4b5fd": "lilac", "f0abfc": "pink", "fda4af": "rose"},
    **{"fca5a5": "coral", "fdba74": "orange", "fcd34d": "yellow", "bef264": "lime", "6ee7b9": "mint"},
    **{"5eead4": "turquoise", "e2e8f0": "white", "0369a1": "ocean", "1d4ed8": "blue", "4338ca": "indigo"},
    **{"6d28d9": "purple", "a21caf": "fuchsia", "be185d": "magenta", "be123c": "crimson", "c2410c": "rust"},
    **{"b45309": "amber", "047857": "green", "0f766e": "teal", "1e293b": "slate"},
}


def critters(side: int, split: Split) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the critters of a split, from the cache if they were drawn before.

    Args:
        side: Rows and columns; each size is drawn for itself.
        split: Their names differ.

    Returns:
        uint8 [N, side, side, 3], and for each label the ids, int64 [N].

    Raises:
        DataError: DiceBear or resvg is not installed.
    """
    kept = "seen" if split == "train" else split
    file = cache_folder() / f"critters-{kept}-{side}-{'-'.join(_versions())}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["images"], {name: arrays[name].astype(np.int64) for name in LABELS}
    except (OSError, KeyError, ValueError, EOFError):  # not there, or damaged
        pass
    number = DATASETS["critters"].splits[split]
    images, labels = draw(number, side, "", seen=True) if split == "train" else draw(number, side, "test-")
    write_whole(file, partial(_save, {"images": images, **labels}))
    return images, labels


def _save(arrays: Mapping[str, np.ndarray], file: BinaryIO) -> None:
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _versions() -> list[str]:
    try:
        return [importlib.metadata.version(name) for name in PACKAGES]
    except importlib.metadata.PackageNotFoundError as error:
        wanted = "dicebear-core dicebear-styles resvg_py"
        raise DataError(f"data source 'critters' is drawn by DiceBear and resvg: pip install {wanted}") from error


def unseen(body: Any, color: Any) -> Any:
    """Return whether a pair of body and colour is one of the 24 (of 168) that the training split leaves out.

    Args:
        body: A class id, or class ids [N].
        color: As many.

    Returns:
        bool, or bool [N].
    """
    return (body + color) % 7 == 0


def draw(count: int, side: int, names: str, *, seen: bool = False) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw critters.

    Args:
        count: How many.
        side: Rows and columns.
        names: Critter i is called "critters-", `names`, i: the same name gives the same critter.
        seen: Pass over the critters whose pair of body and colour is `unseen`.

    Returns:
        See `critters`.
    """
    from dicebear import Avatar, Style

    style = Style(json.loads((importlib.resources.files("dicebear_styles") / "critters.json").read_text("utf-8")))
    images = np.empty((count, side, side, 3), np.uint8)
    labels = {name: np.empty(count, np.int64) for name in LABELS}
    number = itertools.count()
    for at in range(count):
        while True:
            avatar = Avatar(style, {"seed": f"critters-{names}{next(number)}", "size": side}).to_json()
            ids = {name: LABELS[name].index(word) for name, word in words(avatar["options"]).items()}
            if not (seen and unseen(ids["body"], ids["color"])):
                break
        images[at] = rendered(avatar["svg"], side, source="critters")
        for name, value in ids.items():
            labels[name][at] = value
    return images, labels


def words(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the class of each label as a word, from the options that DiceBear chose."""
    found = {}
    for name, key in _OPTIONS.items():
        value = options.get(key) or NONE
        if isinstance(value, list):
            found[name] = COLOURS[value[0].removeprefix("#")]
        else:
            found[name] = re.sub("([A-Z])", r" \1", value).lower()
    return found
