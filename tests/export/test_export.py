"""The artifact: what is in it, that it is Keras's own numbers, the same bytes again, and whole or not there at all."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tiny
from png_files import read_png

import zoo
from zoo.artifact.manifest import Manifest, read_manifest
from zoo.artifact.onnx_header import onnx_metadata
from zoo.core.files import sha256_file
from zoo.export import exporter
from zoo.export.samples import batches
from zoo.nn import networks
from zoo.nn.batch_norm import averaged_statistics
from zoo.spec.read import read_spec
from zoo.train import loop
from zoo.train.kept import read_images

FILES = {"generator.onnx", "manifest.json", "spec.yaml", "golden.npz", "README.md"}
FILES |= {"samples.png", "film.png", "game.svg"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(exported):
    return onnx.load(exported.folder / "generator.onnx")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    return exporter.export(tiny.train(folder, tiny.LABELLED), out=folder / "exported")


def initializers(folder):
    graph = onnx.load(folder / "generator.onnx").graph
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files(exported):
    assert {path.name for path in exported.folder.iterdir()} == FILES
    assert exported.folder.name == "tiny" and list(exported.folder.parent.iterdir()) == [exported.folder]
    assert read_png(exported.folder / "samples.png").shape == (8 * 66 - 2, 8 * 66 - 2, 1)
    assert read_png(exported.folder / "film.png").shape[0] < 4 * 66  # steps 0 and 4; too few for curves
    assert exported.folder.stat().st_mode & 0o055 == 0o055  # a server that is another user can read it


def test_the_onnx_header(model):
    assert model.ir_version == 7
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    assert (model.producer_name, model.producer_version) == ("gan-zoo", zoo.__version__)
    onnx.checker.check_model(model, full_check=True)


def test_inputs_and_output_are_named_by_the_spec(model):
    (z,), (image,) = model.graph.input, model.graph.output

    def axes(value):
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    assert (z.name, axes(z)) == ("z", ["batch", 4]) and (image.name, axes(image)) == ("image", ["batch", 8, 8, 1])
    assert z.type.tensor_type.elem_type == image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_no_batch_norm_and_no_chance_in_the_graph(model):
    kinds = {node.op_type for node in model.graph.node}
    assert not [k for k in kinds if k.startswith("Random") or k in ("BatchNormalization", "Dropout", "Multinomial")]
    assert {"ConvTranspose", "Tanh"} <= kinds


def test_metadata_are_the_contract(exported, model):
    inside = {entry.key: entry.value for entry in model.metadata_props}
    assert inside == onnx_metadata(exported.manifest)
    assert Manifest.from_json(inside["gan.manifest"], contract=True).contract() == exported.manifest.contract()
    assert inside["gan.value_range"] == "-1,1" and inside["gan.layout"] == "NHWC"
    assert json.loads(inside["gan.latent"]) == {"z": {"shape": [4], "prior": {"uniform": {"low": -1, "high": 1}}}}
    assert list(inside) == sorted(inside)


def test_the_manifest_states_what_was_trained(exported, tiny_run):
    stated = read_manifest(exported.folder)
    assert stated == exported.manifest
    weights = stated.weights
    assert (weights["kind"], weights["ema_half_life_images"], weights["step"]) == ("ema", 20.0, 4)
    assert (weights["images"], weights["seed"]) == (32, 0)
    assert weights["parameters"] == tiny_run.spec.plans["generator"].parameters == 4 * 32 + 32 + 64 + 4 + 4 * 4 * 2 + 1
    assert weights["batch_norm"] == "mean over 3 batches of 8 latents"
    assert stated.spec_sha256 == tiny_run.spec.sha256 and stated.licence == "unknown"
    assert stated.versions["tensorflow"].startswith("2.") and stated.versions["gan-zoo"] == zoo.__version__
    assert stated.training["ended"] == "all steps are done" and stated.data["name"] == "digits"


def test_hashes(exported):
    files = read_manifest(exported.folder).files
    assert files.keys() == FILES - {"manifest.json", "README.md", "game.svg"}
    for name, stated in files.items():
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == stated, name


def test_the_resolved_spec_is_the_spec(exported, tiny_run):
    again = read_spec(exported.folder / "spec.yaml")
    assert again.sha256 == tiny_run.spec.sha256 == exported.manifest.spec_sha256
    assert again.document == tiny_run.spec.document


def test_parity_is_stated(exported):
    figures = exported.manifest.parity
    assert set(figures["cases"]) == {"batch_1", "batch_3", "batch_64", "all_+0", "all_+10", "all_-10"}
    assert 0 <= figures["max_abs_difference"] <= figures["tolerance"] == 1e-4
    assert figures["tensorflow_loaded"] is False


def test_golden_vectors(exported):
    generator = zoo.load(exported.folder)
    with np.load(exported.folder / "golden.npz") as golden:
        z, image = golden["z"], golden["image"]
    assert z.shape == (4, 4) and image.shape == (4, 8, 8, 1) and image.std() > 0.01
    np.testing.assert_array_equal(z, generator.latents(4, seed=0)["z"])
    np.testing.assert_allclose(generator(z=z), image, rtol=0, atol=1e-4)


def test_the_average_is_exported(exported, tiny_run):
    """With the statistics measured by hand: the file agrees with the averaged weights and not with the last ones."""
    spec, plan = tiny_run.spec, tiny_run.spec.plans["generator"]
    z = zoo.load(exported.folder).latents(16)["z"]
    received = zoo.load(exported.folder)(z=z)
    differences = {}
    for kind, source in (("ema", tiny_run.algorithm.averages), ("last", tiny_run.algorithm.players)):
        keras.utils.set_random_seed(0)
        network = networks.build(plan)
        network.set_weights(source["generator"].get_weights())
        averaged_statistics(network, batches(spec, plan, 3, read_images(spec)))
        expected = keras.ops.convert_to_numpy(network({"z": z}, training=False)["image"])
        differences[kind] = np.abs(received - expected).max()
    assert differences["ema"] < 1e-5 and differences["last"] > 1e-3


def test_the_last_weights_and_the_history_up_to_them(tmp_path):
    run = tiny.train(tmp_path, tiny.DENSE, steps=45)
    made = exporter.export(run, out=tmp_path / "out")
    assert made.manifest.weights["kind"] == "last" and made.manifest.weights["ema_half_life_images"] is None
    z = zoo.load(made.folder).latents(5)["z"]
    expected = keras.ops.convert_to_numpy(run.algorithm.players["generator"]({"z": z}, training=False)["image"])
    np.testing.assert_allclose(zoo.load(made.folder)(z=z), expected, rtol=0, atol=1e-5)
    curves = json.loads((made.folder / "curves.json").read_text())
    assert curves["kimg"] == [0.08, 0.16] and curves["losses"].keys() == {"discriminator", "generator"}
    assert made.manifest.files["curves.json"] == sha256_file(made.folder / "curves.json")
    earlier = exporter.export(dataclasses.replace(run, step=39), out=tmp_path / "earlier")
    assert json.loads((earlier.folder / "curves.json").read_text())["kimg"] == [0.08]
    assert earlier.manifest.weights["images"] == 39 * 4
    film = [read_png(one.folder / "film.png").shape[0] for one in (made, earlier)]
    assert film[0] - film[1] > 64  # the samples of step 45 are not in it


def test_batch_norm_is_measured_again(exported, tiny_run, tmp_path):
    """0 batches: the moving statistics of training; 3: others, and the file says which."""
    spec = tiny.read(tmp_path, tiny.GAN, "export.batch_norm_batches=0")
    run = loop.Run(spec, tiny_run.algorithm, 4, 1.0, "all steps are done", "two cores", tmp_path)
    made = exporter.export(run, out=tmp_path / "out")
    assert made.manifest.weights["batch_norm"] == "moving averages of training"
    z = zoo.load(made.folder).latents(8)["z"]
    expected = keras.ops.convert_to_numpy(tiny_run.algorithm.averages["generator"]({"z": z}, training=False)["image"])
    np.testing.assert_allclose(zoo.load(made.folder)(z=z), expected, rtol=0, atol=1e-5)
    assert np.abs(zoo.load(exported.folder)(z=z) - expected).max() > 1e-3


def test_a_second_export_replaces_the_folder_by_the_same_bytes(exported, tiny_run, tmp_path):
    """And leaves the trained weights alone."""
    weights = {name: np.asarray(v.value).tobytes() for name, v in tiny_run.algorithm.state().items()}
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "of_an_earlier_export.txt").write_text("x")
    keras.utils.set_random_seed(123)
    networks.build(tiny_run.spec.plans["generator"])  # moves Keras's own counters on
    again, before = contents(exporter.export(tiny_run, out=tmp_path).folder), contents(exported.folder)
    assert again.keys() == before.keys()
    assert {path.name for path in tmp_path.iterdir()} == {"tiny", "tiny.previous"}  # the folder was not an artifact
    assert list(contents(tmp_path / "tiny.previous")) == ["of_an_earlier_export.txt"]
    here, there = (str(folder).encode() for folder in (tmp_path, exported.folder.parent))  # the card names its place
    for name, data in before.items():
        assert again[name].replace(here, there) == data, name
    assert weights == {name: np.asarray(v.value).tobytes() for name, v in tiny_run.algorithm.state().items()}


def test_the_same_bytes_in_another_process_without_noise(exported, tiny_run, tmp_path):
    """`--resume` of a finished run exports its checkpoint again; stderr has the zoo's own lines and no framework's."""
    shutil.copytree(tiny_run.folder, tmp_path / "runs" / "tiny")
    spec = tiny.read(tmp_path).path
    command = [sys.executable, ROOT / "tools/build.py", spec, "--resume", "--runs", tmp_path / "runs",
               "--out", tmp_path]  # fmt: skip
    quiet = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "KERAS_"))}
    environment = {**quiet, "PYTHONHASHSEED": "77", "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "tiny: stopped after step 4 (all steps are done); exporting ...\n"
    again, before = contents(tmp_path / "tiny"), contents(exported.folder)
    for name in ("generator.onnx", "golden.npz", "samples.png", "spec.yaml"):
        assert again[name] == before[name], name


def test_labels_are_an_int64_input(labelled):
    graph = onnx.load(labelled.folder / "generator.onnx").graph
    kinds = {value.name: value.type.tensor_type for value in graph.input}
    assert list(kinds) == ["z", "label"] and kinds["label"].elem_type == onnx.TensorProto.INT64
    assert [axis.dim_param for axis in kinds["label"].shape.dim] == ["batch"]
    generator = zoo.load(labelled.folder)
    assert generator.inputs["label"].classes == tuple("0123456789")
    z = np.repeat(generator.latents(1)["z"], 10, axis=0)
    images = generator(z=z, label=np.arange(10))
    assert len(np.unique(images.reshape(10, -1), axis=0)) == 10  # every class makes another image
    with np.load(labelled.folder / "golden.npz") as golden:
        assert golden["label"].dtype == np.int64
        np.testing.assert_allclose(generator(z=golden["z"], label=golden["label"]), golden["image"], atol=1e-4)
    assert generator.sample(3, label="7").shape == (3, 8, 8, 1)
    assert "Cast" not in {node.op_type for node in graph.node}


def test_points(tmp_path):
    made = exporter.export(tiny.train(tmp_path, tiny.POINTS), out=tmp_path / "out")
    (point,) = made.manifest.outputs
    assert (point.name, point.shape, point.layout, point.range) == ("point", ("batch", 2), "NC", None)
    samples = zoo.load(made.folder).sample(20, seed=1)
    assert samples.dtype == np.float32 and samples.shape == (20, 2) and samples.std() > 0.01
    assert read_png(made.folder / "samples.png").shape == (384, 384, 1)
    with np.load(made.folder / "golden.npz") as golden:
        np.testing.assert_allclose(zoo.load(made.folder)(z=golden["z"]), golden["point"], atol=1e-4)


def test_bfloat16_training_gives_a_float32_file(tmp_path):
    run = tiny.train(tmp_path, tiny.GAN, "training.precision=mixed_bfloat16")
    made = exporter.export(run, out=tmp_path / "out")
    assert made.manifest.parity["max_abs_difference"] <= 1e-4
    arrays = initializers(made.folder)
    assert {a.dtype.name for a in arrays.values()} <= {"float32", "int64", "int32"} and len(arrays) >= 4
    assert "Cast" not in {node.op_type for node in onnx.load(made.folder / "generator.onnx").graph.node}


def test_opset_18_and_a_prior_by_its_defaults(tiny_run, tmp_path):
    """The manifest states the prior with all its arguments: no reader has to know the defaults."""
    spec = tiny.read(tmp_path, tiny.GAN, "export.opset=18", "latent.z={uniform: {shape: [4]}}")
    made = exporter.export(loop.Run(spec, tiny_run.algorithm, 4, 1.0, "", "two cores", tmp_path), out=tmp_path / "out")
    assert onnx.load(made.folder / "generator.onnx").opset_import[0].version == 18
    assert made.manifest.inputs[0].prior == {"uniform": {"low": -1.0, "high": 1.0}}


def test_the_reference_is_not_rounded_to_tf32(tiny_run, tmp_path):
    """On a GPU that rounding alone is above the tolerance; the setting of the training is given back."""
    import tensorflow as tf

    enabled, seen = tf.config.experimental.tensor_float_32_execution_enabled, []

    def network(inputs, training):
        seen.append(enabled())
        return {"image": np.zeros(1)}

    before = enabled()  # a training in float32 has switched it off
    tf.config.experimental.enable_tensor_float_32_execution(True)
    try:
        exporter.keras_outputs(network, tiny_run.spec.plans["generator"])({})
        assert seen == [False] and enabled()
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
