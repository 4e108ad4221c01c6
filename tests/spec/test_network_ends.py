"""The ends of networks: several outputs, and inputs that have the shape of another network's output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.core.errors import SpecError
from zoo.spec.read import Spec, read_spec

HEAD = "name: tested\ntitle: Tested\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Spec]:
    """Reads a spec of this text."""

    def put(text: str) -> Spec:
        path = tmp_path / "spec.yaml"
        path.write_text(HEAD + text, "utf-8")
        return read_spec(path)

    return put


def network(output: str, *, inputs: str = "{image: [8, 8, 3]}", layers: str = "") -> str:
    layers = layers or "[{Flatten: , as: flat}, {Dense: {units: 5}, as: classes}, {from: flat}, {Dense: {units: 1}}]"
    return f"networks:\n  net:\n    inputs: {inputs}\n    output: {output}\n    layers: {layers}\n"


def test_several_outputs_by_a_mapping(read: Callable[[str], Spec]) -> None:
    plan = read(network("{logits: x, labels: classes, features: flat}")).plans["net"]
    assert plan.outputs == {"logits": (3, (1,)), "labels": (2, (5,)), "features": (1, (192,))}
    assert (plan.output_name, plan.output, plan.output_shape) == ("logits", 3, (1,))
    assert plan.tensors == {"flat": (1, (192,)), "classes": (2, (5,)), **plan.outputs}


def test_several_outputs_by_names_of_the_layers(read: Callable[[str], Spec]) -> None:
    layers = "[{Flatten: , as: flat}, {Dense: {units: 5}, as: classes}, {from: flat}, {Dense: {units: 1}, as: logits}]"
    plan = read(network("[logits, classes]", layers=layers)).plans["net"]
    assert plan.outputs == {"logits": (3, (1,)), "classes": (2, (5,))}


def test_one_output_is_the_running_tensor(read: Callable[[str], Spec]) -> None:
    plan = read(network("logits", layers="[{Flatten: , as: flat}, {Dense: {units: 1}, as: logits}]")).plans["net"]
    assert plan.outputs == {"logits": (2, (1,))} and plan.further_outputs == {}
    assert plan.tensors == {"logits": (2, (1,)), "flat": (1, (192,))}


TRUNK = """data: {source: digits}
latent: {z: {normal: {shape: [7]}}}
networks:
  head: {inputs: {h: trunk, z: z}, output: logits, layers: [Flatten, {Concatenate: , from: [x, z]}, Dense: {units: 1}]}
  trunk: {inputs: image, output: features, layers: [{Flatten: , as: flat}, {Dense: {units: 9}}]}
"""


def test_an_input_with_the_shape_of_another_network(read: Callable[[str], Spec]) -> None:
    """The order does not matter; a latent, a field, or a tensor of that network may be named too."""
    assert list(read(TRUNK).plans) == ["head", "trunk"]
    shapes = {"trunk": (9,), "trunk.features": (9,), "trunk.flat": (64,), "z": (7,), "image": (8, 8, 1)}
    for name, shape in shapes.items():
        assert read(TRUNK.replace("h: trunk", f"h: {name}")).plans["head"].inputs == {"h": shape, "z": (7,)}


def test_each_input_of_a_mapping_says_its_shape_in_its_own_way(read: Callable[[str], Spec]) -> None:
    """By numbers, or by a network, one of its tensors, a latent or a field: side by side."""
    many = "{seen: image, h: trunk, flat: trunk.flat, more: [4], like: z, z: z}"
    text = TRUNK.replace("inputs: {h: trunk, z: z}", f"inputs: {many}")
    text = text.replace("from: [x, z]", "from: [x, h, flat, more, like, z]")
    shapes = {"seen": (8, 8, 1), "h": (9,), "flat": (64,), "more": (4,), "like": (7,), "z": (7,)}
    assert read(text).plans["head"].inputs == shapes


MISTAKES = {
    "an output of no name": (network("[logits]"), 6, "no layer is named 'logits' by `as`. Known: flat, classes, x."),
    "a slip": (network("{logits: flatt}"), 6, "no layer is named 'flatt' by `as`. Did you mean 'flat'?"),
    "twice": (network("[flat, flat]"), 6, "'flat' is listed twice"),
    "the running tensor in a list": (network("[x, flat]"), 6, "give it a name, {image: x}"),
    "no output": (network("[]"), 6, "a network needs at least one output"),
    "a name of another tensor": (network("flat"), 6, "'flat' is the name of another tensor already: line 7"),
    "an input as output": (network("{logits: x, same: h}", layers="[{as: h}, Flatten, Dense: {units: 1}]"), 7,
                           "the output 'same' is an input: no layer comes between"),
    "logits behind a sigmoid": (
        network("{classes: y, logits: x}",
                layers="[Flatten, {Dense: {units: 2}, as: y}, Dense: {units: 1, activation: sigmoid}]"),
        6, "logits are the values before the sigmoid"),
    "a layer beside all outputs": (network("{logits: x}"), 7, "Dense: feeds nothing"),
    "a circle": (TRUNK.replace("inputs: image", "inputs: {image: head}"), 7, "in a circle: head -> trunk -> head"),
    "itself": (TRUNK.replace("h: trunk", "h: head"), 6, "in a circle: head -> head"),
    "no such network": (TRUNK.replace("h: trunk", "h: trnk"), 6, "neither a network, a latent nor a field"),
    "no such tensor": (TRUNK.replace("h: trunk", "h: trunk.flatt"), 6, "Did you mean 'flat'?"),
    "which output": (TRUNK.replace("output: features", "output: {features: x, flat: flat}"), 6,
                     "trunk has the outputs features, flat: write trunk.features or trunk.flat"),
    "a field of another shape": (TRUNK.replace("h: trunk", "image: trunk"), 6,
                                 "'image' is [8, 8, 1] in this spec, received [9]"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_located(read: Callable[[str], Spec], case: str) -> None:
    text, line, message = MISTAKES[case]
    with pytest.raises(SpecError) as caught:
        read(text)
    found = [row for row in str(caught.value).splitlines() if message in row]
    assert len(found) == 1 and f"spec.yaml:{line}:" in found[0], str(caught.value)


def test_a_mistake_in_one_network_is_not_repeated_at_those_that_take_its_shape(read: Callable[[str], Spec]) -> None:
    with pytest.raises(SpecError) as caught:
        read(TRUNK.replace("{units: 9}", "{units: 0}"))
    assert len(str(caught.value).splitlines()) == 1 and "units" in str(caught.value)
