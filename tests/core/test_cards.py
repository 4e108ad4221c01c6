"""Cards are found wherever a driver shows itself, and chosen for this process and its children."""

import os
from pathlib import Path

import pytest

from zoo.core import cards
from zoo.core.cards import Card, Places
from zoo.core.errors import UsageError

T4 = Card("Tesla T4", 15360 * 2**20)


@pytest.fixture
def places(tmp_path):
    """A machine without a card; `smi(output)` and the others add one."""

    class Machine:
        at = Places(str(tmp_path / "smi"), tmp_path / "proc", tmp_path / "dev", "libnowhere.so.1")

        def smi(self, output, code=0):
            program = Path(self.at.smi)
            program.write_text(f"#!/bin/sh\ncat <<'END'\n{output}END\nexit {code}\n")
            program.chmod(0o755)

        def proc(self, *names):
            for number, name in enumerate(names):
                folder = self.at.proc / f"0000:{number:02d}:00.0"
                folder.mkdir(parents=True)
                (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 45\n")

        def node(self, name="nvidia0"):
            self.at.nodes.mkdir(exist_ok=True)
            (self.at.nodes / name).touch()

    return Machine()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What `choose` sets is taken back, and nothing is hidden before."""
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k not in cards.NO_CARDS})
    cards._cards.cache_clear()
    return os.environ


def test_nvidia_smi_names_cards_and_memory(places):
    assert cards.cards(places.at) == ()
    places.smi("Tesla T4, 15360\nNVIDIA GH200, 480GB, [N/A]\n")
    places.proc("Other")
    cards._cards.cache_clear()
    assert cards.cards(places.at) == (T4, Card("NVIDIA GH200, 480GB", None))


def test_proc_names_cards_where_nvidia_smi_fails(places):
    places.smi("NVIDIA-SMI has failed, because it couldn't communicate\n", code=9)
    places.proc("Tesla T4", "NVIDIA A100")
    assert cards.cards(places.at) == (Card("Tesla T4"), Card("NVIDIA A100"))


def test_a_library_counts_with_a_device_file_alone(places, tmp_path):
    """CUDA's container images hold the library; a card has a file in /dev too."""
    there = Places(places.at.smi, places.at.proc, places.at.nodes, "libc.so.6")
    assert cards.cards(there) == () and not cards.has_nodes(there)
    cards._cards.cache_clear()
    places.node()
    assert cards.cards(there) == (Card("an NVIDIA card"),) and cards.has_nodes(there)
    cards._cards.cache_clear()
    assert cards.cards(places.at) == ()  # a device file without its library


def test_windows_linux_has_another_device_file(places):
    places.node("dxg")
    assert cards.has_nodes(places.at)


@pytest.fixture
def two(monkeypatch, places):
    places.smi("Tesla T4, 15360\nNVIDIA A100, 40960\n")
    monkeypatch.setattr(cards, "PLACES", places.at)


def test_the_cpu_hides_every_card_from_children_too(two, environment):
    assert cards.card_memory() == 40960 * 2**20 and not cards.hidden()
    cards.choose(None)
    assert environment.keys().isdisjoint(cards.NO_CARDS)
    cards.choose("cpu")
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1" and environment["JAX_PLATFORMS"] == "cpu"
    assert cards.hidden() and cards.card_memory() is None
    with pytest.raises(UsageError, match="--device gpu: CUDA_VISIBLE_DEVICES=-1 hides every card; unset it"):
        cards.choose("gpu")


def test_one_card_is_chosen_among_those_that_are_visible(two, environment):
    cards.choose("gpu")
    assert "CUDA_VISIBLE_DEVICES" not in environment and environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    cards.choose("gpu:1")
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    environment["CUDA_VISIBLE_DEVICES"] = "3, GPU-8f"
    cards.choose("gpu:1")
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-8f"


def test_a_card_that_is_not_there_is_refused(two, environment):
    there = r"gpu:0 \(Tesla T4\), gpu:1 \(NVIDIA A100\)"
    with pytest.raises(UsageError, match=f"--device gpu:2: there is no such card; this machine has {there}"):
        cards.choose("gpu:2")
    environment["CUDA_VISIBLE_DEVICES"] = "1"
    with pytest.raises(UsageError, match="gpu:1: there is no such card; CUDA_VISIBLE_DEVICES=1 leaves 1"):
        cards.choose("gpu:1")
    for wrong in ("GPU", "gpu:", "gpu:01", "cuda", "gpu:1,2", ""):
        with pytest.raises(UsageError, match="--device: expected cpu, gpu or gpu:1, received"):
            cards.choose(wrong)


def test_helpers_see_no_card():
    before = {"CUDA_VISIBLE_DEVICES": "0", "PATH": "here"}
    assert cards.without_cards(before) == {**cards.NO_CARDS, "PATH": "here"} and before["CUDA_VISIBLE_DEVICES"] == "0"
