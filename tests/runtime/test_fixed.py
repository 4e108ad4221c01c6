"""Classes and codes by name: several labels, a categorical code and a number, fixed for all rows or for every row."""

import json
from dataclasses import replace

import numpy as np
import onnx_nets as nets
import pytest
from live import Live
from onnx import TensorProto, helper

import zoo
from zoo.artifact.manifest import read_manifest
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError
from zoo.runtime import priors

BODIES, MOUTHS = ("dome", "egg", "cube"), ("smile", "fang")
INPUTS = (
    nets.Z,
    Tensor("slant", "float32", ("batch", 1), prior={"uniform": {"low": -1.0, "high": 1.0}}),
    Tensor("body", "int64", ("batch",), classes=BODIES),
    Tensor("mouth", "int64", ("batch",), classes=MOUTHS),
)


def net():
    """The network returns what it is fed: the first number of z, slant, body, mouth, as point [batch, 4]."""
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Slice", ["z", "begin", "end", "axis"], ["first"])]
    for name in ("body", "mouth"):
        nodes += [
            helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"{name}_f", "axis"], [f"{name}_2"]),
        ]
    nodes.append(helper.make_node("Concat", ["first", "slant", "body_2", "mouth_2"], ["point"], axis=1))
    numbers = {"begin": 0, "end": 1, "axis": 1}
    constants = [onnx_constant(name, number) for name, number in numbers.items()]
    types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    inputs = [value(t.name, types[t.dtype], list(t.shape)) for t in INPUTS]
    return nets.model(nodes, inputs, value("point", TensorProto.FLOAT, ["batch", 4]), constants)


def onnx_constant(name, number):
    return helper.make_tensor(name, TensorProto.INT64, [1], [number])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    output = Tensor("point", "float32", ("batch", 4), layout="NC")
    manifest = nets.describe(*INPUTS, output=output, name="menus")
    return nets.save(tmp_path_factory.mktemp("artifact") / "menus", net(), manifest)


@pytest.fixture(scope="module")
def menus(folder):
    return zoo.load(folder)


def test_what_is_fixed_arrives_and_leaves_the_rest_as_it_is_drawn(menus):
    free = menus.sample(40, seed=3)
    fixed = menus.sample(40, seed=3, body="egg", slant=0.5)
    assert (fixed[:, 2] == 1).all() and (fixed[:, 1] == 0.5).all()
    np.testing.assert_array_equal(fixed[:, [0, 3]], free[:, [0, 3]])
    assert set(free[:, 2]) == {0, 1, 2} and set(free[:, 3]) == {0, 1} and len(set(free[:, 1])) == 40
    assert np.array_equal(free[:, 2], priors.labels(priors.stream(3, "body"), 40, classes=3))


@pytest.mark.parametrize(
    ("given", "column", "rows"),
    [
        ({"body": ["cube", "dome", "egg"]}, 2, [2, 0, 1]),
        ({"body": [0, 2, 0]}, 2, [0, 2, 0]),
        ({"mouth": np.int32(1)}, 3, [1, 1, 1]),
        ({"slant": [-1, 0, 1]}, 1, [-1, 0, 1]),
        ({"slant": [[-1], [0], [1]]}, 1, [-1, 0, 1]),
        ({"slant": [0.25]}, 1, [0.25] * 3),
        ({"slant": 7}, 1, [7] * 3),  # beyond its prior, on purpose
        ({"z": np.zeros(8)}, 0, [0, 0, 0]),
        ({"z": np.tile(np.arange(3.0)[:, None], 8)}, 0, [0, 1, 2]),
        ({"body": None, "slant": 0}, 1, [0, 0, 0]),
    ],
)
def test_a_value_is_for_all_rows_or_for_every_row(menus, given, column, rows):
    assert menus.sample(3, **given)[:, column].tolist() == rows
    with menus.seeded(0) as draw:
        assert draw.sample(3, **given)[:, column].tolist() == rows
    assert np.concatenate(list(menus.batches(3, **given)))[:, column].tolist() == rows


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bodi": 1}, "menus has no input 'bodi'. Did you mean 'body'"),
        ({"body": "dom"}, "menus has no body 'dom'. Did you mean 'dome'"),
        ({"label": 1}, "name one of body=, mouth="),
        ({"body": 3}, "class ids lie in 0..2"),
        ({"body": [0, 1]}, "body must be one class or 3 of them"),
        ({"slant": "steep"}, "slant must be a number"),
        ({"slant": [1, 2]}, r"slant must be a number, or float32 \[1\] or \[3, 1\], received int64 \[2\]"),
        ({"slant": float("nan")}, "must be finite"),
        ({"z": [1, 2, 3]}, r"z must be a number, or float32 \[8\]"),
        ({"z": [[1], [2, 3]]}, "'z' is not an array"),
    ],
)
def test_a_wrong_value_is_named(menus, given, message):
    for draw in (menus.sample, menus.latents, menus.batches):
        with pytest.raises(ServeError, match=message):
            draw(3, **given)


