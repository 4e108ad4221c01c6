"""Pairs of OpenMoji: the black outline of an emoji, and its colour drawing, both drawn from their vector files.

Left out: skin tones (one outline, several colours), flags and brands, what has hardly any colour, and an outline that
was there before. Relatives are in one split alone.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.core.images import on_white
from zoo.data.catalogue import Split
from zoo.data.fetch import read_files

GROUPS = ("flags", "component", "extras-unicode")  # left out
SUBGROUPS = ("brand", "flags")  # left out, and all that end in -flag
VIEW = 'viewBox="2 2 68 68"'  # the drawing fills more of the square
COLOURFUL, SPREAD = 0.04, 30  # the least share of pixels whose channels differ by more than that
# near duplicates share a code without these: joiners, tones, sex, age, hair, direction
_VARIES = (
    *(
        "fe0f",
        "200d",
        "1f3fb",
        "1f3fc",
        "1f3fd",
        "1f3fe",
        "1f3ff",
        "1f468",
        "1f469",
        "1f9d1",
        "1f466",
        "1f467",
        "1f9d2",
    ),
    *("1f474", "1f475", "1f9d3", "2640", "2642", "27a1", "1f9b0", "1f9b1", "1f9b2", "1f9b3"),
)
NATIVE = 64  # pixels at which pairs are compared, so that every size has the same


def pairs(side: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Draw the pairs of a split.

    Args:
        side: Rows and columns.
        split: Families of emoji are in one of them.

    Returns:
        Outlines and colour drawings on white, uint8 [N, side, side, 3] each, in the order of OpenMoji's list.
    """
    files, kept = read_files("sketch"), []
    seen: set[bytes] = set()
    for code in _codes(json.loads(files["openmoji.json"])):
        black, color = (f"{kind}/svg/{code}.svg" for kind in ("black", "color"))
        if black not in files or color not in files:
            continue
        outline = _drawn(files[black], NATIVE)
        if outline.tobytes() in seen:
            continue
        seen.add(outline.tobytes())
        if part_of(code) != split:
            continue
        colour = _drawn(files[color], NATIVE)
        if (colour.max(axis=-1).astype(int) - colour.min(axis=-1) > SPREAD).mean() >= COLOURFUL:
            kept.append(
                (outline, colour) if side == NATIVE else tuple(_drawn(files[one], side) for one in (black, color))
            )
    outlines, colours = zip(*kept, strict=True)
    return np.stack(outlines), np.stack(colours)


def _codes(listed: list[dict[str, Any]]) -> list[str]:
    return [
        entry["hexcode"]
        for entry in listed
        if not entry.get("skintone")
        and entry["group"] not in GROUPS
        and entry["subgroups"] not in SUBGROUPS
        and not entry["subgroups"].endswith("-flag")
    ]


def part_of(code: str) -> str:
    """Return the split of an emoji, from a hash of what its relatives have in common."""
    family = "-".join(part for part in code.lower().split("-") if part not in _VARIES) or "person"
    return "train" if int(hashlib.sha256(family.encode()).hexdigest(), 16) % 10 else "test"


def _drawn(svg: bytes, side: int) -> np.ndarray:
    """Return a drawing of the set as pixels, uint8 [side, side, 3]."""
    head, found, rest = svg.decode().partition('viewBox="0 0 72 72"')
    if not found:
        raise DataError(f"data source 'sketch': a drawing without the usual viewBox: {head[:80]}")
    return rendered(head + VIEW + rest, side, source="sketch")


def rendered(svg: str, side: int, *, source: str) -> np.ndarray:
    """Return a vector drawing on white, uint8 [side, side, 3]. `source` names the data where resvg is missing."""
    from PIL import Image

    try:
        import resvg_py
    except ImportError as error:
        raise DataError(f"data source '{source}' is drawn by resvg: pip install resvg_py") from error
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    with Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
        return on_white(np.asarray(opened.convert("RGBA")))
