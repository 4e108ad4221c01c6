"""Trainings of claims: snapshots of the right steps, resumed where they were stopped, not repeated when finished."""

import os
import signal

import numpy as np
import pytest
import tiny

from zoo.claims.base import Options
from zoo.claims.trainings import SnapshotRecorder, machine_of, read_snapshot, seconds_of, train_with_snapshots
from zoo.spec.read import read_spec
from zoo.train import loop


@pytest.fixture
def options(tmp_path):
    return Options(folder=tmp_path / "claims")


@pytest.fixture
def dense(tmp_path):
    return str(tiny.read(tmp_path / "specs", tiny.DENSE).path)


def weight(algorithm):
    """One number that every step moves."""
    return {"w": np.array(algorithm.players["generator"].trainable_variables[0])}


def test_snapshots_are_of_the_steps_asked_for(options, dense):
    snapshots = train_with_snapshots(options, "x", dense, [], at=[4, 1, 6], take=weight)
    assert list(snapshots) == [1, 4, 6]
    assert 0 < snapshots[1]["seconds"] < snapshots[4]["seconds"] < snapshots[6]["seconds"] == seconds_of(snapshots)
    assert machine_of([snapshots, snapshots]) == loop.machine()
    short = loop.train(read_spec(dense), runs=options.folder, steps=4)
    np.testing.assert_array_equal(snapshots[4]["w"], weight(short.algorithm)["w"])  # watching changes nothing


def test_a_finished_one_is_not_trained_again(options, dense, monkeypatch):
    first = train_with_snapshots(options, "x", dense, [], at=[2, 3], take=weight)
    monkeypatch.setattr(loop, "train", None)
    again = train_with_snapshots(options, "x", dense, [], at=[3], take=weight)
    np.testing.assert_array_equal(again[3]["w"], first[3]["w"])


def test_a_step_without_a_snapshot_is_trained_again(options, dense):
    """As at full scale after a quick run, whose steps lie elsewhere."""
    train_with_snapshots(options, "x", dense, [], at=[2, 5], take=weight)
    again = train_with_snapshots(options, "x", dense, [], at=[3, 7], take=weight)
    whole = train_with_snapshots(options, "y", dense, [], at=[3, 7], take=weight)
    for step in (3, 7):
        np.testing.assert_array_equal(again[step]["w"], whole[step]["w"])


def test_another_recipe_is_another_run(options, dense):
    first = train_with_snapshots(options, "x", dense, [], at=[2], take=weight)
    other = train_with_snapshots(options, "x", dense, ["training.seed=1"], at=[2], take=weight)
    assert np.abs(first[2]["w"] - other[2]["w"]).max() > 0.01
    assert len(list((options.folder / "runs").iterdir())) == 2


def test_ctrl_c_leaves_and_the_next_call_goes_on(options, dense, tmp_path):
    whole = train_with_snapshots(Options(folder=tmp_path / "whole"), "x", dense, [], at=[3, 8], take=weight)
    taken = []

    def stopping(algorithm):
        taken.append(len(taken))
        if len(taken) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return weight(algorithm)

    with pytest.raises(KeyboardInterrupt):
        train_with_snapshots(options, "x", dense, [], at=[3, 8], take=stopping)
    snapshots = train_with_snapshots(options, "x", dense, [], at=[3, 8], take=stopping)
    assert len(taken) == 2  # step 3 before, step 8 after
    np.testing.assert_array_equal(snapshots[8]["w"], whole[8]["w"])
    assert snapshots[8]["seconds"] > snapshots[3]["seconds"]


def test_the_budget_of_the_spec_does_not_end_it(options, dense):
    snapshots = train_with_snapshots(
        options, "x", dense, ["training.budget=1s", "training.steps=10"], at=[400], take=weight
    )
    assert list(snapshots) == [400]


def test_watching_is_not_training_time(options, dense, monkeypatch):
    import time

    def slow(algorithm):
        time.sleep(0.5)
        return weight(algorithm)

    snapshots = train_with_snapshots(options, "x", dense, [], at=[1, 2, 3], take=slow)
    assert snapshots[3]["seconds"] - snapshots[1]["seconds"] < 0.4


def test_a_resumed_recorder_counts_on_at_the_pace_so_far(tmp_path):
    (tmp_path / "s").mkdir()
    np.savez(tmp_path / "s" / "10.npz", seconds=np.array(20.0))
    recorder = SnapshotRecorder(tmp_path / "s", frozenset({16}), lambda algorithm: {}, "here")
    recorder(16, None)  # the first step after a checkpoint of step 15
    assert float(read_snapshot(tmp_path / "s", 16)["seconds"]) == pytest.approx(30.0, abs=0.5)
