"""`zoo inspect`: print the facts of an exported generator."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from zoo.artifact.inspect import inspect, text

HELP = "print the facts of an exported generator: contract, provenance, operators, parity"
EXAMPLES = """\
  zoo inspect exported/dcgan
  zoo inspect generator.onnx --json         of a lone file, for programs"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo inspect`."""
    parser.add_argument("artifact", type=Path, help="a folder such as exported/dcgan, or a lone .onnx file")
    parser.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    parser.add_argument("--json", action="store_true", help="print a list with an object for each network")


def run(options: argparse.Namespace) -> int:
    """Print the facts, for people or with --json for programs."""
    found = inspect(options.artifact, network=options.network)
    print(json.dumps(found, indent=2, ensure_ascii=False) if options.json else "\n\n".join(map(text, found)))
    return 0
