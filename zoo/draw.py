"""What `zoo sample` and `zoo translate` do: pictures out of artifacts, with the runtime, NumPy and Pillow alone."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from zoo.errors import ServeError, UsageError

if TYPE_CHECKING:
    from zoo.arrays import Array
    from zoo.data import Fit
    from zoo.runtime import Generator
    from zoo.tensor import Tensor


def sample(options: argparse.Namespace) -> int:
    """Write a grid of samples, an array, or a walk as an animation."""
    from zoo.manifest import write_whole

    if (encode := ENCODERS.get(options.out.suffix)) is None:
        known = "--out must end in .png (a grid), .npy (an array), .gif or .webp (an animation)"
        raise UsageError(f"{known}, received '{options.out}'")
    if encode is _animation and not (options.walk or options.interpolate):
        raise UsageError(f"--out: a {options.out.suffix} shows a walk: add --walk (in a loop) or --interpolate")
    generator = _load(options)
    if any(tensor.is_image for tensor in generator.inputs.values()):
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


def translate(options: argparse.Namespace) -> int:
    """Write the translation of every image as a PNG file."""
    from zoo import pictures

    targets = _targets(options.images, options.out)
    generator = _load(options)
    source = next((tensor for tensor in generator.inputs.values() if tensor.is_image), None)
    if source is None:
        raise UsageError(f"{generator.name} takes no images, it makes them: zoo sample {options.artifact}")
    for file, target in targets.items():
        try:
            image = generator.translate(_fitting(file, source, options.fit))
        except ServeError as error:
            cure = "" if options.fit else ". Or let --fit crop or --fit resize bring it to an allowed size"
            raise ServeError(f"{file}: {error}{cure}") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        pictures.write_png(target, image)
        print(f"{target}: {image.shape[1]} x {image.shape[0]} pixels from {file}", flush=True)
    return 0


def _load(options: argparse.Namespace) -> Generator:
    return zoo.load(options.artifact, network=options.network, precision=options.precision, provider=options.provider)


def _grid(images: Array, kind: str) -> bytes:
    from zoo import pictures

    return pictures.png(pictures.picture(images))


def _array(images: Array, kind: str) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()


def _animation(frames: Array, kind: str) -> bytes:
    from zoo import pictures

    return pictures.animation(pictures.scale(frames), kind=kind)


ENCODERS: dict[str, Callable[[Array, str], bytes]] = {
    ".png": _grid, ".npy": _array, ".gif": _animation, ".webp": _animation,
}  # fmt: skip


def _targets(images: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where each translation goes. Raises UsageError where files would overwrite each other, or an image itself."""
    if out.suffix == ".png" and len(images) == 1 and not out.is_dir():
        targets = {images[0]: out}
    elif out.is_file() or (out.suffix and not out.is_dir()):
        raise UsageError(f"--out names a folder, or for a single image a .png file; received '{out}'")
    else:
        targets = {file: out / f"{file.stem}.png" for file in images}
    places = [target.resolve() for target in targets.values()]
    for target in targets.values():
        if places.count(target.resolve()) > 1:
            raise UsageError(f"several images would become {target}: translate them into different folders")
        if target.resolve() in {image.resolve() for image in images}:
            raise UsageError(f"--out: {target} would take the place of the image itself; name another folder")
    return targets


def _fitting(file: Path, source: Tensor, fit: Fit | None) -> Array:
    """The image in a file as uint8 [H, W, C], in the colours of `source`; with `fit` of an allowed size."""
    from zoo.arrays import near
    from zoo.data.prepare import fitted, grey, read_image

    image = read_image(file)[None]  # [1, H, W, 3]
    if source.shape[-1] == 1:
        image = grey(image)
    return (fitted(image, *near(source, *image.shape[1:3]), fit) if fit else image)[0]
