"""Checked plans -> Keras models. A Keras error is told with the place in the spec that caused it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from zoo.core.errors import SpecError
from zoo.nn.layers import INITIALIZERS, LAYERS
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.types import Part


def build(plan: Plan, *, name: str | None = None, layers: dict[str, keras.layers.Layer] | None = None) -> keras.Model:
    """The network of a plan: inputs and output carry the names of the spec. Fresh weights from Keras's random seed.

    `layers` are layers by name that other networks have too: they are shared, and new ones join them.

    Raises SpecError with file:line:column when Keras refuses a layer.
    """
    # a label is a class id [B]; everything else is a float
    tensors: dict[int, Any] = {
        number: keras.Input(shape=shape, name=name, dtype=keras.config.floatx() if shape else "int64")
        for number, (name, shape) in enumerate(plan.inputs.items())
    }
    inputs = dict(zip(plan.inputs, tensors.values(), strict=True))
    layers = {} if layers is None else layers
    for step in plan.steps:
        sources = [tensors[i] for i in step.inputs]
        try:
            name_of_layer = layer_name(step)
            if name_of_layer not in layers:
                layers[name_of_layer] = _layer(step)
            tensors[step.output] = layers[name_of_layer](sources if len(sources) > 1 else sources[0])
        except (ValueError, TypeError, ArithmeticError) as error:
            reason = " ".join(str(error).split())
            raise SpecError(f"{step.place}: {step.where}: Keras refuses it: {reason}") from error
    return keras.Model(inputs, {plan.output_name: tensors[plan.output]}, name=name or plan.name)


def build_all(plans: Mapping[str, Plan]) -> dict[str, keras.Model]:
    """Every network of a spec, in its order."""
    return {name: build(plan) for name, plan in plans.items()}


def layer_name(step: LayerCall) -> str:
    """The name of a step's Keras layer, such as conv2d_3."""
    return f"{step.layer.lower()}_{step.output}"


def _layer(step: LayerCall) -> keras.layers.Layer:
    layer = LAYERS.get(step.layer) if step.layer in LAYERS else getattr(keras.layers, step.layer)
    return layer(**{key: _argument(key, value) for key, value in step.args.items()}, name=layer_name(step))


def _argument(key: str, value: Any) -> Any:
    if key.endswith("_initializer") and value is not None:
        part = Part.of(value)
        if part.name in INITIALIZERS:
            return INITIALIZERS.get(part.name)()
        return getattr(keras.initializers, part.name)(**part.args)
    return tuple(_argument("", item) for item in value) if isinstance(value, list) else value
