"""A manifest survives the way to JSON and back; whatever else stands in the file is refused in one line."""

import json
from dataclasses import replace

import pytest
from onnx_nets import IMAGE, LABEL, SIZES, Z, describe, describe_negative, describe_points

from zoo.artifact.artifact_folders import find_artifacts, require_artifact
from zoo.artifact.manifest import Manifest, read_manifest, read_manifests, write_manifests
from zoo.artifact.onnx_header import onnx_metadata
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError, UsageError

FULL = describe(Z, LABEL, files={"generator.onnx": "cd" * 32})


def test_round_trip():
    assert Manifest.from_json(FULL.to_json()) == FULL
    assert FULL.to_json().endswith("}\n") and json.loads(FULL.to_json())["manifest_version"] == 1


def test_contract_is_deterministic_and_leaves_out_what_varies():
    varied = replace(FULL, training={"seconds": 99.0}, parity={}, files={})
    assert varied.contract() == FULL.contract()
    assert replace(FULL, licence="CC0").contract() != FULL.contract()
    assert not {"training", "parity", "files"} & set(json.loads(FULL.contract()))
    assert Manifest.from_json(FULL.contract(), contract=True) == replace(FULL, training={}, parity={}, files={})


def test_metadata_says_it_all_in_strings():
    metadata = onnx_metadata(FULL)
    assert all(isinstance(value, str) for value in metadata.values())
    assert metadata["gan.manifest"] == FULL.contract()
    assert (metadata["gan.value_range"], metadata["gan.layout"], metadata["gan.license"]) == ("-1,1", "NHWC", "MIT")
    assert json.loads(metadata["gan.classes"]) == ["ankle boot", "bag", "coat"]
    assert json.loads(metadata["gan.latent"]) == {"z": {"shape": [8], "prior": {"normal": {}}}}
    plain = onnx_metadata(describe(output=replace(IMAGE, range=None, layout=None)))
    assert not {"gan.classes", "gan.value_range", "gan.layout"} & set(plain)


def edited(**changes):
    keys = json.loads(FULL.to_json()) | changes
    return json.dumps({key: value for key, value in keys.items() if value != "REMOVE"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.json: not JSON"),
        (b"\xff\xfe\xfa", "manifest.json: not JSON"),
        ("[" * 100_000, "manifest.json: not JSON"),
        ("[]", r"manifest.json: manifest must be a JSON object, received \[\]"),
        (
            edited(manifest_version=9),
            "manifest_version must be 1, 2, 3, 4, 5, 6, 7 or 8; a later gan-zoo wrote it: upgrade, received 9",
        ),
        (edited(manifest_version="REMOVE"), "manifest_version must be 1, 2, 3, 4, 5, 6, 7 or 8, received None"),
        (edited(licence="REMOVE"), "manifest lacks the key 'licence'"),
        (edited(license="MIT"), "unknown key 'license'. Did you mean 'licence'?"),
        (edited(title=3), "title must be a string, received 3"),
        (edited(paper=[]), r"paper must be an object with string keys, received \[\]"),
        (edited(files={"a": 1}), "files must be names with SHA-256 strings"),
        (edited(inputs=[]), "inputs must be a list of one or more tensors"),
        (edited(inputs=["z"]), "inputs entry must be an object, received 'z'"),
        (edited(inputs=[{"name": "z"}]), "inputs entry lacks the key 'dtype'"),
    ],
)
def test_wrong_files_are_one_line(text, message):
    with pytest.raises(ServeError, match=message) as caught:
        Manifest.from_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "tensor name must be a non-empty string"),
        ({"dtype": "float64"}, "tensor 'z' dtype must be one of float32, int32, int64, received 'float64'"),
        ({"dtype": "int64"}, "tensor 'z' dtype must be float32, or an integer type for an input with classes"),
        ({"shape": (4, 8)}, "tensor 'z' shape must be 'batch', then sizes above 0"),
        ({"shape": ("batch", 0)}, "shape must be 'batch'"),
        ({"prior": "normal"}, "tensor 'z' prior must be null or"),
        ({"prior": {"normal": {}, "uniform": {}}}, "prior must be null or"),
        ({"classes": "abc"}, "tensor 'z' classes must be distinct names"),
        ({"classes": ("a", "a")}, "classes must be distinct names"),
        ({"classes": ("a", "b"), "dtype": "int64"}, "prior must be null for an input with classes"),
        ({"range": (1, -1)}, r"range must be null or \[low, high\]"),
        ({"range": (-1, float("inf"))}, "range must be null or"),
        ({"layout": "NCHW"}, "layout must be null, NHWC or NC, received 'NCHW'"),
        ({"layout": "NHWC"}, "shape must be one that fits NHWC"),
    ],
)
def test_wrong_tensors(changes, message):
    with pytest.raises(ServeError, match=message):
        replace(Z, **changes)


