"""Validate a tree of nodes against specs/schema.json.

The schema is generated from signatures (tools/schema.py); editors and this validator read the same file. Only the
keywords of JSON Schema that the generator writes are implemented here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Problems
from zoo.spec.yaml_tree import YamlNode

Fragment = Mapping[str, Any]

_TYPES = {
    "integer": "an integer", "number": "a number", "string": "a text", "boolean": "true or false",
    "array": "a list", "object": "a mapping", "null": "nothing",
}  # fmt: skip
_PLURALS = {"integer": "integers", "number": "numbers", "string": "words", "array": "lists", "object": "mappings"}


def specs_folder() -> Path:
    """Find the folder of the shipped specs and their schema.

    Returns:
        specs/ beside the package in a checkout, inside the package when installed.
    """
    checkout = Path(__file__).parents[2] / "specs"
    return checkout if checkout.is_dir() else Path(__file__).parents[1] / "specs"


@functools.cache
def document() -> Fragment:
    """Return the schema of a spec file.

    Returns:
        specs/schema.json.
    """
    return json.loads((specs_folder() / "schema.json").read_text("utf-8"))


def resolve(fragment: Fragment) -> Fragment:
    """Follow a `$ref` into the document."""
    while "$ref" in fragment:
        target: Fragment = document()
        for key in fragment["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        fragment = target
    return fragment


def names_of(kind: str) -> Mapping[str, Fragment]:
    """Return the parts of a kind ('layer', 'loss', 'optimizer', ...) and the schema of their arguments."""
    return document()["$defs"][kind]["x-parts"]


def below(fragment: Fragment, key: str) -> Fragment:
    """Return the schema of `key` in a mapping that `fragment` describes; {} where nothing is known."""
    fragment = resolve(fragment)
    if "x-parts" in fragment:
        return fragment["x-parts"].get(key, {})
    if fragment is document()["$defs"]["layer_item"] and key in names_of("layer"):
        return names_of("layer")[key]  # that of the item itself is for editors, which know no variables of `repeat`
    found = fragment.get("properties", {}).get(key) or fragment.get("additionalProperties")
    if found is None:
        mappings = (f for f in fragment.get("anyOf", ()) if resolve(f).get("type") == "object" or is_part(f))
        return next((below(f, key) for f in mappings), {})
    return found if isinstance(found, Mapping) else {}


def is_part(fragment: Fragment) -> bool:
    """Return True if values of this schema are parts: a word, or a mapping with the part's name as its only key."""
    fragment = resolve(fragment)
    return "x-parts" in fragment or any(is_part(f) for f in fragment.get("anyOf", ()))


def completed(args: Mapping[str, Any], fragment: Fragment) -> dict[str, Any]:
    """Return `args` with the defaults of the signature filled in."""
    defaults = {key: s["default"] for key, s in fragment.get("properties", {}).items() if "default" in s}
    return {**defaults, **args}


def validate(node: YamlNode, fragment: Fragment, where: str, problems: Problems) -> None:
    """Report everything in a tree that the schema forbids.

    Args:
        node: The tree.
        fragment: The schema, or a part of it.
        where: The path of the tree in the spec.
        problems: Where mistakes are reported.
    """
    fragment = resolve(fragment)
    if "x-layers" in fragment:
        if not node.is_list:
            problems.add(node.place, where, f"expected a list of layers, received {node.describe()}")
    elif "x-defaults" in fragment:
        validate(node, {"type": "object", "additionalProperties": {"type": "object"}}, where, problems)
    elif fragment.get("x-takes") == "optimizer" and isinstance(node.value, str) and node.value.islower():
        pass  # the name of a phase, see `zoo.spec.game_phases`
    elif fragment.get("x-takes") == "optimizer":
        validate(node, fragment["anyOf"][0], where, problems)
    elif fragment.get("x-takes") == "state":
        validate(node, {key: value for key, value in fragment.items() if key != "x-takes"}, where, problems)
    elif "x-takes" in fragment:
        pass  # names of a game, see `zoo.spec.game_calls`
    elif "x-parts" in fragment:
        _validate_part(node, fragment, where, problems)
    elif "anyOf" in fragment and "properties" not in fragment:
        _validate_any(node, fragment["anyOf"], where, problems)
    elif not _has_type(node, fragment):
        text = f"expected {expected(fragment)}, received {node.describe()}{_hint(node, fragment)}"
        problems.add(node.place, where, text)
    elif node.is_map:
        validate_mapping(node, fragment, where, problems)
    elif node.is_list:
        _validate_list(node, fragment, where, problems)
    else:
        _validate_scalar(node, fragment, where, problems)


