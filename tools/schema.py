"""Write specs/schema.json from signatures, then the tables of docs/language.md; tests/tools/ fail when one is stale.

    python tools/schema.py

The zoo's own parts and the sections of a spec annotate their types; Keras's arguments have theirs in
`keras_arguments`. Descriptions are the first paragraphs of docstrings.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import keras
from game_arguments import TAKES
from keras_arguments import BY_OWNER, COUNT, KERAS_INITIALIZERS, LEFT_OUT, Json, keras_argument

from zoo.claims.measurements import MEASUREMENTS, NUMBERS
from zoo.claims.plots import FIGURES
from zoo.core.registry import signature_of
from zoo.data.sources import SOURCES
from zoo.nn.calls import FUNCTIONS
from zoo.nn.functions import GIVEN
from zoo.nn.layers import INITIALIZERS, LAYERS
from zoo.nn.losses import LOSSES
from zoo.nn.optimizers import KERAS_OPTIMIZERS, SCHEDULES
from zoo.nn.penalties import PENALTIES
from zoo.nn.states import STATES
from zoo.runtime.priors import PRIORS
from zoo.spec.claim import Experiment
from zoo.spec.game_sections import GAMES
from zoo.spec.sections import Network, Sections
from zoo.spec.shapes import RULES
from zoo.spec.types import Limits, PartOf, Takes
from zoo.spec.validate import specs_folder
from zoo.train.algorithms.base import ALGORITHMS, Algorithm

_OWN_LAYERS = ("inputs", "output", "layers")  # what a network states that comes from no package
_WORD = "^[a-z][a-z0-9_]{0,63}$"
_PRIOR: Json = {
    "shape": {"type": "array", "items": COUNT, "minItems": 1},
    "classes": {
        "anyOf": [
            {"type": "integer", "minimum": 2, "maximum": 10_000},
            {"type": "array", "items": {"type": "string"}, "minItems": 2},
        ]
    },
}
_SOURCE: Json = {
    "modes": {"type": "integer", "minimum": 1, "maximum": 10_000},
    "side": {"type": "integer", "minimum": 1, "maximum": 100},
    "samples": {"type": "integer", "minimum": 1, "maximum": 10**8},
    "std": {"type": "number", "minimum": 0},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    "path": {"type": "string", "pattern": r"^[^\0]+$", "description": "a folder"},
}


def generate() -> Json:
    """Return the whole schema as one JSON document."""
    defs: Json = {
        "layer": _kind("layer", {name: _layer(name) for name in RULES}),
        "initializer": _kind("initializer", _initializers()),
        "optimizer": _kind("optimizer", {n: _keras(n, getattr(keras.optimizers, n)) for n in KERAS_OPTIMIZERS}),
        "schedule": _kind("schedule", _own(SCHEDULES)),
        "loss": _kind("loss", _own(LOSSES)),
        "penalty": _kind("penalty", _own(PENALTIES)),
        "prior": _kind("prior", _own(PRIORS, narrow=_PRIOR)),
        "source": _kind("source", _own(SOURCES, leave=("size", "channels", "fit", "split"), narrow=_SOURCE)),
        "algorithm": _kind("algorithm", _algorithms()),
        "function": _functions(),
        "state": _kind("state", _own(STATES)),
        "measurement": _kind("measurement", _measurements()),
        "figure": _kind("figure", _own(FIGURES, leave=("trainings",))),
        "layer_item": _layer_item(),
    }
    defs["claim"] = schema_of_dataclass(Experiment)
    top = schema_of_dataclass(Sections)
    defs["source"]["anyOf"].append({"type": "string", "pattern": "/"})  # the path of a folder
    complete = {kind: rule for kind, part in defs.items() if (rule := _complete(part, defs, (kind,)))}
    layers = {name: _open(schema) | {"type": ["object", "null"]} for name, schema in defs["layer"]["x-parts"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A gan-zoo spec",
        **top,
        "if": {"required": ["extends"]},  # what such a file leaves out may be in the other one
        "then": {},
        "else": _complete(top, defs),
        "$defs": {**defs, "complete": complete, "open": {"initializer": _open(defs["initializer"]), "layer": layers}},
    }


def _complete(schema: Json, defs: Json, inside: tuple[str, ...] = ()) -> Json:
    """Return the schema of what must not be left out in a file that extends none; {} where nothing is required.

    `inside` are the kinds of parts around it: a part that holds another of its kind is looked at once.
    """
    if "$ref" in schema:
        kind = schema["$ref"].rsplit("/", 1)[1]
        if kind in inside or "x-parts" not in defs.get(kind, {}):
            return {}
        return {"$ref": f"#/$defs/complete/{kind}"} if _complete(defs[kind], defs, (*inside, kind)) else {}
    if "x-defaults" in schema or "x-takes" in schema:
        return {}
    if "anyOf" in schema and "x-parts" not in schema:
        branches = [inner for branch in schema["anyOf"] if (inner := _complete(branch, defs, inside))]
        return branches[0] if len(branches) == 1 else {}
    rule: Json = {"required": schema["x-required"]} if schema.get("x-required") else {}
    if "x-given" in schema:
        weights = {"properties": {"weights": {"required": [schema["x-given"]]}}, "required": ["weights"]}
        rule = {"if": weights, "then": {}, "else": rule}
    known: Json = schema.get("x-parts") or schema.get("properties", {})
    if properties := {key: inner for key, value in known.items() if (inner := _complete(value, defs, inside))}:
        rule["properties"] = properties
    for key in ("additionalProperties", "items"):
        if isinstance(schema.get(key), dict) and (inner := _complete(schema[key], defs, inside)):
            rule[key] = inner
    return rule


def _open(schema: Json) -> Json:
    """Return the schema of arguments inside `layers`: any value may be a `$variable`, or stand in `defaults`."""
    if "$ref" in schema:
        return {**schema, "$ref": schema["$ref"].replace("#/$defs/", "#/$defs/open/")}
    opened = {key: value for key, value in schema.items() if not key.startswith("x-")}
    if "x-parts" in schema:
        parts = {name: _open(part) | {"type": ["object", "null"]} for name, part in schema["x-parts"].items()}
        return {"anyOf": [{"enum": list(parts)}, _one_of(parts)]}
    if "properties" in schema:
        opened["properties"] = {key: _or_variable(value) for key, value in schema["properties"].items()}
    if "items" in schema:
        opened["items"] = _or_variable(schema["items"])
    if "anyOf" in schema:
        opened["anyOf"] = [_open(branch) for branch in schema["anyOf"]]
    return opened


def _or_variable(schema: Json) -> Json:
    return {"anyOf": [_open(schema), {"type": "string", "pattern": r"\$"}]}


def dumps(document: Json) -> str:
    """Return the text of specs/schema.json."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def schema_of(annotation: Any) -> Json:
    """Return the schema of one annotation."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(a) for a in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)} if len(arguments) > 1 else {"const": arguments[0]}
    if origin is tuple:
        count = {} if arguments[-1] is Ellipsis else {"minItems": len(arguments), "maxItems": len(arguments)}
        return {"type": "array", "items": schema_of(arguments[0]), **count}
    if origin in (dict, Mapping):
        name = schema_of(arguments[0])
        names = {"propertyNames": {"pattern": name["pattern"]}} if "pattern" in name else {}
        return {"type": "object", **names, "additionalProperties": schema_of(arguments[1])}
    if dataclasses.is_dataclass(annotation):
        return schema_of_dataclass(annotation)  # type: ignore[arg-type]
    simple = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
    return {"type": simple[annotation]} if annotation in simple else {}


def schema_of_dataclass(cls: type) -> Json:
    """Return the schema of a mapping whose keys are the fields; the docstring is its description."""
    hints = typing.get_type_hints(cls, include_extras=True)
    properties, required = {}, []
    for field in dataclasses.fields(cls):
        key = field.name.rstrip("_")  # `from_`: without the underscore it is a word of Python
        properties[key] = schema_of(hints[field.name])
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(key)
        elif field.default is not dataclasses.MISSING:
            properties[key]["default"] = _plain(field.default)
    if cls is Network:
        properties["layers"], required = _layers(), list(_OWN_LAYERS)
        for key in _OWN_LAYERS:
            properties[key].pop("default", None)
    if "blocks" in properties:
        properties["blocks"]["additionalProperties"] = _block()
    if "defaults" in properties:
        layers = {name: {"$ref": f"#/$defs/layer/x-parts/{name}"} for name in RULES}
        known = {"type": "object", "properties": layers, "additionalProperties": False}
        properties["defaults"] = {**known, "x-defaults": True}
    help_text = " ".join((cls.__doc__ or "").split())
    return {**_mapping(help_text, properties, required), **({"x-given": "package"} if cls is Network else {})}


def _mapping(description: str, properties: Json, required: list[str]) -> Json:
    known = {"properties": properties, "x-required": required, "additionalProperties": False}
    return {"type": "object", "description": description, **known}


def _annotated(base: Any, metadata: Iterable[Any]) -> Json:
    for extra in metadata:
        if isinstance(extra, PartOf):
            return {"$ref": f"#/$defs/{extra.name}"}
        if isinstance(extra, Takes):
            return {"x-takes": extra.what, **TAKES[extra.what]}
        if isinstance(extra, Limits):
            limits = {key: value for key, value in dataclasses.asdict(extra).items() if value is not None}
            anchored = {"pattern": f"^{extra.pattern}$"} if extra.pattern else {}  # JSON Schema would search for it
            return {**schema_of(base), **limits, **anchored}
    return schema_of(base)


def _kind(kind: str, parts: dict[str, Json]) -> Json:
    """Return the schema of a kind of part: its bare name where no argument is required, or a mapping to arguments."""
    bare = [name for name, schema in parts.items() if not schema.get("x-required")]
    arguments = {name: {"anyOf": [{"$ref": f"#/$defs/{kind}/x-parts/{name}"}, {"type": "null"}]} for name in parts}
    return {"x-kind": kind, "x-parts": parts, "anyOf": [{"enum": bare}, _one_of(arguments)]}


def _one_of(parts: dict[str, Json]) -> Json:
    return {
        "type": "object", "properties": parts, "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
    }  # fmt: skip


def _own(registry: Any, *, leave: Iterable[str] = (), narrow: Json | None = None) -> dict[str, Json]:
    return {name: schema_of_signature(function, leave=leave, narrow=narrow) for name, function in registry.items()}


def schema_of_signature(function: Callable[..., Any], *, leave: Iterable[str] = (), narrow: Json | None = None) -> Json:
    """Return the schema of a function's or class's keyword arguments, from annotations or, by name, from `narrow`."""
    target = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
    hints = typing.get_type_hints(target, include_extras=True)
    properties, required = {}, []
    for name, parameter in signature_of(function).parameters.items():
        if name in leave or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        schema = {"$ref": "#/$defs/initializer"} if name.endswith("_initializer") else schema_of(hints[name])
        schema = (narrow or {}).get(name, schema)
        if parameter.default is parameter.empty:
            required.append(name.rstrip("_"))
        else:
            schema = {**schema, "default": _plain(parameter.default)}
        properties[name.rstrip("_")] = schema  # `from_`: without the underscore it is a word of Python
    return _mapping(_help(function), properties, required)


def _algorithms() -> dict[str, Json]:
    """Return the schemas of all algorithms: those in Python by their constructors, games and their words by a form."""
    python = {name: {**_with_inherited(cls), "x-networks": list(cls.roles)} for name, cls in ALGORITHMS.items()}
    games = {name: {**schema_of_dataclass(form), "x-networks": list(form.roles)} for name, form in GAMES.items()}
    return {**games, **{name: schema for name, schema in python.items() if name not in games}}


def _functions() -> Json:
    """Return the schema of a function of a game; its first argument may be written without its name."""
    parts = _own(FUNCTIONS, leave=GIVEN)
    kind = _kind("function", parts)
    for name, schema in parts.items():
        first: Json = next(iter(schema["properties"].values()), {})
        kind["anyOf"][1]["properties"][name]["anyOf"].append(first)
    return kind


def _measurements() -> dict[str, Json]:
    own = _own(MEASUREMENTS, leave=("spec",))
    return {name: {**schema, "x-numbers": list(NUMBERS[name])} for name, schema in own.items()}


def _with_inherited(cls: type[Algorithm]) -> Json:
    """Return the schema of the arguments of an algorithm and of its base classes."""
    schema = schema_of_signature(cls, leave=("plans",))
    for base in cls.__mro__[1 : cls.__mro__.index(Algorithm)]:
        inherited = schema_of_signature(base, leave=("plans",))
        schema["properties"] = {**inherited["properties"], **schema["properties"]}
        own = [name for name in schema["x-required"] if name not in inherited["x-required"]]
        schema["x-required"] = inherited["x-required"] + own
    return schema


def _layer(name: str) -> Json:
    narrow = {key: schema for (owner, key), schema in BY_OWNER.items() if owner == name}
    layer = _layer_class(name)
    own = name in LAYERS and "__init__" in vars(layer)  # without one it has the arguments of Keras's layer
    return schema_of_signature(layer, narrow=narrow) if own else _keras(name, layer)


def _initializers() -> dict[str, Json]:
    own = {name: schema_of_signature(cls) for name, cls in INITIALIZERS.items()}
    return {name: _keras(name, getattr(keras.initializers, name)) for name in KERAS_INITIALIZERS} | own


def _keras(owner: str, cls: type) -> Json:
    """Return the schema of the arguments of a Keras class that a spec may set."""
    properties, required = {}, []
    for name, parameter in signature_of(cls).parameters.items():
        if (
            name in LEFT_OUT
            or name.endswith(("_regularizer", "_constraint"))
            or parameter.kind is parameter.VAR_KEYWORD
        ):
            continue
        default = parameter.default
        schema = keras_argument(owner, name, default)
        if default is parameter.empty:
            required.append(name)
        else:
            if default is None and schema:
                schema = {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
            schema = {**schema, "default": _plain(default)}
        properties[name] = schema
    return _mapping(_help(cls), properties, required)


def _layers() -> Json:
    """Return the schema of a list of layers, or in a child of `extends` of some of them by position."""
    item = {"$ref": "#/$defs/layer_item"}
    changed = {"patternProperties": {"^[0-9]+$": item}, "additionalProperties": False}
    return {"type": ["array", "object"], "items": item, **changed, "x-layers": True}


def _block() -> Json:
    """Return the schema of a block: its parameters and its layers."""
    default = {"type": "object", "propertyNames": {"pattern": _WORD}, "minProperties": 1}
    items = {"anyOf": [{"type": "string", "pattern": _WORD, "description": "a lower-case word"}, default]}
    words = "Layers that are used by name: `with` lists parameters, and {name: value} those with a default."
    return _mapping(words, {"with": {"type": "array", "items": items}, "layers": _layers()}, ["layers"])


def _layer_item() -> Json:
    """Return the schema of an item of `layers` for editors; it leaves open where `$variables` may be."""
    layers = {name: {"$ref": f"#/$defs/open/layer/{name}"} for name in RULES}
    name = {"type": "string", "description": "a lower-case word"}
    control = {
        "as": name,
        "from": {"anyOf": [name, {"type": "array", "items": name}]},
        "repeat": {"description": "a number of times, or names with a list of values each"},
        "layers": {"type": "array", "items": {"$ref": "#/$defs/layer_item"}},
    }
    block = f"^(?!({'|'.join(control)})$){_WORD[1:]}"
    return {
        "anyOf": [
            {"enum": list(RULES)},
            {"type": "string", "pattern": _WORD, "description": "a block"},
            {
                "type": "object",
                "properties": {**layers, **control},
                "patternProperties": {block: {"type": ["object", "null"], "description": "a block"}},
                "additionalProperties": False,
            },
        ]
    }


def _layer_class(name: str) -> type:
    return LAYERS.get(name) if name in LAYERS else getattr(keras.layers, name)


def _help(part: Any) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split())


def _plain(value: Any) -> Any:
    """Return a default as JSON has it."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.__name__ if callable(value) else value


def main() -> None:
    """Write specs/schema.json, and the tables that are made of it."""
    path = specs_folder() / "schema.json"
    path.write_text(dumps(generate()), "utf-8")
    print(f"wrote {path}")
    subprocess.run([sys.executable, str(Path(__file__).with_name("language.py"))], check=True)  # reads the new file


if __name__ == "__main__":
    main()
