"""How the server says no: one line for the user, and the HTTP status that goes with it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.core.errors import ServeError
from zoo.core.registry import suggest


class RefusedError(ServeError):
    """A request that is not answered. The line holds no path, no trace, no version: strangers read it.

    400 wrong, 401 no key, 404 not here, 408 too slow, 413 too large, 415 not readable, 503 later, 504 took too long.
    """

    def __init__(self, line: str, status: int = 400, *, retry_seconds: float | None = None) -> None:
        super().__init__(line)
        self.status = status
        self.retry_seconds = retry_seconds


def busy(retry_seconds: float = 1.0) -> RefusedError:
    """The queue, or the memory for requests, is full."""
    return RefusedError("the server is busy: try again in a moment", 503, retry_seconds=retry_seconds)


def brief(value: object) -> str:
    """What was received, printable on one line, never long, however long or deep it is."""
    return _BRIEF.repr(value)


def error_line(problems: Sequence[Mapping[str, Any]], known: Iterable[str] = ()) -> str:
    """Pydantic's first problem in one line; the branches of a union are one problem."""
    first = problems[0]
    where = next((str(part) for part in first["loc"] if part not in ("body", "query", "path")), "the body")
    if first["type"] == "extra_forbidden":
        return f"there is no key {brief(where)}.{suggest(where[:64], known)} Known: {', '.join(known)}"
    texts = {str(one["msg"]).lower(): None for one in problems if one["loc"][:1] == first["loc"][:1]}
    received = f", received {brief(first['input'])}" if "input" in first else ""
    return f"{where}: {' or '.join(texts)}{received}"


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxdict, _BRIEF.maxstring, _BRIEF.maxlong = 2, 6, 3, 60, 40
