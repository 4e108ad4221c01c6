"""Checked plans -> Keras models. An error of Keras is reported with the place in the spec that caused it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from zoo.core.errors import SpecError
from zoo.nn.layers import INITIALIZERS, LAYERS
from zoo.nn.layers_game import Function
from zoo.nn.layers_grouped import GroupedConv2D
from zoo.spec.plan import FUNCTION, LayerCall, Plan
from zoo.spec.shapes import Shape
from zoo.spec.types import Part


def build(
    plan: Plan,
    *,
    name: str | None = None,
    layers: dict[str, keras.layers.Layer] | None = None,
    taps: Iterable[str] = (),
) -> keras.Model:
    """Build the network of a plan, with fresh weights that follow from Keras's random seed.

    Args:
        plan: The checked plan.
        name: The network's name; by default that of the plan.
        layers: Layers by `layer_name` that are shared with other networks; new ones are added to it.
        taps: Names of tensors, see `Plan.tensors`, that the model returns besides its outputs.

    Returns:
        A model from a dict of inputs [B, ...] to a dict of its outputs, in the order of `plan.outputs`, and of `taps`.

    Raises:
        SpecError: With file:line:column, when Keras refuses a layer.
    """
    tensors: dict[int, Any] = {
        number: keras.Input(shape=_shape(plan, shape), name=name, dtype=plan.id_types.get(name, keras.config.floatx()))
        for number, (name, shape) in enumerate(plan.inputs.items())
    }
    inputs = dict(zip(plan.inputs, tensors.values(), strict=True))
    layers = {} if layers is None else layers
    for step in plan.steps:
        sources = [tensors[i] for i in step.inputs]
        try:
            key = layer_name(step)
            if key not in layers:
                layers[key] = _layer(step)
            tensors[step.output] = layers[key](sources if len(sources) > 1 else sources[0])
        except (ValueError, TypeError, ArithmeticError) as error:
            reason = " ".join(str(error).split())
            raise SpecError(f"{step.place}: {step.where}: Keras refuses it: {reason}") from error
    wanted = {key: plan.tensors[key][0] for key in (*plan.outputs, *taps)}
    return keras.Model(inputs, {key: tensors[number] for key, number in wanted.items()}, name=name or plan.name)


def _shape(plan: Plan, shape: Shape) -> tuple[int | None, ...]:
    """Return the shape of an input: a given network takes pictures of any size."""
    return (None, None, shape[-1]) if plan.given else shape


def build_all(plans: Mapping[str, Plan], taps: Mapping[str, Iterable[str]] | None = None) -> dict[str, keras.Model]:
    """Build every network of a spec.

    Args:
        plans: The plans by name.
        taps: Names of tensors that each network returns besides its outputs, by network.

    Returns:
        The networks by name, in the order of the plans.
    """
    return {name: build(plan, taps=(taps or {}).get(name, ())) for name, plan in plans.items()}


def layer_name(step: LayerCall) -> str:
    """Return the name of the Keras layer of a layer call.

    Args:
        step: The layer call of a plan.

    Returns:
        A name that is unique in its network, such as conv2d_3.
    """
    return f"{step.layer.lower()}_{step.output}"


def _layer(step: LayerCall) -> keras.layers.Layer:
    if step.layer == FUNCTION:
        return Function(**step.args, name=layer_name(step))
    layer = LAYERS.get(step.layer) if step.layer in LAYERS else getattr(keras.layers, step.layer)
    if step.layer == "Conv2D" and step.args.get("groups", 1) > 1:
        layer = GroupedConv2D
    return layer(**{key: _argument(key, value) for key, value in step.args.items()}, name=layer_name(step))


def _argument(key: str, value: Any) -> Any:
    if key.endswith("_initializer") and value is not None:
        part = Part.of(value)
        known = INITIALIZERS.get(part.name) if part.name in INITIALIZERS else getattr(keras.initializers, part.name)
        return known(**part.args)
    return tuple(_argument("", item) for item in value) if isinstance(value, list) else value
