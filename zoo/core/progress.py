"""Progress on stderr: a bar that moves on a terminal, a line of text now and then in a log.

ProgressLine    a bar with a text that the caller writes: steps of a training
progress        rows done, images a second, time left: evaluation
download_bar    bytes done, speed, time left: downloads
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[[int], object]
LOG_SECONDS = 30.0  # between two lines of a log
SETTLED_SECONDS = 3.0  # of measuring, before a time left means something
NARROW, WIDE = 10, 20  # characters of a bar


class ProgressLine:
    """A bar with a text beside it; the caller asks whether a new text is `due` before it makes one.

    Args:
        title: The first words of every line.
        total: The count at which it is done.
        done: The count at which it begins.
        log_seconds: Seconds between two lines where stderr is not a terminal.
        stays: True leaves the last state on the terminal.
    """

    def __init__(
        self, title: str, total: int, *, done: int = 0, log_seconds: float = LOG_SECONDS, stays: bool = False
    ) -> None:
        self.title, self.on_terminal = title, sys.stderr.isatty()
        self._every = 0.1 if self.on_terminal else log_seconds
        self._last = time.monotonic()
        self._bar = tqdm(
            total=total, initial=done, bar_format=f"{{bar:{WIDE}}} {{desc}}", file=sys.stderr, leave=stays,
            dynamic_ncols=True,
        ) if self.on_terminal else None  # fmt: skip

    @property
    def due(self) -> bool:
        """True when enough time has passed since the last text."""
        return time.monotonic() - self._last >= self._every

    def show(self, done: int, text: str) -> None:
        """Show that `done` of the total are done, with a text.

        On a terminal, parts of the text (two spaces lie between them) that do not fit beside the bar are left out.
        """
        self._last = time.monotonic()
        if self._bar is None:
            self.say(text)
            return
        columns = self._bar.format_dict["ncols"] or 80
        parts = f"{self.title}: {text}".split("  ")
        while len(parts) > 1 and len("  ".join(parts)) > columns - NARROW - 2:  # a space, and the last column is free
            parts.pop()
        line = "  ".join(parts)
        self._bar.bar_format = f"{{bar:{min(WIDE, max(NARROW, columns - len(line) - 2))}}} {{desc}}"
        self._bar.n = done
        self._bar.set_description_str(line)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if self._bar is None:
            print(f"{self.title}: {text}", file=sys.stderr, flush=True)
        else:
            self._bar.write(f"{self.title}: {text}", file=sys.stderr)

    def close(self) -> None:
        """End the bar and give the terminal its cursor back."""
        if self._bar is not None:
            self._bar.close()


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Show how many of `total` rows are done, how fast, and the time left.

    Args:
        title: What is computed.
        total: The number of rows.

    Yields:
        `advance(rows)`, to be called when so many more rows are done. Rows that were there already (the first call) do
        not count for the speed.
    """
    line, begun, found, done = ProgressLine(title, total), time.monotonic(), 0, 0

    def advance(rows: int) -> None:
        nonlocal begun, found, done
        if not done:
            found, begun = rows, time.monotonic()
        done += rows
        if done < total and line.due:
            took = time.monotonic() - begun
            speed = (done - found) / took if took > 0 else 0.0
            left = f"  {duration((total - done) / speed)} left" if speed and took >= SETTLED_SECONDS else ""
            line.show(done, f"{done:,}/{total:,}  {speed:,.1f} images/s{left}")

    try:
        yield advance
    finally:
        line.close()


@contextmanager
def download_bar(title: str, total: int | None, show: bool) -> Iterator[Advance]:
    """Show a bar of bytes on a terminal, with speed and time left.

    Args:
        title: The name of what is downloaded.
        total: Bytes; None where the server does not state them.
        show: False shows nothing.

    Yields:
        `advance(bytes)`.
    """
    hidden = not (show and sys.stderr.isatty())
    with tqdm(
        desc=title, total=total, unit="B", unit_scale=True, leave=False, file=sys.stderr, disable=hidden
    ) as bar:  # fmt: skip
        yield bar.update


def duration(seconds: float) -> str:
    """Return a time in words: 3725 -> "1h 02m", 95 -> "1m 35s", 12 -> "12s".

    Args:
        seconds: A finite number from 0 up.

    Returns:
        Hours and minutes, minutes and seconds, or seconds.
    """
    total = round(seconds)
    if total >= 3600:
        return f"{total // 3600}h {total % 3600 // 60:02d}m"
    return f"{total // 60}m {total % 60:02d}s" if total >= 60 else f"{total}s"
