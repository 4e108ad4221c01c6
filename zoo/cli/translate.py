"""`zoo translate`: translate image files with the runtime, NumPy and Pillow alone."""

from __future__ import annotations

import argparse
import sys
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

MAX_PIXELS = 1024 * 1024  # as in the server: a translation takes some hundred bytes of memory a pixel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo translate`."""
    parser.add_argument("artifact", help="a folder such as exported/cyclegan, or a lone .onnx file")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG and other files")
    arguments.add_loading(parser)
    parser.add_argument(
        "--fit", choices=("crop", "resize", "pad"),
        help="bring images to the nearest size that the network computes; without it they keep their size",
    )  # fmt: skip
    parser.add_argument(
        "--max-pixels", type=arguments.count, default=MAX_PIXELS, metavar="N",
        help=f"the most pixels of an image; --fit shrinks larger ones to about so many (default: {MAX_PIXELS:,})",
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
            image = generator.translate(_fitting(file, source, options.fit, options.max_pixels))
        except ServeError as error:
            hint = "" if options.fit else ". --fit crop or --fit resize brings it to an allowed size"
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


def _fitting(file: Path, source: Tensor, fit: Fit | None, max_pixels: int) -> Array:
    """Read an image as uint8 [H, W, C], in the colours of `source`, and with `fit` of a size that needs no more.

    Raises UsageError without `fit` for more than `max_pixels`; with it, larger images shrink to about so many.
    """
    from zoo.core.image_files import range_warning, read_picture
    from zoo.core.images import fitted, with_channels
    from zoo.runtime.inputs import nearest_size

    picture = read_picture(file)
    if picture.highest is not None and (warning := range_warning(picture.highest)):
        print(f"warning: {file}: {warning}", file=sys.stderr)
    height, width = picture.pixels.shape[:2]
    if not fit and height * width > max_pixels and source.sizes is not None:
        raise UsageError(
            f"{file}: at most {max_pixels:,} pixels are translated, received {width} x {height}. Let --fit crop or "
            "--fit resize shrink it, or allow more with --max-pixels"
        )
    image = with_channels(picture.pixels[None], int(source.shape[-1]))  # [1, H, W, C]
    if fit:
        shrink = min(1, (max_pixels / (height * width)) ** 0.5)
        image = fitted(image, *nearest_size(source, int(height * shrink), int(width * shrink)), fit)
    return image[0]
