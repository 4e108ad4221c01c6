"""--device: refused rather than fallen back from, and what a command tells of a card."""

import os
import subprocess
from pathlib import Path

import pytest
import tiny

from zoo.cli import build
from zoo.core import cards
from zoo.core.cards import Card
from zoo.nn import devices
from zoo.runtime import parity

ROOT = Path(__file__).parents[2]
VANILLA = ROOT / "exported" / "vanilla"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What a command chooses is taken back."""
    for name in cards.NO_CARDS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    yield
    for name in cards.NO_CARDS:
        os.environ.pop(name, None)


@pytest.fixture
def small_card(monkeypatch):
    """A machine with a card of 1 MB."""
    monkeypatch.setattr(cards, "cards", lambda places=None: (Card("Tiny", 1_000_000),))
    devices.say.cache_clear()


@pytest.mark.parametrize(
    "command",
    [["build", "SPEC"], ["sample", VANILLA], ["serve", VANILLA], ["evaluate", VANILLA], ["bench", "SPEC"],
     ["translate", VANILLA, "a.png"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_every_command_refuses_what_is_no_device_or_not_there(zoo_says, dense, small_card, command):
    words = [dense if word == "SPEC" else word for word in command]
    code, out, err = zoo_says(*words, "--device", "cuda")
    assert (code, out) == (2, "") and "argument --device: expected cpu, gpu or gpu:1, received 'cuda'" in err
    assert zoo_says(*words, "--device", "gpu:7") == (
        2, "", "--device gpu:7: there is no such card; this machine has gpu:0 (Tiny)\n"
    )  # fmt: skip


def test_a_training_on_a_gpu_that_is_not_seen_is_refused(zoo_says, dense, small_card, monkeypatch):
    monkeypatch.setattr(cards, "has_nodes", lambda places=None: True)
    code, out, err = zoo_says("build", dense, "--device", "gpu")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("--device gpu: Keras on tensorflow sees no GPU; pip install 'gan-zoo[train-gpu]'")
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", [["sample", VANILLA, "-n", "1"], ["evaluate", VANILLA, "--quick"]])
def test_onnx_runtime_on_a_gpu_that_it_cannot_use_is_refused(zoo_says, command):
    """With the two environments that work, by name."""
    if cards.cards():
        pytest.skip("there is a card")
    code, out, err = zoo_says(*command, "--device", "gpu")
    assert (code, out, err.count("\n")) == (2, "", 1) and 'provider "cuda" is not available' in err
    assert (
        '"gan-zoo[gpu]"` brings CUDA 13' in err and 'CUDA 12: train in another environment, by "gan-zoo[train-' in err
    )


def test_a_step_beyond_the_card_is_told_by_check_and_refused_by_build(zoo_says, dense, small_card, monkeypatch):
    text, large = "a step needs about 1.5 MB; the card has 1.0 MB", ("--set", "training.batch_size=1000")
    assert zoo_says("check", dense) == (0, "1 spec is good\n", "")
    code, out, err = zoo_says("check", dense, *large)
    assert (code, out) == (0, "1 spec is good\n")
    assert err == f"{dense}: warning: {text}. Take a smaller batch, or --device cpu\n"
    monkeypatch.setitem(devices._LISTS, "tensorflow", lambda: [devices.Device("gpu:0", "Tiny")])
    code, out, err = zoo_says("build", dense, *large)
    assert (code, out) == (2, "")
    assert err == f"{dense}: training.batch_size: {text}. Take a smaller batch, or --device cpu\n"


def test_helper_processes_see_no_card(tmp_path, monkeypatch):
    seen = []

    def note(command, **options):
        seen.append(options["env"])
        return subprocess.CompletedProcess(command, 0, '{"found": {}}', "")

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(subprocess, "run", note)
    parity.compare_in_fresh_process(tmp_path, tmp_path)
    spec = tiny.read(tmp_path, tiny.DENSE)
    from zoo import cli

    options = cli.parser().parse_args(["build", str(spec.path), "--device", "gpu"])
    build._export_under_tensorflow(3, options)
    build._rehearsed(spec, options, "jax")
    assert len(seen) == 3
    for environment in seen:
        assert environment.items() >= cards.NO_CARDS.items()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
