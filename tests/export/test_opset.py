"""Operators of another version: the same outputs to the last bit, in a copy that says what was done; or a refusal."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_nets as nets
import pytest
from onnx import TensorProto, helper, numpy_helper

import zoo
from zoo import cli
from zoo.artifact.manifest import read_manifest, read_manifests
from zoo.artifact.scores import read_scores
from zoo.core.errors import UsageError
from zoo.core.files import sha256_file
from zoo.export import opset, opset_copy
from zoo.export.precision import add_variant
from zoo.report.card import markdown, write_card
from zoo.runtime.session import open_session
from zoo.spec.read import read_spec

ROOT = Path(__file__).parents[2]
IMAGES = np.random.RandomState(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
FACTORS, PADS = np.float32([1, 1, 2, 3]), np.int64([0, 0, 1, 2, 0, 0, 0, 1])


def net(kind, version, inputs=(), arrays=None, **attributes):
    """A graph of one operator on images [b, 3, 4, 4]."""
    value = helper.make_tensor_value_info
    tensors = [numpy_helper.from_array(array, name) for name, array in (arrays or {}).items()]
    node = helper.make_node(kind, ["x", *inputs], ["y"], name="one", **attributes)
    x, y = value("x", TensorProto.FLOAT, ["b", 3, 4, 4]), value("y", TensorProto.FLOAT, ["b", *"cde"])
    graph = helper.make_graph([node], "net", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def run(model):
    return open_session(model.SerializeToString(), source="net").run(None, {"x": IMAGES})[0]


def changed(model, version):
    """The operators in another opset, which compute the same."""
    before = run(model)
    assert opset.change_opset(model, version, source="net.onnx")
    assert model.opset_import[0].version == version
    model.ir_version = opset.ir_version(version)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(run(model), before)
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    ("kind", "attributes", "lowest"),
    [("Relu", {}, 13), ("LeakyRelu", {"alpha": 0.1}, 13), ("HardSwish", {}, 14), ("Mish", {}, 18)],
)
def test_the_opset_of_an_export_is_the_lowest_that_defines_every_node(kind, attributes, lowest):
    model = net(kind, max(lowest, 17), **attributes)
    before = run(model)
    assert opset.lower_opset(model) == ([f"opset 17 to {lowest}"] if lowest < 17 else [])
    assert model.opset_import[0].version == lowest
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(run(model), before)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        (opset.newest_opset(), "Resize"),
        (12, "Resize"),
        (11, "Resize"),
        (10, "Resize"),
        (9, "Upsample"),
        (7, "Upsample"),
    ],
)
def test_pixels_are_repeated_in_every_version(version, kind):
    model = net("Resize", 13, ["", "factors"], {"factors": FACTORS}, **NEAREST)
    assert changed(model, version) == [kind]


def test_other_ways_of_resizing_are_not_taken_for_it():
    linear = net("Resize", 13, ["", "factors"], {"factors": FACTORS}, mode="linear")
    assert changed(linear, 11) == ["Resize"]
    told = r"^net.onnx: opset 9: Resize \(node 'one'\) has no form in opset 10 .* can have opset 11 to {}$"
    with pytest.raises(UsageError, match=told.format(opset.newest_opset())):
        opset.change_opset(linear, 9, source="net.onnx")


def old_resize(kind, factors, mode, version):
    model = net(kind, version, ["factors"], {"factors": np.float32(factors)}, mode=mode)
    model.ir_version = opset.ir_version(version)
    return model


def test_resizing_goes_down_and_up_again_and_down():
    model = net("Resize", 13, ["", "factors"], {"factors": FACTORS}, **NEAREST)
    for version, kind in ((9, "Upsample"), (13, "Resize"), (9, "Upsample"), (opset.newest_opset(), "Resize")):
        assert changed(model, version) == [kind]


@pytest.mark.parametrize("factors", [FACTORS, [1, 1, 1.5, 1.7]])
@pytest.mark.parametrize(("kind", "version"), [("Upsample", 9), ("Resize", 10)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_the_old_ways_of_resizing_start_at_the_corner(kind, version, mode, factors):
    """The default of opset 11, half a pixel further, moved a linear picture by up to 1.5."""
    model = old_resize(kind, factors, mode, version)
    changed(model, 13)
    assert [node.op_type for node in model.graph.node] == ["Resize"]
    changed(model, version)
    assert [node.op_type for node in model.graph.node] == [kind]


def test_versions_differ_in_the_nearest_pixel_of_a_smaller_picture():
    """Before opset 11 ONNX Runtime rounded it up: 4.8 apart."""
    smaller = np.float32([1, 1, 0.6, 0.6])
    with pytest.raises(UsageError, match=r"Resize \(node 'one'\) has no form in opset 11 "):
        opset.change_opset(old_resize("Resize", smaller, "nearest", 10), 13, source="net.onnx")
    with pytest.raises(UsageError, match=r"Resize \(node 'one'\) has no form in opset 10 "):
        model = net("Resize", 13, ["", "factors"], {"factors": smaller}, **NEAREST)
        opset.change_opset(model, 10, source="net.onnx")
    changed(old_resize("Resize", smaller, "linear", 10), 13)


def test_a_split_states_the_number_of_its_parts():
    model = net("Split", 13, axis=2)
    model.graph.node[0].output.append("rest")
    changed(model, 18)
    (node,) = model.graph.node
    assert {one.name: one.i for one in node.attribute} == {"axis": 2, "num_outputs": 2}


def test_axes_are_counted_from_the_front_where_they_have_to_be():
    for kind, inputs, attributes, front in (
        ("Concat", ["x"], {"axis": -1}, 3),
        ("ReduceMean", [], {"axes": [-1, -3], "keepdims": 1}, [3, 1]),
        ("ArgMax", [], {"axis": -2, "keepdims": 1}, 2),
        ("Flatten", [], {"axis": -3}, 1),
    ):
        model = net(kind, 11, inputs, **attributes)
        if kind == "ArgMax":
            model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
        if kind == "Flatten":
            del model.graph.output[0].type.tensor_type.shape.dim[2:]
        assert changed(model, 10) == [kind]
        found = {one.name: helper.get_attribute_value(one) for one in model.graph.node[0].attribute}
        assert front in (found.get("axis"), found.get("axes"))


@pytest.mark.parametrize("version", [18, 12, 9, 7])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_pads_stand_where_the_version_has_them(version, mode):
    names, arrays = ["pads"], {"pads": PADS}
    if mode == "constant":
        names, arrays = ["pads", "value"], {**arrays, "value": np.float32(-0.5)}
    assert changed(net("Pad", 13, names, arrays, mode=mode), version) == ["Pad"]


def test_axes_are_an_attribute_or_an_input():
    model = net("ReduceMean", 17, axes=[1], keepdims=1)
    assert changed(model, 18) == ["ReduceMean"] and len(model.graph.node[0].input) == 2
    assert changed(model, 11) == ["ReduceMean"] and len(model.graph.node[0].input) == 1
    assert changed(net("ReduceSum", 13, ["axes"], {"axes": np.int64([2])}, keepdims=1), 9) == ["ReduceSum"]


@pytest.mark.parametrize(("axis", "kinds"), [(-1, 1), (3, 1), (1, 3)])
def test_what_means_something_else_is_never_relabelled(axis, kinds):
    """Before opset 13 a Softmax normalised all axes from its own on; at the last one it did what it does now."""
    assert len(changed(net("Softmax", 13, axis=axis), 9)) == kinds
    there = net("Softmax", 13, axis=axis)
    for version in (12, 13, 12, 13):
        changed(there, version)
    told = r"Hardmax \(node 'one'\) has no form in opset 12 "
    with pytest.raises(UsageError, match=told):
        opset.change_opset(net("Hardmax", 13, axis=axis), 9, source="net.onnx")


def test_what_a_version_does_not_have_is_named_with_those_that_do():
    model = net("HardSwish", 17)
    told = r"^net.onnx: opset 11: HardSwish \(node 'one'\) has no form in opset 13 .* can have opset 14 to {}$"
    with pytest.raises(UsageError, match=told.format(opset.newest_opset())):
        opset.change_opset(model, 11, source="net.onnx")
    assert model == net("HardSwish", 17)
    newest = opset.newest_opset()
    for version in (6, 99):
        with pytest.raises(
            UsageError, match=rf"opset {version}: the ONNX Runtime here reads opsets 7 to {newest}; .* 14 to {newest}$"
        ):
            opset.change_opset(model, version, source="net.onnx")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tiny(tmp_path):
    """An artifact of opset 17 without golden vectors and card."""
    return nets.save(tmp_path / "exported" / "tiny", nets.images(), nets.describe())


def convert(folder, version, *more):
    return cli.main(["convert", str(folder), "--opset", str(version), *more])


def opsets(folder):
    return {path.name: onnx.load(path).opset_import[0].version for path in folder.glob("*.onnx")}


def test_a_copy_has_the_opset_in_every_precision_and_says_so(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    add_variant(tiny, "fp16")
    before, old = contents(tiny), read_manifest(tiny)
    assert convert("exported/tiny", 12) == 0 and contents(tiny) == before
    copy = tmp_path / "converted" / "opset12" / "tiny"
    assert opsets(copy) == {"generator.onnx": 12, "generator_fp16.onnx": 12}
    assert {onnx.load(path).ir_version for path in copy.glob("*.onnx")} == {7}
    said = capsys.readouterr().out
    assert said.startswith(
        "converted/opset12/tiny/generator.onnx: opset 17 to 12\nagrees with exported/tiny/generator.onnx"
    )
    assert said.count(" to 0.0e+00 in 6 batches\n") == 2
    new = read_manifest(copy)
    assert new.files == {name: sha256_file(copy / name) for name in old.files}
    assert new.rewritten == {old.files[name]: "opset 17 to 12" for name in ("generator.onnx", "generator_fp16.onnx")}
    assert new.parity == old.parity and new.contract() == old.contract()
    assert new.variants["fp16"] == {**old.variants["fp16"], "bytes": (copy / "generator_fp16.onnx").stat().st_size}
    for precision in ("float32", "fp16"):
        images = zoo.load(copy, precision=precision).sample(9)
        np.testing.assert_array_equal(images, zoo.load(tiny, precision=precision).sample(9))
    assert sorted(path.name for path in copy.parent.iterdir()) == ["tiny"]


def test_there_and_back_again(tiny, tmp_path):
    assert convert(tiny, 13, "--out", str(tmp_path / "first")) == 0
    assert convert(tmp_path / "first" / "tiny", 21, "--out", str(tmp_path / "up")) == 0
    assert convert(tmp_path / "up" / "tiny", 13, "--out", str(tmp_path / "back")) == 0
    first, back = read_manifest(tmp_path / "first" / "tiny"), read_manifest(tmp_path / "back" / "tiny")
    assert first.files == back.files
    lines = {*first.rewritten.values(), *back.rewritten.values()}
    assert lines == {"opset 17 to 13", "opset 21 to 13"} and not {*back.rewritten} & {*back.files.values()}


def test_a_shipped_model_keeps_its_scores_and_gets_a_true_card(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "exported" / "progressive", "exported/progressive")
    (old,) = read_manifests("exported/progressive")
    code = """
