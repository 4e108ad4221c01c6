from __future__ import annotations

import argparse

HELP = "download a data set ahead of time, checked by its SHA-256"
EXAMPLES = """\
  zoo fetch fashion_mnist"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo fetch`."""
    p.add_argument("names", nargs="+", metavar="NAME", help="such as fashion_mnist, mnist, cifar10")


def run(options: argparse.Namespace) -> int:
    """Bring data sets into the cache."""
    from zoo.data import fetch as data

    for name in options.names:
        print(f"{name}: {data.fetch(name)}")
    return 0
