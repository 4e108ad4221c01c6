"""Where the draws of a step lie, and when phases play: all that follows from its number and the plan of a game."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zoo.spec.game_plan import PhasePlan, When
from zoo.spec.game_sections import BurnIn
from zoo.spec.types import construct


class Rows:
    """Where the draws of one name, or the batches of data, lie in an array [count, size, ...] of rows of equal size.

    Args:
        draws: The phase and the number of examples of each draw, in the order of the step.

    Attributes:
        size: Examples of a row: the greatest common divisor of the numbers of the draws.
        count: How many rows there are.
        draws: How many draws there are.
    """

    def __init__(self, draws: Sequence[tuple[str, int]]) -> None:
        self.size, self.draws, self.count = math.gcd(*(size for _, size in draws)), len(draws), 0
        self._places: dict[str, list[tuple[int, int]]] = {}
        for phase, size in draws:
            self._places.setdefault(phase, []).append((self.count, self.count + size // self.size))
            self.count += size // self.size

    def place(self, phase: str, i: int) -> tuple[int, int]:
        """Return the first row of the i-th draw of a phase, and the row after its last one."""
        return self._places[phase][i]


def by_number(when: When) -> bool:
    """Find out whether the number of a step alone may decide that a phase does not play, burn-in aside.

    Args:
        when: When the phase plays.

    Returns:
        True where steps are left out.
    """
    return when.every > 1 or when.start > 0 or when.until is not None


def plays(phase: PhasePlan, step: int, updates: int) -> bool:
    """Find out whether a phase plays in a step, by its number.

    Args:
        phase: The phase.
        step: The number of the step, from 0.
        updates: Updates of D in each step, for a burn-in.

    Returns:
        True where it does.
    """
    when = phase.when
    if step % when.every or step < when.start or (when.until is not None and step >= when.until):
        return False
    return when.burn_in is None or generator_plays(step, construct(BurnIn, dict(when.burn_in)), updates)


def has_played(phase: PhasePlan, updates: int, steps: int) -> bool:
    """Find out whether a phase has played by its number in one of the first steps of a training.

    Args:
        phase: The phase.
        updates: Updates of D in each step, for a burn-in.
        steps: How many steps were made.

    Returns:
        True from its first turn on.
    """
    first = -(-phase.when.start // phase.when.every) * phase.when.every
    return any(plays(phase, step, updates) for step in range(first, steps, phase.when.every))


def generator_plays(step: int, burn_in: BurnIn, updates: int) -> bool:
    """Find out whether G makes an update in a step of a training with long turns of D.

    Args:
        step: The number of the step, from 0.
        burn_in: The turns.
        updates: Updates of D in each step.

    Returns:
        True where it does.
    """
    long_turn = burn_in.updates // updates  # in steps, the last of which is G's too
    first_steps = long_turn * burn_in.generator_updates
    if step < first_steps:
        return step % long_turn == long_turn - 1
    step -= first_steps
    single = -burn_in.generator_updates % burn_in.every  # steps until G's next update whose number `every` divides
    return step < single or (step - single) % (long_turn + burn_in.every - 1) >= long_turn - 1
