from __future__ import annotations

import argparse
from pathlib import Path

from zoo.core.errors import ServeError
from zoo.core.host import require_packages

HELP = "the models of the zoo, and which of them are exported here"
EXAMPLES = """\
  zoo list"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo list`."""
    p.add_argument("--out", type=Path, default=Path("exported"), help="folder of artifacts (default: exported)")


def run(options: argparse.Namespace) -> int:
    """One line per spec, with the artifact where there is one."""
    require_packages("list", ("yaml",))
    from zoo.artifact.manifest import is_artifact, read_manifests
    from zoo.cli.new import shipped
    from zoo.spec.read import read_spec

    for name, path in shipped().items():
        spec = read_spec(path)
        folder = options.out / name
        paper = spec.sections.paper
        state = "not built yet: zoo build " + name
        if is_artifact(folder):
            try:
                state = f"{folder}, {read_manifests(folder)[0].weights.get('images', 0):,} images of training"
            except ServeError as error:
                state = str(error)
        print(f"{name:<16} {spec.sections.title} ({paper.year if paper else 'no paper'}): {state}")
    return 0
