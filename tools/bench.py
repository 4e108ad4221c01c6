"""Measure training and sampling speed as ratios in one run: the same as `zoo bench`. See --help."""

from __future__ import annotations

import sys

try:
    from zoo.cli import main
except ModuleNotFoundError as error:
    if error.name != "zoo":
        raise
    sys.exit("gan-zoo is not installed here. In the folder of the repository: pip install -e '.[train]'")

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
