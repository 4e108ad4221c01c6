"""`zoo check`: report every mistake of specs, each with its line and column."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.cli import arguments
from zoo.core.errors import SpecError, UsageError
from zoo.core.host import memory

HELP = "find every mistake in specs, without training or TensorFlow"
EXAMPLES = """\
  zoo check specs/*.yaml
  zoo check my_specs/              all .yaml files of a folder"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo check`."""
    parser.add_argument("specs", nargs="*", help="files or folders (default: all specs that ship with the zoo)")
    arguments.add_set(parser)


def run(options: argparse.Namespace) -> int:
    """Print all mistakes of all files; a fault of the checks themselves at one file hides no other."""
    from zoo.spec.claim import is_claim, read_claim, variant_specs
    from zoo.spec.cost_checks import beyond_the_card, beyond_the_machine
    from zoo.spec.read import read_spec, spec_file
    from zoo.spec.validate import specs_folder

    files: list[Path] = []
    for name in options.specs or [str(specs_folder())]:
        path = Path(name)
        files += sorted(path.rglob("*.yaml")) if path.is_dir() else [spec_file(name)]
    bad = failed = 0
    for file in files:
        try:
            if is_claim(file):
                variant_specs(read_claim(file), file)
                continue
            spec = read_spec(file, options.overrides)
            if (training := spec.sections.training) is None:
                continue
            if problem := beyond_the_machine(spec.plans, training, memory()):
                print(f"{file}: warning: {problem}. It is counted alone", file=sys.stderr)
            elif problem := beyond_the_card(spec.plans, training):
                print(f"{file}: warning: {problem}. Take a smaller batch, or --device cpu", file=sys.stderr)
        except SpecError as error:
            bad += 1
            print(error, file=sys.stderr)
        except Exception as error:
            failed += 1
            text = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"{file}: could not be checked, which is a fault of the zoo: {text}", file=sys.stderr)
    if bad:
        print(f"{bad} of {len(files)} specs have mistakes", file=sys.stderr)
    if bad or failed:
        return 1 if failed else 2
    if not files:
        raise UsageError(f"{', '.join(options.specs)}: there are no .yaml files here; name a spec or its folder")
    print("1 spec is good" if len(files) == 1 else f"{len(files)} specs are good")
    return 0
