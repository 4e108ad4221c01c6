"""Training algorithms: the game that a spec writes or names, and those in Python, one file each, found by their names.

May import: zoo.nn and what it may import, Keras.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from zoo.spec.game_plan import GamePlan
from zoo.spec.game_reader import game_of
from zoo.spec.plan import Plan
from zoo.spec.types import Part, construct_part
from zoo.train.algorithms.base import ALGORITHMS, Algorithm
from zoo.train.algorithms.game import Game
from zoo.train.algorithms.players import DATA_FIELDS

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def make_algorithm(part: Part, plans: Mapping[str, Plan], *, game: GamePlan | None = None, **options: Any) -> Algorithm:
    """Build the algorithm that a spec names, its networks and its optimizers.

    Args:
        part: Name and arguments, as the section `algorithm` of a spec has them.
        plans: The networks of the spec, by name.
        game: The game of the part, where it is not an algorithm in Python; read from its arguments if left out.
        options: batch_size, averaged, ema_half_life_images; see `Algorithm`.

    Returns:
        The algorithm with fresh weights.
    """
    if part.name in ALGORITHMS:
        return construct_part(ALGORITHMS, part, plans, **options)
    game = game or game_of(part, plans, options.get("fields", DATA_FIELDS))
    return Game(plans, game=game, **options)
