"""`zoo convert`: write variants of exported networks in another precision."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.artifact.manifest import PRECISIONS
from zoo.cli import arguments
from zoo.core.host import require_packages

if TYPE_CHECKING:
    from zoo.artifact.manifest import Manifest

HELP = "write a variant of exported networks, checked against the float32 file"
EXAMPLES = """\
  zoo convert exported/dcgan --precision fp16        half the size; inputs and outputs stay float32"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo convert`."""
    parser.add_argument("artifact", type=Path, help="a folder such as exported/dcgan")
    parser.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    parser.add_argument("--precision", choices=PRECISIONS, required=True, help="of weights and arithmetic")


def run(options: argparse.Namespace) -> int:
    """Write a variant beside the float32 file of every network, or of one."""
    arguments.check_place(options.artifact)
    require_packages("convert", ("onnx",), extra="convert")
    print(converted(options.artifact, options.precision, options.network))
    return 0


def converted(folder: Path, precision: str, network: str | None) -> str:
    """Write variants, and return the lines that report them."""
    from zoo.export.precision import add_variant

    made, card_updated = add_variant(folder, precision, network=network)
    lines = [_variant(manifest, folder, precision) for manifest in made]
    if not card_updated:
        lines.append(f"{folder / 'README.md'}: left as it is, because it was edited by hand; add the variant there")
    return "\n".join(lines)


def _variant(manifest: Manifest, folder: Path, precision: str) -> str:
    variant, size = manifest.variants[precision], (folder / manifest.file).stat().st_size / 1e6
    return f"""\
{folder}/{variant["file"]}: {variant["bytes"] / 1e6:.1f} MB; {manifest.file} has {size:.1f} MB
agrees with it to {parity_text(variant["parity"])}"""


def parity_text(parity: Mapping[str, Any]) -> str:
    """Return the result of a parity check in words: the largest difference, the limit, and that of each case."""
    cases = ", ".join(f"{name} {value:.0e}" for name, value in parity["cases"].items())
    return f"{parity['max_abs_difference']:.1e} (limit {parity['tolerance']:g}): {cases}"
