"""A network that is known to fit together, as a flat list of layer calls, which `zoo.nn.networks` builds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.spec.diagnostics import Place
from zoo.spec.shapes import RULES, Cost, Shape


@dataclass(frozen=True)
class LayerCall:
    """One layer of a network. `inputs` are tensor numbers: 0.. are the network's inputs, the others earlier steps."""

    layer: str
    args: Mapping[str, Any]
    inputs: tuple[int, ...]
    output: int
    cost: Cost
    place: Place
    where: str


@dataclass(frozen=True)
class Plan:
    """A network that is known to fit together: what goes in, the steps, what comes out.

    `named_tensors` are the numbers of the tensors that the spec names with `as`.
    """

    name: str
    inputs: Mapping[str, Shape]
    steps: tuple[LayerCall, ...]
    output_name: str
    output: int
    output_shape: Shape
    named_tensors: Mapping[str, int] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Trainable weights."""
        return sum(step.cost.parameters for step in self.steps)

    @property
    def macs(self) -> int:
        """Multiply-adds for one example."""
        return sum(step.cost.macs for step in self.steps)

    @property
    def activations(self) -> int:
        """Numbers that one example leaves behind for the backward pass."""
        return sum(math.prod(step.cost.shape) for step in self.steps)

    @property
    def last_activation(self) -> str:
        """The non-linearity of the output: 'tanh', 'sigmoid', ... or 'linear'; 'unknown' behind a merge or a norm."""
        step = next((s for s in self.steps if s.output == self.output), None)
        while step is not None and step.layer in ("Reshape", "Flatten", "Identity", "Cropping2D", "Permute"):
            step = next((s for s in self.steps if s.output == step.inputs[0]), None)
        if step is None:
            return "unknown"
        if step.layer in ("ReLU", "LeakyReLU", "ELU", "Softmax", "PReLU"):
            return step.layer.lower()
        if "activation" in step.args or RULES[step.layer].__name__ in ("dense", "conv2d", "conv2d_transpose", "maxout"):
            return step.args.get("activation") or "linear"
        return "unknown"
