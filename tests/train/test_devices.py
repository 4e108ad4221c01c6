"""A step stays on the device that it was built for, and two devices share a training that is one device's."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest
import tiny

from zoo.core.errors import UsageError
from zoo.nn import replicas
from zoo.train import loop

pytestmark = pytest.mark.xdist_group("devices")  # its fixture is slow: made once

HELPER = Path(__file__).parents[1] / "helpers" / "shared_steps.py"
PLAYER = "{optimizer: {Adam: {learning_rate: 2e-2, beta_1: 0.5}}}"
CHANGES = (  # no chance, and an average
    "networks.generator.layers.2.Dropout.rate=0", "networks.discriminator.layers.4.Dropout.rate=0",
    "training.batch_size=8", "training.steps=20", "training.ema_half_life_images=20",
)  # fmt: skip


def play(backend, folder, *flags):
    """What shared_steps.py found of a game with batch norm and an average, under plain gradient descent.

    Adam would make whole steps of the gradients that are all rounding: those of a bias before a batch norm.
    """
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    (folder / "game.yaml").write_text(tiny.read(folder / "text", tiny.GAME, *CHANGES).to_yaml())
    done = subprocess.run(
        [sys.executable, str(HELPER), str(folder), *flags], env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])["game"]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return play("tensorflow", tmp_path_factory.mktemp("shared"))


def test_two_devices_reach_one_devices_weights(played):
    """After 20 steps; batch norm measures the global batch, or the weights would part in the first step."""
    assert played["apart"] <= 1e-4 < 1e-2 < played["moved"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_checkpoint_goes_on_with_another_number_of_devices(backend, tmp_path):
    found = play(backend, tmp_path, "--crossing")
    assert max(found["apart"], found["joined"], found["divided"]) <= 1e-4 < 1e-2 < found["moved"]


def test_all_variables_and_operations_lie_on_the_device_that_the_step_was_built_for(played):
    assert played["places"] == {"variables": ["device:CPU:1"], "operations": ["device:CPU:1"]}


def test_more_devices_than_there_are_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"training.devices: 7, but Keras on \w+ sees 1: CPU:0"):
        loop.make(tiny.read(tmp_path, tiny.DENSE, "training.devices=7"))


def test_all_of_one_is_one(tmp_path):
    assert loop.make(tiny.read(tmp_path, tiny.DENSE, "training.devices=all")).shares is replicas.ONE


def test_a_batch_that_cannot_be_shared_equally_is_refused(tmp_path, monkeypatch):
    devices = replicas.Replicas()
    devices.count = 3
    monkeypatch.setattr(replicas, "make", lambda wanted: devices)
    with pytest.raises(UsageError, match="a batch of 4 cannot be shared equally by 3 devices"):
        loop.make(tiny.read(tmp_path, tiny.DENSE))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "each device would fill the pool"),
        ("MinibatchStdDev", "looks at the whole batch"),
        ("twice", "phase 'generator' has batches of 16, which fall into other shares than those of 8"),
    ],
)
def test_what_tensorflow_cannot_divide_is_refused_by_name(tmp_path, monkeypatch, change, reason):
    import tensorflow as tf

    monkeypatch.setattr(replicas, "make", lambda wanted: replicas.Mirrored(["CPU:0"]))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda devices: tf.distribute.OneDeviceStrategy(*devices))
    text = (
        tiny.GAN.replace("- Flatten", f"- {change}\n      - Flatten") if change else tiny.cycle(tmp_path / "pictures")
    )
    if change == "twice":
        text = tiny.GAN.replace(
            "discriminator: *player", "discriminator: *player\n    order: [generator, discriminator]"
        )
        text = text.replace("generator: &player {", "generator: {batch_size: 16, ").replace(": *player", ": " + PLAYER)
    with pytest.raises(UsageError, match=f"training.devices: Keras on tensorflow gives .*{reason}"):
        loop.make(tiny.read(tmp_path, text))


def test_a_backend_without_a_way_refuses_by_name(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="Keras on torch trains on one device"):
        replicas.make(2)
