"""Flags that several commands share, and the types of their values: argparse puts a message behind the flag's name."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from zoo.artifact.artifact_folders import is_artifact
from zoo.core import cards
from zoo.core.errors import UsageError

if TYPE_CHECKING:
    from zoo.runtime.generator import Generator


def add_n(parser: argparse.ArgumentParser, **how: Any) -> None:
    """Add `-n`, which may be written `--n`, too."""
    parser.add_argument("-n", **how)
    parser.add_argument("--n", **{**how, "help": argparse.SUPPRESS})


def add_loading(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose a network of an artifact and the device that runs it."""
    parser.add_argument("--network", help="which network, where the artifact holds several, such as a_to_b")
    parser.add_argument("--precision", help="a variant of the artifact, such as fp16 (default: float32)")
    add_device(parser, default="cpu")


def add_device(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add `--device`, whose `default` is told in words."""
    parser.add_argument(
        "--device", type=device, metavar="DEVICE",
        help=f"cpu, gpu, or gpu:1 for one of several NVIDIA cards; refused where it is not there (default: {default})",
    )  # fmt: skip


def device(text: str) -> str:
    """Read cpu, gpu or gpu:1."""
    if not re.fullmatch(cards.FORM, text):
        raise argparse.ArgumentTypeError(f"expected cpu, gpu or gpu:1, received '{text}'")
    return text


def provider(options: argparse.Namespace) -> str:
    """Choose the device of `--device`, and return the provider of ONNX Runtime that computes there.

    Raises:
        UsageError: This machine is known to lack that card.
    """
    cards.choose(options.device)
    return "cuda" if (options.device or "cpu").startswith("gpu") else "cpu"


def load_generator(options: argparse.Namespace) -> Generator:
    """Load the artifact that the flags of `add_loading` choose."""
    check_place(Path(options.artifact))
    return zoo.load(options.artifact, network=options.network, precision=options.precision, provider=provider(options))


def check_place(place: Path) -> Path:
    """Check that the path of an artifact is not the name or the spec of a model.

    Returns:
        `place`, also where nothing is there: the command itself then reports it.

    Raises:
        UsageError: It is one; the message has the path of its artifact, or the command that makes it.
    """
    spec, exported = place.suffix in (".yaml", ".yml") and place.is_file(), Path("exported")
    if place.exists() and not spec:
        return place
    problem = f"{place}: is a spec, not an exported model" if spec else f"{place}: there is no such file or folder"
    if place.name == exported.name:
        raise UsageError(f"{problem}; `zoo build dcgan` makes {place / 'dcgan'}")
    built = exported / place.stem if spec else exported / place.name
    if is_artifact(built):
        raise UsageError(f"{problem}; did you mean {built}?")
    from zoo.cli.new import shipped

    if spec or place.name in shipped():
        raise UsageError(f"{problem}; `zoo build {place if spec else place.name}` makes {built}")
    return place


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add `--set a.b.c=value`, for a command that reads a spec."""
    parser.add_argument(
        "--set", dest="overrides", metavar="a.b.c=value", action="append", default=[],
        help="change values of the spec, such as training.batch_size=64 data.source=digits",
    )  # fmt: skip


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return an argparse type: a whole number of at least `low`, and of at most `high` if that is stated."""
    rule = f"of at least {low}" if high is None else f"in {low}..{high}"

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or int(text) < low or (high is not None and int(text) > high):
            raise argparse.ArgumentTypeError(f"expected a whole number {rule}, received '{text}'")
        return int(text)

    return read


count = whole(1)
seed = whole(0, 2**32 - 1)
port = whole(0, 65535)


def budget(text: str) -> float:
    """Read a time such as 90s, 5m or 2h. Returns seconds."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?[smh]", text) or not float(text[:-1]):
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 5m or 2h, received '{text}'")
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
