"""What `zoo sample` and `zoo translate` do: pictures out of artifacts, with the runtime, NumPy and Pillow alone."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.arguments import add_loading, load_generator
from zoo.core.errors import UsageError

if TYPE_CHECKING:
    from zoo.core.arrays import Array


HELP = "draw pictures from an exported generator"
EXAMPLES = """\
  zoo sample exported/dcgan -n 64 --seed 0 --out grid.png
  zoo sample exported/dcgan -n 1000 --out samples.npy       one array, uint8 [n, height, width, channels]
  zoo sample exported/dcgan -n 10 --interpolate --out walk.png
  zoo sample exported/dcgan -n 80 --walk --out walk.gif     a loop through 4 latents"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo sample`."""
    p.add_argument("artifact", help="a folder such as exported/dcgan, or a lone .onnx file")
    p.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    p.add_argument("--seed", type=int, default=0, help="the same seed gives the same pictures (default: 0)")
    add_loading(p)
    p.add_argument("--label", help="a class name or id, for generators with classes")
    how = p.add_mutually_exclusive_group()
    how.add_argument("--interpolate", action="store_true", help="walk from one latent to another instead")
    how.add_argument("--walk", action="store_true", help="walk in a loop through 4 latents instead")
    p.add_argument(
        "--out", type=Path, default=Path("samples.png"),
        help="a .png grid, a .npy array, or of a walk a .gif or .webp animation (default: samples.png)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write a grid of samples, an array, or a walk as an animation."""
    from zoo.core.files import write_whole

    if (encode := ENCODERS.get(options.out.suffix)) is None:
        known = "--out must end in .png (a grid), .npy (an array), .gif or .webp (an animation)"
        raise UsageError(f"{known}, received '{options.out}'")
    if encode is _animation and not (options.walk or options.interpolate):
        raise UsageError(f"--out: a {options.out.suffix} shows a walk: add --walk (in a loop) or --interpolate")
    generator = load_generator(options)
    if generator.manifest.kind == "translation":
        network = f" --network {options.network}" if options.network else ""
        raise UsageError(f"{generator.name} translates images: zoo translate {options.artifact} IMAGE...{network}")
    label = int(options.label) if options.label and options.label.isdecimal() else options.label
    if encode is _animation and not next(iter(generator.outputs.values())).is_image:
        raise UsageError(f"--out: {generator.name} makes no images that could move: let it end in .npy or .png")
    draw = generator.walk if options.walk else generator.interpolate if options.interpolate else generator.sample
    data = encode(draw(options.n, options.seed, label=label), options.out.suffix)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.out, data)
    print(f"{options.out}: {options.n} from {generator.title}, seed {options.seed}")
    return 0


def _grid(images: Array, kind: str) -> bytes:
    from zoo.core import pictures

    return pictures.png(pictures.picture(images))


def _array(images: Array, kind: str) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()


def _animation(frames: Array, kind: str) -> bytes:
    from zoo.core import pictures

    return pictures.animation(pictures.scale(frames), kind=kind)


ENCODERS: dict[str, Callable[[Array, str], bytes]] = {
    ".png": _grid, ".npy": _array, ".gif": _animation, ".webp": _animation,
}  # fmt: skip
