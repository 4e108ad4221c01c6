"""Limits of the arguments of Keras's layers, optimizers and initializers, which its signatures leave open.

Keras's signatures have names and defaults alone. The schema of an argument comes from the tables `BY_OWNER` and
`BY_NAME`, or from the type of its default.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
KERAS_INITIALIZERS = (
    "Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
    "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal",
)  # fmt: skip
ACTIVATIONS = ("elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax", "softplus", "tanh")
LEFT_OUT = {
    "kwargs", "name", "dtype", "seed", "data_format", "activity_regularizer", "noise_shape", "synchronized",
    "weights", "mask_zero", "lora_rank", "lora_alpha", "unroll", "stateful", "return_state", "go_backwards",
    "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency",
    "renorm", "renorm_clipping", "renorm_momentum", "args", "input_axes", "output_axes", "use_cudnn",
    "loss_scale_factor", "gradient_accumulation_steps", "quantization_config", "input_length",
}  # fmt: skip
COUNT: Json = {"type": "integer", "minimum": 1}
_PAIR: Json = {"anyOf": [COUNT, {"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}]}
_SIDE: Json = {"type": "integer", "minimum": 0}
_TWO_SIDES: Json = {"anyOf": [_SIDE, {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}]}
_SIDES: Json = {"anyOf": [_SIDE, {"type": "array", "items": _TWO_SIDES, "minItems": 2, "maxItems": 2}]}
_STATE: Json = {
    "x-takes": "state", "type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$", "description": "a state of a game",
}  # fmt: skip
_RATE: Json = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"$ref": "#/$defs/schedule"}, _STATE]}
_DECAY: Json = {
    "anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"$ref": "#/$defs/schedule"}, _STATE]
}

_AT_LEAST_0 = ("stddev", "scale_value", "alpha", "max_value", "threshold", "l1", "l2")

BY_NAME: dict[str, Json] = {
    **{name: COUNT for name in ("units", "filters", "input_dim", "output_dim", "depth_multiplier", "n")},
    **{name: _PAIR for name in ("kernel_size", "strides", "pool_size", "size", "dilation_rate")},
    "groups": {"anyOf": [COUNT, {"const": -1}]},
    "cropping": _SIDES,
    "output_padding": _TWO_SIDES,
    "activation": {"enum": list(ACTIVATIONS)},
    "recurrent_activation": {"enum": list(ACTIVATIONS)},
    "interpolation": {"enum": ["nearest", "bilinear"]},
    "axis": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
    "shared_axes": {"type": "array", "items": COUNT},
    "target_shape": {"type": "array", "items": {"anyOf": [COUNT, {"const": -1}]}, "minItems": 1},
    "dims": {"type": "array", "items": COUNT, "minItems": 1},
    "rate": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "learning_rate": _RATE,
    "momentum": {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, {"$ref": "#/$defs/schedule"}]},
    "epsilon": {"type": "number", "exclusiveMinimum": 0},
    "negative_slope": {"type": "number", "minimum": 0},
    "rho": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    **{name: _DECAY for name in ("beta_1", "beta_2")},
    **{name: {"type": "number", "minimum": 0} for name in _AT_LEAST_0},
}
BY_OWNER: dict[tuple[str, str], Json] = {
    ("BatchNormalization", "momentum"): {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    ("ZeroPadding2D", "padding"): _SIDES,
    ("EqualizedConv2D", "kernel_size"): _PAIR,
    ("EqualizedConv2D", "strides"): _PAIR,
    ("EqualizedConv2D", "padding"): {"enum": ["valid", "same"]},
    ("ReflectionPadding2D", "padding"): _TWO_SIDES,
    **{
        (f"{layer}1D", name): COUNT
        for name in ("kernel_size", "strides", "pool_size", "size", "dilation_rate")
        for layer in ("Conv", "SeparableConv", "AveragePooling", "MaxPooling", "UpSampling")
    },
    **{("Conv1DTranspose", name): COUNT for name in ("kernel_size", "strides", "dilation_rate")},
    ("Conv1DTranspose", "output_padding"): _SIDE,
    ("ZeroPadding1D", "padding"): _TWO_SIDES,
    ("Cropping1D", "cropping"): _TWO_SIDES,
    ("Dot", "axes"): {
        "anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}]
    },
    ("LearnedMap", "size"): _PAIR,
    ("NoiseDropout", "rate"): {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    **{("ConditionalBatchNormalization", "momentum"): {"type": "number", "minimum": 0, "exclusiveMaximum": 1}},
    ("VarianceScaling", "scale"): {"type": "number", "exclusiveMinimum": 0},
    **{key: {"type": "number"} for key in (("Rescaling", "scale"), ("Constant", "value"))},
    **{(layer, "axis"): {"type": "integer"} for layer in ("Concatenate", "GroupNormalization")},
    ("GaussianNoise", "stddev"): {"type": "number", "minimum": 0, "maximum": 1},
}


def keras_argument(owner: str, name: str, default: Any) -> Json:
    """Return the schema of argument `name` of the Keras class `owner`."""
    if (owner, name) in BY_OWNER:
        return BY_OWNER[owner, name]
    if name.endswith("_initializer"):
        return {"$ref": "#/$defs/initializer"}
    if name == "padding":
        return {"enum": ["valid", "same"]}
    if name in BY_NAME:
        return BY_NAME[name]
    simple = {bool: "boolean", int: "number", float: "number", str: "string"}
    return {"type": simple[type(default)]} if type(default) in simple else {}
