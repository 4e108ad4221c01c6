"""The command line: `zoo COMMAND`. One file a command; it reads flags, calls the folder that does the work, prints.

    zoo/cli/NAME.py    HELP, EXAMPLES, add_arguments(parser), run(options) -> exit code
    arguments          flags that several commands share, and types of their values
    requirements       checks before a command begins: packages, writable folders

May import: every folder, heavy ones inside functions alone, so that `zoo check` does not wait for TensorFlow.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from zoo import __version__
from zoo.core.errors import ZooError

COMMANDS = (
    "build", "sample", "translate", "inspect", "convert", "serve", "check", "fetch", "list", "new", "bench",
    "reproduce", "evaluate", "report", "compare", "deploy",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after `zoo`; by default those of the process.

    Returns:
        The exit code: 0, 2 for a mistake of the user, 1 for a failed run, 130 after Ctrl-C. `zoo reproduce` returns 3
        for a claim that does not hold, `zoo evaluate --check` 1 for a score that differs.
    """
    options = parser().parse_args(split_overrides(sys.argv[1:] if arguments is None else arguments))
    try:
        return options.run(options) or 0
    except ZooError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print("out of memory: a smaller data.size or training.batch_size takes less", file=sys.stderr)
        return 2
    except OSError as error:  # a folder that is a file, a full disk, no permission
        print(f"{error.filename or 'zoo'}: {error.strerror or error}", file=sys.stderr)
        return 2


def split_overrides(arguments: Sequence[str]) -> list[str]:
    """Rewrite `--set a=1 b=2 SPEC` as `--set a=1 --set b=2 SPEC`, so that the spec may stand before or after it."""
    result: list[str] = []
    for argument in arguments:
        if len(result) > 1 and result[-2] == "--set" and "=" in argument and not argument.startswith("-"):
            result.append("--set")
        result.append(argument)
    return result


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands and their flags."""
    top = argparse.ArgumentParser(prog="zoo", description="GANs as YAML specs, shipped as checked ONNX files.")
    top.add_argument("--version", action="version", version=f"gan-zoo {__version__}")
    group = top.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        command = importlib.import_module(f"zoo.cli.{name}")
        sub = group.add_parser(
            name, help=command.HELP, description=command.HELP, epilog=f"examples:\n{command.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return top


def run() -> NoReturn:
    """Run the command line and exit with its code; this is the console script."""
    sys.exit(main())
