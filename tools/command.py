"""Run one command of the zoo from a checkout, or print how to install it: what the tools share that only name one."""

from __future__ import annotations

import sys
from typing import NoReturn


def run(name: str, *, extras: str) -> NoReturn:
    """Run `zoo NAME` with the arguments of this process, and exit with its code."""
    try:
        from zoo.cli import main
    except ModuleNotFoundError as error:
        if error.name != "zoo":
            raise
        sys.exit(f"gan-zoo is not installed here. In the folder of the repository: pip install -e '.[{extras}]'")
    sys.exit(main([name, *sys.argv[1:]]))
