"""Named parts: `@LOSSES.register` puts one in, `LOSSES.get("minimax")` takes it out or says what was meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T", bound=Callable[..., Any])


def suggest(name: object, names: Iterable[str]) -> str:
    """ " Did you mean 'strides'?" when one of `names` is near `name`, else an empty string."""
    choices = list(names)
    folded = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.6)
    return f" Did you mean '{folded[near[0]]}'?" if near else ""


def signature_of(part: Callable[..., Any]) -> inspect.Signature:
    """How a function, or the `__init__` of a class, is called. Of a class alone, Python 3.11.2 reads an inherited
    `__new__` first, and Keras's layers have one that takes anything."""
    begin = part.__init__ if isinstance(part, type) else None  # type: ignore[misc]
    return inspect.signature(functools.partial(begin, None) if inspect.isfunction(begin) else part)


class Registry(Generic[T]):
    """Parts of one `kind` by name, in the order in which they were registered."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, part: T) -> T:
        """Decorator: register a function or class under its own name and hand it back unchanged."""
        name = part.__name__
        if name in self._parts:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._parts[name] = part
        return part

    def get(self, name: str) -> T:
        """The part called `name`. Raises KeyError that says which kind, and which name is near."""
        if name not in self._parts:
            raise KeyError(f"unknown {self.kind} '{name}'.{suggest(name, self._parts)} Known: {', '.join(self._parts)}")
        return self._parts[name]

    def bind(self, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """`args` completed with the part's own defaults. Raises TypeError for unknown arguments."""
        signature = signature_of(self.get(name))
        keyword = {p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD}
        for arg in args:
            if arg not in keyword:
                raise TypeError(f"{self.kind} '{name}' has no argument '{arg}'.{suggest(arg, keyword)}")
        bound = signature.bind_partial(**args)
        bound.apply_defaults()
        return dict(bound.arguments)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def items(self) -> Iterable[tuple[str, T]]:
        return self._parts.items()
