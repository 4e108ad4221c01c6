"""What the backend computes on: said aloud where a card is overlooked, refused where it is asked for and not there."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import tensorflow as tf
import tiny

from zoo.core import cards
from zoo.core.cards import Card
from zoo.core.errors import UsageError
from zoo.nn import devices
from zoo.train import loop

T4 = Card("Tesla T4", 15360 * 2**20)


@pytest.fixture
def card(monkeypatch):
    """A machine with a card that TensorFlow does not see; every line is new."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(cards, "cards", lambda places=None: (T4,))
    monkeypatch.setattr(cards, "has_nodes", lambda places=None: True)
    devices.say.cache_clear()


@pytest.fixture
def seen(monkeypatch, card):
    monkeypatch.setitem(devices._LISTS, "tensorflow", lambda: [devices.Device("gpu:0", "Tesla T4")] * 2)


def test_a_card_that_is_overlooked_is_one_loud_line_with_the_cure(card, capsys):
    devices.use()
    devices.use()  # networks are built again and again
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("warning: training on the CPU, though there is Tesla T4: pip install 'gan-zoo[train-gpu]' ")


def test_a_container_without_its_card_has_another_cure(card, capsys, monkeypatch):
    monkeypatch.setattr(cards, "has_nodes", lambda places=None: False)
    devices.use()
    assert "its device files are missing: start the container with its GPUs" in capsys.readouterr().err


def test_a_card_that_is_hidden_on_purpose_is_no_line(card, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    devices.use()
    devices.use("cpu")
    assert capsys.readouterr() == ("", "")


def test_a_card_that_is_used_is_no_line(seen, capsys):
    devices.use()
    devices.use("gpu")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("backend", "extra"), devices.EXTRAS.items())
def test_a_gpu_is_refused_with_the_extra_that_brings_it(card, backend, extra, monkeypatch):
    monkeypatch.setattr(devices.keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(devices, "_SETUPS", {})
    monkeypatch.setattr(devices, "_LISTS", {backend: list})
    with pytest.raises(UsageError) as refused:
        devices.use("gpu:1")
    assert str(refused.value).startswith(
        f"--device gpu:1: Keras on {backend} sees no GPU; pip install 'gan-zoo[{extra}]'"
    )


def test_the_machine_of_a_run_names_its_cards(seen, monkeypatch):
    assert loop.machine().endswith(", 2 x Tesla T4, Keras on tensorflow")
    monkeypatch.setitem(devices._LISTS, "tensorflow", list)
    assert loop.machine().endswith(", GPU not used, Keras on tensorflow")


def test_tf32_is_a_precision_of_its_own(tmp_path):
    for precision, rounds in (("tf32", True), ("float32", False), ("mixed_bfloat16", False)):
        algorithm = loop.make(tiny.read(tmp_path, tiny.DENSE, f"training.precision={precision}"))
        assert tf.config.experimental.tensor_float_32_execution_enabled() is rounds
    assert algorithm.players["generator"].layers[1].compute_dtype == "bfloat16"
    policy = loop.make(tiny.read(tmp_path, tiny.DENSE, "training.precision=tf32")).players["generator"].layers[1]
    assert policy.compute_dtype == policy.variable_dtype == "float32"
    devices.use()


def program(code, *arguments, **environment):
    """Run a program in a process of its own, and return the JSON object that it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(devices.__file__).parents[2]), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


TENSORFLOW = """
import json, sys
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import config
calls, gpu = [], tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
tf.config.list_physical_devices = lambda kind=None: [gpu]
begun = lambda: context.context()._context_handle is not None
tf.config.experimental.set_memory_growth = lambda device, grow: calls.append([device.name, grow, begun()])
from zoo.spec.read import read_spec
from zoo.train import loop
before = config.is_op_determinism_enabled()
loop.make(read_spec(sys.argv[1], ["training.deterministic=true"]))
print(json.dumps({"growth": calls, "begun": begun(), "before": before, "after": config.is_op_determinism_enabled()}))
"""


def test_tensorflow_is_told_before_it_begins(tmp_path):
    """Memory grows, set before the first device is used; and `deterministic` says what it costs."""
    found, err = program(TENSORFLOW, tiny.read(tmp_path, tiny.DENSE).path, KERAS_BACKEND="tensorflow")
    assert found["growth"] == [["/physical_device:GPU:0", True, False]] and found["begun"]
    assert (found["before"], found["after"]) == (False, True)
    assert f"deterministic: {devices.COST['tensorflow']}" in err


JAX = """
import json, os, sys
from zoo.spec.read import read_spec
from zoo.train import loop
loop.make(read_spec(sys.argv[1], ["training.deterministic=true", *sys.argv[2:]]))
import jax
text = jax.jit(lambda a, b: a @ b).lower(*[jax.ShapeDtypeStruct((2, 2), "float32")] * 2).as_text()
precision = text.split("precision = [")[1].split(",")[0] if "precision = [" in text else "DEFAULT"
names = ("XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_FLAGS")
print(json.dumps({"precision": precision, **{name: os.environ.get(name) for name in names}}))
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed: pip install -e '.[jax]'")
@pytest.mark.parametrize(
    ("user", "precision", "preallocate", "products"),
    [
        ({}, "float32", "false", "HIGHEST"),
        pytest.param({"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.5"}, "tf32", None, "HIGH", marks=pytest.mark.slow),
    ],
)
def test_jax_is_told_before_it_begins(tmp_path, user, precision, preallocate, products):
    """It takes no memory ahead, unless the user has set one of its variables; and takes the flags that it is given."""
    spec = tiny.read(tmp_path, tiny.DENSE).path
    found, err = program(JAX, spec, f"training.precision={precision}", KERAS_BACKEND="jax", XLA_FLAGS="", **user)
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == preallocate and found["XLA_FLAGS"] == devices.JAX_SAME_ORDER
    assert found["precision"] == products
    assert f"deterministic: {devices.COST['jax']}" in err
