"""Emoji as several vendors draw them: item i is the same emoji for all, so that a translation can be checked on pairs.

The packages hold a picture per code point; `emoji.json` lists them. Left out: flags, swatches of
skin colours, couples of two skin tones, what is newer than Unicode 15, and what Fluent does not have, so that item i of
one vendor is item i of every other. 64x64 RGB on white, in whole numbers: every version of Pillow gives the same.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any, NamedTuple

import numpy as np

from zoo.core.images import center_crop
from zoo.data.catalogue import DATASETS
from zoo.data.formats import Arrays, Files, Layout

KINDS = DATASETS["noto"].classes
SIDE = 64
TEST_SHARE = 26  # of 256
_NEWER = ("15.1", "16.0")  # versions of Unicode's emoji that Fluent does not draw
_NOT_IN_FLUENT = ("1f91d", "1f468-200d-1f468-200d-1f467-200d-1f466", "1f469-200d-1f469-200d-1f467-200d-1f466")
_TONES = {f"1f3f{tone}" for tone in "bcdef"}
_SIGNS = {"200d-2640", "200d-2642"}  # "as a woman", "as a man", behind the emoji that they change
_ADULTS = ("1f468", "1f469")  # man, woman; 1f9d1 is neither


class Item(NamedTuple):
    """One emoji: its code points, the index of its kind, and its part: 0 test, 1 and 2 the halves of train."""

    code: str
    kind: int
    part: int


def layout(pictures: str) -> Layout:
    """Return the layout of a vendor whose pictures match `pictures`, such as "64/*.png"."""
    return Layout(("emoji.json",), _decode, pictures)


def normal(name: str) -> str:
    """Normalise code points: "0031-FE0F-20E3" -> "31-20e3". Vendors disagree on FE0F and on zeros."""
    return "-".join(code.lstrip("0") for code in name.lower().split("-") if code != "fe0f")


def family(code: str) -> str:
    """Return the code that near duplicates share: "1f469-1f3fb-200d-1f680" (woman, light, rocket) -> person, rocket.

    Skin tones and the sex of a person are removed: relatives must not sit in different splits.
    """
    plain = "-".join(part for part in code.split("-") if part not in _TONES)
    for sign in _SIGNS:
        plain = plain.replace(f"-{sign}", "")
    return "-".join("1f9d1" if part in _ADULTS else part for part in plain.split("-"))


def part_of(code: str) -> int:
    """Return 0 (test), 1 or 2 from a hash of the family, so that all vendors and all future versions agree."""
    first, second = hashlib.sha256(family(code).encode()).digest()[:2]
    return 0 if first < TEST_SHARE else 1 + second % 2


def items(listing: bytes) -> list[Item]:
    """Return the emoji of the data set in the order of `emoji.json`, skin tones behind the emoji that they vary."""
    found = []
    for entry in json.loads(listing):
        if entry["category"] not in KINDS or normal(entry["unified"]) in _NOT_IN_FLUENT:
            continue
        for tones, drawn in {"": entry, **entry.get("skin_variations", {})}.items():
            if "-" not in tones and drawn.get("added_in", entry["added_in"]) not in _NEWER:
                code = normal(drawn["unified"])
                found.append(Item(code, KINDS.index(entry["category"]), part_of(code)))
    return found


def _decode(files: Files) -> Arrays:
    """Decode all pictures: train holds the first half and then the second, test the rest; labels are kinds."""
    pictures = {normal(name.rpartition(".")[0]): files[name] for name in sorted(files, reverse=True) if "." in name}
    listed = items(files["emoji.json"])
    train = [item for half in (1, 2) for item in listed if item.part == half]
    test = [item for item in listed if item.part == 0]
    arrays: list[np.ndarray] = []
    for split in (train, test):
        arrays.append(np.stack([_picture(pictures[item.code]) for item in split]))
        arrays.append(np.array([item.kind for item in split], np.uint8))
    return Arrays(*arrays)


def _picture(data: bytes) -> np.ndarray:
    """Return uint8 [64, 64, 3]: the middle square on white, reduced by the mean over square blocks."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as opened:
        rgba = np.asarray(opened.convert("RGBA")).astype(np.uint32)  # [H, W, 4]
    side = min(rgba.shape[:2])
    (rgba,) = center_crop(rgba[np.newaxis], side, side)
    block, rest = divmod(side, SIDE)
    if rest or not block:
        raise ValueError(f"a picture of {side} pixels, expected a multiple of {SIDE}")
    alpha = rgba[..., 3:]
    shown = rgba[..., :3] * alpha + 255 * (255 - alpha)  # [S, S, 3], 0..255 ** 2
    sums: Any = shown.reshape(SIDE, block, SIDE, block, 3).sum(axis=(1, 3))  # [64, 64, 3]
    whole = 255 * block**2
    return ((sums + whole // 2) // whole).astype(np.uint8)
