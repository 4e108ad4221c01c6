"""What came of a claim: the paper's numbers beside ours, what was accepted, and how far off. Standard library only."""

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
    """One number. It holds within [`low`, `high`]; None is no bound, and a row without bounds is only reported.

    `paper` is what the paper states, in words; `form` is how numbers of this row are written (".4g", ".1%").
    """

    quantity: str
    paper: str
    ours: float
    low: float | None = None
    high: float | None = None
    form: str = ".4g"

    def __post_init__(self) -> None:
        if not math.isfinite(self.ours):
            raise TrainingError(f"{self.quantity}: measured {self.ours}, which is no number to compare")

    @property
    def off(self) -> float:
        """How far outside the bounds, negative below; 0 within."""
        below = min(self.ours - self.low, 0.0) if self.low is not None else 0.0
        return below or (max(self.ours - self.high, 0.0) if self.high is not None else 0.0)

    @property
    def judged(self) -> bool:
        return self.low is not None or self.high is not None

    def cells(self) -> tuple[str, str, str, str, str]:
        """quantity, paper, ours, accepted, verdict."""
        low, high = (None if bound is None else format(bound, self.form) for bound in (self.low, self.high))
        accepted = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
        verdict = f"NO: {format(abs(self.off), self.form)} too {'low' if self.off < 0 else 'high'}"
        verdict = "holds" if not self.off else verdict
        ours = format(self.ours, self.form)
        return self.quantity, self.paper, ours, accepted if self.judged else "", verdict if self.judged else "reported"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run of one claim. `about` maps files of the artifact that it speaks of to their SHA-256."""

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
    def holds(self) -> bool:
        return not any(row.off for row in self.rows if row.judged)

    @property
    def verdict(self) -> str:
        """PASS, or how many of the numbers are off."""
        judged = [row for row in self.rows if row.judged]
        missed = [row for row in judged if row.off]
        if not missed:
            return f"PASS: {len(judged)} of {len(judged)} numbers hold"
        verb = "does" if len(missed) == 1 else "do"
        return f"FAIL: {len(missed)} of {len(judged)} numbers {verb} not hold: {', '.join(r.quantity for r in missed)}"

    @property
    def circumstances(self) -> str:
        seeds = f"seeds {', '.join(map(str, self.seeds))}" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"
        minutes = f"{self.seconds / 60:.0f} minutes" if self.seconds >= 120 else f"{self.seconds:.0f} seconds"
        return f"{self.scale} scale, {seeds}, {minutes} on {self.machine}"

    def text(self) -> str:
        """The table as a terminal shows it."""
        rows = [("", "paper", "ours", "accepted", ""), *(row.cells() for row in self.rows)]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(
            [f"{self.title} ({self.source})", "", *lines, "", *self.notes, self.verdict, self.circumstances]
        )

    def markdown(self) -> str:
        """The same for a model card, with the picture beside it."""
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
        """The text of <name>.json; numbers as they are, not as they are shown."""
        return json.dumps({**asdict(self), "holds": self.holds}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Result:
        """Read what `to_json` wrote. Raises ServeError that opens with `source`."""
        try:
            keys = json.loads(text)
            del keys["holds"]  # it follows from the rows
            keys |= {key: tuple(keys[key]) for key in ("seeds", "notes")}
            return cls(**{**keys, "rows": tuple(Row(**row) for row in keys["rows"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ServeError(f"{source}: not the result of a claim: {error}") from error


def read_claims(folder: Path) -> tuple[Result, ...]:
    """The claims about an artifact that were run, by name. Raises ServeError."""
    files = sorted((folder / CLAIMS_FOLDER).glob("*.json"))
    return tuple(Result.from_json(file.read_text("utf-8"), source=str(file)) for file in files)
