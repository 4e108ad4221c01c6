"""Flags that commands share, and what the values of flags must be: argparse puts a message behind the flag's name."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import zoo

if TYPE_CHECKING:
    from zoo.runtime.generator import Generator


def add_loading(p: argparse.ArgumentParser) -> None:
    p.add_argument("--network", help="which network, where the artifact holds several, such as a_to_b")
    p.add_argument("--precision", help="a variant of the artifact, such as fp16 (default: float32)")
    p.add_argument("--provider", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default: cpu)")


def load_generator(options: argparse.Namespace) -> Generator:
    return zoo.load(options.artifact, network=options.network, precision=options.precision, provider=options.provider)


def steps(text: str) -> int:
    """A count."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, received '{text}'")
    return int(text)


def seed(text: str) -> int:
    """What every generator of random numbers takes."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number in 0..{2**32 - 1}, received '{text}'")
    return int(text)


def port(text: str) -> int:
    """0 is any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a whole number in 0..65535, received '{text}'")
    return int(text)


def budget(text: str) -> float:
    """90s, 5m or 2h -> seconds."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?[smh]", text) or not float(text[:-1]):
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 5m or 2h, received '{text}'")
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def add_set(p: argparse.ArgumentParser) -> None:
    """`--set a.b.c=value`, of every command that reads a spec."""
    p.add_argument("--set", dest="overrides", metavar="a.b.c=value", action="append", default=[],
                   help="change values of the spec, such as training.batch_size=64 data.source=digits")  # fmt: skip
