"""Several values leave as one graph of several outputs: from the YAML to Python, the command line, server and Node."""

import io
import json
import pickle

import numpy as np
import onnx
import pytest
from live import Live
from onnx.reference import ReferenceEvaluator
from PIL import Image

import zoo
from zoo.artifact.manifest import read_manifest
from zoo.core.errors import ServeError, SpecError
from zoo.deploy import triton
from zoo.export import exporter
from zoo.export.precision import add_variant
from zoo.runtime.parity import golden_cases
from zoo.serve.protocol import LENGTH_HEADER
from zoo.spec.read import read_spec
from zoo.train import loop

SPEC = """
name: tiny_parts
title: A picture in two parts
data: {source: digits, size: 8, channels: 1}
latent: {z: {normal: {shape: [6]}}}
networks:
  generator:
    inputs: z
    output: [front, mask]
    layers:
      - Dense: {units: 64}
      - BatchNormalization
      - Reshape: {target_shape: [8, 8, 1]}
        as: body
      - Activation: {activation: tanh}
        as: front
      - Conv2D: {filters: 1, kernel_size: 3, padding: same, activation: sigmoid}
        from: body
        as: mask
  discriminator: {inputs: image, output: logits, layers: [Flatten, Dense: {units: 1}]}
algorithm:
  game:
    values:
      parts: generator
      fake: {product: [parts.front, parts.mask]}
      on_real: discriminator
      on_fake: {discriminator: {image: fake}}
      d_loss: {non_saturating.discriminator: {real: on_real, fake: on_fake}}
      g_loss: {non_saturating.generator: {fake: on_fake}}
    phases:
      discriminator: {trains: discriminator, minimise: {d_loss: 1}, optimizer: &sgd {SGD: {learning_rate: 0.1}}}
      generator: {trains: generator, minimise: {g_loss: 1}, optimizer: *sgd}
training: {batch_size: 8, steps: 4, ema_half_life_images: 20}
export: {values: {generator: [fake, parts.mask, parts.front]}}
"""
NAMES = ["fake", "mask", "front"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    (folder / "tiny_parts.yaml").write_text(SPEC)
    return loop.train(read_spec(folder / "tiny_parts.yaml"), runs=folder / "runs")


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    return exporter.export(run, out=tmp_path_factory.mktemp("exported")).folder


@pytest.fixture(scope="module")
def generator(made):
    return zoo.load(made)


def test_the_manifest_and_the_file_list_all_outputs(made):
    manifest = read_manifest(made)
    assert [tensor.name for tensor in manifest.outputs] == NAMES
    assert json.loads((made / "manifest.json").read_text())["manifest_version"] == 8
    model = onnx.load(made / "generator.onnx")
    assert [value.name for value in model.graph.output] == NAMES
    assert zoo.load(made / "generator.onnx").manifest.outputs == manifest.outputs
    assert list(manifest.parity["cases"])[:3] == ["batch_1", "batch_3", "batch_64"]


def test_every_output_is_that_of_the_whole(made, generator):
    raw = generator.all(**generator.latents(5))
    assert list(raw) == NAMES and raw["mask"].min() >= 0
    np.testing.assert_allclose(raw["fake"], raw["front"] * raw["mask"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(generator(**generator.latents(5)), raw["fake"])
    (golden,) = golden_cases(read_manifest(made), made).values()
    assert golden["output"].keys() == set(NAMES)
    for name, array in generator.all(**golden["input"]).items():
        np.testing.assert_allclose(array, golden["output"][name], rtol=0, atol=1e-4)
    evaluator = ReferenceEvaluator(onnx.load(made / "generator.onnx"))
    for name, array in zip(NAMES, evaluator.run(None, dict(golden["input"])), strict=True):
        np.testing.assert_allclose(array, golden["output"][name], rtol=0, atol=1e-4)


def test_another_output_in_view(generator):
    mask = generator.showing("mask")
    assert generator.shown.name == "fake" and mask.shown.name == "mask"
    images, masks = generator.sample(20, seed=3), mask.sample(20, seed=3)
    assert images.shape == masks.shape == (20, 8, 8, 1) and (images != masks).any() and masks.min() >= 127
    np.testing.assert_array_equal(mask.sample(4, seed=3), masks[:4])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mask)).sample(2, seed=3), masks[:2])
    assert mask.walk(4).shape == (4, 8, 8, 1)
    np.testing.assert_array_equal(mask.showing("fake").sample(2), generator.sample(2))
    with pytest.raises(ServeError, match="has no output 'masks'. Did you mean 'mask'. It has fake, mask, front"):
        generator.showing("masks")


