"""What D sees augmented does not leak: G draws what the data are, which D saw in few examples (Zhao et al. 2020).

Where the data themselves vary in brightness, so do the samples of the same G: the measure can fail.
"""

import numpy as np
import pytest
import tiny
from PIL import Image

POLICY = "{augmented: {of: OF, policy: [color], probability: 0.7}}"
GAME = f"""
name: few
title: Few pictures
data: {{source: {{folder: {{path: PICTURES}}}}, size: 8, channels: 1}}
latent: {{z: {{normal: {{shape: [4]}}}}}}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Dense: {{units: 64, activation: relu}}
      - Dense: {{units: 64, activation: tanh}}
      - Reshape: {{target_shape: [8, 8, 1]}}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, Dense: {{units: 64, activation: relu}}, Dense: {{units: 1}}]
algorithm:
  game:
    values:
      fake: generator
      seen_real: {POLICY.replace("OF", "image")}
      seen_fake: {POLICY.replace("OF", "fake")}
      on_real: {{discriminator: {{image: seen_real}}}}
      on_fake: {{discriminator: {{image: seen_fake}}}}
      d_loss: {{non_saturating.discriminator: {{real: on_real, fake: on_fake}}}}
      g_loss: {{non_saturating.generator: {{fake: on_fake}}}}
    phases:
      discriminator:
        trains: discriminator
        minimise: {{d_loss: 1}}
        optimizer: &adam {{Adam: {{learning_rate: 2e-3, beta_1: 0.5}}}}
      generator: {{trains: generator, minimise: {{g_loss: 1}}, optimizer: *adam}}
training: {{batch_size: 32, steps: 2500, ema_half_life_images: 2000, picture_every_steps: 2500}}
"""
PLAIN = GAME.replace("probability: 0.7", "probability: 0")


def pictures(folder, *, vary):
    """Halves of two greys, in four directions, of mean 0; with `vary` seven of ten are lighter or darker."""
    random = np.random.RandomState(0)
    folder.mkdir()
    for number in range(400):
        pixels = np.rot90(np.repeat([[96] * 4 + [160] * 4], 8, axis=0), number % 4)
        shift = random.uniform(-64, 64) if vary and random.rand() < 0.7 else 0
        Image.fromarray((pixels + shift).astype(np.uint8)).save(folder / f"{number}.png")
    return str(folder)


def spread(folder, text):
    """The standard deviation over 500 samples of their mean brightness, of -1 to 1."""
    algorithm = tiny.train(folder, text).algorithm
    latents = np.random.RandomState(0).standard_normal((500, 4)).astype("float32")
    images = np.array(algorithm.exported("generator")({"z": latents}, training=False)["image"])
    return images.mean((1, 2, 3)).std()


@pytest.mark.slow
def test_augmentation_does_not_leak(tmp_path):
    """U(-0.5, 0.5) for seven of ten is a deviation of 0.24."""
    constant = spread(tmp_path / "a", GAME.replace("PICTURES", pictures(tmp_path / "constant", vary=False)))
    varying = spread(tmp_path / "b", PLAIN.replace("PICTURES", pictures(tmp_path / "varying", vary=True)))
    assert constant < 0.05 and 0.15 < varying < 0.35
