"""`zoo report`: write the pictures, cards and tables of exported models again from their numbers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from pathlib import Path

from zoo.artifact.artifact_folders import is_artifact
from zoo.cli import arguments
from zoo.cli.requirements import Failures
from zoo.core.errors import UsageError
from zoo.core.files import write_whole
from zoo.core.host import require_packages

HELP = "write the cards and the gallery again from the measured numbers"
EXAMPLES = """\
  zoo report                       all of exported/, and its gallery
  zoo report exported/dcgan        one card
  zoo report exported/dcgan --seeds seed1/dcgan seed2/dcgan
  zoo report --text                words and tables alone, which needs no data
  zoo report --into README.md      also the tables there between <!-- zoo: scores --> and <!-- zoo -->"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo report`."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("exported"),
        help="one artifact, or a folder of them (default: exported)",
    )  # fmt: skip
    parser.add_argument("--text", action="store_true", help="leave the pictures as they are")
    parser.add_argument(
        "--seeds", type=Path, nargs="+", metavar="FOLDER",
        help="the same recipe with other seeds: the mean and spread go into the card",
    )  # fmt: skip
    parser.add_argument("--into", type=Path, metavar="FILE", help="a Markdown file whose marked tables are renewed")


def run(options: argparse.Namespace) -> int:
    """Draw the pictures, and write the cards, the gallery and the tables."""
    arguments.check_place(options.folder)
    require_packages("report", () if options.text else ("matplotlib",), extra="evaluate")
    from zoo.artifact.artifact_folders import find_artifacts
    from zoo.core import pictures
    from zoo.report import figures, gallery, seeds
    from zoo.report.card import write_card
    from zoo.report.records import located

    folder: Path = options.folder
    single = is_artifact(folder)
    found = [folder] if single else find_artifacts(folder) if folder.is_dir() else []
    if options.into and single:
        raise UsageError(f"--into: the tables need a folder of models; {folder} is one model")
    if options.into and not options.into.is_file():
        raise UsageError(f"--into: there is no file {options.into}")
    if not found:
        raise UsageError(f"{folder}: there is no exported model here; `zoo build dcgan` makes one")
    if options.seeds:
        if not single:
            raise UsageError(f"--seeds: name one model; {folder} holds several")
        print(seeds.gather(folder, options.seeds))
    bad, shown = Failures(), []  # one damaged artifact leaves the others as they are
    for path in found:
        if not options.text:
            with bad.reported(), located(path):
                figures.draw(path)
        with bad.reported():
            print(write_card(path))
            gallery.check_entry(path)
            shown.append(path)
    if not single:
        skip = set(found) - set(shown)
        drawn = None if options.text else gallery.picture(folder, skip=skip, attempt=bad.reported)
        if drawn is not None:
            pictures.write_png(folder / gallery.PICTURE, drawn)
        print(write_whole(folder / gallery.FILE, gallery.markdown(folder, skip=skip).encode()))
        if options.into:
            print(_renew(options.into, folder, skip))
    return bad.exit_code


def _renew(page: Path, folder: Path, skip: Collection[Path]) -> Path:
    """Renew the marked tables of a Markdown file; their links lead from there to the artifacts."""
    from zoo.report import gallery

    try:
        text = page.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--into: {page} cannot be read: {error}") from error
    link = Path(os.path.relpath(folder, page.parent)).as_posix()
    try:
        return write_whole(page, gallery.renew_tables(text, folder, way=f"{link}/", skip=skip).encode())
    except UsageError as error:
        raise UsageError(f"{page}: {error}") from error
