"""Serve the exported generators of a folder: the same as `zoo serve`. See --help."""

from __future__ import annotations

import sys

try:
    from zoo.cli import main
except ModuleNotFoundError as error:
    if error.name != "zoo":
        raise
    sys.exit("gan-zoo is not installed here. In the folder of the repository: pip install -e '.[cpu,serve]'")

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