def validate_mapping(node: YamlNode, fragment: Fragment, where: str, problems: Problems, *, word: str = "key") -> None:
    """Report wrong keys, missing keys and wrong values of a mapping."""
    known, others = fragment.get("properties", {}), fragment.get("additionalProperties", True)
    pattern = fragment.get("propertyNames", {}).get("pattern")
    for key, entry in node.entries():
        if key in known:
            validate(entry.node, known[key], join(where, key), problems)
        elif others is False:
            hint = suggest(key, known) or f" Known: {', '.join(known) or 'none'}."
            problems.add(entry.place, where, f"unknown {word} '{key}'.{hint}")
        else:
            if pattern and not re.fullmatch(pattern, key):
                text = f"{key!r} is not a good name: write a lower-case word such as 'generator'"
                problems.add(entry.place, where, text)
            if isinstance(others, Mapping):
                validate(entry.node, others, join(where, key), problems)
    given = "x-given" in fragment and node.get("weights", fragment["x-given"]) is not None  # it comes with its layers
    required = () if problems.incomplete or given else fragment.get("x-required", ())
    for key in (key for key in required if key not in node.value):
        problems.add(node.place, where, f"'{key}' is missing. It is {expected(known[key])}")


def join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def expected(fragment: Fragment) -> str:
    """Describe in words what the schema allows."""
    fragment = resolve(fragment)
    if "x-layers" in fragment:
        return "a list of layers"
    if "x-parts" in fragment:
        article = "an" if fragment["x-kind"][0] in "aeiou" else "a"
        return f"{article} {fragment['x-kind']} ({', '.join(fragment['x-parts'])})"
    if "anyOf" in fragment:
        return _listed(dict.fromkeys(expected(f) for f in fragment["anyOf"]))
    if "const" in fragment or "enum" in fragment:
        return _listed(v if isinstance(v, str) else json.dumps(v) for v in _allowed(fragment))
    if "pattern" in fragment:
        return fragment.get("description", "a text")
    if fragment.get("type") == "array":
        low, high = fragment.get("minItems"), fragment.get("maxItems")
        count = f"{low} " if low and low == high else f"{low} or more " if low else ""
        return f"a list of {count}{_PLURALS.get(resolve(fragment.get('items', {})).get('type', ''), 'values')}"
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{words} {fragment[key]}" for key, words in bounds.items() if key in fragment]
    return f"{_TYPES.get(fragment.get('type', ''), 'a value')} {' and '.join(limits)}".strip()


def _allowed(fragment: Fragment) -> Sequence[Any]:
    return fragment["enum"] if "enum" in fragment else [fragment["const"]] if "const" in fragment else []


def _listed(choices: Iterable[str]) -> str:
    words = list(choices)
    return " or ".join(words) if len(words) <= 3 else f"one of {', '.join(words)}"


def _validate_part(node: YamlNode, fragment: Fragment, where: str, problems: Problems) -> None:
    kind, parts = fragment["x-kind"], fragment["x-parts"]
    if isinstance(node.value, str):
        name, args, place = node.value, None, node.place
    elif node.is_map and len(node.value) == 1:
        name, entry = next(node.entries())
        args, place = entry.node, entry.place
    else:
        wanted = f"one {kind}: a name, or a mapping from its name to its arguments"
        what = f"{len(node.value)} keys ({', '.join(node.value)})" if node.is_map else node.describe()
        return problems.add(node.place, where, f"expected {wanted}; received {what}")
    if name not in parts:
        hint = suggest(name, parts) or f" Known: {', '.join(parts)}."
        return problems.add(place, where, f"unknown {kind} '{name}'.{hint}")
    validate_arguments(args, node if args is None else args, parts[name], join(where, name), problems)


def validate_arguments(args: YamlNode | None, at: YamlNode, fragment: Fragment, where: str, problems: Problems) -> None:
    """Report wrong arguments of a part or layer; None or an empty value is the same as no arguments."""
    if args is None or args.value is None:
        args = YamlNode({}, at.place)
    if not args.is_map:
        problems.add(args.place, where, f"expected a mapping of arguments, received {args.describe()}")
        return
    validate_mapping(args, fragment, where, problems, word="argument")


