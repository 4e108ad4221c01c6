"""A value of a game as one network, with the weights of the networks that it passes through."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from zoo.nn import networks
from zoo.spec.game_plan import Leaving


def joined(value: Leaving, parts: Mapping[str, keras.Model], states: Mapping[str, keras.Variable]) -> keras.Model:
    """Build the network of a value.

    Args:
        value: What leaves.
        parts: Its networks by name, which stay as they are.
        states: The states of the game by name, whose present numbers become constants of the network.

    Returns:
        A new network, which shares nothing with its parts.
    """
    made = networks.build(value.plan)
    for step in value.plan.steps:
        layer = made.get_layer(networks.layer_name(step))
        if step.output in value.origins:
            network, origin = value.origins[step.output]
            layer.set_weights(parts[network].get_layer(networks.layer_name(origin)).get_weights())
        elif layer.weights:
            layer.set_weights([keras.ops.convert_to_numpy(states[name]) for name in step.args["states"]])
    return made
