"""`zoo compare`: print two exported models side by side, and draw their samples."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.artifact.artifact_folders import require_artifact
from zoo.cli import arguments
from zoo.cli.requirements import Failures
from zoo.core.errors import UsageError

HELP = "compare two exported models side by side"
EXAMPLES = """\
  zoo compare exported/dcgan exported/lsgan
  zoo compare exported/dcgan exported/lsgan --out both.png"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo compare`."""
    parser.add_argument("a", type=Path, help="a folder such as exported/dcgan")
    parser.add_argument("b", type=Path, help="another one")
    parser.add_argument("--out", type=Path, help="a PNG file for samples of the same seeds")


def run(options: argparse.Namespace) -> int:
    """Print the table, and write the picture if --out names a file for it."""
    from zoo.core import pictures
    from zoo.report import compare

    for folder in (options.a, options.b):
        require_artifact(arguments.check_place(folder))
    bad = Failures()
    for folder in (options.a, options.b):
        with bad.reported():
            compare.check_side(folder)
    if bad.exit_code:
        return bad.exit_code
    if options.out and options.out.suffix.lower() != ".png":
        raise UsageError(f"--out: the picture is a PNG file, received {options.out}")
    print(compare.table(options.a, options.b))
    if options.out:
        print(pictures.write_png(options.out, compare.picture(options.a, options.b)))
    return 0
