"""`zoo translate`: translate image files with the runtime, NumPy and Pillow alone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli import arguments
from zoo.core.errors import ServeError, UsageError

if TYPE_CHECKING:
    from zoo.artifact.tensor import Tensor
    from zoo.core.arrays import Array
    from zoo.core.images import Fit

HELP = "translate images with an exported translator"
EXAMPLES = """\
  zoo translate exported/cyclegan face.png --network a_to_b --out other_face.png
  zoo translate exported/cyclegan photos/*.jpg --network b_to_a --fit crop --out translated"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo translate`."""
    parser.add_argument("artifact", help="a folder such as exported/cyclegan, or a lone .onnx file")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG and other files")
    arguments.add_loading(parser)
    parser.add_argument(
        "--fit", choices=("crop", "resize", "pad"),
        help="bring images to the nearest allowed size; without it another size is an error",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("translated"),
        help="a folder, or a .png file for one image (default: translated)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write the translation of every image as a PNG file."""
    from zoo.core import pictures

    targets = _targets(options.images, options.out)
    generator = arguments.load_generator(options)
    source = next((tensor for tensor in generator.inputs.values() if tensor.is_image), None)
    if source is None:
        raise UsageError(f"{generator.name} does not take images, it makes them: zoo sample {options.artifact}")
    for file, target in targets.items():
        try:
            image = generator.translate(_fitting(file, source, options.fit))
        except ServeError as error:
            hint = "" if options.fit else ". Or let --fit crop or --fit resize bring it to an allowed size"
            raise ServeError(f"{file}: {error}{hint}") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        pictures.write_png(target, image)
        print(f"{target}: {image.shape[1]} x {image.shape[0]} pixels from {file}", flush=True)
    return 0


def _targets(images: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return the file of each translation. Raises UsageError if two are the same, or one is an image itself."""
    if out.suffix == ".png" and len(images) == 1 and not out.is_dir():
        targets = {images[0]: out}
    elif out.is_file() or (out.suffix and not out.is_dir()):
        raise UsageError(f"--out names a folder, or for a single image a .png file; received '{out}'")
    else:
        targets = {file: out / f"{file.stem}.png" for file in images}
    resolved = [target.resolve() for target in targets.values()]
    for target in targets.values():
        if resolved.count(target.resolve()) > 1:
            raise UsageError(f"several images would become {target}: translate them into different folders")
        if target.resolve() in {image.resolve() for image in images}:
            raise UsageError(f"--out: {target} would overwrite the image itself; name another folder")
    return targets


def _fitting(file: Path, source: Tensor, fit: Fit | None) -> Array:
    """Read an image as uint8 [H, W, C], in the colours of `source`, and with `fit` of an allowed size."""
    from zoo.core.images import fitted, grey, read_image
    from zoo.runtime.inputs import nearest_size

    image = read_image(file)[None]  # [1, H, W, 3]
    if source.shape[-1] == 1:
        image = grey(image)
    return (fitted(image, *nearest_size(source, *image.shape[1:3]), fit) if fit else image)[0]
