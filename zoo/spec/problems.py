"""Where something stands, and everything that is wrong with a spec, reported in one go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from zoo.errors import SpecError
from zoo.registry import suggest


class Place(NamedTuple):
    """A position in a file, counted from 1 as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    place: Place
    where: str  # such as networks.generator.layers[3].Conv2DTranspose
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.where + ': ' if self.where else ''}{self.message}"


class Problems:
    """Collects problems while a spec is read. `add` returns None, so that a reader can `return problems.add(...)`."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}  # ordered, without repetition

    def add(self, place: Place, where: str, message: str) -> None:
        self._found[Problem(place, where, message)] = None

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found))

    def raise_if_any(self) -> None:
        """Raises SpecError with a line for each problem, in the order of the file."""
        if self._found:
            raise SpecError("\n".join(str(problem) for problem in sorted(self._found)))

    @staticmethod
    def near_file(path: Path) -> str:
        """'. Did you mean specs/dcgan.yaml?' for a mistyped file name."""
        try:
            names = [entry.name for entry in path.parent.glob("*.yaml")]
        except (OSError, ValueError):
            names = []
        hint = suggest(path.name, names)
        return "." + hint if hint else ""
