"""Positions in a file, and the collection of all mistakes of a spec, which are reported in one go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.core.errors import SpecError
from zoo.core.registry import suggest

if TYPE_CHECKING:
    from zoo.spec.yaml_tree import YamlNode


class Place(NamedTuple):
    """A position in a file, counted from 1 as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One mistake of a spec."""

    place: Place
    where: str  # such as networks.generator.layers[3].Conv2DTranspose
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.where + ': ' if self.where else ''}{self.message}"


class Problems:
    """Collects problems while a spec is read. `add` returns None, so that a reader can `return problems.add(...)`."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}  # ordered, without repetition
        self._silenced: set[Place] = set()
        self.incomplete = False  # a file that the spec builds upon could not be read

    def add(self, place: Place, where: str, message: str) -> Any:
        """Report a problem, unless its place is silenced. Returns None."""
        if place not in self._silenced:
            self._found[Problem(place, where, message)] = None

    def trial(self) -> Problems:
        """Return an empty collection, for a trial whose problems may be dropped."""
        trial = Problems()
        trial.incomplete = self.incomplete
        return trial

    def take(self, others: Problems, *, once: bool = False) -> None:
        """Report all `others`; with `once`, their places are silenced afterwards."""
        for problem in others:
            self.add(problem.place, problem.where, problem.message)
        for problem in others if once else ():
            self.silence(problem.place)

    def spoil(self, place: Place, message: str) -> Any:
        """Report an unreadable value and suppress follow-up problems at the same place. Returns None."""
        self.add(place, "", message)
        self.silence(place)

    def silence(self, place: Place) -> Any:
        """Suppress further problems at `place`. Returns None."""
        self._silenced.add(place)

    def at(self, place: Place) -> bool:
        """Return True if anything was reported at this place."""
        return any(problem.place == place for problem in self._found)

    def inside(self, node: YamlNode) -> bool:
        """Return True if the place of any value of this tree is silenced."""
        if node.place in self._silenced:
            return True
        children = [entry.node for _, entry in node.entries()] if node.is_map else node.value if node.is_list else []
        return any(self.inside(child) for child in children)

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found))

    def raise_if_any(self) -> None:
        """Raise SpecError with a line for each problem, in the order of the file, if there is any."""
        if self._found:
            raise SpecError("\n".join(str(problem) for problem in sorted(self._found)))

    @staticmethod
    def near_file(path: Path) -> str:
        """Return the end of a message on a missing file: '. Did you mean dcgan.yaml?', or '.'."""
        try:
            names = [entry.name for entry in path.parent.glob("*.yaml")]
        except (OSError, ValueError):
            names = []
        hint = suggest(path.name, names)
        return "." + hint if hint else ""
