"""`zoo inspect`: print the facts of an exported generator."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from zoo.artifact.inspect import damages, inspect, text
from zoo.cli import arguments

HELP = "print the facts of an exported generator: contract, provenance, operators, parity"
EXAMPLES = """\
  zoo inspect exported/dcgan
  zoo inspect generator.onnx --json         of a lone file, for programs
exit code: 1 where a file is not the one that the manifest states"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo inspect`."""
    parser.add_argument("artifact", type=Path, help="a folder such as exported/dcgan, or a lone .onnx file")
    parser.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    parser.add_argument("--json", action="store_true", help="print a list with an object for each network")


def run(options: argparse.Namespace) -> int:
    """Print the facts, for people or with --json for programs."""
    arguments.check_place(options.artifact)
    found = inspect(options.artifact, network=options.network)
    print(json.dumps(found, indent=2, ensure_ascii=False) if options.json else "\n\n".join(map(text, found)))
    for line in (damaged := damages(options.artifact, network=options.network)):
        print(line, file=sys.stderr)
    return 1 if damaged else 0
