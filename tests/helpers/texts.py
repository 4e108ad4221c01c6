"""A spec whose generator reads words, on a few critters that need no drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny

from zoo.data.catalogue import DATASETS
from zoo.export import exporter
from zoo.train import loop

COUNT = 64  # critters
SPEC = """
name: words
title: Pictures of words
data:
  source: critters
  size: 8
  text: {longest: 17}
latent:
  z: {normal: {shape: [4]}}
networks:
  reader:
    inputs: text
    output: code
    layers:
      - BagOfWords: {input_dim: 106, output_dim: 6}
  generator:
    inputs: {z: [4], code: reader}
    output: image
    layers:
      - Concatenate:
        from: [z, code]
      - Dense: {units: 192, activation: tanh}
      - Reshape: {target_shape: [8, 8, 3]}
  discriminator:
    inputs: [image, text]
    output: logits
    layers:
      - BagOfWords: {input_dim: 106, output_dim: 6}
        from: text
        as: heard
      - Flatten:
        from: image
      - Concatenate:
        from: [x, heard]
      - Dense: {units: 1}
algorithm:
  game:
    values:
      code: reader
      fake: {generator: {code: code}}
      right: discriminator
      wrong: {discriminator: {text: wrong_text}}
      made: {discriminator: {image: fake}}
      d_right: {non_saturating.real: {of: right}}
      d_wrong: {non_saturating.fake: {of: wrong}}
      d_made: {non_saturating.fake: {of: made}}
      g_made: {non_saturating.generator: {fake: made}}
    phases:
      discriminator:
        trains: discriminator
        minimise: {d_right: 1, d_wrong: 0.5, d_made: 0.5}
        optimizer: {Adam: {learning_rate: 2e-4}}
      generator:
        trains: [generator, reader]
        minimise: {g_made: 1}
        optimizer: {Adam: {learning_rate: 2e-4}}
training:
  batch_size: 8
  steps: 3
export:
  values: {generator: fake}
  licence: CC0-1.0
"""


def few(side: int, split: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return critters of random pixels and labels, the same for the same split: see `zoo.data.critters.critters`."""
    random = np.random.RandomState(len(split))
    labels = {n: random.randint(len(c), size=COUNT).astype("int64") for n, c in DATASETS["critters"].labels.items()}
    return random.randint(256, size=(COUNT, side, side, 3)).astype("uint8"), labels


def export(place: Path, text: str = SPEC) -> Path:
    """Train a spec on such critters, and return the folder of its artifact."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.data.sources.draw_critters", few)
        return exporter.export(loop.train(tiny.read(place, text), runs=place / "runs"), out=place / "out").folder
