"""A checkpoint holds everything, comes back bit by bit, and is never half there, not finite, or of another run."""

import copy
import json

import keras
import numpy as np
import pytest
import tiny

from zoo.core.errors import DiskFullError, TrainingError
from zoo.train import checkpoint, loop

DOCUMENT = {"name": "tiny", "training": {"batch_size": 8, "steps": 4}}


@pytest.fixture(scope="module")
def algorithm(tmp_path_factory):
    return loop.make(tiny.read(tmp_path_factory.mktemp("spec")))


@pytest.fixture
def saved(algorithm, tmp_path):
    path = tmp_path / checkpoint.FILE
    checkpoint.save(path, algorithm, checkpoint.Progress(3, 1.5, "two cores"), DOCUMENT)
    return path


def state(algorithm):
    return {name: keras.ops.convert_to_numpy(v.value).copy() for name, v in algorithm.state().items()}


def rewrite(path, **changes):
    """The same checkpoint with other arrays; None takes one out."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_six_steps_are_three_and_three(tmp_path):
    """Dropout, batch norm, Adam and EMA all go on where they were: the same bits as without the interruption."""
    whole = tiny.train(tmp_path / "whole", steps=6)
    first = tiny.train(tmp_path / "parts", steps=3)
    halfway = state(first.algorithm)
    second = tiny.train(tmp_path / "parts", steps=6, resume=True)
    assert (first.step, second.step) == (3, 6) and second.seconds > first.seconds
    expected, received = state(whole.algorithm), state(second.algorithm)
    assert expected.keys() == received.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(received[name], array, rtol=0, atol=1e-6, err_msg=name)
    still = {name for name, array in expected.items() if np.array_equal(array, halfway[name])}
    assert still == {
        "discriminator_optimizer/001_learning_rate",
        "generator_optimizer/001_learning_rate",
        "generator_ema/012_seed_generator_state",  # an average is never called in training mode
    }


def test_a_phase_that_still_rests_does_not_keep_a_run_from_its_checkpoint(tmp_path):
    """What it would log is not known before it plays, which is no number that has gone wrong."""
    late = "algorithm.alternating.generator.when.from=4"
    first = tiny.train(tmp_path, tiny.DENSE, late, steps=2)
    assert np.isnan(state(first.algorithm)["last_losses/generator"])
    second = tiny.train(tmp_path, tiny.DENSE, late, steps=6, resume=True)
    assert second.step == 6 and np.isfinite(state(second.algorithm)["last_losses/generator"])


def test_everything_is_in_it(algorithm, saved):
    with np.load(saved, allow_pickle=False) as file:
        names = set(file.files)
    assert names == {*algorithm.state(), "meta"}
    counts = {owner: sum(name.startswith(f"{owner}/") for name in names) for owner in {n.split("/")[0] for n in names}}
    assert counts == {
        "meta": 0,
        "generator": 4 + 8 + 1,  # kernels and biases, two batch norms, the dropout's seed
        "generator_ema": 4 + 8 + 1,
        "discriminator": 4 + 4 + 1,
        "generator_optimizer": 2 + 2 * 8,  # iterations, learning rate, two moments of each trained weight
        "discriminator_optimizer": 2 + 2 * 6,
    }
    assert any("seed" in name for name in names if name.startswith("generator/"))
    assert any("moving_variance" in name for name in names if name.startswith("generator_ema/"))


def test_into_fresh_networks(algorithm, saved, tmp_path):
    other = loop.make(tiny.read(tmp_path / "spec", tiny.GAN, "training.seed=5"))
    before, wanted = state(other), state(algorithm)
    assert any(not np.array_equal(before[name], wanted[name]) for name in wanted)
    assert checkpoint.load(saved, other, DOCUMENT) == checkpoint.Progress(3, 1.5, "two cores")
    for name, array in state(other).items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


def _flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"hello", lambda data: data[:-200], lambda data: data[:200], _flip],
    ids=["empty", "text", "end missing", "begin only", "one bit"],
)
def test_damaged(algorithm, saved, damage):
    before = state(algorithm)
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(TrainingError, match=r"not a readable checkpoint: .+ Start over without --resume") as caught:
        checkpoint.load(saved, algorithm, DOCUMENT)
    assert str(caught.value).startswith(str(saved)) and "\n" not in str(caught.value)
    assert all(np.array_equal(before[name], array) for name, array in state(algorithm).items())


@pytest.mark.parametrize(
    "meta",
    [None, "not json", "[]", json.dumps({"step": 3}), json.dumps({"step": "three", "seconds": 1, "document": {}})],
)
def test_damaged_meta(algorithm, saved, meta):
    rewrite(saved, meta=None if meta is None else np.array(meta))
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        checkpoint.load(saved, algorithm, DOCUMENT)


def test_pickles_and_lone_arrays_are_refused(algorithm, saved):
    rewrite(saved, meta=np.array([{"step": 3}], dtype=object))
    with pytest.raises(TrainingError, match=r"not a readable checkpoint: .*pickle"):
        checkpoint.load(saved, algorithm, DOCUMENT)
    with saved.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        checkpoint.load(saved, algorithm, DOCUMENT)


def first_kernel(algorithm):
    return next(name for name in algorithm.state() if name.startswith("generator/") and "kernel" in name)


def test_foreign_arrays_are_named(algorithm, saved):
    kernel = first_kernel(algorithm)
    for changes, message in (
        ({kernel: None}, f"it lacks '{kernel}'"),
        ({kernel: np.zeros((1, 2), np.float32)}, rf"'{kernel}' is \[1, 2\], expected \[4, 32\]"),
        ({kernel: np.full((4, 32), np.nan, np.float32)}, f"'{kernel}' is not finite"),
        ({kernel: np.zeros((4, 32), np.float32), "old/weight": np.zeros(1)}, "'old/weight' is unknown"),
    ):
        rewrite(saved, **changes)
        before = state(algorithm)
        with pytest.raises(TrainingError, match=f"does not fit the networks: {message}. Start over without --resume"):
            checkpoint.load(saved, algorithm, DOCUMENT)
        assert all(np.array_equal(before[name], array) for name, array in state(algorithm).items())


def test_another_spec_is_named(algorithm, saved):
    other = {**copy.deepcopy(DOCUMENT), "latent": {"z": {"normal": {"shape": [4]}}}}
    other["training"]["batch_size"] = 16
    with pytest.raises(TrainingError, match=r"made with another spec: latent, training\.batch_size changed\. Start"):
        checkpoint.load(saved, algorithm, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_written(algorithm, saved, value):
    before = saved.read_bytes()
    variable = algorithm.players["generator"].trainable_variables[0]
    good = keras.ops.convert_to_numpy(variable.value).copy()
    bad = good.copy()
    bad[-1, -1] = value
    try:
        variable.assign(bad)
        with pytest.raises(TrainingError, match=r"'generator/000_.*kernel' is not finite after step 7"):
            checkpoint.save(saved, algorithm, checkpoint.Progress(7, 2.0, "two cores"), DOCUMENT)
    finally:
        variable.assign(good)
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("where", ["numpy.savez", "os.replace"])
def test_never_half_written(algorithm, saved, monkeypatch, where):
    def fail(target, *args, **kwargs):
        if where == "numpy.savez":
            target.write(b"half")
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(where, fail)
    message = r"checkpoint\.npz: the disk is full: .* kB needed, .* free; the earlier file stands as it was$"
    with pytest.raises(DiskFullError, match=message):
        checkpoint.save(saved, algorithm, checkpoint.Progress(7, 2.0, "two cores"), DOCUMENT)
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]
