"""Evaluation during training: the number, and that it changes nothing."""

import json

import growing
import keras
import numpy as np
import pytest
import tiny
from watched import NAME, OFF, WATCHED, real, trained

from zoo.core.errors import TrainingError
from zoo.core.images import to_uint8
from zoo.export import exporter
from zoo.metrics.fid import frechet_distance
from zoo.nn import networks
from zoo.nn.batch_norm import averaged_statistics
from zoo.spec import feeds
from zoo.spec.feeds import draw_inputs
from zoo.train import checkpoint, loop, monitor
from zoo.train.monitor import BEST_FILE, SEED, Metric, load_best, make_metric


def test_the_number_is_the_distance_to_real_training_images(tmp_path, expert, monkeypatch):
    monkeypatch.setattr(monitor, "REAL", 100)
    monkeypatch.setattr(monitor, "BATCH", 30)  # the last one is smaller
    read = tiny.read(tmp_path, WATCHED)
    algorithm = loop.make(read)
    metric = make_metric(read, feeds.load_data(read))
    assert metric.name == NAME
    assert expert.shown == []  # a short training never asks
    value = metric(algorithm)
    truth = next(shown for shown in expert.shown if len(shown) == 100)
    assert truth.shape == (100, 28, 28, 1)
    places = [int(np.flatnonzero((real() == image).all(axis=(1, 2, 3)))[0]) for image in truth]
    assert len(set(places)) == 100 and places != list(range(100)) and max(places) > 250  # from everywhere
    given = draw_inputs(read, 80, seed=SEED)
    assert np.bincount(given["label"]).tolist() == [8] * 10
    leaves = networks.build(algorithm.exported_plan("generator"))
    leaves.set_weights(algorithm.averages["generator"].get_weights())
    averaged_statistics(leaves, [{name: x[at : at + 30] for name, x in given.items()} for at in (0, 30, 60)])
    raw = keras.ops.convert_to_numpy(leaves(given, training=False)["image"])
    expected = frechet_distance(expert(to_uint8(raw, (-1.0, 1.0))).features, expert(truth).features)
    assert value == pytest.approx(expected, rel=1e-5) and value == metric(algorithm)
    again = make_metric(read, feeds.load_data(read))
    assert again(algorithm) == value
    algorithm.averages["generator"].layers[-2].bias.assign(np.full(784, 0.5))
    assert metric(algorithm) != value
    assert not np.array_equal(given["z"][:64], draw_inputs(read, 64, seed=0)["z"])  # not those that people look at


def test_watching_changes_nothing(tmp_path):
    """Weights, moments, averages, seeds of dropout: bit by bit those of a run that nobody watched."""
    states = []
    for name, overrides in (("on", ()), ("off", (OFF,))):
        run, _ = trained(tmp_path / name, *overrides)
        assert (run.folder / BEST_FILE).exists() == (name == "on")
        with np.load(run.folder / checkpoint.FILE) as file:
            states.append({key: file[key] for key in file.files if key != "meta"})
    assert states[0].keys() == states[1].keys() and any("seed" in key for key in states[0])
    for key, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][key], err_msg=key)


def test_every_so_many_steps(tmp_path, scripted):
    scripted(3.0, 1.0)
    run, _ = trained(tmp_path, "training.evaluate.every=2", steps=5)
    assert load_best(run.folder).evaluated == (2, 4)


def test_it_is_in_the_curves_of_the_artifact(tmp_path, scripted):
    scripted(3.0, 1.0, 2.0)
    run, _ = trained(tmp_path, "training.evaluate.every=10", steps=30)
    made = exporter.export(run, out=tmp_path / "out")
    found = json.loads((made.folder / "curves.json").read_text())
    assert found["metric"] == {"name": NAME, "kimg": [0.04, 0.08, 0.12], "values": [3.0, 1.0, 2.0]}
    assert found["kimg"] == [0.08]


def test_a_network_that_grows_is_judged_at_full_size(tmp_path, expert):
    read = tiny.read(tmp_path, growing.GROWING)
    algorithm = loop.make(read)
    metric = Metric(read, real(side=8), draw_inputs(read, 70, seed=0))
    algorithm.begin(0)
    metric(algorithm)
    small = expert.shown[0]
    assert small.shape == (70, 8, 8, 1)
    np.testing.assert_array_equal(small, small[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2))


def test_images_that_are_not_finite(tmp_path, monkeypatch):
    def poison(self, batch):
        for network in (*self.players.values(), *self.averages.values()):
            for variable in network.weights:  # an average has none that are trainable
                variable.assign(variable * np.nan)

    monkeypatch.setattr("zoo.train.algorithms.base.Algorithm.after_step", poison)
    with pytest.raises(
        TrainingError, match="^step 1: generator makes numbers that are not finite; there is no checkpoint"
    ):
        trained(tmp_path)
    assert not (tmp_path / "runs/watched" / BEST_FILE).exists()
