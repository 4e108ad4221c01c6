"""What cannot be exported is refused at its place before the first step, and trying it changes no training."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

import zoo
from zoo.cli import requirements
from zoo.core.arrays import load_arrays
from zoo.core.errors import SpecError
from zoo.export import exporter, rehearsal, rewrites
from zoo.train import checkpoint

EXPORTED = re.compile(r"can be exported: ONNX of opset 13, as Keras to ([0-9.e-]+)")


@pytest.fixture
def broken(monkeypatch):
    """A zoo that crops what a transposed convolution makes at one side alone."""
    monkeypatch.setattr(rewrites, "transposed_pads", lambda begin, end: {"pads": [0, 0, 2 * begin[0], 2 * begin[1]]})


@pytest.fixture
def quiet(monkeypatch, tmp_path):
    """stderr stays pytest's own, and relative paths are in a folder of the test."""
    monkeypatch.setattr(requirements, "silence", lambda: None)
    monkeypatch.chdir(tmp_path)


def test_untrained_networks_are_as_keras_computes_them(tmp_path):
    found = rehearsal.rehearse(tiny.read(tmp_path, tiny.GAN))
    assert found.keys() == {"generator"} and 0 < float(EXPORTED.fullmatch(found["generator"])[1]) < 1e-5


def test_two_networks_and_images_of_many_sizes(tmp_path):
    found = rehearsal.rehearse(tiny.read(tmp_path, tiny.cycle(tmp_path)))
    assert found.keys() == {"a_to_b", "b_to_a"} and all(map(EXPORTED.fullmatch, found.values()))


ONE_PIXEL = """
      - Conv2D: {filters: 6, kernel_size: 4, padding: valid}
      - UnitNormalization
      - Flatten
      - Dense: {units: 64}
      - Reshape: {target_shape: [8, 8, 1]}
"""
IMAGES_OF_8 = """
      - Conv2D: {filters: 4, kernel_size: 1}
      - PixelNorm
      - Flatten
      - Dense: {units: 64}
      - Reshape: {target_shape: [8, 8, 1]}
"""


@pytest.mark.parametrize(("layers", "opset"), [(ONE_PIXEL, "lowest"), (ONE_PIXEL, 18), (IMAGES_OF_8, 18)])
def test_compositions_that_once_left_wrong(tmp_path, layers, opset):
    """One pixel that is normalised became as many examples as channels; a pixel norm of opset 18 a mean of all."""
    start = tiny.GAN.index("      - Conv2DTranspose")
    text = tiny.GAN[:start] + layers.lstrip("\n") + tiny.GAN[tiny.GAN.index("  discriminator:") :]
    found = rehearsal.rehearse(tiny.read(tmp_path, text, f"export.opset={opset}"))["generator"]
    assert float(re.search(r"as Keras to ([0-9.e-]+)$", found)[1]) < 1e-5


def test_an_error_is_located_at_the_layer_that_is_to_blame(tmp_path, broken):
    message = (
        r"^\S+tested\.yaml:24:9: networks\.generator\.layers\[6\]\.Conv2DTranspose: cannot be exported: "
        r"the ONNX file differs from Keras by [0-9.]+, where outputs reach [0-9.]+$"
    )
    with pytest.raises(SpecError, match=message):
        rehearsal.rehearse(tiny.read(tmp_path, tiny.GAN))


def test_an_error_of_no_single_layer_is_located_at_its_network(tmp_path, monkeypatch):
    def fail(model):
        if len(model.graph.node) > 5:
            raise ValueError("too many nodes")

    monkeypatch.setattr(rewrites, "rewrite", fail)
    with pytest.raises(
        SpecError, match=r"^\S+:24:9: networks\.generator: cannot be exported: ValueError: too many nodes$"
    ):
        rehearsal.rehearse(tiny.read(tmp_path, tiny.GAN))


@pytest.mark.parametrize("flags", [["--dry-run"], ["--steps", "2"]])
def test_build_refuses_it_before_it_trains(zoo_says, tmp_path, broken, quiet, flags):
    code, out, err = zoo_says("build", tiny.read(tmp_path, tiny.GAN).path, *flags)
    assert (code, out) == (2, "") and "layers[6].Conv2DTranspose: cannot be exported" in err
    assert not Path("runs").exists() and not Path("exported").exists()


