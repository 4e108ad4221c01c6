"""Named parts: `@LOSSES.register` adds a function or class, `LOSSES.get("minimax")` returns it, or names the nearest.

The signature of a part is its schema: arguments are checked against it and completed with its defaults.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T", bound=Callable[..., Any])


def suggest(name: object, names: Iterable[str]) -> str:
    """Return a hint for an unknown name, to be appended to an error message.

    Args:
        name: What was received; upper and lower case do not count.
        names: The known names.

    Returns:
        " Did you mean 'strides'?", or an empty string where no known name is near.
    """
    folded = {choice.lower(): choice for choice in names}
    near = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.6)
    return f" Did you mean '{folded[near[0]]}'?" if near else ""


def signature_of(part: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function, or of the `__init__` of a class.

    `inspect.signature` of a class reads an inherited `__new__` first (Python 3.11.2), and the one of Keras's layers
    takes anything.

    Args:
        part: A function or class.

    Returns:
        Its signature, without `self`.
    """
    begin = part.__init__ if isinstance(part, type) else None  # type: ignore[misc]
    return inspect.signature(functools.partial(begin, None) if inspect.isfunction(begin) else part)


class Registry(Generic[T]):
    """Parts of one `kind` by name, in the order in which they were registered.

    LOSSES: Registry[Callable[..., Loss]] = Registry("loss")

    @LOSSES.register
    def minimax(real, fake): ...
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, part: T) -> T:
        """Register a function or class under its own name; to be used as a decorator.

        Args:
            part: The function or class.

        Returns:
            `part`, unchanged.

        Raises:
            ValueError: The name is taken.
        """
        name = part.__name__
        if name in self._parts:
            raise ValueError(f"{self.kind} '{name}' is registered twice")
        self._parts[name] = part
        return part

    def get(self, name: str) -> T:
        """Return a part.

        Args:
            name: Its name.

        Returns:
            The function or class, as it was registered.

        Raises:
            KeyError: There is none; the message has the kind, the nearest name, and all names.
        """
        if name not in self._parts:
            raise KeyError(f"unknown {self.kind} '{name}'.{suggest(name, self._parts)} Known: {', '.join(self._parts)}")
        return self._parts[name]

    def bind(self, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the arguments of a part with its defaults, without calling it.

        Args:
            name: The name of the part.
            args: Arguments by name; those without a default may be missing.

        Returns:
            `args` and the defaults of all others, in the order of the signature.

        Raises:
            KeyError: There is no such part.
            TypeError: It has no such argument; the message has the nearest.
        """
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
        """Return all parts.

        Returns:
            (name, part) in the order of registration.
        """
        return self._parts.items()
