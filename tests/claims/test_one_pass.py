"""One pass beside the optimisation: on a tiny style transfer whose network has learned nothing, and one that has."""

import numpy as np
import pytest

from zoo.claims import base, one_pass
from zoo.claims.base import Options
from zoo.export import exporter
from zoo.spec.read import read_spec
from zoo.train import loop

SPEC = """
name: style_transfer
title: A tiny style
data: {source: digits, size: 16, channels: 3}
networks:
  generator:
    inputs: image
    output: styled
    layers:
      - ReflectionPadding2D
      - Conv2D: {filters: 3, kernel_size: 3}
  vgg: {weights: {package: vgg16}, frozen: true, output: relu1_2}
algorithm:
  game:
    values:
      style: {picture: {painting: rivers, size: 16}}
      wanted: {vgg: {picture: style}}
      seen: {vgg: {picture: image}}
      made: generator
      shown: {vgg: {picture: made}}
      content: {l2: {between: [shown, seen]}}
      gram: {gram: {between: [shown, wanted], layers: [relu1_1, relu1_2]}}
    phases:
      generator: {trains: generator, minimise: {content: 1, gram: 300}, optimizer: {Adam: {learning_rate: 1e-2}}}
training: {batch_size: 4, steps: 60}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("style") / "style_transfer.yaml"
    path.write_text(SPEC)
    return read_spec(path)


def test_the_optimisation_lowers_the_sum_of_the_weighted_terms(spec):
    random = np.random.RandomState(0)
    photos = random.uniform(-1, -0.5, (2, 16, 16, 3)).astype("float32")  # darker than the painting
    losses = one_pass.losses_of(spec, photos)
    before = one_pass.terms(losses, photos)
    assert before["content"] == 0 and before["total"] == pytest.approx(before["gram"])  # it is itself
    made, curve = one_pass.optimise(losses, photos, 20, (-1.0, 1.0))
    after = one_pass.terms(losses, made)
    assert len(curve) == 20 and curve[0] == pytest.approx(before["total"]) and after["total"] < 0.8 * before["total"]
    assert made.min() >= -1 and made.max() <= 1


def test_a_network_that_leaves_photographs_as_they_are_does_not_hold(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(one_pass, "QUICK", one_pass.Scale(2, 16, 20))
    run = loop.train(spec, runs=tmp_path / "runs", steps=1)
    identity = np.zeros((3, 3, 3, 3), "float32")
    identity[1, 1] = np.eye(3)
    run.algorithm.players["generator"].set_weights([identity, np.zeros(3, "float32")])
    artifact = exporter.export(run, out=tmp_path / "exported").folder
    found = base.reproduce("one_pass", Options(quick=True, folder=tmp_path, artifact=artifact))
    (share,) = (row for row in found.rows if row.quantity.startswith("share"))
    assert not found.holds and share.ours == pytest.approx(0, abs=0.02), found.text()
    assert (tmp_path / "one_pass.png").stat().st_size > 5000 and "one pass goes" in found.text()
    monkeypatch.setattr(one_pass, "optimise", lambda losses, start, steps, limits: (start, [1e9] * steps))
    found = base.reproduce("one_pass", Options(quick=True, folder=tmp_path, artifact=artifact))
    assert not [row.quantity for row in found.rows if row.quantity.startswith(("share", "steps of"))]
    assert "The optimisation did not reach the network's loss within 20 steps." in found.notes
