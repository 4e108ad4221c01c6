"""`zoo evaluate`: measure an artifact, print each number as it comes, write them into metrics.json and the card."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.artifact.artifact_folders import require_artifact
from zoo.artifact.scores import SCORES_FILE, Score, read_scores, write_scores
from zoo.cli import arguments
from zoo.core.errors import UsageError

if TYPE_CHECKING:
    from zoo.evaluate.subject import Subject

HELP = "measure an exported model: FID, KID, precision, recall and more, on its ONNX file"
EXAMPLES = """\
  zoo evaluate exported/dcgan                         all that applies, on 10,000 samples
  zoo evaluate exported/dcgan --quick                 without Inception, which takes 20 minutes on two cores
  zoo evaluate exported/dcgan --metrics fid kid
  zoo evaluate exported/dcgan -n 5000 --seed 1 --dry-run
  zoo evaluate exported/dcgan --copies                has it learnt its data by heart? numbers and a picture
  zoo evaluate exported/dcgan --check                 measure again, and compare with metrics.json
Ctrl-C loses nothing: features are kept, and the next run goes on from there."""
IMAGES = 10_000  # as many as published numbers of Fashion-MNIST rest on
POINTS = 2500  # VEEGAN's number of samples in the plane


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo evaluate`."""
    parser.add_argument("artifact", type=Path, help="a folder such as exported/dcgan")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="such as fid or kid (default: all that apply)")
    arguments.add_n(parser, type=arguments.count, help="samples (default: 10000; points: 2500)")
    parser.add_argument("--seed", type=arguments.seed, help="seed of the samples (default: 0)")
    parser.add_argument("--threads", type=arguments.count, help="cores for ONNX Runtime (default: all)")
    arguments.add_device(parser, default="cpu")
    parser.add_argument(
        "--quick", action="store_true", help="skip the metrics that need a downloaded network (Inception, LPIPS)"
    )
    parser.add_argument(
        "--copies", nargs="?", const=Path("copies.png"), type=Path, metavar="PNG",
        help="measure how near samples are to training images, and draw the nearest (default: copies.png)",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="print the numbers without writing them into the artifact"
    )
    parser.add_argument(
        "--check", action="store_true",
        help="measure again, and compare with metrics.json; exit code 1 when a number differs",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Measure, print and write; or with --check measure again and compare."""
    folder: Path = options.artifact
    require_artifact(arguments.check_place(folder))
    wanted = [name for part in options.metrics for name in part.split(",") if name] if options.metrics else None
    if options.copies is not None:
        if options.check or wanted:
            raise UsageError("--copies chooses its own metrics; leave out --check and --metrics")
        if options.copies.suffix.lower() != ".png" or not options.copies.parent.is_dir():
            raise UsageError(f"--copies: expected a .png file in a folder that is there, received {options.copies}")
        return _evaluate(folder, ["pixel_memorisation"], options)
    if not options.check:
        return _evaluate(folder, wanted, options)
    if options.n is not None or options.seed is not None or options.dry_run:
        rule = "writes nothing, and takes samples and seed from metrics.json"
        raise UsageError(f"--check: {rule}; leave out --dry-run, -n and --seed")
    from zoo.evaluate.scoring import check_scores

    provider = arguments.provider(options)
    return check_scores(folder, wanted, quick=options.quick, threads=options.threads, provider=provider)


def _evaluate(folder: Path, wanted: list[str] | None, options: argparse.Namespace) -> int:
    from zoo.evaluate.scoring import chosen, measured, timed
    from zoo.evaluate.subject import Subject
    from zoo.report.card import write_card

    provider = arguments.provider(options)
    subject = Subject(folder, options.n or IMAGES, options.seed or 0, options.threads, provider)
    if provider != "cpu":
        subject.generator(subject.manifest.network)  # is refused before minutes of features of real images
    if options.n is None and subject.kind == "points":
        subject.n = POINTS
    found: dict[str, Score] = {}
    measures = chosen(subject, wanted, quick=options.quick, tell=lambda text: print(text, file=sys.stderr))
    if options.copies is not None and subject.judged:
        measures += chosen(subject, ["memorisation"])
    # not beside a chosen score: other work may run meanwhile; the times are those of the CPU
    speed = () if wanted or provider != "cpu" else timed(subject)
    try:
        for name, score in itertools.chain(measured(subject, measures), speed):
            found[name] = score
            print(f"{name:24} {score.value:.5g}", flush=True)
            if not options.dry_run:
                write_scores(folder, {**read_scores(folder), **found})
    finally:  # after Ctrl-C too, the card agrees with the numbers measured so far
        if found and not options.dry_run:
            print(f"\n{folder / SCORES_FILE}\n{write_card(folder)}", file=sys.stderr)
    if options.copies is not None:
        _show_copies(subject, options.copies)
    if not options.dry_run:
        print(f"\nnext:\n  zoo report {folder}", file=sys.stderr)
    return 0


def _show_copies(subject: Subject, file: Path) -> None:
    """Draw the samples that lie nearest to training images, and say what the numbers above mean."""
    from zoo.core.pictures import write_png
    from zoo.report.figures import copies

    write_png(file, copies(subject))
    print(
        f"\n{file}: the samples that lie nearest to a training image, each beside the three nearest in pixels"
        f"{' and the three nearest to the judge' if subject.judged else ''}\n"
        "Unseen real images have 0.01 of copies. More says copies, or blurred images, which lie near to many: look.",
        file=sys.stderr,
    )
