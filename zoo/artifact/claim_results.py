"""Results of claims: a paper's numbers beside ours, the bounds that were accepted, and the distance to them.

`zoo reproduce` writes them to claims/<name>.json of an artifact; terminal and model card show the same table. Standard
library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.core.errors import ServeError, TrainingError

CLAIMS_FOLDER = "claims"  # of an artifact: <name>.json and <name>.png of every claim about it


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of a claim; without bounds it is only reported.

    Attributes:
        quantity: The name of the number.
        paper: What the paper states, in words.
        ours: The number that was measured.
        low: The lowest value that is accepted, or None.
        high: The highest value that is accepted, or None.
        form: The format of the numbers of this row, such as ".4g" or ".1%".

    Raises:
        TrainingError: `ours` is not finite.
    """

    quantity: str
    paper: str
    ours: float
    low: float | None = None
    high: float | None = None
    form: str = ".4g"

    def __post_init__(self) -> None:
        if not math.isfinite(self.ours):
            raise TrainingError(f"{self.quantity}: measured {self.ours}, which is not a number to compare")

    @property
    def off(self) -> float:
        """The distance to the bounds: negative below them, 0 within."""
        below = min(self.ours - self.low, 0.0) if self.low is not None else 0.0
        return below or (max(self.ours - self.high, 0.0) if self.high is not None else 0.0)

    @property
    def judged(self) -> bool:
        """True for a row with a bound."""
        return self.low is not None or self.high is not None

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return the texts of the row: quantity, paper, ours, accepted, verdict."""
        low, high = (None if bound is None else format(bound, self.form) for bound in (self.low, self.high))
        accepted = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
        verdict = f"NO: {format(abs(self.off), self.form)} too {'low' if self.off < 0 else 'high'}"
        verdict = "holds" if not self.off else verdict
        ours = format(self.ours, self.form)
        return self.quantity, self.paper, ours, accepted if self.judged else "", verdict if self.judged else "reported"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one run of one claim.

    Attributes:
        name: The name of the claim, and of its files.
        title: The heading for people.
        source: Paper and section.
        states: What the paper claims, in a sentence.
        rows: The numbers.
        seeds: The seeds of the trainings.
        machine: The machine, in words.
        seconds: How long it took.
        scale: "full" or "quick".
        notes: Sentences that belong below the table.
        about: Files of the artifact that it is about -> SHA-256; None for a claim about no artifact.
    """

    name: str
    title: str
    source: str
    states: str
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    machine: str
    seconds: float
    scale: str
    notes: tuple[str, ...] = ()
    about: Mapping[str, str] | None = None

    @property
    def holds(self) -> bool | None:
        """True if no number is outside its bounds; None where none has bounds, and nothing was judged."""
        judged = [row for row in self.rows if row.judged]
        return not any(row.off for row in judged) if judged else None

    @property
    def verdict(self) -> str:
        """PASS, or FAIL with the numbers that do not hold, or that nothing was judged at this scale."""
        judged = [row for row in self.rows if row.judged]
        if not judged:
            return f"NOT JUDGED: the {self.scale} scale cannot show it, the numbers are only reported"
        missed = [row for row in judged if row.off]
        if not missed:
            return f"PASS: {len(judged)} of {len(judged)} numbers hold"
        verb = "does" if len(missed) == 1 else "do"
        return f"FAIL: {len(missed)} of {len(judged)} numbers {verb} not hold: {', '.join(r.quantity for r in missed)}"

    @property
    def circumstances(self) -> str:
        """Scale, seeds, time and machine, in words."""
        seeds = f"seeds {', '.join(map(str, self.seeds))}" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"
        minutes = f"{self.seconds / 60:.0f} minutes" if self.seconds >= 120 else f"{self.seconds:.0f} seconds"
        return f"{self.scale} scale, {seeds}, {minutes} on {self.machine}"

    def text(self) -> str:
        """Return the table as a terminal shows it."""
        rows = [("", "paper", "ours", "accepted", ""), *(row.cells() for row in self.rows)]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(
            [f"{self.title} ({self.source})", "", *lines, "", *self.notes, self.verdict, self.circumstances]
        )

    def markdown(self) -> str:
        """Return the table for a model card, with the picture that is beside it."""
        rows = [("", "paper", "ours", "accepted", ""), ("---",) * 5, *(row.cells() for row in self.rows)]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
        opening = [
            f"### {self.title}",
            f"{self.states} ({self.source})",
            f"![{self.title}]({CLAIMS_FOLDER}/{self.name}.png)",
        ]
        closing = f"**{self.verdict}** (`zoo reproduce {self.name}`: {self.circumstances})"
        return "\n\n".join([*opening, table, *self.notes, closing])

    def to_json(self) -> str:
        """Return the text of <name>.json, with numbers in full."""
        return json.dumps({**asdict(self), "holds": self.holds}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str) -> Result:
        """Read what `to_json` returned. Raises ServeError that opens with `source`."""
        try:
            keys = json.loads(text)
            del keys["holds"]  # it follows from the rows
            keys |= {key: tuple(keys[key]) for key in ("seeds", "notes")}
            return cls(**{**keys, "rows": tuple(Row(**row) for row in keys["rows"])})
        except (ValueError, TypeError, KeyError, RecursionError, TrainingError) as error:
            raise ServeError(f"{source}: not the result of a claim: {error}") from error


def read_claims(folder: Path) -> tuple[Result, ...]:
    """Read the results of the claims about an artifact.

    Args:
        folder: The folder of the artifact.

    Returns:
        The results by name; empty where none was run. A file that is something else raises ServeError.
    """
    files = sorted((folder / CLAIMS_FOLDER).glob("*.json"))
    return tuple(Result.from_json(file.read_bytes(), source=str(file)) for file in files)
