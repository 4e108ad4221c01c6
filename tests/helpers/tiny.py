"""Specs of a few hundred weights on data that needs no download, for tests of training, export and the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.spec.read import Spec, read_spec
from zoo.train import loop

# Every kind of state there is: batch norm and dropout in both networks, Adam's moments, an average of G's weights.
# Dropout stands before a batch norm, so that chance touches the statistics that export measures.
GAN = """
name: tiny
title: A tiny GAN
about: For tests.
paper: {title: "Tiny: a study", authors: 'Nobody, Else', year: 2015, arxiv: '1511.06434'}
deviations:
  - It is tiny.
data: {source: digits}
latent: {z: {uniform: {shape: [4], low: -1, high: 1}}}
defaults:
  BatchNormalization: {momentum: 0.9, epsilon: 1e-5}
  LeakyReLU: {negative_slope: 0.2}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Dense: {units: 32}
      - BatchNormalization
      - Reshape: {target_shape: [4, 4, 2]}
      - ReLU
      - Dropout: {rate: 0.1}
      - BatchNormalization
      - Conv2DTranspose: {filters: 1, kernel_size: 4, strides: 2, padding: same, activation: tanh}
  discriminator:
    inputs: image
    output: logits
    layers:
      - Conv2D: {filters: 3, kernel_size: 4, strides: 2, padding: same}
      - BatchNormalization
      - LeakyReLU
      - Dropout: {rate: 0.2}
      - Flatten
      - Dense: {units: 1}
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {Adam: {learning_rate: 2e-2, beta_1: 0.5}}}
    discriminator: *player
training: {batch_size: 8, steps: 4, ema_half_life_images: 20}
export: {batch_norm_batches: 3}
"""

# The same kinds of state without convolutions and under plain gradient descent, for arithmetic by hand.
GAME = """
name: game
title: A small game
data: {source: digits}
latent: {z: {normal: {shape: [3]}}}
defaults:
  BatchNormalization: {momentum: 0.9, epsilon: 1e-5}
  LeakyReLU: {negative_slope: 0.2}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Dense: {units: 6}
      - BatchNormalization
      - Dropout: {rate: 0.25}
      - Dense: {units: 64, activation: tanh}
      - Reshape: {target_shape: [8, 8, 1]}
  discriminator:
    inputs: image
    output: logits
    layers:
      - Flatten
      - Dense: {units: 5}
      - BatchNormalization
      - LeakyReLU
      - Dropout: {rate: 0.25}
      - Dense: {units: 1}
algorithm:
  alternating:
    loss: non_saturating
    generator: {optimizer: {SGD: {learning_rate: 0.1}}}
    discriminator: {optimizer: {SGD: {learning_rate: 0.1}}}
training: {batch_size: 4, steps: 1}
"""

# No batch norm, no dropout, no average: the fastest to trace.
DENSE = """
name: dense
title: Two dense layers
data: {source: digits}
latent: {z: {normal: {shape: [3]}}}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Dense: {units: 64, activation: tanh}
      - Reshape: {target_shape: [8, 8, 1]}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, Dense: {units: 1}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {SGD: {learning_rate: 0.1}}}
    discriminator: *player
training: {batch_size: 4, steps: 3}
"""

LABELLED = """
name: labelled
title: A conditional GAN
data: {source: digits}
latent: {z: {normal: {shape: [3]}}}
networks:
  generator:
    inputs: [z, label]
    output: image
    layers:
      - from: label
      - OneHot: {classes: 10}
      - Concatenate:
        from: [z, x]
      - Dense: {units: 64, activation: tanh}
      - Reshape: {target_shape: [8, 8, 1]}
  discriminator:
    inputs: [image, label]
    output: logits
    layers:
      - from: label
      - OneHot: {classes: 10}
        as: y
      - from: image
      - Flatten
      - Concatenate:
        from: [x, y]
      - Dense: {units: 1}
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {SGD: {learning_rate: 0.1}}}
    discriminator: *player
training: {batch_size: 4, steps: 2, picture_every_steps: 1}
"""

POINTS = """
name: points
title: A ring
data: {source: {ring: {samples: 100}}}
latent: {z: {normal: {shape: [2]}}}
networks:
  generator:
    inputs: z
    output: point
    layers: [Dense: {units: 8, activation: relu}, Dense: {units: 2}]
  discriminator:
    inputs: point
    output: logits
    layers: [Dense: {units: 8, activation: relu}, Dense: {units: 1}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {SGD: {learning_rate: 0.1}}}
    discriminator: *player
training: {batch_size: 4, steps: 2}
"""


# Two domains without a download, instance norm, reflection, and a pool that is full after two steps.
CYCLE = """
name: cycle
title: Two domains
data: {source: {folders: {a: FOLDER/a, b: FOLDER/b}}, size: 8}
defaults:
  Conv2D: {kernel_size: 3, kernel_initializer: {RandomNormal: {stddev: 0.2}}}
  GroupNormalization: {groups: -1, epsilon: 1e-5, center: false, scale: false}
networks:
  a_to_b:
    inputs: a
    output: b
    layers: &translator
      - ReflectionPadding2D
      - Conv2D: {filters: 4}
      - GroupNormalization
      - ReLU
      - ReflectionPadding2D
      - Conv2D: {filters: 3, activation: tanh}
  b_to_a: {inputs: b, output: a, layers: *translator}
  discriminator_a:
    inputs: a
    output: logits
    layers: &judge
      - Conv2D: {filters: 4, strides: 2}
      - LeakyReLU: {negative_slope: 0.2}
      - Conv2D: {filters: 1}
  discriminator_b: {inputs: b, output: logits, layers: *judge}
algorithm:
  cyclegan:
    loss: {lsgan: {weight: 1}}
    pool_size: 3
    generators: &side {optimizer: {Adam: {learning_rate: 1e-3, beta_1: 0.5}}}
    discriminators: *side
training: {batch_size: 2, steps: 4}
export: {networks: [a_to_b, b_to_a]}
"""


def cycle(folder: Path) -> str:
    """CYCLE with ten pictures of each domain in `folder`: `a` is dark, `b` is bright."""
    from PIL import Image

    random = np.random.RandomState(0)
    for domain, low in (("a", 0), ("b", 100)):
        (folder / domain).mkdir(parents=True, exist_ok=True)
        for number in range(10):
            pixels = random.randint(low, low + 150, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / domain / f"{number}.png")
    return CYCLE.replace("FOLDER", str(folder))


def read(folder: Path, text: str = GAN, *overrides: str) -> Spec:
    """The checked spec of `text`, written to `folder`/tested.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tested.yaml"
    path.write_text(text)
    return read_spec(path, overrides)


def train(folder: Path, text: str = GAN, *overrides: str, **options: object) -> loop.Run:
    """`text`, trained in `folder`/runs."""
    return loop.train(read(folder, text, *overrides), runs=folder / "runs", **options)