def test_a_dry_run_says_what_was_found(zoo_says, tmp_path, quiet):
    path = tiny.read(tmp_path, tiny.DENSE).path
    code, out, err = zoo_says("build", path, "--dry-run")
    assert (code, err) == (0, "") and "\ngenerator: can be exported: ONNX of opset 13, as Keras to " in out
    assert EXPORTED.fullmatch(json.loads(zoo_says("build", path, "--dry-run", "--json")[1])["export"]["generator"])


def test_a_large_network_is_left_out_with_the_reason(zoo_says, tmp_path, quiet, monkeypatch):
    monkeypatch.setattr(rehearsal, "LARGEST", {"parameters": 10})
    code, _, err = zoo_says("build", tiny.read(tmp_path, tiny.DENSE).path, "--steps", 1)
    line = "dense: generator: too large to be tried before the training (256 parameters)\n"
    assert code == 0 and err.startswith(line)


def test_a_finished_run_is_exported_without_a_rehearsal(zoo_says, tmp_path, quiet, monkeypatch):
    path = tiny.read(tmp_path, tiny.DENSE).path
    assert zoo_says("build", path)[0] == 0
    monkeypatch.setattr(rehearsal, "rehearse", lambda spec: pytest.fail("not needed"))
    assert zoo_says("build", path, "--resume")[0] == 0


def test_no_random_number_of_a_training_moves(tiny_run, tmp_path):
    """Dropout, initial weights, batches: the checkpoint has the same names and the same numbers."""
    rehearsal.rehearse(tiny.read(tmp_path))
    again = tiny.train(tmp_path)
    arrays = [load_arrays(run.folder / checkpoint.FILE)[0] for run in (tiny_run, again)]
    assert arrays[0].keys() == arrays[1].keys()
    assert all(arrays[0][name].tobytes() == arrays[1][name].tobytes() for name in arrays[0])


def test_a_latent_of_an_images_shape_is_exported(tmp_path):
    layers = "- Conv2D: {filters: 4, kernel_size: 3}\n      - Flatten\n      - Dense: {units: 64, activation: tanh}"
    text = tiny.DENSE.replace("shape: [3]", "shape: [3, 4, 2]").replace(
        "- Dense: {units: 64, activation: tanh}", layers
    )
    made = exporter.export(tiny.train(tmp_path, text, steps=1), out=tmp_path)
    generator = zoo.load(made.folder)
    assert generator.latents(3)["z"].shape == (3, 3, 4, 2) and generator.manifest.kind == "images"
    images = generator.sample(8, seed=0)
    assert images.shape == (8, 8, 8, 1) and (generator.sample(3, seed=0) == images[:3]).all()


@pytest.mark.parametrize("dense", ["Dense", "EqualizedDense", "SpectralDense"])
def test_what_stands_behind_a_dense_layer_on_images_is_exported(tmp_path, dense):
    """The crop of a transposed convolution follows from sizes, which a converter loses there."""
    layers = f"""- Dense: {{units: 64}}
      - Reshape: {{target_shape: [4, 4, 4]}}
      - {dense}: {{units: 3}}
      - Conv2DTranspose: {{filters: 1, kernel_size: 4, strides: 2, padding: same, activation: tanh}}"""
    text = tiny.DENSE.replace("- Dense: {units: 64, activation: tanh}", layers)
    assert EXPORTED.fullmatch(rehearsal.rehearse(tiny.read(tmp_path, text))["generator"])


@pytest.mark.slow
def test_under_another_backend_a_process_of_its_own_tries_it(tmp_path):
    path = tiny.read(tmp_path, tiny.DENSE).path
    pytest.importorskip("jax")
    done = subprocess.run(
        [sys.executable, "-m", "zoo.cli", "build", path, "--dry-run", "--json"],
        env={**os.environ, "KERAS_BACKEND": "jax"}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert EXPORTED.fullmatch(json.loads(done.stdout)["export"]["generator"])


def test_the_process_of_its_own_answers_in_one_line(tmp_path, capsys, broken):
    path = str(tiny.read(tmp_path, tiny.DENSE).path)
    assert rehearsal.main([path, "training.seed=3"]) == 0
    assert EXPORTED.fullmatch(json.loads(capsys.readouterr().out)["found"]["generator"])
    assert rehearsal.main([str(tiny.read(tmp_path, tiny.GAN).path)]) == 2
    assert "layers[6].Conv2DTranspose: cannot be exported" in json.loads(capsys.readouterr().out)["error"]
