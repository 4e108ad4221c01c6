"""`zoo evaluate`: measures an artifact, prints each number as it comes, keeps them in metrics.json and in the card."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

from zoo.artifact.manifest import require_artifact
from zoo.artifact.scores import SCORES_FILE, Score, read_scores, write_scores
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

HELP = "measure an exported model: FID, KID, precision, recall and more, on the file that it ships"
EXAMPLES = """\
  zoo evaluate exported/dcgan                         all that applies, on 10,000 samples
  zoo evaluate exported/dcgan --quick                 without Inception, which takes 20 minutes on two cores
  zoo evaluate exported/dcgan --metrics fid kid
  zoo evaluate exported/dcgan --n 5000 --seed 1 --dry-run
  zoo evaluate exported/dcgan --check                 measure again, and compare with metrics.json
Ctrl-C loses nothing: what the networks saw is kept, and the next run goes on from there."""
IMAGES = 10_000  # as many as published numbers of Fashion-MNIST rest on
POINTS = 2500  # VEEGAN's number of samples in the plane


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags of `zoo evaluate`."""
    p.add_argument("artifact", type=Path, help="a folder such as exported/dcgan")
    p.add_argument("--metrics", nargs="+", metavar="NAME", help="such as fid or kid (default: all that apply)")
    p.add_argument("--n", type=int, help="samples (default: 10000; points: 2500)")
    p.add_argument("--seed", type=int, help="of the samples (default: 0)")
    p.add_argument("--threads", type=int, help="cores for ONNX Runtime (default: all)")
    p.add_argument("--quick", action="store_true", help="only what needs no network that is fetched (Inception, LPIPS)")
    p.add_argument("--dry-run", action="store_true", help="print the numbers without writing them into the artifact")
    p.add_argument(
        "--check", action="store_true", help="measure again what metrics.json says; exit code 1 when a number differs"
    )


def run(options: argparse.Namespace) -> int:
    """Measure, say, write; or hold what was written against what is measured now."""
    folder: Path = options.artifact
    require_artifact(folder)
    require_packages("evaluate", ("yaml",), extra="evaluate")
    wanted = [name for part in options.metrics for name in part.split(",") if name] if options.metrics else None
    if not options.check:
        return _evaluate(folder, wanted, options)
    if options.n is not None or options.seed is not None or options.dry_run:
        raise UsageError("--check: writes nothing, and takes samples and seed from metrics.json; leave out "
                         "--dry-run, --n and --seed")  # fmt: skip
    from zoo.evaluate.scoring import check_scores

    return check_scores(folder, wanted, quick=options.quick, threads=options.threads)


def _evaluate(folder: Path, wanted: list[str] | None, options: argparse.Namespace) -> int:
    from zoo.evaluate.scoring import chosen, measured, timed
    from zoo.evaluate.subject import Subject
    from zoo.report.card import write_card

    subject = Subject(folder, IMAGES if options.n is None else options.n, options.seed or 0, options.threads)
    if options.n is None and subject.kind == "points":
        subject.n = POINTS
    if subject.n < 1:
        raise UsageError(f"--n: expected at least 1 sample, received {options.n}")
    found: dict[str, Score] = {}
    measures = chosen(subject, wanted, quick=options.quick, tell=lambda text: print(text, file=sys.stderr))
    speed = () if wanted else timed(subject)  # who asks for a score may have other work beside it
    try:
        for name, score in itertools.chain(measured(subject, measures), speed):
            found[name] = score
            print(f"{name:24} {score.value:.5g}", flush=True)
            if not options.dry_run:
                write_scores(folder, {**read_scores(folder), **found})
    finally:  # a Ctrl-C leaves what is measured, and a card that agrees with it
        if found and not options.dry_run:
            print(f"\n{folder / SCORES_FILE}\n{write_card(folder)}", file=sys.stderr)
    if not options.dry_run:
        print(f"\nnext:\n  zoo report {folder}", file=sys.stderr)
    return 0
