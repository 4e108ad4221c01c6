"""Refusals of the server: one line for the user, and the HTTP status that goes with it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.core.errors import ServeError
from zoo.core.registry import suggest

CLIENT_LEFT = 499  # only the access log and the metrics see it


class RefusedError(ServeError):
    """A request that the server refuses. Strangers read the message: it holds no path, no traceback and no version.

    400 wrong request, 401 no valid key, 404 not found, 405 wrong method, 408 body too slow, 413 too large,
    415 unreadable content, 422 value not allowed, 503 busy or starting (Retry-After: 1 s), 504 took too long.
    """

    def __init__(self, line: str, status: int = 400) -> None:
        super().__init__(line)
        self.status = status


def busy() -> RefusedError:
    """Return the refusal for a full queue, or for a full memory budget of requests."""
    return RefusedError("the server is busy: try again in a moment", 503)


def short_repr(value: object) -> str:
    """Return `repr(value)` cut to a short single line, however long or deep the value is."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxlong = 2, 6, 3, 60, 40


def error_line(problems: Sequence[Mapping[str, Any]], known: Iterable[str] = ()) -> str:
    """Return Pydantic's first problem as one line; the branches of a union count as one problem."""
    first = problems[0]
    where = next((str(part) for part in first["loc"] if part not in ("body", "query", "path")), "the body")
    if first["type"] == "extra_forbidden":
        return f"there is no key {short_repr(where)}.{suggest(where[:64], known)} Known: {', '.join(known)}"
    texts = {str(one["msg"]).lower(): None for one in problems if one["loc"][:1] == first["loc"][:1]}
    received = f", received {short_repr(first['input'])}" if "input" in first else ""
    return f"{where}: {' or '.join(texts)}{received}"
