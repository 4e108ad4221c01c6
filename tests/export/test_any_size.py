"""A style transfer from its YAML to a file for photographs of any size: a given network, a painting, and no judge."""

import json

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.artifact.manifest import read_manifest
from zoo.core.errors import DataError, ServeError
from zoo.export import exporter
from zoo.export.precision import add_variant
from zoo.runtime.parity import golden_cases
from zoo.spec.read import read_spec
from zoo.train import loop

SPEC = """
name: tiny_style
title: A tiny style
data: {source: digits, size: 16, channels: 3}
networks:
  generator:
    inputs: image
    output: styled
    defaults: {Conv2D: {kernel_size: 3}, GroupNormalization: {groups: -1, epsilon: 1e-5}}
    layers:
      - ReflectionPadding2D
      - Conv2D: {filters: 4, strides: 2}
      - GroupNormalization
      - ReLU
      - UpSampling2D
      - ReflectionPadding2D
      - Conv2D: {filters: 3}
  vgg: {weights: {package: vgg16}, frozen: true, output: relu1_2}
algorithm:
  game:
    values:
      style: {picture: {painting: rivers, size: [24, 20]}}
      wanted: {vgg: {picture: style}}
      seen: {vgg: {picture: image}}
      made: generator
      shown: {vgg: {picture: made}}
      content: {l2: {between: [shown, seen]}}
      gram: {gram: {between: [shown, wanted], layers: [relu1_1, relu1_2]}}
      smooth: {total_variation: {of: made, norm: l1}}
    phases:
      generator:
        trains: generator
        minimise: {content: 1, gram: 5, smooth: 1e-3}
        optimizer: {Adam: {learning_rate: 3e-2}}
training: {batch_size: 4, steps: 40}
export: {sizes: any}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("style")
    (folder / "tiny_style.yaml").write_text(SPEC)
    return loop.train(read_spec(folder / "tiny_style.yaml"), runs=folder / "runs")


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    return exporter.export(run, out=tmp_path_factory.mktemp("exported")).folder


def test_it_learns(made):
    losses = json.loads((made / "curves.json").read_text())["losses"]["generator"]
    assert losses[-1] < 0.9 * losses[0]


def test_photographs_are_shown_beside_what_was_made_of_them(run, made):
    with np.load(run.folder / "generator-0000040.npz") as sheet:
        assert sheet["given"].shape == sheet["made"].shape == (16, 16, 16, 3)
        originals = sheet["given"]
    with Image.open(made / "film.png") as file:
        film = np.asarray(file)[..., 0]
    places = np.lib.stride_tricks.sliding_window_view(film, (64, 64))[..., ::4, ::4]  # pixels are four times as large
    assert [(places == image[..., 0]).all(axis=(2, 3)).any() for image in originals[:9]] == [True] * 8 + [False]


def test_parity_and_golden_vectors_are_of_three_sizes(made):
    manifest = read_manifest(made)
    rule = {"multiple": 2, "minimum": 2, "trained": 16}
    assert manifest.inputs[0].sizes == {"height": rule, "width": rule}
    assert [name for name in manifest.parity["cases"] if name.startswith("size_")] == ["size_2x4", "size_20x24"]
    cases, generator = golden_cases(manifest, made), zoo.load(made)
    assert [sides["input"]["image"].shape for sides in cases.values()] == [
        (4, 16, 16, 3), (1, 2, 4, 3), (1, 20, 24, 3),
    ]  # fmt: skip
    for sides in cases.values():
        np.testing.assert_allclose(generator(**sides["input"]), sides["output"]["styled"], rtol=0, atol=1e-4)


def test_a_photograph_of_any_size_keeps_it(made, zoo_says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = np.random.RandomState(0).randint(256, size=(37, 53, 3)).astype(np.uint8)
    Image.fromarray(photo).save("photo.png")
    code, out, err = zoo_says("translate", made, "photo.png", "--out", "styled.png")
    assert (code, out, err) == (0, "styled.png: 53 x 37 pixels from photo.png\n", "")
    with Image.open("styled.png") as styled:
        np.testing.assert_array_equal(np.asarray(styled), zoo.load(made).translate(photo))
    mirrored = np.pad(photo, ((0, 1), (0, 1), (0, 0)), mode="symmetric")  # 38 x 54, as its rule of 2 asks for
    whole = zoo.load(made).translate(mirrored)
    np.testing.assert_array_equal(zoo.load(made).translate(photo), whole[:37, :53])
    assert (whole != zoo.load(made).translate(mirrored[::-1])).any()
    with pytest.raises(ServeError, match="expected images of 2 x 2 or more, received 1 x 1"):
        zoo.load(made).translate(photo[:1, :1])


def test_half_precision_is_compared_at_every_size(made):
    add_variant(made, "fp16")
    (stated,) = read_manifest(made).variants.values()
    assert {"golden", "golden 2x4", "golden 20x24", "size_20x24"} <= stated["parity"]["cases"].keys()
    photo = np.random.RandomState(0).randint(256, size=(31, 22, 3)).astype(np.uint8)
    half, whole = (zoo.load(made, precision=one).translate(photo).astype(int) for one in ("fp16", None))
    assert half.shape == photo.shape and np.abs(half - whole).max() <= 4


def test_one_size_where_it_is_asked_for(run, tmp_path):
    spec = read_spec(run.spec.path, ("export.sizes=trained",))
    assert exporter.allowed_sizes(spec, spec.leaving["generator"]) is None


def test_a_picture_that_is_not_there(tmp_path):
    (tmp_path / "lost.yaml").write_text(SPEC.replace("painting: rivers", "path: lost.png"))
    with pytest.raises(DataError, match=r"lost\.yaml:22:\d+: algorithm\.game\.values\.style\.picture: .*lost\.png"):
        loop.make(read_spec(tmp_path / "lost.yaml"))
