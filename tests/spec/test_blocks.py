"""Blocks with parameters, and arithmetic with `$names`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.core.errors import SpecError
from zoo.spec.arithmetic import CalculationError, calculate, is_arithmetic
from zoo.spec.plan import Plan
from zoo.spec.read import read_spec

Read = Callable[..., Plan]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the plan of a network `net` on an input `a` [8, 8, 4], of these layers and blocks."""

    def put(layers: str, blocks: str = "{}") -> Plan:
        text = f"name: a\ntitle: T\nblocks: {blocks}\nnetworks:\n  net:\n    inputs: {{a: [8, 8, 4]}}\n    output: y\n"
        path = tmp_path / "spec.yaml"
        path.write_text(f"{text}    layers: {layers}\n", "utf-8")
        return read_spec(path).plans["net"]

    return put


RESIDUAL = """
  residual:
    with: [filters, {size: 3}]
    layers:
      - as: shortcut
      - Conv2D: {filters: $filters * 2, kernel_size: $size, padding: same}
      - Conv2D: {filters: $filters, kernel_size: 1}
      - Add:
        from: [shortcut, x]
  down:
    with: [filters]
    layers:
      - as: shortcut
      - residual: {filters: $filters}
      - AveragePooling2D: {pool_size: 2}
      - Conv2D: {filters: $filters * 2, kernel_size: 1}
"""


def test_a_block_is_its_layers_with_its_parameters(read: Read) -> None:
    plan = read("[{residual: {filters: 4}}, {residual: {filters: 4, size: 1}}]", RESIDUAL)
    assert [step.layer for step in plan.steps] == ["Conv2D", "Conv2D", "Add"] * 2
    assert [step.args.get("filters") for step in plan.steps[:2]] == [8, 4]
    assert [step.args["kernel_size"] for step in plan.steps[::3]] == [3, 1]
    assert plan.steps[2].inputs == (0, 2) and plan.steps[5].inputs == (3, 5)
    assert plan.steps[3].where == "networks.net.layers[1].residual.layers[1].Conv2D"


def test_blocks_hold_blocks_and_names_are_their_own(read: Read) -> None:
    plan = read("[{down: {filters: 4}, as: half}, {down: {filters: 8}, as: shortcut}, Flatten]", RESIDUAL)
    assert plan.output_shape == (2 * 2 * 16,) and plan.named_tensors == {"half": 5, "shortcut": 10}


def test_a_block_in_a_repeat_and_without_parameters(read: Read) -> None:
    blocks = (
        "{act: {layers: [ReLU]}, wide: {with: [n], layers: [act, Conv2D: {filters: ($n + 1) * 2, kernel_size: 1}]}}"
    )
    plan = read("[{repeat: {n: [1, 3]}, layers: [{wide: {n: $n * 10}}]}]", blocks)
    assert [step.layer for step in plan.steps] == ["ReLU", "Conv2D"] * 2
    assert [step.args["filters"] for step in plan.steps[1::2]] == [22, 62]


def test_a_block_sees_the_names_around_it(read: Read) -> None:
    blocks = "{join: {with: [skip], layers: [{Concatenate: , from: [x, $skip]}]}}"
    assert read("[{as: first}, ReLU, {join: {skip: first}}]", blocks).output_shape == (8, 8, 8)


MISTAKES = {
    "a parameter is missing": ("[residual]", "'filters' is missing. It is a parameter of the block 'residual'"),
    "an unknown parameter": ("[{residual: {filters: 4, siz: 1}}]", "unknown parameter 'siz'. Did you mean 'size'?"),
    "no mapping": ("[{residual: 4}]", "expected a mapping of parameters, received 4"),
    "a misspelt block": ("[{residul: {filters: 4}}]", "unknown layer or block 'residul'. Did you mean 'residual'?"),
    "several inputs": ("[{as: b}, ReLU, {residual: {filters: 4}, from: [b, x]}]", "a block goes on from one tensor"),
    "a shape": ("[{residual: {filters: 3}}]", "residual.layers[3].Add: inputs must have the same shape"),
    "an inner name": ("[{residual: {filters: 4}}, ReLU, {from: shortcut}]", "nothing above is named 'shortcut'"),
    "not a number": ("[{residual: {filters: four}}]", "$filters is 'four', and not a number"),
    "by zero": ("[{repeat: {n: [0]}, layers: [Dense: {units: 8 / $n}]}]", "'8 / $n': a division by zero"),
    "no integer": ("[{repeat: {n: [3]}, layers: [Dense: {units: $n / 2}]}]", "units: expected an integer at least 1"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(read: Read, case: str) -> None:
    layers, message = MISTAKES[case]
    with pytest.raises(SpecError) as caught:
        read(layers, RESIDUAL)
    assert message in str(caught.value) and len(str(caught.value).splitlines()) <= 2


BROKEN = {
    "a circle": (
        "{one: {layers: [two]}, two: {layers: [one]}}",
        "the blocks use each other in a circle: one -> two -> one",
    ),
    "no layer": ("{one: {layers: []}}", "blocks.one.layers: a block needs at least one layer"),
    "no layers": ("{one: {with: [n]}}", "blocks.one: 'layers' is missing"),
    "twice": ("{one: {with: [n, {n: 3}], layers: [ReLU]}}", "blocks.one.with: 'n' is listed twice"),
    "a word of the language": ("{repeat: {layers: [ReLU]}}", "blocks: 'repeat' has a meaning of its own"),
    "the name of a layer": ("{Dense: {layers: [ReLU]}}", "'Dense' is not a good name"),
    "an unknown name": ("{one: {with: [n], layers: [Dense: {units: $m}]}}", "unknown variable '$m'. Known here: n."),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_blocks(read: Read, case: str) -> None:
    blocks, message = BROKEN[case]
    with pytest.raises(SpecError) as caught:
        read("[{one: {n: 3}}]" if "$m" in blocks else "[one]", blocks)
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [
    ("$n * 2", 14), ("2*$n-1", 13), ("$n // 2", 3), ("$n / 2", 3.5), ("($n + 1) / 2", 4), ("-$n + 10", 3),
    ("${n}*${m}", 3.5), ("$n - 1 - 1", 5), ("$n - (1 - 1)", 7), ("1e2 * $n", 700.0), ("$n * -1", -7),
])  # fmt: skip
def test_arithmetic(text: str, value: float) -> None:
    assert is_arithmetic(text)
    found = calculate(text, {"n": 7, "m": 0.5})
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["$n", "skip$n", "a-$n", "2 * 3", "$n.5", "", "$n ** 2x", "${n"])
def test_words_are_not_arithmetic(text: str) -> None:
    assert not is_arithmetic(text)


@pytest.mark.parametrize(
    "text", ["$n *", "$n 2 + 1", "(1 + $n", "1 + $n)", "$n // 0", "* $n", "1e15 * $n", "(" * 200 + "$n"]
)
def test_what_cannot_be_calculated(text: str) -> None:
    with pytest.raises(CalculationError):
        calculate(text, {"n": 7})
