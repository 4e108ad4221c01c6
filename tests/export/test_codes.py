"""A generator with a categorical and a continuous code, from its spec to pictures that are asked for by name."""

import json

import numpy as np
import pytest
import tiny

import zoo
from zoo.export import exporter
from zoo.train import loop

TEXT = """
name: codes
title: A generator with codes
data: {source: digits}
latent:
  z: {normal: {shape: [3]}}
  digit: {categorical: {classes: [round, straight, open]}}
  slant: {uniform: {shape: [1], low: -1, high: 1}}
networks:
  generator:
    inputs: [z, digit, slant]
    output: image
    layers:
      - from: digit
      - OneHot: {classes: 3}
      - Concatenate:
        from: [z, slant, x]
      - Dense: {units: 64, activation: tanh}
      - Reshape: {target_shape: [8, 8, 1]}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, Dense: {units: 1}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {SGD: {learning_rate: 0.1}}}
    discriminator: *player
training: {batch_size: 4, steps: 2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("codes")
    run = loop.train(tiny.read(place, TEXT), runs=place / "runs")
    return exporter.export(run, out=place / "out").folder


def test_codes_are_inputs_with_names(folder):
    inputs = {one["name"]: one for one in json.loads((folder / "manifest.json").read_text())["inputs"]}
    assert inputs["digit"]["classes"] == ["round", "straight", "open"] and inputs["digit"]["dtype"] == "int64"
    assert inputs["digit"]["prior"] is None and inputs["slant"]["prior"] == {"uniform": {"low": -1, "high": 1}}
    with np.load(folder / "golden.npz") as golden:
        assert golden["digit"].dtype == np.int64 and golden["slant"].shape == (4, 1)


def test_pictures_are_asked_for_by_name(folder):
    generator = zoo.load(folder)
    free, fed = generator.sample(6, seed=1), generator.latents(6, seed=1)
    fixed = generator.sample(6, seed=1, digit="open", slant=0.5)
    raw = generator(z=fed["z"], digit=np.full(6, 2), slant=np.full((6, 1), 0.5, np.float32))
    np.testing.assert_allclose(fixed, (raw + 1) * 127.5, atol=0.51)
    assert (fixed != free).any()
    np.testing.assert_array_equal(generator.sample(6, seed=1, digit=fed["digit"], slant=fed["slant"]), free)


def test_batches_of_training_draw_codes_from_their_priors(tmp_path):
    spec = tiny.read(tmp_path, TEXT)
    batches = loop.make_batches(spec, loop.make(spec), loop.feeds.load_data(spec))
    drawn = [batches[step] for step in range(20)]
    ids = np.concatenate([batch["digit"].ravel() for batch in drawn])
    assert ids.dtype == np.int64 and drawn[0]["digit"].shape == (2, 4) and set(ids) == {0, 1, 2}
    assert drawn[0]["slant"].shape == (2, 4, 1) and np.abs([batch["slant"] for batch in drawn]).max() <= 1
