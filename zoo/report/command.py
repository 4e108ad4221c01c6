"""`zoo report`: pictures, cards and the gallery anew. `zoo compare A B`: two artifacts side by side."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from zoo import guards
from zoo.errors import UsageError
from zoo.manifest import MANIFEST_FILE, write_whole

EXAMPLES = """\
  zoo report                       all of exported/, and its gallery
  zoo report exported/dcgan        one card
  zoo report exported/dcgan --seeds seed1/dcgan seed2/dcgan
  zoo report --text                the words and tables alone, which needs no data
  zoo report --into README.md      also the tables that stand there between <!-- zoo: scores --> and <!-- zoo -->"""
COMPARE_EXAMPLES = """\
  zoo compare exported/dcgan exported/lsgan
  zoo compare exported/dcgan exported/lsgan --out both.png"""


def add_flags(p: argparse.ArgumentParser) -> None:
    """Those of `zoo report`."""
    p.add_argument("folder", type=Path, nargs="?", default=Path("exported"), help="one artifact, or a folder of them")
    p.add_argument("--text", action="store_true", help="draw no pictures anew")
    p.add_argument("--seeds", type=Path, nargs="+", metavar="FOLDER",
                   help="the same recipe with other seeds: the mean and spread go into the card")  # fmt: skip
    p.add_argument("--into", type=Path, metavar="FILE", help="a Markdown file whose marked tables are made anew")
    p.set_defaults(run=report)


def add_compare_flags(p: argparse.ArgumentParser) -> None:
    """Those of `zoo compare`."""
    p.add_argument("a", type=Path, help="a folder such as exported/dcgan")
    p.add_argument("b", type=Path, help="another one")
    p.add_argument("--out", type=Path, help="a PNG file for samples of the same seeds")
    p.set_defaults(run=compare)


def report(options: argparse.Namespace) -> int:
    """Draw, write."""
    guards.need("report", ("yaml", *(() if options.text else ("matplotlib",))), extra="evaluate")
    from zoo import card, pictures
    from zoo.loading import artifacts
    from zoo.report import figures, gallery, seeds

    folder: Path = options.folder
    single = (folder / MANIFEST_FILE).is_file()
    found = [folder] if single else artifacts(folder) if folder.is_dir() else []
    if options.into and single:
        raise UsageError(f"--into: needs a folder of models for its tables; {folder} is one model")
    if options.into and not options.into.is_file():
        raise UsageError(f"--into: there is no file {options.into}")
    if not found:
        raise UsageError(f"{folder}: there is no exported model in it; `zoo build dcgan` makes one")
    if options.seeds:
        if not single:
            raise UsageError(f"--seeds: goes with one model; {folder} holds several")
        print(seeds.gather(folder, options.seeds))
    for path in found:
        if not options.text:
            figures.draw(path)
        print(card.write(path))
    if not single:
        if not options.text and (drawn := gallery.picture(folder)) is not None:
            pictures.write_png(folder / gallery.PICTURE, drawn)
        print(write_whole(folder / gallery.FILE, gallery.markdown(folder).encode()))
        if options.into:
            print(_renew(options.into, folder))
    return 0


def _renew(page: Path, folder: Path) -> Path:
    """The marked tables of a Markdown file, whose links lead from there to the artifacts."""
    from zoo.report import tables

    try:
        text = page.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--into: {page} cannot be read: {error}") from error
    way = Path(os.path.relpath(folder, page.parent)).as_posix()
    try:
        return write_whole(page, tables.renew(text, folder, way=f"{way}/").encode())
    except UsageError as error:
        raise UsageError(f"{page}: {error}") from error


def compare(options: argparse.Namespace) -> int:
    """Print, and draw if there is a place for it."""
    from zoo import pictures
    from zoo.report import compare as two

    for folder in (options.a, options.b):
        if not (folder / MANIFEST_FILE).is_file():
            raise UsageError(f"{folder}: is not an exported model: it has no {MANIFEST_FILE}")
    if options.out and options.out.suffix.lower() != ".png":
        raise UsageError(f"--out: the picture is a PNG file, received {options.out}")
    print(two.table(options.a, options.b))
    if options.out:
        print(pictures.write_png(options.out, two.picture(options.a, options.b)))
    return 0
