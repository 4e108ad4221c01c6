"""`zoo sample`: draw pictures with the runtime, NumPy and Pillow alone."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli import arguments
from zoo.core.errors import UsageError

if TYPE_CHECKING:
    from zoo.core.arrays import Array
    from zoo.core.text import Reading
    from zoo.runtime.generator import Generator

HELP = "draw pictures from an exported generator"
EXAMPLES = """\
  zoo sample exported/dcgan -n 64 --seed 0 --out grid.png
  zoo sample exported/dcgan -n 1000 --out samples.npy       one array, uint8 [n, height, width, channels]
  zoo sample exported/critters --fix body=dome --fix eyes=happy -n 16
  zoo sample mine/text_to_image --text "mint critter, horns"     after zoo build specs/text_to_image.yaml --out mine
  zoo sample exported/dcgan -n 10 --interpolate --out walk.png
  zoo sample exported/dcgan -n 80 --walk --out walk.gif     a loop through 4 latents
  zoo sample mine/terrain --size 256 512 -n 4               larger pictures, of a map of latents that may be larger
  zoo sample mine/terrain --size 400 800 --at 0 3000        a piece of a world without end, from row 0, column 3000
  zoo sample exported/dcgan --arithmetic 3 - 5 + 8          images 3, 5 and 8 of the grid, and their sum
  zoo sample exported/dcgan --arithmetic 3,9 - 5 + 8 -n 5   a mean of two; the sum, and 4 images close to it"""

Terms = tuple[list[int], list[int], list[int]]  # numbers of images: A, B, C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo sample`."""
    parser.add_argument("artifact", help="a folder such as exported/dcgan, or a lone .onnx file")
    arguments.add_n(parser, type=int, help="how many (default: 64; of sums: 1)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same pictures (default: 0)")
    arguments.add_loading(parser)
    parser.add_argument("--label", help="a class name or id, for generators with classes")
    parser.add_argument(
        "--fix", action="append", default=[], metavar="NAME=VALUE",
        help="an input that is not drawn, such as body=dome or slant=0.5; again for another one",
    )  # fmt: skip
    parser.add_argument(
        "--output", metavar="NAME", help="which output, of a generator that has several (default: the first)"
    )
    parser.add_argument("--text", help="what the pictures show, in words, for generators that read them")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="pixels of the pictures, for generators that are fed a map of latents",
    )  # fmt: skip
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--at", type=int, nargs=2, metavar=("TOP", "LEFT"),
        help="instead a piece of --size of a picture without end: its first row and column",
    )  # fmt: skip
    how.add_argument("--interpolate", action="store_true", help="walk from one latent to another instead")
    how.add_argument("--walk", action="store_true", help="walk in a loop through 4 latents instead")
    how.add_argument(
        "--arithmetic", nargs=5, metavar=("A", "-", "B", "+", "C"),
        help="instead compute with the latents of images: numbers of images of this seed, counted from 0 along the "
        "rows of the grid; several with commas are averaged",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("samples.png"),
        help="a .png grid, a .npy array, or of a walk a .gif or .webp animation (default: samples.png)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write a grid of samples, an array, a walk as an animation, or images and their sum."""
    from zoo.core.files import write_whole

    if (encode := ENCODERS.get(options.out.suffix)) is None:
        known = "--out must end in .png (a grid), .npy (an array), .gif or .webp (an animation)"
        raise UsageError(f"{known}, received '{options.out}'")
    if encode is _animation and not (options.walk or options.interpolate):
        raise UsageError(f"--out: a {options.out.suffix} shows a walk: add --walk (in a loop) or --interpolate")
    terms = _terms(options.arithmetic) if options.arithmetic else None
    generator = arguments.load_generator(options)
    if options.output is not None:
        generator = generator.showing(options.output)
    if generator.manifest.kind == "translation":
        network = f" --network {options.network}" if options.network else ""
        raise UsageError(f"{generator.name} translates images: zoo translate {options.artifact} IMAGE...{network}")
    label = int(options.label) if options.label and options.label.isdecimal() else options.label
    fixed: dict[str, Any] = {"label": label, **_words(generator, options.text)}
    fixed |= _by_name(generator, options.fix, {name for name, value in fixed.items() if value is not None})
    if encode is _animation and not generator.shown.is_image:
        raise UsageError(f"--out: {generator.name} makes points, not images that could move; end it in .npy or .png")
    n = (1 if terms or options.at else 64) if options.n is None else options.n
    if options.size and not options.at:
        generator = generator.sized(*options.size)
    if options.at:
        images, drawn = _piece(generator, options, n), "the piece from row {} and column {}".format(*options.at)
    elif terms:
        images, drawn = _sums(generator, terms, n, options.seed, fixed), " ".join(options.arithmetic)
    else:
        draw = generator.walk if options.walk else generator.interpolate if options.interpolate else generator.sample
        images, drawn = draw(n, options.seed, **fixed), str(n)
    data = encode(images, options.out.suffix, len(images) if terms else None)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.out, data)
    print(f"{options.out}: {drawn} from {generator.title}, seed {options.seed}")
    return 0