def _validate_any(node: YamlNode, branches: list[Fragment], where: str, problems: Problems) -> None:
    fits = []
    for branch in branches:
        trial = problems.trial()
        validate(node, branch, where, trial)
        if not trial:
            return
        if _same_shape(node, branch):
            fits.append((branch, trial))
    words = [word for branch in branches for word in _allowed(resolve(branch)) if isinstance(word, str)]
    others = [branch for branch in branches if resolve(branch).get("type") != "null"]
    if len(fits) == 1 and (len(others) == 1 or not _allowed(resolve(fits[0][0]))):
        return problems.take(fits[0][1])  # the intention is clear: report the mistakes inside
    wanted = _listed(dict.fromkeys(expected(b) for b in branches))
    hint = _hint(node, branches[0]) or (suggest(node.value, words) if isinstance(node.value, str) else "")
    hint = f".{hint}" if hint and not hint.startswith(".") else hint
    problems.add(node.place, where, f"expected {wanted}, received {node.describe()}{hint}")


def _same_shape(node: YamlNode, branch: Fragment) -> bool:
    branch = resolve(branch)
    if "x-parts" in branch:
        return node.is_map or isinstance(node.value, str)
    return _has_type(node, branch)


def _has_type(node: YamlNode, fragment: Fragment) -> bool:
    wanted, value = fragment.get("type"), node.value
    if wanted is None:
        return not (("enum" in fragment or "const" in fragment) and (node.is_map or node.is_list))
    if wanted == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    kinds = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
    return isinstance(value, kinds[wanted])


def _hint(node: YamlNode, fragment: Fragment) -> str:
    """Return a hint for common slips, such as a quoted number or a number in the place of a word."""
    wanted, value = fragment.get("type"), node.value
    if wanted in ("integer", "number") and isinstance(value, str):
        try:
            return f". Did you mean {float(value):g}, without quotes?"
        except ValueError:
            return ""
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return f". Did you mean {int(value)}?"
    if wanted == "boolean" and isinstance(value, str):
        return {"yes": ". Did you mean true?", "no": ". Did you mean false?"}.get(value.lower(), "")
    others = fragment.get("additionalProperties")
    if isinstance(others, Mapping) and others.get("x-takes") == "weight" and value and not node.is_map:
        items = [item.value for item in value] if node.is_list else [value]
        if all(isinstance(item, str) and item.isidentifier() for item in items):
            return f". Write {{{', '.join(f'{item}: 1' for item in items)}}}"
    if wanted == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f". Did you mean '{value}', with quotes?"
    return ""


def _validate_list(node: YamlNode, fragment: Fragment, where: str, problems: Problems) -> None:
    low, high = fragment.get("minItems", 0), fragment.get("maxItems", len(node.value))
    if not low <= len(node.value) <= high:
        problems.add(node.place, where, f"expected {expected(fragment)}, received {len(node.value)} of them")
        return
    for i, item in enumerate(node.value):
        validate(item, fragment.get("items", {}), f"{where}[{i}]", problems)


def _validate_scalar(node: YamlNode, fragment: Fragment, where: str, problems: Problems) -> None:
    value = node.value
    if "enum" in fragment or "const" in fragment:
        allowed = _allowed(fragment)
        if not any(value == a and isinstance(value, bool) == isinstance(a, bool) for a in allowed):
            hint = suggest(value, [a for a in allowed if isinstance(a, str)]) if isinstance(value, str) else ""
            problems.add(node.place, where, f"expected {expected(fragment)}, received {node.describe()}.{hint}")
        return
    bad = (
        ("minimum" in fragment and value < fragment["minimum"])
        or ("maximum" in fragment and value > fragment["maximum"])
        or ("exclusiveMinimum" in fragment and value <= fragment["exclusiveMinimum"])
        or ("exclusiveMaximum" in fragment and value >= fragment["exclusiveMaximum"])
        or ("pattern" in fragment and not re.fullmatch(fragment["pattern"], value))
    )
    if bad:
        foreign = [letter for letter in value if not letter.isascii()] if isinstance(value, str) else []
        hint = f". '{foreign[0]}' is the foreign letter U+{ord(foreign[0]):04X}" if foreign else ""
        problems.add(node.place, where, f"expected {expected(fragment)}, received {node.describe()}{hint}")
