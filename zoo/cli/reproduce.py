"""`zoo reproduce`: try a claim of a paper on this machine."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from zoo.artifact.artifact_folders import is_artifact, require_artifact
from zoo.cli import arguments, requirements
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

HELP = "try a claim of a paper, and print its numbers beside ours"
EXAMPLES = """\
  zoo reproduce                        list the claims, and how long each takes
  zoo reproduce saddle
  zoo reproduce ring --quick           on a smaller scale; the result states it
  zoo reproduce ring --seeds 7 8 9     the same command again resumes a stopped one
  zoo reproduce mine.yaml              a claim of your own: variants of a spec, a number, what must hold
exit code: 0 when the claim holds, 3 when it does not, 4 when the scale is too small to judge it"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo reproduce`."""
    parser.add_argument("name", nargs="?", help="a claim, or a YAML file with one; without a name they are listed")
    parser.add_argument("--quick", action="store_true", help="a smaller scale, where there is one")
    parser.add_argument(
        "--seeds", type=arguments.seed, nargs="+", help="seeds of the trainings (default: the claim's own)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/claims"),
        help="folder for NAME.json, NAME.png and trainings (default: runs/claims)",
    )  # fmt: skip
    parser.add_argument(
        "--artifact", type=Path,
        help="put the result into this artifact's card (default: that of the claim's spec in exported/, if it is there "
        "and without --quick)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Try a claim, or list them. Returns 0 if it holds, 3 if it does not, 4 if nothing was judged."""
    require_packages("reproduce", (*requirements.TRAIN_MODULES, *requirements.EXPORT_MODULES))
    if find_spec("matplotlib") is None:
        raise UsageError("`zoo reproduce` draws with matplotlib: pip install 'gan-zoo[claims]'")
    requirements.silence()
    from zoo.claims.base import CLAIMS, Options, add_to_card, get_claim, listing, reproduce
    from zoo.claims.experiment import read_experiment, register_experiments

    register_experiments()
    if (options.name or "").endswith(".yaml"):
        own = read_experiment(Path(options.name))
        CLAIMS[own.name], options.name = own, own.name
    if not options.name:
        if options.quick or options.seeds or options.artifact:
            raise UsageError(f"name a claim: {', '.join(CLAIMS)}")
        print(listing())
        return 0
    chosen = get_claim(options.name)
    artifact = options.artifact or Path("exported") / chosen.spec
    if options.artifact:
        require_artifact(artifact, "--artifact")
    requirements.check_writable("--out", options.out)
    seeds = tuple(options.seeds) if options.seeds else None
    how = Options(quick=options.quick, seeds=seeds, folder=options.out, artifact=artifact)
    result = reproduce(chosen.name, how)
    print(f"{result.text()}\n\n{options.out / result.name}.json, {result.name}.png")
    if options.artifact or (is_artifact(artifact) and not options.quick):
        add_to_card(result, options.out, artifact)
        print(f"{artifact / 'README.md'}: the result is in the card")
    return 4 if result.holds is None else 0 if result.holds else 3
