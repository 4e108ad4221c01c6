"""Several draws of one seed that go on where the one before them ended, as `Generator.seeded` yields them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.core.arrays import Array
from zoo.runtime.inputs import MAX_ROWS, Feed, check_int

if TYPE_CHECKING:
    from zoo.runtime.generator import Generator

BATCH_SIZE = 16  # rows in a full block: convolutions are flat from 8 on, and small draws waste little


class Draws:
    """Consecutive draws of one seed, as `Generator.seeded` yields them. They count, so every thread needs its own.

    Attributes:
        drawn: The number of rows drawn so far.
    """

    def __init__(self, generator: Generator, seed: int) -> None:
        self.drawn = 0
        self._generator, self._stream = generator, generator._inputs.stream(seed)

    def latents(self, n: int, *, label: Any = None, **fixed: Any) -> Feed:
        """Return the next `n` rows of `Generator.latents`.

        Args:
            n: The number of rows.
            label: As for `Generator.sample`, and so are inputs by name.

        Returns:
            Name of an input -> rows [n, ...].

        Raises:
            ServeError: A wrong argument; nothing is drawn then.
        """
        n = check_int("n", n, low=1, high=MAX_ROWS)
        given = self._generator._fixed(n, label, fixed)
        return {**self._next(n), **given}

    def sample(self, n: int, *, label: Any = None, **fixed: Any) -> Array:
        """Return the next `n` rows of `Generator.sample`.

        Args:
            n: The number of images.
            label: As for `Generator.sample`, and so are inputs by name.

        Returns:
            [n, ...] with the types of `Generator.sample`.

        Raises:
            ServeError: A wrong argument; nothing is drawn then.
        """
        n = check_int("n", n, low=1, high=MAX_ROWS)
        given = self._generator._fixed(n, label, fixed)
        return self._generator._joined(n, self._generator._draws(self._next, n, given, BATCH_SIZE, self.drawn))

    def _next(self, k: int) -> Feed:
        self.drawn += k
        return self._stream(k)
