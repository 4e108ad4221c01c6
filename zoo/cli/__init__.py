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

from zoo import __version__
from zoo.core.errors import ZooError

GROUPS = {
    "make a model": ("new", "check", "build", "fetch"),
    "use it": ("list", "sample", "translate", "inspect"),
    "measure it": ("evaluate", "compare", "report", "reproduce", "bench"),
    "share it": ("serve", "convert", "deploy"),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, or print the help where none is named.

    Args:
        arguments: The words after `zoo`; by default those of the process.

    Returns:
        The exit code: 0, 2 for a mistake of the user, 1 for a failed run, 130 after Ctrl-C. `zoo reproduce` returns 3
        for a claim that does not hold and 4 for one that was not judged, `zoo evaluate --check` 1 for a score that
        differs.
    """
    try:
        options = (top := parser()).parse_args(split_overrides(sys.argv[1:] if arguments is None else arguments))
        if options.run is None:
            top.print_help()
            return 0
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
    modules = {name: importlib.import_module(f"zoo.cli.{name}") for name in COMMANDS}
    groups = [
        f"{title}:\n" + "\n".join(f"  {name:<11}{modules[name].HELP}" for name in names)
        for title, names in GROUPS.items()
    ]
    top = argparse.ArgumentParser(
        prog="zoo", usage="zoo COMMAND ...", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="GANs as YAML specs, shipped as checked ONNX files.",
        epilog="\n\n".join([*groups, "`zoo COMMAND --help` has flags and examples; `zoo build dcgan` is a beginning."]),
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"gan-zoo {__version__}")
    top.set_defaults(run=None)
    commands = top.add_subparsers(metavar="COMMAND", help=argparse.SUPPRESS)
    for name, command in modules.items():
        sub = commands.add_parser(
            name, description=command.HELP, epilog=f"examples:\n{command.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter, prog=f"zoo {name}",
        )  # fmt: skip
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return top
