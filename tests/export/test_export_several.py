"""An artifact of two translators: both files whole and checked, one manifest, one card, one picture, all or nothing."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tiny
from png_files import read_png

import zoo
from zoo.artifact import onnx_header
from zoo.artifact.manifest import read_manifest, read_manifests
from zoo.core.errors import ExportError, ServeError
from zoo.core.files import sha256_file
from zoo.core.images import to_uint8
from zoo.export import exporter, history, samples, to_onnx
from zoo.report.card import markdown
from zoo.runtime import parity
from zoo.spec.feeds import load_data
from zoo.train import loop
from zoo.train.kept import read_images

NAMES = ("a_to_b", "b_to_a")
FILES = {
    *("a_to_b.onnx", "b_to_a.onnx", "golden_a_to_b.npz", "golden_b_to_a.npz"),
    *("film_a_to_b.png", "film_b_to_a.png"),
    *("manifest.json", "spec.yaml", "samples.png", "README.md", "game.svg"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cycle")
    return tiny.train(folder, tiny.cycle(folder))


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    return exporter.export(run, out=tmp_path_factory.mktemp("exported"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files(made):
    assert {path.name for path in made.folder.iterdir()} == FILES
    assert [path.name for path in made.folder.parent.iterdir()] == ["cycle"]
    stated = read_manifests(made.folder)
    assert stated == made.manifests and [manifest.network for manifest in stated] == list(NAMES)
    for manifest in stated:
        assert set(manifest.files) == {manifest.file, manifest.golden, manifest.film, "spec.yaml", "samples.png"}
        for name, sha256 in manifest.files.items():
            assert sha256_file(made.folder / name) == sha256, name


@pytest.mark.parametrize(("name", "tap", "output"), [("a_to_b", "a", "b"), ("b_to_a", "b", "a")])
def test_each_file_is_its_own_network(made, run, name, tap, output):
    model = onnx.load(made.folder / f"{name}.onnx")
    axes = [[axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
            for value in (*model.graph.input, *model.graph.output)]  # fmt: skip
    assert axes == [["batch", "height", "width", 3]] * 2
    assert (model.graph.name, model.ir_version, model.opset_import[0].version) == (f"cycle_{name}", 7, 13)
    inside = {entry.key: entry.value for entry in model.metadata_props}
    assert inside == onnx_header.onnx_metadata(read_manifest(made.folder, name))
    assert json.loads(inside["gan.manifest"])["network"] == name
    raw = np.random.RandomState(0).uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
    player = run.algorithm.players[name]
    expected = keras.ops.convert_to_numpy(player({tap: raw}, training=False)[output])
    generator = zoo.load(made.folder, network=name)
    np.testing.assert_allclose(generator(**{tap: raw}), expected, rtol=0, atol=1e-5)


def test_parity_was_asked_at_several_sizes_and_batches(made):
    for manifest in made.manifests:
        assert set(manifest.parity["cases"]) == {"batch_1", "batch_3", "extremes", "size_2x3", "size_10x12"}
        assert 0 <= manifest.parity["max_abs_difference"] <= manifest.parity["tolerance"] == 1e-4
        assert manifest.parity["tensorflow_loaded"] is False


def test_the_cases_are_what_their_names_say(made):
    tried = parity.make_cases(made.manifest)
    shapes = {name: inputs["a"].shape for name, inputs in tried.items()}
    assert shapes == {"batch_1": (1, 8, 8, 3), "batch_3": (3, 8, 8, 3), "extremes": (3, 8, 8, 3),
                      "size_2x3": (2, 2, 3, 3), "size_10x12": (2, 10, 12, 3)}  # fmt: skip
    assert np.unique(tried["extremes"]["a"]).tolist() == [-1, 1]
    assert tried["batch_3"]["a"].min() < -0.9 and tried["batch_3"]["a"].max() > 0.9


def test_golden_vectors_are_images_of_the_data(made, run):
    for name, tap, output in (("a_to_b", "a", "b"), ("b_to_a", "b", "a")):
        with np.load(made.folder / f"golden_{name}.npz") as golden:
            given, expected = golden[tap], golden[output]
        images = load_data(run.spec).parts[tap].items[[0, 3, 6, 9]]
        np.testing.assert_array_equal(to_uint8(given, (-1.0, 1.0)), images)
        np.testing.assert_allclose(zoo.load(made.folder, network=name)(**{tap: given}), expected, rtol=0, atol=1e-4)


def test_the_picture_shows_images_beside_their_translations(made, run):
    picture = read_png(made.folder / "samples.png")
    rows = 3  # of four pairs each: ten images
    height = rows * 66 - 2
    assert picture.shape == (2 * height + 10, 8 * 66 - 2, 3)
    images = load_data(run.spec).parts
    for top, (name, tap) in ((0, ("a_to_b", "a")), (height + 10, ("b_to_a", "b"))):
        first = images[tap].items[0]
        np.testing.assert_array_equal(picture[top : top + 64 : 8, :64:8], first)
        translated = zoo.load(made.folder, network=name).translate(first)
        np.testing.assert_array_equal(picture[top : top + 64 : 8, 66:130:8], translated)
    assert made.manifest.training["shown"] == "train"  # the user's own photos have no test split


def test_images_of_other_sizes(made):
    translate = zoo.load(made.folder, network="a_to_b").translate
    photo = np.random.RandomState(0).randint(256, size=(2, 5, 13, 3)).astype(np.uint8)
    assert translate(photo).shape == (2, 5, 13, 3) and translate(photo[0]).std() > 1


def test_the_card(made, run):
    text = (made.folder / "README.md").read_text("utf-8")
    assert text == markdown(read_manifests(made.folder), run.spec, made.folder)
    for words in (
        "![images of the train split, each with its translation](samples.png)",
        "![what b_to_a made of the same images, step after step of its training](film_b_to_a.png)",
        f'b = zoo.load("{made.folder}", network="a_to_b").translate(a)',
        f'a = zoo.load("{made.folder}", network="b_to_a").translate(b)',
        "### a_to_b.onnx", "### b_to_a.onnx", "from 2 up. It was trained at 8 x 8.",
        "`golden_a_to_b.npz` and `golden_b_to_a.npz` hold", "images of 10 x 12",
    ):  # fmt: skip
        assert words in text, words
    for manifest in made.manifests:
        assert f"{manifest.parity['max_abs_difference']:.1e}" in text
        assert f"{manifest.weights['parameters']:,} parameters in {manifest.file}" in text


def test_each_network_has_a_title_with_its_direction(made):
    assert [one.title for one in made.manifests] == ["Two domains, a to b", "Two domains, b to a"]
    assert (made.folder / "README.md").read_text("utf-8").count("\n# Two domains\n") == 1


def test_two_exports_are_the_same_bytes(made, run, tmp_path, monkeypatch):
    """At the same path below the working directory, which the card names."""
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        written.append(contents(exporter.export(run, out=Path("out")).folder))
    assert written[0] == written[1]


@pytest.mark.parametrize("broken", [1, 2])
def test_one_bad_network_and_nothing_changes(made, run, tmp_path, monkeypatch, broken):
    shutil.copytree(made.folder, tmp_path / "cycle")
    before, asked, check = contents(tmp_path / "cycle"), [], parity.compare_in_fresh_process

    def fail(*args):
        asked.append(args)
        figures = check(*args)
        return {**figures, "max_abs_difference": 0.5} if len(asked) == broken else figures

    monkeypatch.setattr(parity, "compare_in_fresh_process", fail)
    with pytest.raises(ExportError, match=f"^cycle_{NAMES[broken - 1]}: the ONNX file differs from Keras by more than"):
        exporter.export(run, out=tmp_path)
    assert contents(tmp_path / "cycle") == before and [p.name for p in tmp_path.iterdir()] == ["cycle"]


def test_a_graph_that_knows_its_size_does_not_leave(run, tmp_path, monkeypatch):
    """Without our operators instance norm is reshaped to the traced size: parity at other sizes says so."""
    monkeypatch.setattr(to_onnx, "traced_layers", lambda plan: {})
    with pytest.raises(ExportError, match="the parity check failed"):
        exporter.export(run, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_of_two_is_an_artifact_of_one(run, tmp_path):
    spec = tiny.read(tmp_path, tiny.cycle(tmp_path), "export.networks=[b_to_a]")
    made = exporter.export(loop.Run(spec, run.algorithm, 4, 1.0, "", "two cores", tmp_path), out=tmp_path / "out")
    assert {path.name for path in made.folder.iterdir()} >= {"generator.onnx", "golden.npz"}
    assert made.manifest.network == "" and json.loads(made.manifest.to_json())["manifest_version"] == 4
    assert zoo.load(made.folder).translate(np.zeros((8, 8, 3), np.uint8)).shape == (8, 8, 3)
    assert "InstanceNormalization" in onnx_header.header((made.folder / "generator.onnx").read_bytes()).operators


def test_batch_norm_of_a_translator_is_measured_on_its_images(tmp_path):
    norm = "BatchNormalization: {momentum: 0.9, epsilon: 1e-5}"
    text = tiny.cycle(tmp_path).replace("- GroupNormalization\n", f"- {norm}\n")
    spec = tiny.read(tmp_path, text, "export.batch_norm_batches=3")
    algorithm = loop.make(spec)
    made = exporter.export(loop.Run(spec, algorithm, 0, 1.0, "", "two cores", tmp_path), out=tmp_path / "out")
    assert made.manifest.weights["batch_norm"] == "mean over 3 batches of 2 images"
    batches = {name: samples.batches(spec, spec.plans[name], 2, read_images(spec)) for name in NAMES}
    assert batches["a_to_b"][0]["a"].shape == (2, 8, 8, 3) and batches["a_to_b"][0]["a"].dtype == np.float32
    means = [batches[name][0][tap].mean() for name, tap in (("a_to_b", "a"), ("b_to_a", "b"))]
    assert means[0] < -0.2 < 0.2 < means[1]  # `a` is dark, `b` is bright


def test_a_translator_that_knows_its_size(tmp_path):
    text = tiny.cycle(tmp_path).replace("      - GroupNormalization\n", "      - GroupNormalization: {groups: 2}\n")
    spec = tiny.read(tmp_path, text)
    run = loop.Run(spec, loop.make(spec), 0, 1.0, "", "two cores", tmp_path)
    made = exporter.export(run, out=tmp_path / "out")
    assert made.manifest.inputs[0].shape == ("batch", 8, 8, 3) and made.manifest.inputs[0].sizes is None
    assert set(made.manifest.parity["cases"]) == {"batch_1", "batch_3", "extremes"}
    with pytest.raises(ServeError, match="takes only images of 8 x 8, received 8 x 9"):
        zoo.load(made.folder, network="a_to_b").translate(np.zeros((8, 9, 3), np.uint8))


def test_each_translator_has_a_film_of_its_own(made, run):
    for name in NAMES:
        expected = history.film(run.folder, name, until=run.step)
        np.testing.assert_array_equal(read_png(made.folder / f"film_{name}.png"), expected)
        assert expected.shape[0] > 3 * 66 and expected.shape[2] == 3  # the originals, steps 0 and 4