def _piece(generator: Generator, options: argparse.Namespace, n: int) -> Array:
    """Return one piece of a picture without end, [1, H, W, C]. Raises UsageError."""
    if options.size is None:
        raise UsageError("--at: say how large the piece is: --size 256 512")
    if n != 1 or options.fix or options.text or options.label:
        raise UsageError("--at: draws one piece, of --seed alone; leave -n, --label, --fix and --text out")
    (top, left), (height, width) = options.at, options.size
    return generator.window(top, left, height, width, options.seed)[None]


def _terms(parts: list[str]) -> Terms:
    """Read A - B + C, each the number of an image or several with commas. Raises UsageError."""
    a, minus, b, plus, c = parts
    if (minus, plus) != ("-", "+") or not all(re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})*", term) for term in (a, b, c)):
        form = "numbers of images such as 3 - 5 + 8, or 3,9 - 5 + 8 where 3 and 9 are averaged"
        raise UsageError(f"--arithmetic: expected {form}, received '{' '.join(parts)}'")
    first, second, third = ([int(row) for row in term.split(",")] for term in (a, b, c))
    return first, second, third


def _words(generator: Generator, text: str | None) -> dict[str, list[int]]:
    """Return the ids of a text under the name of its input, and print which words were left out."""
    if text is None:
        return {}
    reading = generator.read(os.fsencode(text))  # the bytes of the command line, whatever they are
    name = next(tensor.name for tensor in generator.inputs.values() if tensor.text)
    return {name: _told(reading, "--text")}


def _told(reading: Reading, flag: str) -> list[int]:
    """Return the ids of a reading, and print which words were left out."""
    if reading.complaint:
        print(f"{flag}: {reading.complaint}", file=sys.stderr)
    return list(reading.ids)


def _by_name(generator: Generator, flags: list[str], taken: set[str]) -> dict[str, Any]:
    """Return the values of every NAME=VALUE, texts as ids. Raises UsageError, also for a name in `taken`."""
    found = dict[str, Any]()
    for name, value in map(_fixed, flags):
        if name in found or name in taken:
            other = "" if name in found else f", here and as --{'label' if name == 'label' else 'text'}"
            raise UsageError(f"--fix: the {name} is given twice{other}")
        tensor = generator.inputs.get(name)
        if tensor is not None and tensor.text:
            found[name] = _told(generator.texts.read(tensor, os.fsencode(value)), f"--fix {name}")
        else:
            found[name] = _value(value)
    return found


def _fixed(text: str) -> tuple[str, str]:
    """Split NAME=VALUE. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier() and value) or name in ("self", "n", "seed", "stops", "batch_size"):
        raise UsageError(f"--fix: expected the name of an input and a value, such as body=dome, received '{text}'")
    return name, value


def _value(text: str) -> str | int | float:
    """Return a whole number, a number, or the text: the name of a class."""
    if text.isdecimal():
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?", text) else text


def _sums(generator: Generator, terms: Terms, n: int, seed: int, fixed: dict[str, Any]) -> Array:
    """Return the images of all terms, then `n` of their sum: the sum itself, and others close to it."""
    import numpy as np

    a, b, c = terms
    sums = generator.arithmetic(a, b, c, seed, n=n, **fixed)
    rows = [*a, *b, *c]
    return np.concatenate([generator.sample(1 + max(rows), seed, **fixed)[rows], sums])


def _grid(images: Array, kind: str, columns: int | None) -> bytes:
    from zoo.core import pictures

    one_row = columns is not None and images.ndim == 4
    return pictures.png(pictures.grid(pictures.scale(images), columns=columns) if one_row else pictures.picture(images))


def _array(images: Array, kind: str, columns: int | None) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()


def _animation(frames: Array, kind: str, columns: int | None) -> bytes:
    from zoo.core import pictures

    return pictures.animation(pictures.scale(frames), kind=kind)


ENCODERS: dict[str, Callable[[Array, str, int | None], bytes]] = {
    ".png": _grid, ".npy": _array, ".gif": _animation, ".webp": _animation,
}  # fmt: skip
