"""The start of `zoo` and of `python -m zoo`: Ctrl-C ends it in one line, also while modules are imported."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

STOPPED = 130  # the exit code of a shell's command after Ctrl-C


def interrupt(number: int, frame: FrameType | None) -> None:
    """Handle SIGINT: raise KeyboardInterrupt, but end at once during an import, which may swallow or reword it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"stopped\n")
            os._exit(STOPPED)
        frame = frame.f_back
    raise KeyboardInterrupt


def run() -> NoReturn:
    """Run the command line and exit with its code; this is the console script."""
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where a shell has it ignored
            signal.signal(signal.SIGINT, interrupt)
        from zoo.cli import main

        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(STOPPED)


if __name__ == "__main__":
    run()
