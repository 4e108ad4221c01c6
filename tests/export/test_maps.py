"""A generator that is fed a map of latents, from its YAML to a world without end."""

import io
import json
import pickle

import numpy as np
import pytest
from live import Live
from PIL import Image

import zoo
from zoo.artifact.manifest import read_manifest
from zoo.core.errors import ServeError, SpecError
from zoo.deploy import triton
from zoo.export import exporter
from zoo.export.precision import add_variant
from zoo.runtime.parity import golden_cases
from zoo.spec.read import read_spec
from zoo.train import loop

SPEC = """
name: tiny_map
title: A tiny map
data: {source: digits, size: [16, 24], channels: 1}
latent: {z: {normal: {shape: [6, 8, 4]}}}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Conv2DTranspose: {filters: 6, kernel_size: 4, strides: 2, padding: same}
      - BatchNormalization
      - ReLU
      - Conv2DTranspose: {filters: 4, kernel_size: 4, strides: 2, padding: same}
      - ReLU
      - Cropping2D: {cropping: 4}  # 24 x 32 -> 16 x 24
      - Conv2D: {filters: 1, kernel_size: 3, padding: same, activation: tanh}
  discriminator:
    inputs: image
    output: logits
    layers:
      - Conv2D: {filters: 4, kernel_size: 4, strides: 4}
      - LeakyReLU
      - Flatten
      - Dense: {units: 1}
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {Adam: {learning_rate: 2e-2}}}
    discriminator: *player
training: {batch_size: 8, steps: 20}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    (folder / "tiny_map.yaml").write_text(SPEC)
    return loop.train(read_spec(folder / "tiny_map.yaml"), runs=folder / "runs")


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    return exporter.export(run, out=tmp_path_factory.mktemp("exported")).folder


@pytest.fixture(scope="module")
def generator(made):
    return zoo.load(made)


def test_the_manifest_states_cells_and_pixels(made):
    manifest = read_manifest(made)
    (z,), (image,) = manifest.inputs, manifest.outputs
    assert z.shape == ("batch", "rows", "columns", 4) and image.shape == ("batch", "height", "width", 1)
    assert z.sizes == {
        "rows": {"multiple": 1, "minimum": 3, "trained": 6}, "columns": {"multiple": 1, "minimum": 3, "trained": 8},
    }  # fmt: skip
    assert image.grid["scale"] == [4, 4] and image.grid["offset"] == [-8, -8]
    assert json.loads((made / "manifest.json").read_text())["manifest_version"] == 7
    assert zoo.load(made / "generator.onnx").manifest.outputs == manifest.outputs  # the contract in the file


def test_the_margin_is_where_padding_reaches(made):
    """Of the larger padding, at the latents, pixels 0 to 4 remain behind the crop; the last convolution adds one."""
    assert read_manifest(made).outputs[0].grid["margin"] == [1, 1]


def test_parity_and_golden_vectors_are_of_three_sizes(made, generator):
    manifest = read_manifest(made)
    assert [name for name in manifest.parity["cases"] if name.startswith("size_")] == ["size_3x4", "size_7x12"]
    cases = golden_cases(manifest, made)
    assert [sides["input"]["z"].shape for sides in cases.values()] == [(4, 6, 8, 4), (1, 3, 4, 4), (1, 7, 12, 4)]
    for sides in cases.values():
        np.testing.assert_allclose(generator(**sides["input"]), sides["output"]["image"], rtol=0, atol=1e-4)


def test_pictures_of_other_sizes(generator):
    assert generator.sample(3).shape == (3, 16, 24, 1)
    larger = generator.sized(32, 64)
    images = larger.sample(5, seed=3)
    assert images.shape == (5, 32, 64, 1) and len(np.unique(images.reshape(5, -1), axis=0)) == 5
    np.testing.assert_array_equal(larger.sample(2, seed=3), images[:2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(larger)).sample(2, seed=3), images[:2])
    assert larger.walk(4).shape == (4, 32, 64, 1) and larger.latents(2)["z"].shape == (2, 10, 18, 4)
    np.testing.assert_array_equal(generator.sized(16, 24).sample(3), generator.sample(3))


def test_an_image_is_a_piece_of_that_of_a_larger_map(generator):
    """But for the margin: z[1:, 2:] begins 4 x 1 rows and 4 x 2 columns further on."""
    z = generator.sized(40, 40).latents(1)["z"]  # 12 x 12 cells
    whole, piece = generator(z=z)[0], generator(z=z[:, 1:, 2:])[0]
    np.testing.assert_allclose(piece[1:-1, 1:-1], whole[5:-1, 9:-1], rtol=0, atol=1e-5)
    assert np.abs(piece - whole[4:, 8:]).max() > 1e-3


@pytest.mark.parametrize(("top", "left"), [(0, 0), (-71, 5), (10**6 + 1, -(10**6))])
def test_pieces_of_a_world_fit_together(generator, top, left):
    whole = generator.window(top, left, 90, 130, seed=5)  # over several blocks of 16 x 4 = 64 pixels
    assert whole.shape == (90, 130, 1) and whole.std() > 0
    for row, column, height, width in [(0, 0, 1, 1), (31, 64, 20, 66), (89, 129, 1, 1)]:
        piece = generator.window(top + row, left + column, height, width, seed=5)
        expected = whole[row : row + height, column : column + width]
        np.testing.assert_allclose(piece.astype(int), expected, rtol=0, atol=1)  # half a step may round either way
    assert (generator.window(top, left, 90, 130, seed=6) != whole).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.sized(33, 24), "4 for each row of latents-8, 4 .*, received 33 x 24; nearest: height 32 or 36$"),
        (lambda g: g.sized(1, 24), "nearest: height 4"),
        (lambda g: g.sized(0, 24), r"height must be a whole number from 1 up, received 0"),
        (lambda g: g.window(0, 0.5, 4, 4), r"left must be a whole number in .*, received 0.5"),
        (lambda g: g.window(0, 0, 4, 0), r"width must be a whole number in 1..1000000000, received 0"),
        (lambda g: g(z=np.zeros((1, 2, 8, 4), np.float32)), "rows and columns from 3 up, received 2 x 8; .* rows 3"),
    ],
)  # fmt: skip
def test_what_it_does_not_draw(generator, call, message):
    with pytest.raises(ServeError, match=message):
        call(generator)


@pytest.mark.parametrize(
    ("name", "message"), [("dcgan", r"makes images \[32, 32, 1\] alone"), ("pix2pix", "translates: its pictures have")]
)
def test_generators_of_one_size(name, message):
    generator = zoo.load(f"exported/{name}")
    for call in (lambda: generator.sized(64, 64), lambda: generator.window(0, 0, 64, 64)):
        with pytest.raises(ServeError, match=message):
            call()


def test_the_command(made, generator, zoo_says, tmp_path):
    picture, array = tmp_path / "piece.png", tmp_path / "larger.npy"
    code, out, _ = zoo_says("sample", made, "--at", "-5", "70", "--size", "30", "40", "--seed", "2", "--out", picture)
    assert code == 0 and "the piece from row -5 and column 70" in out
    with Image.open(picture) as file:
        found = np.asarray(file.convert("L"))
    expected = generator.window(-5, 70, 30, 40, seed=2)[..., 0]
    scale = found.shape[0] // 30
    np.testing.assert_array_equal(found[::scale, ::scale][:30, :40], expected)
    assert zoo_says("sample", made, "-n", "2", "--size", "32", "64", "--out", array)[0] == 0
    np.testing.assert_array_equal(np.load(array), generator.sized(32, 64).sample(2))
    code, _, err = zoo_says("sample", made, "--at", "0", "0")
    assert (code, err) == (2, "--at: say how large the piece is: --size 256 512\n")
    assert zoo_says("sample", made, "--at", "0", "0", "--size", "8", "8", "-n", "3")[0] == 2


def test_the_server_sends_pieces_of_the_world(made, generator):
    with Live(made.parent) as server:
        status, headers, body = server.ask(
            "GET", "/models/tiny_map/window.png?top=-5&left=70&height=30&width=40&seed=2"
        )
        assert status == 200 and headers["Content-Type"] == "image/png"
        with Image.open(io.BytesIO(body)) as file:
            np.testing.assert_array_equal(np.asarray(file), generator.window(-5, 70, 30, 40, seed=2)[..., 0])
        stated = json.loads(server.ask("GET", "/v2/models/tiny_map")[2])
        assert stated["inputs"][0]["shape"] == [-1, -1, -1, 4] and stated["outputs"][0]["shape"] == [-1, -1, -1, 1]
        z = generator.sized(32, 64).latents(1)["z"]
        tensor = {"name": "z", "datatype": "FP32", "shape": list(z.shape), "data": z.reshape(-1).tolist()}

        def infer(**changes):
            return server.ask("POST", "/v2/models/tiny_map/infer", {"inputs": [{**tensor, **changes}]})

        (found,) = json.loads(infer()[2])["outputs"]
        assert found["shape"] == [1, 32, 64, 1]
        np.testing.assert_allclose(np.reshape(found["data"], found["shape"]), generator(z=z), rtol=0, atol=1e-5)
        assert infer(shape=[1, 1000, 1000, 4])[0] == 413
        assert server.ask("GET", "/models/tiny_map/window.png?height=5000&width=5000")[0] == 413
        assert server.ask("GET", "/models/tiny_map/window.png?height=0")[0] == 400
        assert server.ask("POST", "/models/tiny_map/sample", {"n": 2})[0] == 200


def test_the_config_of_triton_has_open_axes(made):
    text = triton.config(read_manifest(made), triton.Options())
    assert "dims: [-1, -1, 4]" in text.replace("\n", " ") or text.count("-1") >= 4


def test_half_precision_is_compared_at_every_size(made):
    add_variant(made, "fp16")
    (stated,) = read_manifest(made).variants.values()
    assert {"golden", "golden 3x4", "golden 7x12", "size_7x12"} <= stated["parity"]["cases"].keys()


def test_one_size_where_it_is_asked_for(run):
    spec = read_spec(run.spec.path, ("export.sizes=trained",))
    assert exporter.allowed_sizes(spec, spec.leaving["generator"]) is None


def test_sizes_that_a_layer_cannot_have(tmp_path):
    layers = ["Flatten", "Dense: {units: 384}", "Reshape: {target_shape: [16, 24, 1]}"]
    text = SPEC.replace("      - Cropping2D: {cropping: 4}", "\n".join(f"      - {layer}" for layer in layers))
    (tmp_path / "fixed.yaml").write_text(text + "export: {sizes: any}\n")
    with pytest.raises(SpecError, match=r"fixed\.yaml:16:\d+: .*Flatten knows the trained size alone"):
        read_spec(tmp_path / "fixed.yaml")
