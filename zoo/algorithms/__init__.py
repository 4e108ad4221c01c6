"""Training algorithms by name: a file each, found here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.algorithms.alternating import alternating
from zoo.algorithms.base import ALGORITHMS, Algorithm, Phase, Player
from zoo.algorithms.cyclegan import cyclegan
from zoo.algorithms.progressive import progressive
from zoo.algorithms.unrolled import unrolled
from zoo.spec.plan import Plan
from zoo.spec.types import Part, construct_part

__all__ = ["ALGORITHMS", "Algorithm", "Phase", "Player", "alternating", "cyclegan", "make", "progressive", "unrolled"]


def make(part: Part, plans: Mapping[str, Plan], **options: Any) -> Algorithm:
    """The algorithm that a spec names, with its networks built and its optimizers ready."""
    return construct_part(ALGORITHMS, part, plans, **options)
