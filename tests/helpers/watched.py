"""A spec whose training is watched by a judge of sums, and what its tests ask of a run."""

import keras
import numpy as np
import tiny

from zoo.metrics.networks.judge import Prediction

# All that chance could touch: dropout, batch norm, an average.
WATCHED = """
name: watched
title: A GAN that is watched
data: {source: fashion_mnist}
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
      - Dense: {units: 8}
      - BatchNormalization
      - Dropout: {rate: 0.2}
      - Dense: {units: 784, activation: tanh}
      - Reshape: {target_shape: [28, 28, 1]}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, Dropout: {rate: 0.2}, Dense: {units: 1}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {Adam: {learning_rate: 0.01}}}
    discriminator: *player
training:
  batch_size: 4
  steps: 3
  ema_half_life_images: 20
  evaluate: {every: 1, samples: 80}
export: {batch_norm_batches: 2}
"""

NAME = "judge_frechet_80"
PROTOCOL = "Frechet distance of 64 features between 80 samples and 300 real training images, judged by a careful eye"
OFF = "training.evaluate=null"


class Features:
    """A judge that sees 64 sums of pixels, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def __str__(self):
        return "a careful eye"

    def __call__(self, images):
        self.shown.append(images)
        weights = np.random.RandomState(0).standard_normal((images[0].size, 64))
        return Prediction((images.reshape(len(images), -1) / 255 @ weights).astype("float32"), np.zeros((1, 10)))


def real(count=300, side=28):
    return np.random.RandomState(1).randint(256, size=(count, side, side, 1)).astype(np.uint8)


def weights(algorithm):
    return [keras.ops.convert_to_numpy(v.value).copy() for v in algorithm.exported("generator").weights]


def trained(folder, *overrides, **options):
    """(run, {step: what export would take after it})."""
    seen = {}
    watch = lambda step, algorithm: seen.update({step: weights(algorithm)})  # noqa: E731
    return tiny.train(folder, WATCHED, *overrides, watch=watch, **options), seen


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
