from __future__ import annotations

import argparse
import json
from pathlib import Path

from zoo.artifact.inspect import inspect, text

HELP = "what an exported generator is: contract, provenance, operators, parity"
EXAMPLES = """\
  zoo inspect exported/dcgan
  zoo inspect generator.onnx --json         a lone file tells it too"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo inspect`."""
    p.add_argument("artifact", type=Path, help="a folder such as exported/dcgan, or a lone .onnx file")
    p.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    p.add_argument("--json", action="store_true", help="a list with an object for each network on stdout")


def run(options: argparse.Namespace) -> int:
    """Print it, for people or with --json for programs."""
    found = inspect(options.artifact, network=options.network)
    print(json.dumps(found, indent=2, ensure_ascii=False) if options.json else "\n\n".join(map(text, found)))
    return 0
