"""`zoo fetch`: download data sets into the cache."""

from __future__ import annotations

import argparse

HELP = "download a data set ahead of time, checked by its SHA-256"
EXAMPLES = """\
  zoo fetch fashion_mnist"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo fetch`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="such as fashion_mnist, mnist, cifar10")


def run(options: argparse.Namespace) -> int:
    """Bring data sets into the cache, and print their files."""
    from zoo.data import fetch

    for name in options.names:
        print(f"{name}: {fetch.fetch(name)}")
    return 0
