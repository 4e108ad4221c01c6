"""Hints for names of no network and no function: words of papers and of frameworks, and formulas.

detach            Did you mean 'stop_gradient'?
hinge.gen         Did you mean 'hinge.generator'?
l2(z, back)       Write {l2: {between: [z, back]}}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from zoo.core.registry import suggest
from zoo.spec.plan import Plan
from zoo.spec.validate import names_of

_FOREIGN = {
    "bce": "binary_cross_entropy",
    "bce_with_logits": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "detach": "stop_gradient",
    "mae": "l1",
    "mean_squared_error": "l2",
    "mse": "l2",
    "no_grad": "stop_gradient",
    "sg": "stop_gradient",
    "sparse_cross_entropy": "cross_entropy",
}
_FORMULA = re.compile(r"([a-z][\w.]*)\(\s*([\w.]+(?:\s*,\s*[\w.]+)*)\s*\)", re.IGNORECASE)


def hint_for(what: str, networks: Iterable[str], plans: Mapping[str, Plan]) -> str:
    """Return a hint for a name that is neither a network nor a function.

    Args:
        what: What was received.
        networks: The names of all networks.
        plans: Those that are correct by themselves.

    Returns:
        A sentence with a space before it: what to write, the nearest name, or else the networks.
    """
    functions = names_of("function")
    if (formula := _FORMULA.fullmatch(what.strip())) is not None:
        name, given = formula[1], re.split(r"\s*,\s*", formula[2])
        name = _foreign(name) or name
        if name in plans and len(given) <= len(plans[name].inputs):
            pairs = zip(plans[name].inputs, given, strict=False)
            return f" Write {{{name}: {{{', '.join(f'{key}: {value}' for key, value in pairs)}}}}}."
        if name in functions:
            return f" Write {_call(name, given)}."
        what = name
    if what.lower() == "argmax":
        return " It would let no gradient pass: softmax does."
    near = _foreign(what)
    if near:
        return f" Did you mean '{near}'?"
    return suggest(what, [*networks, *functions]) or f" Networks: {', '.join(networks)}."


def optimizer_hint(what: str) -> str:
    """Return what to write for the bare name of an optimizer, such as adam; an empty string for other words."""
    name = {known.lower(): known for known in names_of("optimizer")}.get(what.lower())
    return f" Write {{{name}: {{learning_rate: 2e-4}}}}." if name else ""


def _foreign(what: str) -> str:
    """Return the word of the language for a foreign one, or for the beginning of a side of a loss; '' for others."""
    functions = names_of("function")
    loss, dot, side = what.lower().rpartition(".")
    if dot:
        sides = [name for name in functions if name.startswith(f"{loss}.{side}")]
        return sides[0] if side and len(sides) == 1 else ""
    return _FOREIGN.get(what.lower(), "")


def _call(function: str, given: list[str]) -> str:
    """Return the call of a function of which a formula gives the arguments in their order."""
    properties = names_of("function")[function].get("properties", {})
    first = next(iter(properties), "")
    if properties and properties[first].get("x-takes") in ("values", "terms"):
        return f"{{{function}: {{{first}: [{', '.join(given)}]}}}}"
    if len(given) == 1:
        return f"{{{function}: {given[0]}}}"
    return f"{{{function}: {{{', '.join(f'{key}: {value}' for key, value in zip(properties, given, strict=False))}}}}}"