def test_tensors_take_lists_as_json_has_them():
    assert replace(LABEL, shape=["batch"], classes=["a", "b"]) == Tensor(
        "label", "int64", ("batch",), classes=("a", "b")
    )


def test_wrong_sets_of_tensors():
    with pytest.raises(ServeError, match="outputs must be a list of one or more tensors"):
        replace(FULL, outputs=())
    assert [t.name for t in replace(FULL, outputs=(IMAGE, replace(IMAGE, name="mask"))).outputs] == ["image", "mask"]
    cells = {axis: {"multiple": 1, "minimum": 1, "trained": 4} for axis in ("rows", "columns")}
    mapped = replace(Z, shape=("batch", "rows", "columns", 8), sizes=cells)
    with pytest.raises(ServeError, match="outputs must be with a grid just where a map of latents is drawn"):
        describe(mapped)
    with pytest.raises(ServeError, match="tensor 'z' sizes must be null, or multiple, minimum and trained size"):
        replace(mapped, sizes=None)
    with pytest.raises(ServeError, match=r"tensor names must be all different, received \['image', 'image'\]"):
        describe(replace(Z, name="image"))


def test_numbers_that_json_lacks_are_not_written(tmp_path):
    for training in ({"loss": float("nan")}, {"loss": object()}):
        with pytest.raises(ServeError, match="manifest: JSON cannot hold it"):
            write_manifests(replace(FULL, training=training), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_write_and_read(tmp_path):
    file = write_manifests(FULL, tmp_path)
    assert file == tmp_path / "manifest.json"
    assert read_manifest(tmp_path) == read_manifest(file) == FULL
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]
    with pytest.raises(ServeError, match=r"none/?.*: cannot be read: No such file"):
        read_manifest(tmp_path / "none")


def test_tensor_reads_like_a_sentence():
    assert str(IMAGE) == "image float32 [batch, 8, 8, 3] in [-1, 1]"
    assert str(LABEL) == "label int64 [batch] in 0..2"


def test_the_kind_of_a_model():
    assert (FULL.kind, describe_points().kind, describe_negative().kind) == ("images", "points", "translation")


