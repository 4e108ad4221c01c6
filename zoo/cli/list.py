"""`zoo list`: print the models of the zoo and their artifacts."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.core.errors import ServeError
from zoo.core.host import require_packages

HELP = "list the models of the zoo, and which of them are exported here"
EXAMPLES = """\
  zoo list"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo list`."""
    parser.add_argument("--out", type=Path, default=Path("exported"), help="folder of artifacts (default: exported)")


def run(options: argparse.Namespace) -> int:
    """Print one line per spec, with the artifact where there is one."""
    require_packages("list", ("yaml",))
    from zoo.artifact.manifest import is_artifact, read_manifests
    from zoo.cli.new import shipped
    from zoo.spec.read import read_spec

    for name, path in shipped().items():
        sections = read_spec(path).sections
        folder = options.out / name
        state = f"not built yet: zoo build {name}"
        if is_artifact(folder):
            try:
                state = f"{folder}, {read_manifests(folder)[0].weights.get('images', 0):,} images of training"
            except ServeError as error:
                state = str(error)
        print(f"{name:<16} {sections.title} ({sections.paper.year if sections.paper else 'no paper'}): {state}")
    return 0
