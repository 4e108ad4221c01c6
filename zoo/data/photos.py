"""Photographs, cut into squares for style transfer, and paintings whose style is transferred: `photos`, `paintings`.

A photograph gives overlapping squares of a third of its short side, half a square apart. Those of four photographs are
for tests alone. The paintings are by makers who died more than a hundred years ago; a museum scanned them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from zoo.data.catalogue import DATASETS, Split
from zoo.data.fetch import read_files

TEST = ("GreenMeadow", "Wine_by_Jakkub_Mede", "picosdeeuropa_by_Aitzol_Berasategi", "sunset_by_Aitzol_Berasategi")
PHOTOS = tuple(
    f"{name}.jpg"
    for name in (
        *("Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "GreenMeadow", "LadyBird", "RainDrops", "Storm"),
        *("TwoWings", "Wood", "YellowFlower"),  # mate-backgrounds
        *("Bridge_by_Sander_Klootwijk", "Dragonfly_by_Bolly", "Picture_0B_by_freespace", "Picture_1A_by_freespace"),
        *("Wine_by_Jakkub_Mede", "aitzgorri_by_Aitzol_Berasategi", "free_by_Peter_Nerlich"),
        *("friends_by_Aitzol_Berasategi", "greentock_by_Peter_Nerlich", "life_by_Aitzol_Berasategi"),
        *("picosdeeuropa_by_Aitzol_Berasategi", "seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi"),
        *("Infinite-Sea_by_Aury88", "Kleiber_by_Lukas_Baubkus"),  # lomiri-wallpapers
    )
)
PARTS = 3  # squares side by side along the short side of a photograph
EDGE = 0.05  # of a painting's sides, which may show its frame

Box = tuple[float, float, float, float]  # left, top, right, bottom


class Painting(NamedTuple):
    """A painting: its file, and the part of it that is painted, in pixels; None: all but the edge."""

    file: str
    box: tuple[int, int, int, int] | None = None


PAINTINGS: Mapping[str, Painting] = {
    "bouquet": Painting("met-436525.webp"),  # Vincent van Gogh, Bouquet of Flowers in a Vase, 1890
    "flowers": Painting("met-437382.webp"),  # Odilon Redon, Vase of Flowers (Pink Background), about 1906
    "mountain": Painting("met-435877.webp"),  # Paul Cezanne, Mont Sainte-Victoire, 1882-85
    "rivers": Painting("met-53449.webp", (120, 60, 920, 1350)),  # Utagawa Hiroshige, Six Jewel Rivers, 1857
    "venice": Painting("met-437853.webp"),  # Joseph Mallord William Turner, Venice, about 1835
}


def boxes(width: float, height: float) -> Iterator[Box]:
    """Iterate over the squares of a photograph, row by row from the top left.

    Args:
        width: Of the photograph, in pixels.
        height: Of the photograph, in pixels.

    Yields:
        The corners of squares of a third of the short side, in pixels.
    """
    side = min(width, height) / PARTS
    for row in range(int((height / side - 1) * 2 + 1e-9) + 1):
        for column in range(int((width / side - 1) * 2 + 1e-9) + 1):
            left, top = column * side / 2, row * side / 2
            yield left, top, left + side, top + side


def crops(side: int, split: Split) -> np.ndarray:
    """Return the squares of all photographs of a split.

    Args:
        side: Rows and columns to which a square is resized.
        split: "train", or "test" for those of four photographs.

    Returns:
        uint8 [N, side, side, 3], in the order of the names of the files.
    """
    files, made = read_files("photos"), []
    for name in sorted(PHOTOS):
        if (name.removesuffix(".jpg") in TEST) == (split == "test"):
            photo = _opened(files[name])
            made += [_resized(photo, box, side) for box in boxes(*photo.size)]
    return np.stack(made)


def painting(name: str) -> np.ndarray:
    """Return a painting without its frame.

    Args:
        name: One of `PAINTINGS`.

    Returns:
        uint8 [height, width, 3].

    Raises:
        DataError: It cannot be fetched.
    """
    file, box = PAINTINGS[name]
    whole = _opened(read_files("paintings")[file])
    width, height = whole.size
    inner = (round(EDGE * width), round(EDGE * height), round((1 - EDGE) * width), round((1 - EDGE) * height))
    return np.asarray(whole.crop(box or inner))


def squares(side: int) -> np.ndarray:
    """Return the middle squares of all paintings, uint8 [5, side, side, 3], in the order of the classes."""
    from PIL import Image

    made = []
    for name in DATASETS["paintings"].classes:
        whole = Image.fromarray(painting(name))
        left, top = ((size - min(whole.size)) / 2 for size in whole.size)
        made.append(_resized(whole, (left, top, left + min(whole.size), top + min(whole.size)), side))
    return np.stack(made)


def _opened(data: bytes) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG", "WEBP")) as opened:
        return opened.convert("RGB")


def _resized(photo: Any, box: Box, side: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(photo.resize((side, side), Image.Resampling.LANCZOS, box))
