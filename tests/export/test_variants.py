"""Half precision beside float32 in an artifact: checked, stated, told in the card; or nothing is changed."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_nets as nets
import pytest
from onnx import helper

import zoo
from zoo import cli
from zoo.artifact.manifest import read_manifest, read_manifests
from zoo.core.errors import ExportError, ServeError, UsageError
from zoo.core.files import sha256_file
from zoo.export import precision
from zoo.export.precision import add_variant
from zoo.report.card import markdown, tensor_table
from zoo.runtime import parity
from zoo.spec.read import read_spec

ROOT = Path(__file__).parents[2]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tiny(tmp_path):
    """An artifact without golden vectors and card."""
    return nets.save(tmp_path / "tiny", nets.images(), nets.describe())


@pytest.fixture
def photos(tmp_path):
    manifests = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    return nets.save_several(tmp_path / "photos", [nets.negative(), nets.negative()], manifests)


@pytest.fixture(scope="module")
def dcgan(tmp_path_factory):
    """exported/dcgan with its variant, and what `zoo convert` said, in a process that cannot import what trains."""
    folder = tmp_path_factory.mktemp("copy") / "dcgan"
    shutil.copytree(ROOT / "exported" / "dcgan", folder)
    code = f"""
import sys
for name in ("tensorflow", "keras", "tf2onnx", "jax", "torch"):
    sys.modules[name] = None
from zoo import cli
raise SystemExit(cli.main(["convert", {str(folder)!r}, "--precision", "fp16"]))
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


def test_a_committed_artifact_gets_its_variant_without_what_trains(dcgan):
    folder, said = dcgan
    manifest = read_manifest(folder)
    variant = manifest.variants["fp16"]
    file = folder / "generator_fp16.onnx"
    assert variant["file"] == file.name and variant["bytes"] == file.stat().st_size
    assert manifest.files == {name: sha256_file(folder / name) for name in manifest.files}
    assert 0.49 < file.stat().st_size / (folder / "generator.onnx").stat().st_size < 0.51
    assert json.loads((folder / "manifest.json").read_text())["manifest_version"] == 4
    original = read_manifest(ROOT / "exported" / "dcgan")
    assert set(manifest.files) == {*original.files, file.name}
    assert replace(manifest, variants={}, files=original.files) == original
    assert said.startswith(f"{file}: 2.1 MB; generator.onnx has 4.3 MB\nagrees with it to ") and "golden " in said


def test_its_parity_is_that_of_its_own_file(dcgan):
    folder, _ = dcgan
    figures = read_manifest(folder).variants["fp16"]["parity"]
    assert set(figures["cases"]) == {"batch_1", "batch_3", "batch_64", "all_+0", "golden"}
    assert figures["max_abs_difference"] == max(figures["cases"].values())
    assert 1e-4 < figures["max_abs_difference"] < figures["tolerance"] == 2 / 64
    assert figures["tensorflow_loaded"] is False
    with np.load(folder / "golden.npz") as golden:
        made = zoo.load(folder, precision="fp16")(z=golden["z"])
        assert figures["cases"]["golden"] == pytest.approx(np.abs(made - golden["image"]).max(), rel=1e-3)


def test_it_draws_the_same_pictures(dcgan):
    folder, _ = dcgan
    here, there = zoo.load(folder), zoo.load(folder, precision="fp16")
    assert (here.precision, there.precision) == ("float32", "fp16") and here.manifest == there.manifest
    difference = np.abs(here.sample(64).astype(int) - there.sample(64))
    assert difference.max() <= 2 and 0 < difference.mean() < 0.05  # of 255 levels


def test_the_card_tells_of_it_as_the_exporter_would(dcgan):
    folder, _ = dcgan
    manifests = read_manifests(folder)
    text = (folder / "README.md").read_text("utf-8")
    place = Path("exported") / folder.name  # of the artifact that was copied
    assert text == markdown(manifests, read_spec(folder / "spec.yaml"), folder, place=place)
    figures = manifests[0].variants["fp16"]["parity"]
    told = f"half precision, 2.1 MB: largest absolute difference {figures['max_abs_difference']:.1e} (limit 0.03125)"
    assert f"`generator_fp16.onnx` is the same network in {told}" in text


def test_again_makes_the_same_bytes(dcgan, tmp_path):
    folder, _ = dcgan
    shutil.copytree(folder, tmp_path / "again")
    (made,), told = add_variant(tmp_path / "again", "fp16")
    assert told and made == read_manifest(folder) and contents(tmp_path / "again") == contents(folder)


def test_an_artifact_of_its_own_making(tiny):
    (made,), told = add_variant(tiny, "fp16")
    assert not told  # there is no card
    assert read_manifest(tiny) == made and set(made.variants["fp16"]["parity"]["cases"]) >= {"batch_1", "batch_64"}
    np.testing.assert_allclose(zoo.load(tiny, precision="fp16").sample(9), zoo.load(tiny).sample(9), atol=1)


