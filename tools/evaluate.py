"""Measure an exported model: the same as `zoo evaluate`. See --help."""

from __future__ import annotations

import sys

try:
    from zoo.cli import main
except ModuleNotFoundError as error:
    if error.name != "zoo":
        raise
    sys.exit("gan-zoo is not installed here. In the folder of the repository: pip install -e '.[cpu,evaluate]'")

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
