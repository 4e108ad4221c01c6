"""NVIDIA cards of this machine, found without a framework, and the variables that choose among them.

    nvidia-smi                       names and memory
    /proc/driver/nvidia/gpus         names, also in a container that was not given the card
    the driver's library and nodes   that there are cards

A device is `cpu`, `gpu` or `gpu:1`, numbered as nvidia-smi does. What is chosen here holds for this process and its
children, for every framework, if it is chosen before any of them is imported.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.core.errors import UsageError

# What hides every card. An empty value would do, but Windows cannot set one.
NO_CARDS = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
VISIBLE = "CUDA_VISIBLE_DEVICES"
FORM = r"cpu|gpu(:(0|[1-9][0-9]{0,2}))?"
SECONDS = 20.0  # of nvidia-smi, which may have to wake the driver


@dataclass(frozen=True)
class Card:
    """A card: its name, and its memory in bytes where that is known."""

    name: str
    memory: int | None = None


@dataclass(frozen=True)
class Places:
    """Where NVIDIA's driver shows itself."""

    smi: str = "nvidia-smi"  # a program on the path
    proc: Path = Path("/proc/driver/nvidia/gpus")
    nodes: Path = Path("/dev")
    library: str = "libcuda.so.1"


PLACES = Places()


def cards(places: Places | None = None) -> tuple[Card, ...]:
    """Find the NVIDIA cards of this machine, whether or not a framework can use them.

    Args:
        places: Where to look; by default where drivers are installed.

    Returns:
        The cards in nvidia-smi's order; an empty tuple where there is none.
    """
    return _cards(places or PLACES)


@functools.cache
def _cards(places: Places) -> tuple[Card, ...]:
    return _of_smi(places.smi) or _of_proc(places.proc) or _of_library(places)


def has_nodes(places: Places | None = None) -> bool:
    """Look for the device files of a driver: a container may see a card and lack them.

    Args:
        places: Where to look; by default where drivers are installed.

    Returns:
        True where there is one.
    """
    nodes = (places or PLACES).nodes
    return any(nodes.glob("nvidia[0-9]*")) or (nodes / "dxg").exists()  # dxg: Linux inside Windows


def card_memory() -> int | None:
    """Return the memory of the largest card, unless all are hidden.

    Returns:
        Bytes; None where it is not known.
    """
    known = [card.memory for card in cards() if card.memory is not None]
    return max(known) if known and not hidden() else None


def hidden() -> bool:
    """Tell whether all cards are hidden from this process on purpose, as `--device cpu` does.

    Returns:
        True where they are.
    """
    return VISIBLE in os.environ and os.environ[VISIBLE].split(",")[0].strip() in ("", "-1")


def choose(device: str | None) -> None:
    """Let this process and its children use one device; to be called before any framework is imported.

    Args:
        device: `cpu` hides every card, `gpu:1` all but one, `gpu` and None none. Numbers count the cards that are
            left visible by CUDA_VISIBLE_DEVICES.

    Raises:
        UsageError: It is no device, or this machine is known to lack that card.
    """
    if device is None:
        return
    if not re.fullmatch(FORM, device):
        raise UsageError(f"--device: expected cpu, gpu or gpu:1, received '{device}'")
    if device == "cpu":
        os.environ.update(NO_CARDS)
        return
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # nvidia-smi's; CUDA's own puts the fastest first
    if hidden():
        raise UsageError(f"--device {device}: {VISIBLE}={os.environ[VISIBLE]} hides every card; unset it")
    if ":" not in device:
        return
    number, stated = int(device.split(":")[1]), os.environ.get(VISIBLE)
    names = stated.split(",") if stated else [str(n) for n in range(len(cards()))]
    if names and number >= len(names):
        known = ", ".join(f"gpu:{n} ({card.name})" for n, card in enumerate(cards()))
        known = f"{VISIBLE}={stated} leaves {len(names)}" if stated else f"this machine has {known}"
        raise UsageError(f"--device {device}: there is no such card; {known}")
    os.environ[VISIBLE] = names[number].strip() if names else str(number)


def without_cards(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a helper process, which is to leave the cards to the training.

    Args:
        environment: Any environment.

    Returns:
        A copy in which every card is hidden.
    """
    return {**environment, **NO_CARDS}


def _of_smi(program: str) -> tuple[Card, ...]:
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ()
    rows = [line.rpartition(",") for line in done.stdout.splitlines() if "," in line] if done.returncode == 0 else []
    return tuple(
        Card(name.strip(), int(size) * 2**20 if size.strip().isdecimal() else None)  # MiB, or "[N/A]"
        for name, _, size in rows
    )


def _of_proc(folder: Path) -> tuple[Card, ...]:
    found = []
    try:
        for file in sorted(folder.glob("*/information")):
            name = re.search(r"^Model:\s*(.+?)\s*$", file.read_text("utf-8", "replace"), re.MULTILINE)
            found.append(Card(name.group(1) if name else "an NVIDIA card"))
    except OSError:
        return ()
    return tuple(found)


def _of_library(places: Places) -> tuple[Card, ...]:
    """One card of unknown name where the driver's library can be loaded and has something to drive.

    The library is not asked more: it reads CUDA_VISIBLE_DEVICES once, when it begins.
    """
    if not has_nodes(places):
        return ()
    try:
        ctypes.CDLL(places.library)
    except OSError:
        return ()
    return (Card("an NVIDIA card"),)
