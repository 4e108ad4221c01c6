"""`zoo new`: begin a spec from one that works."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.core.errors import UsageError
from zoo.core.registry import suggest

if TYPE_CHECKING:
    from zoo.spec.read import Spec

HELP = "begin a spec of your own"
EXAMPLES = """\
  zoo new my_gan                       a commented starter with every knob
  zoo new my_gan --from dcgan"""
TEMPLATE = "_template"
_EXTENDS = re.compile("^extends:", re.MULTILINE)
_OF_THE_BASE = re.compile(r"^(?:paper|deviations):.*\n(?:[ -].*\n)*", re.MULTILINE)  # sections that are not the copy's
_LICENCE = re.compile("^  licence: .*", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo new`."""
    parser.add_argument("name", help="a lower-case word; the file is NAME.yaml")
    parser.add_argument(
        "--from", dest="base", default=TEMPLATE, help="a spec that ships with the zoo (default: the commented starter)"
    )
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for the file (default: here)")


def run(options: argparse.Namespace) -> int:
    """Write the file, and print the next commands."""
    path = write(options.name, base=options.base, folder=options.out)
    print(f"{path}\nnext:\n  zoo check {path}\n  zoo build {path} --dry-run\n  zoo build {path} --budget 1m")
    return 0


def shipped() -> dict[str, Path]:
    """Return the specs that ship with the zoo, by name, without those that begin with an underscore."""
    from zoo.spec.validate import specs_folder

    return {path.stem: path for path in sorted(specs_folder().glob("*.yaml")) if not path.stem.startswith("_")}


def write(name: str, *, base: str = TEMPLATE, folder: Path = Path(".")) -> Path:
    """Write <folder>/<name>.yaml as a copy of `base` under its own name. Raises UsageError, and never overwrites."""
    from zoo.spec.read import read_spec
    from zoo.spec.validate import specs_folder

    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise UsageError(f"a model's name is a lower-case word such as my_gan, received '{name}'")
    known = {**shipped(), TEMPLATE: specs_folder() / f"{TEMPLATE}.yaml"}
    if base not in known:
        raise UsageError(f"there is no spec '{base}' to begin from.{suggest(base, known)} Known: {', '.join(known)}")
    target = folder / f"{name}.yaml"
    spec = read_spec(known[base])
    # a copy elsewhere could not find what it extends
    text = spec.to_yaml() if _EXTENDS.search(text := known[base].read_text("utf-8")) else text
    schema = _schema_line(folder)
    head = [
        *schema,
        f"# Begun from {base}{_paper(spec)}.",
        f"# Check it with `zoo check {target}`, look at it with `zoo build {target} --dry-run`,",
        f"# train it with `zoo build {target}`. A first try{_without_download(spec)} --budget 1m",
    ]
    body = [line for line in _own_words(text, name, base).splitlines() if not line.startswith("# yaml-language-server")]
    body = body if schema else [line.replace(" Editors complete it by the schema above.", "") for line in body]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write("\n".join([*head, *body]) + "\n")
    except FileExistsError as error:
        raise UsageError(f"{target} already exists; choose another name or remove it") from error
    return target


def _own_words(text: str, name: str, base: str) -> str:
    """Return a copy's text under its own name and title, without what is true of the base alone.

    The starter shows paper and deviations as comments.
    """
    text = re.sub("^name: .*", f"name: {name}", text, flags=re.MULTILINE)
    text = re.sub("^title: .*(?:\n .*)*", f"title: {name.replace('_', ' ').capitalize()}", text, flags=re.MULTILINE)
    shown = r"# \g<0>" if base == TEMPLATE else ""
    text = _OF_THE_BASE.sub(lambda block: re.sub("^.*\n", shown, block[0], flags=re.MULTILINE), text)
    return _LICENCE.sub("  licence: unknown  # of the weights, for you to choose", text)


def _paper(spec: Spec) -> str:
    """Return the paper of a spec in brackets; an empty string without one."""
    paper = spec.sections.paper
    where = f", arXiv {paper.arxiv}" if paper and paper.arxiv else ""
    return f" (paper: {paper.authors}, {paper.year}{where})" if paper else ""


def _schema_line(folder: Path) -> list[str]:
    """Return the line by which editors find the schema; none for a folder outside the checkout that has it.

    A path to another place would hold on this machine alone.
    """
    from zoo.spec.validate import specs_folder

    schema, place = specs_folder().resolve() / "schema.json", folder.resolve()
    checkout = schema.parents[1]
    if not (checkout / "setup.cfg").is_file() or not place.is_relative_to(checkout):
        return []
    return [f"# yaml-language-server: $schema={Path(os.path.relpath(schema, place)).as_posix()}"]


def _without_download(spec: Spec) -> str:
    """Return the flags that replace data to be downloaded by small digits of the same size, or a colon."""
    data, image = spec.sections.data, spec.fields.get("image")
    if data is None or image is None or data.source.name == "digits" or spec.fields.keys() - {"image", "label"}:
        return ":"
    height, width, channels = image
    size = str(height) if height == width else f"[{height},{width}]"
    more = "" if channels == 1 else f" data.channels={channels}"
    return f" without download: --set data.source=digits data.size={size}{more}"