def test_several_networks_or_one_of_them(photos):
    (made,), _ = add_variant(photos, "fp16", network="b_to_a")
    first, second = read_manifests(photos)
    assert second == made and not first.variants and set(second.files) == {"b_to_a.onnx", "b_to_a_fp16.onnx"}
    cases = {"batch_1", "batch_3", "extremes", "size_8x12", "size_20x24"}
    assert set(made.variants["fp16"]["parity"]["cases"]) == cases
    both, _ = add_variant(photos, "fp16")
    assert [manifest.variants["fp16"]["file"] for manifest in both] == ["a_to_b_fp16.onnx", "b_to_a_fp16.onnx"]
    pixels = np.random.RandomState(0).randint(256, size=(12, 8, 3)).astype(np.uint8)
    for name in ("a_to_b", "b_to_a"):
        halved = zoo.load(photos, network=name, precision="fp16").translate(pixels)
        np.testing.assert_allclose(halved.astype(int), 255 - pixels.astype(int), atol=1)


def test_points_have_a_tolerance_of_their_own_range(tmp_path):
    folder = nets.save(tmp_path / "points", nets.points(), nets.describe_points())
    (made,), _ = add_variant(folder, "fp16")
    figures = made.variants["fp16"]["parity"]
    assert figures["tolerance"] == pytest.approx(2 / 64, rel=0.05)  # tanh of many latents nearly reaches -1 and 1
    assert figures["max_abs_difference"] < figures["tolerance"]


def test_a_card_that_was_edited_is_left_alone(tiny, capsys):
    manifest = read_manifest(tiny)
    (tiny / "README.md").write_text(f"# Mine\n\n{tensor_table(manifest)}\n\nthe end\n")
    made, told = add_variant(tiny, "fp16")
    assert told and (tiny / "README.md").read_text() == f"# Mine\n\n{tensor_table(made[0])}\n\nthe end\n"
    (tiny / "README.md").write_text("# All of it is mine\n")
    assert cli.main(["convert", str(tiny), "--precision", "fp16"]) == 0
    assert "README.md: left as it is, because it was edited by hand" in capsys.readouterr().out
    assert (tiny / "README.md").read_text() == "# All of it is mine\n"


def wrong_weights(data):
    """Another network under the same contract."""
    model = nets.images(seed=1)
    entries = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    helper.set_model_props(model, entries | {"gan.precision": "fp16"})
    return model.SerializeToString()


def test_a_variant_that_is_not_close_changes_nothing(tiny, monkeypatch):
    before = contents(tiny)
    monkeypatch.setattr(precision, "halved", wrong_weights)
    told = r"^tiny in fp16: the ONNX file differs from generator.onnx by more than 0.03125: batch_1 .*, all_\+0 "
    with pytest.raises(ExportError, match=told):
        add_variant(tiny, "fp16")
    assert contents(tiny) == before


def test_a_network_that_overflows_changes_nothing(tmp_path, capsys):
    net = nets.images()
    dense = next(tensor for tensor in net.graph.initializer if tensor.name == "dense")
    dense.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(dense) * np.float32(4e3), "dense"))
    folder = nets.save(tmp_path / "tiny", net, nets.describe())
    before = contents(folder)
    assert cli.main(["convert", str(folder), "--precision", "fp16"]) == 1
    assert "half precision ends at 65504, and 'd' of case all_+10 reaches" in capsys.readouterr().err
    assert contents(folder) == before


def test_one_of_several_that_fails_changes_none(photos, monkeypatch):
    before, check, asked = contents(photos), parity.compare_in_fresh_process, []

    def second(*args):
        asked.append(args)
        return {**check(*args), "max_abs_difference": 0.5 if len(asked) == 2 else 0.0}

    monkeypatch.setattr(parity, "compare_in_fresh_process", second)
    with pytest.raises(ExportError, match=r"^photos_b_to_a in fp16: the ONNX file differs from b_to_a.onnx"):
        add_variant(photos, "fp16")
    assert contents(photos) == before


def test_what_cannot_be_converted(tiny, photos, tmp_path, capsys):
    with pytest.raises(ServeError, match="there is no network 'c' in it"):
        add_variant(photos, "fp16", network="c")
    with pytest.raises(ServeError, match="nowhere.*: cannot be read"):
        add_variant(tmp_path / "nowhere", "fp16")
    manifests = [nets.describe_negative("a"), nets.describe_negative("a_fp16")]
    both = nets.save_several(tmp_path / "both", [nets.negative(), nets.negative()], manifests)
    with pytest.raises(UsageError, match=r"both: a_fp16\.onnx is another network of it"):
        add_variant(both, "fp16")
    (tiny / "generator.onnx").write_bytes(b"damaged")
    before = contents(tiny)
    assert cli.main(["convert", str(tiny), "--precision", "fp16"]) == 2
    assert "its SHA-256 is not the one in manifest.json" in capsys.readouterr().err and contents(tiny) == before
    with pytest.raises(SystemExit):
        cli.main(["convert", str(tiny), "--precision", "int8"])


def test_without_onnx_the_extra_is_named(tiny, monkeypatch, capsys):
    monkeypatch.setattr("zoo.core.host.find_spec", lambda name: None)
    assert cli.main(["convert", str(tiny), "--precision", "fp16"]) == 2
    assert capsys.readouterr().err.startswith("`zoo convert` needs onnx: pip install 'gan-zoo[convert]'")
