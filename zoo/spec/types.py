"""The annotations from which the spec language is generated.

A signature such as `def minimax(*, discriminator_weight: PositiveFloat = 1.0)` or a dataclass field
`steps: PositiveInt` is the schema: tools/schema.py turns it into specs/schema.json, and `construct` turns checked YAML
values into arguments of these types.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, Union

from zoo.core.registry import Registry

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of a number, or a pattern of a text, in the words of JSON Schema."""

    minimum: float | None = None
    maximum: float | None = None
    exclusiveMinimum: float | None = None  # noqa: N815 - JSON Schema's own word
    exclusiveMaximum: float | None = None  # noqa: N815
    pattern: str | None = None
    description: str | None = None


@dataclasses.dataclass(frozen=True)
class PartOf:
    """The registry that a `Part` is taken from, such as "loss"."""

    name: str


@dataclasses.dataclass(frozen=True)
class Takes:
    """The kind of an argument of a function of a game, see the annotations `Value` to `NetworkName` below."""

    what: str


@dataclasses.dataclass(frozen=True)
class Part:
    """A named part with arguments: `minimax` or `minimax: {discriminator_weight: 0.5}` in YAML."""

    name: str
    args: Mapping[str, Any]

    @classmethod
    def of(cls, value: str | Mapping[str, Any]) -> Part:
        """Construct a part from its YAML form: a word, or a mapping with one key."""
        if isinstance(value, str):
            return cls(value, {})
        ((name, args),) = value.items()
        return cls(name, dict(args or {}))


PositiveInt = Annotated[int, Limits(minimum=1)]
NonNegativeInt = Annotated[int, Limits(minimum=0)]
PositiveFloat = Annotated[float, Limits(exclusiveMinimum=0)]
NonNegativeFloat = Annotated[float, Limits(minimum=0)]
Probability = Annotated[float, Limits(minimum=0, maximum=1)]
Seed = Annotated[int, Limits(minimum=0, maximum=2**32 - 1)]
Identifier = Annotated[str, Limits(pattern="[a-z][a-z0-9_]{0,63}", description="a lower-case word such as generator")]
Reference = Annotated[
    str,
    Limits(
        pattern=r"[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]{0,63})?",
        description="a name such as trunk, or trunk.features",
    ),
]
Duration = Annotated[
    str, Limits(pattern=r"(?!0+(\.0+)?[smh])[0-9]+(\.[0-9]+)?[smh]", description="a time such as 90s, 5m or 2h")
]
Optimizer = Annotated[Part, PartOf("optimizer")]
Schedule = Annotated[Part, PartOf("schedule")]
Loss = Annotated[Part, PartOf("loss")]
PenaltyPart = Annotated[Part, PartOf("penalty")]
Prior = Annotated[Part, PartOf("prior")]
Source = Annotated[Part, PartOf("source")]
AlgorithmPart = Annotated[Part, PartOf("algorithm")]
Measurement = Annotated[Part, PartOf("measurement")]
Figure = Annotated[Part, PartOf("figure")]

# Arguments of the functions of a game. A function is registered with keyword-only arguments in the order of the
# language, the first of which may be written without its name: {mean: x} is {mean: {of: x}}. Words of Python get an
# underscore, `from_`. What stands behind each in a `zoo.spec.game_plan.Call` is in brackets; a `Reference` names a
# latent, a field, a value or a state, a `Part` is a schedule.
Value = Annotated[Any, Takes("value")]  # one tensor [Reference, Call]; `Value | None = None` may be left out [None]
Values = Annotated[Any, Takes("values")]  # a list of them [tuple]
Wrt = Annotated[Any, Takes("wrt")]  # what a derivative is taken by: one or several [tuple of Reference]
Number = Annotated[Any, Takes("number")]  # a number, a schedule, or the name of a state [float, Part, Reference]
Amount = Annotated[Any, Takes("amount")]  # a number, a schedule or a tensor [float, Part, Reference, Call]
Terms = Annotated[Any, Takes("terms")]  # {x: weight, ...} or [x, ...] [tuple of pairs (Reference or Call, weight)]
Taps = Annotated[Any, Takes("taps")]  # names of outputs, of each of the `Values` [tuple of str; the values: see Values]
NetworkName = Annotated[Any, Takes("network")]  # a network itself, not a pass of it [str]
FunctionPart = Annotated[Part, PartOf("function")]
StatePart = Annotated[Part, PartOf("state")]


def construct(annotation: Any, value: Any) -> Any:
    """Turn a checked plain value into the type of an annotation.

    Args:
        annotation: Such as a dataclass, `Part`, or a tuple of them.
        value: Scalars, lists and dicts, as YAML has them.

    Returns:
        An instance of the type.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return construct(arguments[0], value)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        if any(_strip(a) is Part for a in arguments) and isinstance(value, (str, dict)):
            return Part.of(value)
        chosen = next((a for a in arguments if a is not type(None) and _accepts(_strip(a), value)), arguments[0])
        return construct(chosen, value)
    if annotation is Part:
        return Part.of(value)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return annotation(**{key: construct(hints[key], item) for key, item in (value or {}).items()})
    if origin is tuple:
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        return tuple(construct(a, item) for a, item in zip(inner, value, strict=True))
    if origin in (dict, Mapping):
        return {key: construct(arguments[1], item) for key, item in value.items()}
    return float(value) if annotation is float else value


def construct_arguments(signature_of: Any, args: Mapping[str, Any]) -> dict[str, Any]:
    """Construct the arguments of a function, or of a class and its base classes."""
    owners = reversed(signature_of.__mro__) if isinstance(signature_of, type) else ()
    targets = [vars(owner)["__init__"] for owner in owners if "__init__" in vars(owner)] or [signature_of]
    hints: dict[str, Any] = {}
    for target in targets:
        if target is not object.__init__:
            hints |= typing.get_type_hints(target, include_extras=True)
    return {key: construct(hints.get(key, Any), value) for key, value in args.items()}


def construct_part(registry: Registry[Any], part: Part, *given: Any, **options: Any) -> Any:
    """Call the registered function or class that a part names.

    Args:
        registry: The registry of its kind.
        part: Its name and its arguments, plain values that the schema allows.
        given: Positional arguments before those of the part.
        options: Keyword arguments besides those of the part.

    Returns:
        The value of the function, or the instance of the class.
    """
    maker = registry.get(part.name)
    return maker(*given, **construct_arguments(maker, part.args), **options)


def _strip(annotation: Any) -> Any:
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation


def _accepts(annotation: Any, value: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin is tuple:
        return isinstance(value, (list, tuple))
    if origin is Literal:
        return value in typing.get_args(annotation)
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(annotation, type) and isinstance(value, annotation)


def seconds(duration: str) -> float:
    """Convert a duration of a spec to seconds.

    Args:
        duration: A number and a unit: '90s', '5m' or '2h'.

    Returns:
        The seconds.
    """
    return float(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]
