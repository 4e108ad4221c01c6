"""How far a long computation is: one line that moves on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 30.0  # in a log


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Yields `advance(rows)`. Rows that were there already (the first call) do not count for the speed."""
    line = _Line(what, total)
    try:
        yield line.advance
    finally:
        line.end()


class _Line:
    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done, self._found = what, total, 0, 0
        self._begun = self._shown = time.monotonic()
        self._moves = sys.stderr.isatty()

    def advance(self, rows: int) -> None:
        now = time.monotonic()
        if not self._done:
            self._found, self._begun = rows, now
        self._done += rows
        if self._done < self._total and now - self._shown >= (0.2 if self._moves else EVERY_SECONDS):
            self._show(now)

    def _show(self, now: float) -> None:
        self._shown, made = now, self._done - self._found
        speed = made / (now - self._begun) if made and now > self._begun else 0.0
        left = f"{duration((self._total - self._done) / speed)} left" if speed else "?"
        text = f"{self._what}: {self._done:,}/{self._total:,}  {speed:,.1f} images/s  {left}"
        print(f"\r\x1b[K{text}" if self._moves else text, end="" if self._moves else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The line goes: what comes of it is said elsewhere."""
        if self._moves:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """3725 -> '1h 02m'; 95 -> '1m 35s'; 12 -> '12s'."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 60}m {whole % 60:02d}s" if whole >= 60 else f"{whole}s"


@contextlib.contextmanager
def meter(title: str, total: int | None, show: bool) -> Iterator[Advance]:
    """A progress bar (bytes, speed, time left) on stderr; silent if not `show`, not a terminal, or without rich."""
    if not (show and sys.stderr.isatty()):
        yield lambda count: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        print(f"fetching {title} ...", file=sys.stderr)
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=total)
        yield lambda count: bars.update(task, advance=count)


Advance = Callable[[int], None]
