"""What the arguments of a game take, as schemas for editors: names of values, functions, numbers, weights.

zoo.spec.game_calls and game_phases check them by the game's own names, which no schema knows.
"""

from __future__ import annotations

from keras_arguments import COUNT, Json

_NAME: Json = {"type": "string", "pattern": r"^[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]{0,63})?$"}
_FUNCTION: Json = {"$ref": "#/$defs/function"}
_SCHEDULE: Json = {"$ref": "#/$defs/schedule"}
_FACTOR: Json = {"anyOf": [{"type": "number"}, _NAME, _SCHEDULE]}
_TENSOR: Json = {"anyOf": [_NAME, _FUNCTION]}
_WEIGHT: Json = {"anyOf": [{"type": "number"}, _NAME, _SCHEDULE, {"type": "array", "items": _FACTOR}]}
TAKES: dict[str, Json] = {
    "value": _TENSOR,
    "values": {"type": "array", "items": _TENSOR},
    "wrt": {"anyOf": [_NAME, {"type": "array", "items": _NAME}]},
    "number": _FACTOR,
    "amount": {"anyOf": [{"type": "number"}, _NAME, _SCHEDULE, _FUNCTION]},
    "terms": {"anyOf": [{"type": "object", "additionalProperties": _FACTOR}, {"type": "array", "items": _TENSOR}]},
    "taps": {"type": "array", "items": _NAME},
    "network": _NAME,
    "call": {"anyOf": [_NAME, _FUNCTION, {"type": "object", "minProperties": 1, "maxProperties": 1}]},
    "weight": {
        "anyOf": [
            *_WEIGHT["anyOf"],
            {
                "type": "object",
                "properties": {"weight": _WEIGHT, "every": COUNT},
                "additionalProperties": False,
                "minProperties": 1,
            },
        ]
    },
    "optimizer": {"anyOf": [{"$ref": "#/$defs/optimizer"}, _NAME]},
}
