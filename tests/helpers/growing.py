"""A growing GAN of a few hundred weights: 2, 4 and 8 pixels, two steps for each of its five stages."""

GROWING = """
name: growing
title: A growing GAN
data: {source: digits}
latent: {z: {normal: {shape: [3]}}}
defaults:
  AveragePooling2D: {pool_size: 2}
  EqualizedConv2D: {kernel_size: 3}
  LeakyReLU: {negative_slope: 0.2}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - PixelNorm
      - EqualizedDense: {units: 20}
      - Reshape: {target_shape: [2, 2, 5]}
      - repeat: {filters: [4, 3]}
        layers:
          - UpSampling2D
          - EqualizedConv2D: {filters: $filters}
          - LeakyReLU
          - PixelNorm
      - as: features
      - EqualizedConv2D: {filters: 1, kernel_size: 1, gain: 1}
  discriminator:
    inputs: image
    output: logits
    layers:
      - EqualizedConv2D: {filters: 3, kernel_size: 1}
      - LeakyReLU
      - as: features
      - repeat: {filters: [4, 5]}
        layers:
          - EqualizedConv2D: {filters: $filters}
          - LeakyReLU
          - AveragePooling2D
      - MinibatchStdDev
      - Flatten
      - EqualizedDense: {units: 1, gain: 1}
algorithm:
  progressive:
    start: 2
    stabilise_kimg: 0.008
    fade_kimg: 0.008
    loss: wasserstein
    penalties: [gradient_penalty: {weight: 10}, drift: {weight: 0.001}]
    generator: &player
      optimizer: {Adam: {learning_rate: 1e-2, beta_1: 0, beta_2: 0.99, epsilon: 1e-8}}
    discriminator: *player
training: {batch_size: 4, steps: 10, ema_half_life_images: 20, picture_every_steps: 2}
"""

if __name__ == "__main__":  # python growing.py SPEC RUNS: go on to step 3, under the backend of the environment
    import sys
    from pathlib import Path

    from zoo.spec.read import read_spec
    from zoo.train import loop

    loop.train(read_spec(sys.argv[1]), runs=Path(sys.argv[2]), resume=True, steps=3)