def test_a_walk_holds_all_classes_and_what_is_fixed(menus):
    first = menus.sample(1, seed=5)[0]
    frames = menus.walk(12, seed=5, stops=3, slant=0.5, mouth="fang")
    assert (frames[:, 1:] == [0.5, first[2], 1]).all() and len(set(frames[:, 0])) == 12
    np.testing.assert_array_equal(frames[::4], menus.sample(3, seed=5, slant=0.5, mouth=1, body=int(first[2])))
    sums = menus.arithmetic([0], [0], [0], seed=5, n=4, slant=-0.5)
    assert (sums[:, 1:] == [-0.5, first[2], first[3]]).all() and sums[0, 0] == pytest.approx(first[0])


def test_the_manifest_states_all_labels_in_a_version_of_its_own(folder):
    manifest = read_manifest(folder)
    assert json.loads(manifest.to_json())["manifest_version"] == 5
    assert [tensor.classes for tensor in manifest.inputs] == [(), (), BODIES, MOUTHS]
    import onnx

    (metadata,) = [p.value for p in onnx.load(folder / manifest.file).metadata_props if p.key == "gan.classes"]
    assert json.loads(metadata) == {"body": list(BODIES), "mouth": list(MOUTHS)}


def test_a_single_label_of_another_name_is_the_label(tmp_path):
    manifest = nets.describe(nets.Z, nets.LABEL, name="one")
    generator = zoo.load(nets.save(tmp_path / "one", nets.images(label=True), manifest))
    np.testing.assert_array_equal(generator.sample(4, label="bag"), generator.sample(4, **{"label": 1}))
    assert json.loads(manifest.to_json())["manifest_version"] == 1  # as before


def test_a_class_is_given_once(tmp_path):
    """`label` stands for the only input with classes, whatever its name: one of two values would be lost."""
    net = nets.images(label=True)
    for names in ([net.graph.input[1]], net.graph.node):
        for one in names:
            if getattr(one, "name", "") == "label":
                one.name = "digit"
            if hasattr(one, "input"):
                one.input[:] = ["digit" if name == "label" else name for name in one.input]
    manifest = nets.describe(nets.Z, replace(nets.LABEL, name="digit"), name="one")
    generator = zoo.load(nets.save(tmp_path / "one", net, manifest))
    np.testing.assert_array_equal(generator.sample(2, label=1), generator.sample(2, digit=1))
    np.testing.assert_array_equal(generator.sample(2, label=None, digit=1), generator.sample(2, digit=1))
    for draw in (generator.sample, generator.latents, generator.walk, generator.interpolate):
        with pytest.raises(ServeError, match=r"^digit is given twice: label stands for it"):
            draw(4, label=0, digit=1)
    with Live(tmp_path) as server:
        body = {"label": 0, "inputs": {"digit": 1}}
        code, _, told = server.ask("POST", "/models/one/sample", body)
    assert code == 400 and b"digit is given twice" in told
