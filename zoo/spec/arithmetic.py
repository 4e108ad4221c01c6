"""Calculate with numbers and `$names`: `$filters * 2`, `($width + 1) // 2`; nothing else, no calls, no eval."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Number = int | float
MAX, MAX_TEXT = 10**15, 100
_TOKENS = re.compile(r"\s*(?:(?P<number>[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?)|\$(?:\{(?P<braced>[a-z][a-z0-9_]*)\}"
                     r"|(?P<name>[a-z][a-z0-9_]*))|(?P<sign>//|[-+*/()]))\s*")  # fmt: skip


class CalculationError(ValueError):
    """The text cannot be calculated; the message is the reason."""


def is_arithmetic(text: str) -> bool:
    """Return True for a text of numbers, names and signs alone, with a name and a sign at least."""
    kinds, at = set(), 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            return False
        kinds.add(match.lastgroup)
        at = match.end()
    return "sign" in kinds and bool(kinds & {"name", "braced"})


def calculate(text: str, values: Mapping[str, Any]) -> Number:
    """Calculate a text of arithmetic.

    Args:
        text: It, see `is_arithmetic`. `*`, `/` and `//` bind more than `+` and `-`; `/` of two integers that leaves
            no rest is an integer.
        values: The values of its names.

    Returns:
        The number.

    Raises:
        CalculationError: A value is not a number, something is missing, or the result is not finite.
    """
    if len(text) > MAX_TEXT:
        raise CalculationError(f"is longer than {MAX_TEXT} letters")
    found = _Reader(list(_TOKENS.finditer(text)), values)
    result = found.sum()
    if found.at < len(found.tokens):
        raise CalculationError(f"'{found.tokens[found.at].group().strip()}' is not expected here")
    return result


class _Reader:
    """Reads tokens from the left: a sum of products of factors."""

    def __init__(self, tokens: list[re.Match[str]], values: Mapping[str, Any]) -> None:
        self.tokens, self.values, self.at = tokens, values, 0

    def sum(self) -> Number:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Number:
        return self._chain(("*", "/", "//"), self._factor)

    def _chain(self, signs: tuple[str, ...], part: Callable[[], Number]) -> Number:
        result = part()
        while self.at < len(self.tokens) and self.tokens[self.at]["sign"] in signs:
            sign = self.tokens[self.at]["sign"]
            self.at += 1
            result = _joined(result, sign, part())
        return result

    def _factor(self) -> Number:
        if self.at == len(self.tokens):
            raise CalculationError("a number is missing at the end")
        token = self.tokens[self.at]
        self.at += 1
        if token["number"]:
            text = token["number"]
            return int(text) if text.isdigit() else float(text)
        if name := token["braced"] or token["name"]:
            value = self.values[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise CalculationError(f"${name} is {value!r}, and not a number")
            return value
        if token["sign"] == "-":
            return -self._factor()
        if token["sign"] == "(":
            result = self.sum()
            if self.at == len(self.tokens) or self.tokens[self.at]["sign"] != ")":
                raise CalculationError("a ')' is missing")
            self.at += 1
            return result
        raise CalculationError(f"a number is missing before '{token['sign']}'")


def _joined(a: Number, sign: str, b: Number) -> Number:
    if sign in ("/", "//") and b == 0:
        raise CalculationError("a division by zero")
    if sign == "/":
        exact = isinstance(a, int) and isinstance(b, int) and a % b == 0
        result: Number = a // b if exact else a / b
    else:
        result = {"+": a + b, "-": a - b, "*": a * b}[sign] if sign != "//" else a // b
    if not math.isfinite(result) or abs(result) > MAX:
        raise CalculationError(f"is beyond {MAX:.0e}")
    return result
