"""`zoo convert`: exported networks in another precision, or with another version of ONNX's operators."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.artifact.manifest import PRECISIONS
from zoo.cli import arguments
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

if TYPE_CHECKING:
    from zoo.artifact.manifest import Manifest

HELP = "write exported networks in another precision or opset, checked against the files they are made from"
EXAMPLES = """\
  zoo convert exported/dcgan --precision fp16        half the size, in the same folder; inputs and outputs stay float32
  zoo convert exported/dcgan --opset 11              for an engine that ends there: a copy, converted/opset11/dcgan"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo convert`."""
    parser.add_argument("artifact", type=Path, help="a folder such as exported/dcgan")
    parser.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--precision", choices=PRECISIONS, help="of weights and arithmetic; a variant in the same folder")
    way.add_argument("--opset", type=int, help="version of the operators; the copy of the artifact has it throughout")
    parser.add_argument(
        "--out", type=Path, help="folder of artifacts for the copy with another --opset (default: converted/opsetN)"
    )


def run(options: argparse.Namespace) -> int:
    """Write a variant beside the float32 file of every network, or of one; or a copy with another opset."""
    arguments.check_place(options.artifact)
    if options.out is not None and options.opset is None:
        raise UsageError("--out goes with --opset: a variant stands beside the file that it is made from")
    require_packages("convert", ("onnx",), extra="convert")
    if options.opset is not None:
        print(copied(options.artifact, options.opset, options.out, options.network))
    else:
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


def copied(folder: Path, opset: int, out: Path | None, network: str | None) -> str:
    """Write a copy with another opset, and return the lines that report it."""
    from zoo.cli import requirements
    from zoo.export.opset_copy import copy_in_opset

    out = out or Path("converted") / f"opset{opset}"
    requirements.check_writable("--out", out / folder.resolve().name)
    made = copy_in_opset(folder, opset, out, network=network)
    lines = [
        f"""{made.folder}/{one.file}: {one.words}
agrees with {folder}/{one.file} to {one.difference:.1e} in {one.cases} batches"""
        for one in made.files
    ]
    if made.card_lost:
        lines.append(f"{folder / 'README.md'}: was edited by hand; what it says stands in that file alone")
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
