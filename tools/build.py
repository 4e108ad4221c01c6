"""Train a spec and export its generator: the same as `zoo build`. See --help."""

from __future__ import annotations

import sys

try:
    from zoo.cli import main
except ModuleNotFoundError as error:
    if error.name != "zoo":
        raise
    sys.exit("gan-zoo is not installed here. In the folder of the repository: pip install -e '.[train]'")

if __name__ == "__main__":
    sys.exit(main(["build", *sys.argv[1:]]))
