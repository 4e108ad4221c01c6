from __future__ import annotations

import argparse
from pathlib import Path

from zoo.artifact.manifest import require_artifact
from zoo.core.errors import UsageError

HELP = "two exported models side by side"
EXAMPLES = """\
  zoo compare exported/dcgan exported/lsgan
  zoo compare exported/dcgan exported/lsgan --out both.png"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Those of `zoo compare`."""
    p.add_argument("a", type=Path, help="a folder such as exported/dcgan")
    p.add_argument("b", type=Path, help="another one")
    p.add_argument("--out", type=Path, help="a PNG file for samples of the same seeds")


def run(options: argparse.Namespace) -> int:
    """Print, and draw if there is a place for it."""
    from zoo.core import pictures
    from zoo.report import compare as two

    for folder in (options.a, options.b):
        require_artifact(folder)
    if options.out and options.out.suffix.lower() != ".png":
        raise UsageError(f"--out: the picture is a PNG file, received {options.out}")
    print(two.table(options.a, options.b))
    if options.out:
        print(pictures.write_png(options.out, two.picture(options.a, options.b)))
    return 0
