"""`zoo list`: print the models of the zoo and their artifacts."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli.requirements import Failures

HELP = "list the models of the zoo, and which of them are exported here"
EXAMPLES = """\
  zoo list"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo list`."""
    parser.add_argument("--out", type=Path, default=Path("exported"), help="folder of artifacts (default: exported)")


def run(options: argparse.Namespace) -> int:
    """Print one line per spec, with the artifact where there is one."""
    from zoo.artifact.artifact_folders import is_artifact
    from zoo.artifact.manifest import read_manifests
    from zoo.cli.new import shipped
    from zoo.spec.read import read_spec

    bad = Failures()
    for name, path in shipped().items():
        with bad.reported():
            sections = read_spec(path).sections
            folder = options.out / name
            state = f"not built yet: zoo build {name}"
            if is_artifact(folder):
                state = f"{folder}, damaged"
                with bad.reported():
                    images = read_manifests(folder)[0].weights.get("images")
                    state = str(folder) + (f", {images:,} images of training" if isinstance(images, int) else "")
            print(f"{name:<16} {sections.title} ({sections.paper.year if sections.paper else 'no paper'}): {state}")
    return bad.exit_code
