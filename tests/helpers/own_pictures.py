"""A small artifact of one's own pictures, built by the command, for tests of their shapes and channels."""

from pathlib import Path

import numpy as np
import tiny
from PIL import Image

from zoo import cli

PLAYER = "{optimizer: {Adam: {learning_rate: 1e-2, beta_1: 0.5}}}"


def build(folder: Path, name: str, pixels: np.ndarray, *, data: str, layers: str, steps: int) -> Path:
    """Build `tiny.DENSE` on 16 files of `pixels`, with the keys `data` of its section and the `layers` of its G."""
    (folder / "pictures").mkdir()
    for number in range(16):
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    (folder / "dense.yaml").write_text(tiny.DENSE)
    changes = (
        f"name={name}",
        f"data={{source: {{folder: {{path: {folder / 'pictures'}}}}}, {data}}}",
        f"networks.generator.layers={layers}",
        "algorithm.alternating.loss=hinge",
        f"algorithm.alternating.generator={PLAYER}",
        f"algorithm.alternating.discriminator={PLAYER}",
        f"training={{batch_size: 8, steps: {steps}, picture_every_steps: {steps}, ema_half_life_images: 80}}",
    )
    places = ["--runs", str(folder / "runs"), "--out", str(folder / "exported")]
    assert cli.main(["build", str(folder / "dense.yaml"), *places, "--set", *changes]) == 0
    return folder / "exported" / name