import sys
for name in ("tensorflow", "keras", "tf2onnx", "jax", "torch"):
    sys.modules[name] = None
from zoo import cli
raise SystemExit(cli.main(["convert", "exported/progressive", "--opset", "9"]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    copy = Path("converted/opset9/progressive")
    (new,) = read_manifests(copy)
    assert new.rewritten == {**old.rewritten, old.files[old.file]: "opset 13 to 9 (Resize rewritten)"}
    card = (copy / "README.md").read_text("utf-8")
    assert card == markdown([new], read_spec(copy / "spec.yaml"), copy)
    assert f"as SHA-256 `{old.files[old.file][:16]}...`, with the same weights and outputs: opset 13 to 9 (Res" in card
    measured = [(score.protocol["file_sha256"], score.protocol["file"]) for score in read_scores(copy).values()]
    assert measured and all(new.has_weights_of(*one) for one in measured)
    same = contents(Path("exported/progressive")).keys() == contents(copy).keys()
    assert same and (copy / "golden.npz").read_bytes() == (ROOT / "exported/progressive/golden.npz").read_bytes()


def test_one_of_several_networks(tmp_path):
    manifests = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    photos = nets.save_several(tmp_path / "photos", [nets.negative(), nets.negative()], manifests)
    assert convert(photos, 13, "--network", "b_to_a", "--out", str(tmp_path / "one")) == 0
    assert opsets(tmp_path / "one" / "photos") == {"a_to_b.onnx": 17, "b_to_a.onnx": 13}
    first, second = read_manifests(tmp_path / "one" / "photos")
    assert not first.rewritten and [*second.rewritten.values()] == ["opset 17 to 13"]
    assert convert(tmp_path / "one" / "photos", 13, "--out", str(tmp_path / "both")) == 0  # the other one was left
    assert opsets(tmp_path / "both" / "photos") == {"a_to_b.onnx": 13, "b_to_a.onnx": 13}


def test_words_of_an_edited_card_are_not_lost_in_silence(tiny, tmp_path, capsys):
    (tiny / "README.md").write_text("# Mine\n")
    assert convert(tiny, 13, "--out", str(tmp_path / "new")) == 0
    assert (
        f"{tiny / 'README.md'}: was edited by hand; what it says stands in that file alone" in capsys.readouterr().out
    )
    assert not (tmp_path / "new" / "tiny" / "README.md").exists()  # there is no spec to write one from


def test_a_card_that_was_written_elsewhere_is_not_taken_for_an_edited_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(ROOT / "exported" / "vanilla", "one"))
    write_card(folder, place=tmp_path / "a place" / "vanilla")
    assert not opset_copy.copy_in_opset(folder, 17, Path("out")).card_lost
    card = folder / "README.md"
    card.write_text(card.read_text("utf-8").replace("## Use it", "## How I use it"), "utf-8")
    assert opset_copy.copy_in_opset(folder, 17, Path("more")).card_lost


def test_golden_vectors_of_other_sizes_are_compared(tmp_path, capsys):
    photos = nets.save(tmp_path / "photos", nets.negative(), nets.describe_negative())
    square, wide = np.zeros((1, 16, 16, 3), np.float32), np.ones((1, 8, 12, 3), np.float32)
    golden = {"a": square, "b": -square, "a/8x12": wide, "b/8x12": -wide}
    np.savez(photos / "golden.npz", **golden)
    assert convert(photos, 13, "--out", str(tmp_path / "good")) == 0
    assert " in 7 batches" in capsys.readouterr().out
    np.savez(photos / "golden.npz", **{**golden, "b/8x12": wide})
    assert convert(photos, 13, "--out", str(tmp_path / "new")) == 1
    assert "Keras's golden vectors" in capsys.readouterr().err and not (tmp_path / "new").exists()


def hard_swish():
    model = nets.images()
    next(node for node in model.graph.node if node.op_type == "Tanh").op_type = "HardSwish"
    return model


def test_what_cannot_be_converted(tiny, tmp_path, capsys):
    hard = nets.save(tmp_path / "hard", hard_swish(), nets.describe())
    edges = {
        (hard, 13, "--out", "new"): "hard/generator.onnx: opset 13: HardSwish (node '') has no form in opset 13",
        (tiny, 17, "--out", "new"): "tiny: opset 17 is what generator.onnx has already",
        (tiny, 13, "--out", str(tiny.parent)): "tiny exists: name another folder, or remove it",
        (tiny, 13, "--out", str(tiny / "in")): f"lies inside of {tiny}",
        (tiny, 13, "--network", "c"): "there is no network 'c' in it",
        (tmp_path / "nowhere", 13): "nowhere",
    }
    for (folder, version, *more), told in edges.items():
        more = [str(tmp_path / "new") if word == "new" else word for word in more]
        assert convert(folder, version, *more) == 2
        assert told in (err := capsys.readouterr().err) and err.count("\n") == 1
    assert cli.main(["convert", str(tiny), "--precision", "fp16", "--out", "new"]) == 2
    assert "--out goes with --opset" in capsys.readouterr().err
    (tiny / "generator.onnx").write_bytes(b"damaged")
    assert convert(tiny, 13, "--out", str(tmp_path / "new")) == 2
    assert "generator.onnx: missing or changed" in capsys.readouterr().err
    assert not (tmp_path / "new").exists() and not (tiny / "in").exists()
    for flags in ([], ["--opset", "13", "--precision", "fp16"], ["--opset", "x"]):
        with pytest.raises(SystemExit):
            cli.main(["convert", str(tiny), *flags])


def test_a_copy_that_computes_something_else_is_not_kept(tiny, tmp_path, monkeypatch, capsys):
    def wrong(model, version, *, source):
        dense = next(tensor for tensor in model.graph.initializer if tensor.name == "dense")
        dense.CopyFrom(numpy_helper.from_array(np.zeros((8, 96), np.float32), "dense"))
        return ["opset 17 to 13"]

    monkeypatch.setattr(opset_copy, "change_opset", wrong)
    assert convert(tiny, 13, "--out", str(tmp_path / "new")) == 1
    told = "tiny in another opset: the ONNX file differs from the file it is made from by more than 1e-06: batch_1 "
    assert told in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_a_difference_is_added_to_what_was_stated(tiny, tmp_path, monkeypatch, capsys):
    def close(model, version, *, source):
        dense = next(tensor for tensor in model.graph.initializer if tensor.name == "dense")
        values = numpy_helper.to_array(dense).copy()
        values[:, 0] *= np.float32(1 + 2**-22)
        dense.CopyFrom(numpy_helper.from_array(values, "dense"))
        return ["opset 17 to 13"]

    monkeypatch.setattr(opset_copy, "change_opset", close)
    assert convert(tiny, 13, "--out", str(tmp_path / "new")) == 0
    stated, added = read_manifest(tiny).parity, read_manifest(tmp_path / "new" / "tiny").parity
    more = added["max_abs_difference"] - stated["max_abs_difference"]
    assert 1e-8 < more < 1e-6 and f"to {more:.1e} in 6 batches" in capsys.readouterr().out
    cases = {name: value + more for name, value in stated["cases"].items()}
    assert added == {**stated, "max_abs_difference": added["max_abs_difference"], "cases": pytest.approx(cases)}