def test_artifacts_are_found_by_their_manifest(tmp_path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).mkdir()
        write_manifests(FULL, tmp_path / name)
    (tmp_path / "c").mkdir()
    assert find_artifacts(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert find_artifacts(tmp_path / "b") == [tmp_path / "b"]
    assert require_artifact(tmp_path / "a") == tmp_path / "a"
    with pytest.raises(UsageError, match=r"^--artifact: .*/c is not an exported model: it has no manifest\.json$"):
        require_artifact(tmp_path / "c", "--artifact")


ONE, TWO = describe_negative("a_to_b"), replace(describe_negative("b_to_a"), title="The way back")


def test_images_of_any_size_make_version_2():
    lone = describe_negative()
    assert Manifest.from_json(lone.to_json()) == lone and json.loads(lone.to_json())["manifest_version"] == 2
    assert Manifest.from_json(lone.contract(), contract=True).inputs == lone.inputs
    assert str(lone.inputs[0]).endswith("[batch, height, width, 3] in [0, 1], height and width multiples of 4 from 8")
    assert (
        "sizes" not in FULL.to_json() and "network" not in FULL.to_json()
    )  # the others stay as they are, in version 1


def test_height_and_width_may_differ():
    sizes = {"height": SIZES["height"], "width": {"multiple": 1, "minimum": 3, "trained": 16}}
    tensor = replace(describe_negative().inputs[0], sizes=sizes)
    assert tensor.rule() == ", height multiples of 4 from 8, width from 3 up"


def test_several_networks(tmp_path):
    file = write_manifests([ONE, TWO], tmp_path)
    assert read_manifests(tmp_path) == read_manifests(file) == (ONE, TWO)
    assert read_manifest(tmp_path, "b_to_a") == TWO
    assert (ONE.model, ONE.file, ONE.golden) == ("photos_a_to_b", "a_to_b.onnx", "golden_a_to_b.npz")
    assert (FULL.model, FULL.file, FULL.golden) == ("tiny", "generator.onnx", "golden.npz")
    with pytest.raises(ServeError, match=r"holds the networks a_to_b, b_to_a; name one: network=\"a_to_b\""):
        read_manifest(tmp_path)
    with pytest.raises(ServeError, match="no network 'b_to_aa' in it. Did you mean 'b_to_a'. It holds a_to_b, b_to_a"):
        read_manifest(tmp_path, "b_to_aa")


def test_one_network_goes_by_the_name_of_its_file(tmp_path):
    write_manifests(FULL, tmp_path)
    assert read_manifests(tmp_path) == (FULL,) and read_manifest(tmp_path, "generator") == FULL
    with pytest.raises(ServeError, match="no network 'a_to_b' in it. It holds generator"):
        read_manifest(tmp_path, "a_to_b")


HALF = {"file": "generator_fp16.onnx", "bytes": 77, "parity": {"max_abs_difference": 1e-3}}


def test_variants_raise_the_version_where_they_are_and_leave_the_contract_alone(tmp_path):
    varied = replace(FULL, variants={"fp16": HALF})
    assert json.loads(varied.to_json())["manifest_version"] == 3 and Manifest.from_json(varied.to_json()) == varied
    assert varied.contract() == FULL.contract() and "variants" not in json.loads(FULL.to_json())
    assert json.loads(FULL.contract())["manifest_version"] == 1
    assert (varied.file_of(None), varied.file_of("float32")) == ("generator.onnx", "generator.onnx")
    assert varied.file_of("fp16") == "generator_fp16.onnx"
    with pytest.raises(ServeError, match=r"tiny: there is no variant 'int8'\. It has float32, fp16"):
        varied.file_of("int8")
    for manifests, version in (([ONE, TWO], 2), ([replace(ONE, variants={"fp16": HALF}), TWO], 3)):
        file = write_manifests(manifests, tmp_path)
        keys = json.loads(file.read_text())
        assert keys["manifest_version"] == version and read_manifests(tmp_path) == tuple(manifests)
        assert [entry["manifest_version"] for entry in keys["networks"]] == [version, 2]


@pytest.mark.parametrize(
    "variants",
    [
        {"fp16": "generator_fp16.onnx"},
        {"fp16": HALF | {"file": "../generator.onnx"}},
        {"fp16": HALF | {"bytes": 0}},
        {"fp16": HALF | {"parity": None}},
        {"fp16": HALF | {"more": 1}},
    ],
)
def test_wrong_variants(variants):
    with pytest.raises(ServeError, match="variants must be"):
        replace(FULL, variants=variants)


def several(**changes):
    keys = [json.loads(manifest.to_json()) for manifest in (ONE, TWO)]
    return json.dumps({"manifest_version": 2, "networks": keys} | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (several(networks=[]), r"networks must be a list of manifests, received \[\]"),
        (
            several(networks=[json.loads(FULL.to_json())]),
            r"networks must be manifests of different networks, received \[''\]",
        ),
        (several(networks=[json.loads(ONE.to_json())] * 2), "networks must be manifests of different networks"),
        (several(name="photos"), "manifest has an unknown key 'name'"),
    ],
)
def test_wrong_files_of_several_are_one_line(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ServeError, match=message) as caught:
        read_manifests(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path / "manifest.json") in str(caught.value)


def test_a_contract_is_of_one_network():
    with pytest.raises(ServeError, match="unknown key 'networks'"):
        Manifest.from_json(several(), contract=True)


@pytest.mark.parametrize(
    "sizes",
    [
        {"height": SIZES["height"]},
        {"height": SIZES["height"], "width": {"multiple": 4, "minimum": 8}},
        {"height": SIZES["height"], "width": {"multiple": 4, "minimum": 6, "trained": 16}},
        {"height": SIZES["height"], "width": {"multiple": 0, "minimum": 8, "trained": 16}},
        [4, 8],
    ],
)
def test_wrong_sizes(sizes):
    with pytest.raises(ServeError, match="tensor 'a' sizes must be null, or multiple, minimum and trained size"):
        replace(ONE.inputs[0], sizes=sizes)
    with pytest.raises(ServeError, match="tensor 'z' sizes must be null"):
        replace(Z, sizes=SIZES)


def test_named_axes_stand_where_they_belong():
    a, b = ONE.inputs[0], ONE.outputs[0]
    for shape in (("batch", "width", "height", 3), ("batch", "height", 8, 3), ("batch", "height", "width", "c")):
        with pytest.raises(ServeError, match="shape must be 'batch', then sizes above 0"):
            replace(a, shape=shape, sizes=None)
    with pytest.raises(ServeError, match="inputs must be images of one rule for their sizes"):
        describe(replace(a, sizes=None), output=b)
    with pytest.raises(ServeError, match="outputs must be of fixed sizes, as the inputs are"):
        describe(Z, output=b)
    with pytest.raises(ServeError, match="network must be a plain name, received '../b'"):
        replace(ONE, network="../b")
