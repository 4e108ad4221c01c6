"""What `zoo inspect` tells is what manifests and files say, without opening a session."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import onnx
import onnx_nets as nets
import pytest
from onnx import helper

from zoo.artifact.inspect import inspect
from zoo.artifact.manifest import read_manifest
from zoo.export.precision import add_variant

ROOT = Path(__file__).parents[2]
DCGAN = ROOT / "exported" / "dcgan"


@pytest.fixture
def conditional(tmp_path):
    manifest = nets.describe(nets.Z, nets.LABEL, name="fashion")
    return nets.save(tmp_path / "fashion", nets.images(label=True), manifest)


def test_json_is_the_manifest_and_what_the_file_says(zoo_says):
    code, out, err = zoo_says("inspect", DCGAN, "--json")
    (entry,) = json.loads(out)
    (file,) = entry.pop("onnx")
    assert code == 0 and err == "" and entry == json.loads((DCGAN / "manifest.json").read_text())
    data = (DCGAN / "generator.onnx").read_bytes()
    model = onnx.load_from_string(data)
    assert file == {
        "file": str(DCGAN / "generator.onnx"), "bytes": len(data), "sha256": entry["files"]["generator.onnx"],
        "precision": "float32", "opset": model.opset_import[0].version, "ir_version": model.ir_version,
        "operators": dict(Counter(node.op_type for node in model.graph.node)), "as_stated": True,
    }  # fmt: skip
    assert list(file["operators"].items()) == sorted(file["operators"].items(), key=lambda item: (-item[1], item[0]))


def test_a_user_reads_it_line_by_line(zoo_says):
    manifest = read_manifest(DCGAN)
    code, out, _ = zoo_says("inspect", DCGAN)
    assert code == 0 and out.startswith("dcgan: DCGAN\n  paper      Radford, Metz, Chintala, Unsupervised ")
    for line in (
        "  input      z float32 [batch, 100], drawn from uniform low -1, high 1\n",
        "  output     image float32 [batch, 32, 32, 1] in [-1, 1], NHWC\n",
        f"step {manifest.weights['step']:,}, images {manifest.weights['images']:,}, seed {manifest.weights['seed']}",
        f"parameters {manifest.weights['parameters']:,}\n",
        "  data       name fashion_mnist, title Fashion-MNIST, licence MIT",
        "  licence    Apache-2.0\n",
        f"  spec       SHA-256 {manifest.spec_sha256}\n",
        f"keras {manifest.versions['keras']}, ",
        f"  parity     at most {manifest.parity['max_abs_difference']:.1e} (limit 0.0001; batch_1 ",
        f"generator.onnx: {(DCGAN / 'generator.onnx').stat().st_size:,} bytes, float32, opset 13, IR version 7\n",
        f"SHA-256 {manifest.files['generator.onnx']}, as manifest.json states\n",
        "3 ConvTranspose, ",
    ):
        assert line in out, line
    assert max(map(len, out.splitlines())) < 250


def test_labels(zoo_says, conditional):
    _, out, _ = zoo_says("inspect", conditional)
    assert "  input      label int64 [batch] in 0..2\n" in out and "  labels     0 ankle boot, 1 bag, 2 coat\n" in out


def test_a_lone_file_tells_what_it_carries(zoo_says, conditional, tmp_path):
    lone = shutil.copy(conditional / "generator.onnx", tmp_path / "lone.onnx")
    code, out, _ = zoo_says("inspect", lone, "--json")
    (entry,) = json.loads(out)
    assert code == 0 and entry["name"] == "fashion" and entry["parity"] == {}
    assert "as_stated" not in entry["onnx"][0] and entry["onnx"][0]["operators"]["Gather"] == 1
    text = zoo_says("inspect", lone)[1]
    assert "lone.onnx: " in text and "manifest.json" not in text and "parity" not in text


def test_variants_stand_below_each_other(zoo_says, conditional):
    add_variant(conditional, "fp16")
    (entry,) = inspect(conditional)
    assert [(Path(file["file"]).name, file["precision"], file["as_stated"]) for file in entry["onnx"]] == [
        ("generator.onnx", "float32", True),
        ("generator_fp16.onnx", "fp16", True),
    ]
    out = zoo_says("inspect", conditional)[1]
    assert "bytes, fp16, opset 17" in out and "2 Cast" in out and "to the float32 file and to Keras's golden" in out
    (beside,) = inspect(conditional / "generator_fp16.onnx")  # a file with its manifest beside it
    assert beside["onnx"] == [entry["onnx"][1]] and beside["variants"] == entry["variants"]


def test_several_networks(zoo_says, tmp_path):
    manifests = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    photos = nets.save_several(tmp_path / "photos", [nets.negative(), nets.negative()], manifests)
    code, out, _ = zoo_says("inspect", photos)
    assert code == 0 and out.startswith("photos a_to_b: Tiny GAN\n") and "\n\nphotos b_to_a: Tiny GAN\n" in out
    assert "a float32 [batch, height, width, 3] in [0, 1], height and width multiples of 4 from 8, NHWC\n" in out
    one = zoo_says("inspect", photos, "--network", "b_to_a")[1]
    assert one.startswith("photos b_to_a") and "a_to_b" not in one
    code, _, err = zoo_says("inspect", photos, "--network", "c")
    assert code == 2 and "there is no network 'c' in it. It holds a_to_b, b_to_a" in err


def test_a_changed_file_is_said_not_hidden(zoo_says, conditional):
    model = onnx.load(conditional / "generator.onnx")
    model.doc_string = "changed"
    (conditional / "generator.onnx").write_bytes(model.SerializeToString())
    for place in (conditional, conditional / "generator.onnx"):
        code, out, err = zoo_says("inspect", place)
        assert code == 1 and ", NOT the one that manifest.json states\n" in out
        assert err == f"{conditional}/generator.onnx: changed or damaged: its SHA-256 is not the one in manifest.json\n"
    (entry,) = inspect(conditional)
    assert entry["onnx"][0]["as_stated"] is False


@pytest.fixture
def whole(tmp_path):
    return Path(shutil.copytree(DCGAN, tmp_path / "dcgan"))


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize("name", ["golden.npz", "generator.onnx", "samples.png", "spec.yaml", "curves.json"])
def test_every_listed_file_is_verified(zoo_says, whole, name, flags):
    assert zoo_says("inspect", whole)[0] == 0
    data = (whole / name).read_bytes()
    (whole / name).write_bytes(data[: len(data) // 2])
    code, out, err = zoo_says("inspect", whole, *flags)
    assert code == 1 and out and err.count("\n") == 1
    assert err.startswith(f"{whole / name}: changed or damaged: its SHA-256 is not the one in manifest.json")
    (whole / name).unlink()
    code, out, err = zoo_says("inspect", whole, *flags)
    assert code == 1 and out and err == f"{whole / name}: missing, though manifest.json lists it\n"


def test_all_damaged_files_are_reported_at_once(zoo_says, whole):
    for name in ("golden.npz", "generator.onnx"):
        (whole / name).write_bytes(b"damaged")
    code, out, err = zoo_says("inspect", whole)
    assert code == 1 and "generator.onnx: 7 bytes, not an ONNX file, or a damaged one\n" in out
    assert sorted(Path(line.split(":")[0]).name for line in err.splitlines()) == ["generator.onnx", "golden.npz"]


def test_a_manifest_cannot_send_the_reader_elsewhere(zoo_says, whole):
    keys = json.loads((whole / "manifest.json").read_text())
    keys["files"]["../../etc/passwd"] = "0" * 64
    (whole / "manifest.json").write_text(json.dumps(keys))
    code, _, err = zoo_says("inspect", whole)
    assert code == 1 and "manifest.json: lists '../../etc/passwd', which is not the name of a file beside it" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.onnx: not an ONNX file, or a damaged one (it is empty)"),
        (b"hello, I am no model", "a.onnx: not an ONNX file, or a damaged one"),
        (nets.images().SerializeToString(), "a.onnx: not a gan-zoo file: its metadata lacks 'gan.manifest'"),
        (None, "a.onnx: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_inspected(zoo_says, tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.onnx").write_bytes(content)
    code, out, err = zoo_says("inspect", tmp_path / "a.onnx")
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_metadata_that_lies_about_its_version(zoo_says, tmp_path):
    net = nets.images()
    helper.set_model_props(net, {"gan.manifest": '{"manifest_version": 9}'})
    (tmp_path / "a.onnx").write_bytes(net.SerializeToString())
    code, _, err = zoo_says("inspect", tmp_path / "a.onnx")
    assert (
        code == 2
        and "a.onnx (metadata): manifest_version must be 1, 2, 3, 4, 5, 6, 7 or 8; a later gan-zoo wrote it" in err
    )


def test_it_needs_neither_onnx_nor_onnxruntime():
    code = f"""
import sys
for name in ("onnx", "onnxruntime", "yaml", "PIL", "keras", "tensorflow"):
    sys.modules[name] = None
from zoo import cli
folder, file = {str(DCGAN)!r}, {str(DCGAN / "generator.onnx")!r}
raise SystemExit(cli.main(["inspect", folder, "--json"]) or cli.main(["inspect", file]))
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "") and "ConvTranspose" in done.stdout
