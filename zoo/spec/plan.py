"""A checked network as a flat list of layer calls, from which `zoo.nn.networks` builds the Keras model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.spec.diagnostics import Place
from zoo.spec.shapes import RULES, Cost, Shape

_LINEAR = (
    "dense",
    "conv2d",
    "conv2d_transpose",
    "depthwise_conv2d",
    "separable_conv2d",
    "maxout",
    "conv1d",
    "conv1d_transpose",
    "separable_conv1d",
)  # rules of layers that are linear without an activation
FUNCTION = "Function"  # the layer that stands for a function of a game; no word of the language
# layers whose result for an example depends on the others in the batch
MIXES_ROWS = ("MinibatchStdDev", "MinibatchDiscrimination")
READS_WORDS = ("BagOfWords", "Embedding")  # layers of ids of words
BATCH_NORMS = ("BatchNormalization", "ConditionalBatchNormalization")  # layers with statistics of the batch


@dataclass(frozen=True)
class LayerCall:
    """One layer, called once in a network.

    Tensors have numbers: 0, 1, ... are the network's inputs, the others the outputs of layer calls.

    Attributes:
        layer: The name of its class, such as Conv2D.
        args: Its arguments as the spec states them, defaults of the network included.
        inputs: The numbers of the tensors that it takes.
        output: The number of the tensor that it returns.
        cost: The shape of that tensor, trainable weights and multiply-adds.
        place: Its file, line and column.
        where: Its path in the spec, such as networks.generator.layers[3].Conv2DTranspose.
    """

    layer: str
    args: Mapping[str, Any]
    inputs: tuple[int, ...]
    output: int
    cost: Cost
    place: Place
    where: str


@dataclass(frozen=True)
class Plan:
    """A checked network: its inputs, its layer calls in order, its outputs. Shapes have no batch axis.

    Attributes:
        name: The name of the network, such as generator.
        inputs: The shapes of its inputs, by name; their tensors have the numbers 0, 1, ...
        steps: The layer calls, each after those whose outputs it takes.
        output_name: The name of its output, such as image; of several, that of the first.
        output: The number of that output's tensor.
        output_shape: The shape of that output.
        named_tensors: The numbers of the tensors that the spec names with `as`.
        further_outputs: The number and the shape of each output after the first, by name.
        given: The package that it comes from with its weights, see `zoo.spec.given_networks`; then its inputs may have
            any height and width. Empty for a network of the spec's own layers.
    """

    name: str
    inputs: Mapping[str, Shape]
    steps: tuple[LayerCall, ...]
    output_name: str
    output: int
    output_shape: Shape
    named_tensors: Mapping[str, int] = field(default_factory=dict)
    further_outputs: Mapping[str, tuple[int, Shape]] = field(default_factory=dict)
    given: str = ""

    @property
    def outputs(self) -> dict[str, tuple[int, Shape]]:
        """The number and the shape of every output, by name."""
        return {self.output_name: (self.output, self.output_shape), **self.further_outputs}

    @property
    def tensors(self) -> dict[str, tuple[int, Shape]]:
        """The number and the shape of what can be named from outside: every output, and every tensor with a name."""
        shapes = dict(enumerate(self.inputs.values())) | {step.output: step.cost.shape for step in self.steps}
        return {name: (number, shapes[number]) for name, number in self.named_tensors.items()} | self.outputs

    @property
    def id_types(self) -> dict[str, str]:
        """The types of the inputs that are no floats: class ids, int64 [], and ids of words, int32 [longest], which are
        read by layers of ids."""
        read = {number for step in self.steps if step.layer in READS_WORDS for number in step.inputs}
        numbered = enumerate(self.inputs.items())
        return {name: "int32" if shape else "int64" for i, (name, shape) in numbered if i in read or not shape}

    @property
    def parameters(self) -> int:
        """The number of trainable weights."""
        return sum(step.cost.parameters for step in self.steps)

    @property
    def macs(self) -> int:
        """The number of multiply-adds for one example."""
        return sum(step.cost.macs for step in self.steps)

    @property
    def activations(self) -> int:
        """The number of values that one example leaves for the backward pass."""
        return sum(math.prod(step.cost.shape) for step in self.steps)

    @property
    def last_activation(self) -> str:
        """The non-linearity of the first output, see `activation_of`."""
        return self.activation_of(self.output)

    def computes(self, tensor: int) -> LayerCall | None:
        """Return the layer call whose numbers a tensor holds, where layers that only rearrange them do not count.

        Args:
            tensor: Its number.

        Returns:
            The call; None for an input.
        """
        step = next((s for s in self.steps if s.output == tensor), None)
        while step is not None and step.layer in ("Reshape", "Flatten", "Identity", "Cropping2D", "Permute"):
            step = next((s for s in self.steps if s.output == step.inputs[0]), None)
        return step

    def activation_of(self, tensor: int) -> str:
        """Return the non-linearity of a tensor.

        Args:
            tensor: Its number.

        Returns:
            'tanh', 'sigmoid', ... or 'linear'; 'unknown' behind a merge or a norm.
        """
        step = self.computes(tensor)
        if step is None:
            return "unknown"
        if step.layer in ("ReLU", "LeakyReLU", "ELU", "Softmax", "PReLU"):
            return step.layer.lower()
        if "activation" in step.args or (step.layer != FUNCTION and RULES[step.layer].__name__ in _LINEAR):
            return step.args.get("activation") or "linear"
        return "unknown"


def upstream(plan: Plan, tensors: int | Iterable[int], given: Iterable[int] = ()) -> list[LayerCall]:
    """Return the steps that compute one tensor, or several, from the inputs and the tensors `given`, in order."""
    given = set(given)
    wanted, found = ({tensors} if isinstance(tensors, int) else set(tensors)) - given, []
    for step in reversed(plan.steps):
        if step.output in wanted:
            found.append(step)
            wanted |= set(step.inputs) - given
    return found[::-1]