def test_the_command(made, generator, zoo_says, tmp_path):
    file = tmp_path / "masks.npy"
    assert zoo_says("sample", made, "-n", "3", "--output", "mask", "--out", file)[0] == 0
    np.testing.assert_array_equal(np.load(file), generator.showing("mask").sample(3))
    code, _, err = zoo_says("sample", made, "--output", "maks", "--out", file)
    assert code == 2 and "no output 'maks'. Did you mean 'mask'" in err


def test_the_server_sends_what_is_asked_for(made, generator):
    z = generator.latents(5)["z"]
    expected = generator.all(z=z)
    tensor = {"name": "z", "datatype": "FP32", "shape": [5, 6], "data": z.tolist()}
    with Live(made.parent) as server:

        def infer(**more):
            return server.ask("POST", "/v2/models/tiny_parts/infer", {"inputs": [tensor], **more})

        stated = json.loads(server.ask("GET", "/v2/models/tiny_parts")[2])["outputs"]
        assert [entry["name"] for entry in stated] == NAMES
        outputs = json.loads(infer()[2])["outputs"]
        assert [entry["name"] for entry in outputs] == NAMES
        for entry in outputs:
            array = np.reshape(entry["data"], entry["shape"])
            np.testing.assert_allclose(array, expected[entry["name"]], rtol=0, atol=1e-6)
        (alone,) = json.loads(infer(outputs=[{"name": "front"}])[2])["outputs"]
        assert alone["name"] == "front"
        _, headers, body = infer(outputs=[{"name": "mask"}, {"name": "fake"}], parameters={"binary_data_output": True})
        size = int(headers[LENGTH_HEADER])
        entries, raw = json.loads(body[:size])["outputs"], body[size:]
        assert [entry["name"] for entry in entries] == ["mask", "fake"]
        for entry in entries:
            count = entry["parameters"]["binary_data_size"]
            array = np.frombuffer(raw[:count], "<f4").reshape(entry["shape"])
            np.testing.assert_allclose(array, expected[entry["name"]], rtol=0, atol=1e-6)
            raw = raw[count:]
        assert not raw and infer(outputs=[{"name": "body"}])[0] == 400
        status, _, body = server.ask("POST", "/models/tiny_parts/sample", {"n": 1})
        with Image.open(io.BytesIO(body)) as file:
            assert status == 200 and file.size[0] >= 8


def test_triton_and_half_precision_have_all_outputs(made):
    text = triton.config(read_manifest(made), triton.Options())
    assert all(f'name: "{name}"' in text for name in NAMES)
    add_variant(made, "fp16")
    half = zoo.load(made, precision="fp16")
    for name, array in half.all(**half.latents(3)).items():
        np.testing.assert_allclose(array, zoo.load(made).all(**half.latents(3))[name], rtol=0, atol=0.02)


def test_a_network_of_several_outputs_leaves_whole(tmp_path):
    head, _, _ = SPEC.partition("export:")
    (tmp_path / "whole.yaml").write_text(head + "export: {networks: [generator]}")
    plan = read_spec(tmp_path / "whole.yaml").leaving["generator"]
    assert list(plan.outputs) == ["front", "mask"]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("[fake, parts.mask, parts.mask]", "parts.mask would leave as 'mask' for a second time"),
        ("[fake, parts.msk]", "generator has no 'msk'. Did you mean 'mask'?"),
        ("[fake, on_real]", "takes z and image"),
        ("[fake, g_loss]", "g_loss"),
        ("[]", "generator"),
    ],
)
def test_what_cannot_leave_together(tmp_path, listed, message):
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("[fake, parts.mask, parts.front]", listed))
    with pytest.raises(SpecError, match=r"wrong\.yaml:\d+:\d+: export\.values") as caught:
        read_spec(tmp_path / "wrong.yaml")
    assert message in str(caught.value)
