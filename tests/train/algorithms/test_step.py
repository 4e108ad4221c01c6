"""One training step of a DCGAN against a second implementation: plain TensorFlow in float64, Adam in NumPy.

It shares nothing with the zoo but the initial weights and the batch: no Keras layer, no StatelessScope, no optimizer.
"""

import numpy as np
import pytest
import tensorflow as tf
from games import batch

from zoo.train import loop

DCGAN = """
name: small
title: A small DCGAN
data: {source: digits, range: [-1, 1]}
latent: {z: {uniform: {shape: [6], low: -1, high: 1}}}
defaults:
  Conv2D: {kernel_size: 4, strides: 2, padding: same, use_bias: false}
  Conv2DTranspose: {kernel_size: 4, strides: 2, padding: same, use_bias: false}
  BatchNormalization: {momentum: 0.9, epsilon: 1e-5}
  LeakyReLU: {negative_slope: 0.2}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - Dense: {units: 24, use_bias: false}
      - Reshape: {target_shape: [2, 2, 6]}
      - BatchNormalization
      - ReLU
      - Conv2DTranspose: {filters: 4}
      - BatchNormalization
      - ReLU
      - Conv2DTranspose: {filters: 1, use_bias: true, activation: tanh}
  discriminator:
    inputs: image
    output: logits
    layers:
      - Conv2D: {filters: 4, use_bias: true}
      - LeakyReLU
      - Conv2D: {filters: 6}
      - BatchNormalization
      - LeakyReLU
      - Flatten
      - Dense: {units: 1}
algorithm:
  alternating:
    loss: non_saturating
    generator: &player
      optimizer: {Adam: {learning_rate: 2e-4, beta_1: 0.5, beta_2: 0.999, epsilon: 1e-8}}
    discriminator: *player
training: {batch_size: 5, steps: 1}
"""
LR, B1, B2, EPSILON = 2e-4, 0.5, 0.999, 1e-8


def norm(x, gamma, beta, statistics):
    """Batch norm in training mode; `statistics` receives the batch's mean and variance."""
    mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
    statistics.append((mean.numpy(), variance.numpy()))
    return gamma * (x - mean) / tf.sqrt(variance + 1e-5) + beta


def deconv(x, kernel, side):
    return tf.nn.conv2d_transpose(x, kernel, (x.shape[0], side, side, kernel.shape[2]), strides=2, padding="SAME")


def generator(w, z, statistics):
    dense, gamma1, beta1, up1, gamma2, beta2, up2, bias = w
    x = tf.reshape(z @ dense, (-1, 2, 2, 6))
    x = tf.maximum(norm(x, gamma1, beta1, statistics), 0)
    x = tf.maximum(norm(deconv(x, up1, 4), gamma2, beta2, statistics), 0)
    return tf.tanh(deconv(x, up2, 8) + bias)


def discriminator(w, x, statistics):
    down1, bias1, down2, gamma, beta, dense, bias = w
    x = tf.nn.conv2d(x, down1, strides=2, padding="SAME") + bias1
    x = tf.where(x > 0, x, 0.2 * x)
    x = norm(tf.nn.conv2d(x, down2, strides=2, padding="SAME"), gamma, beta, statistics)
    x = tf.where(x > 0, x, 0.2 * x)
    return tf.reshape(x, (x.shape[0], -1)) @ dense + bias


def log_one_plus_exp(x):
    return tf.math.log1p(tf.exp(-tf.abs(x))) + tf.maximum(x, 0)


def adam(weights, gradients):
    """The first step of Kingma & Ba 2015, section 2 (the form at its end): new weights, moments."""
    m, v = [(1 - B1) * g for g in gradients], [(1 - B2) * g**2 for g in gradients]
    rate = LR * np.sqrt(1 - B2) / (1 - B1)
    return [w - rate * a / (np.sqrt(b) + EPSILON) for w, a, b in zip(weights, m, v, strict=True)], m, v


def gradients(loss, weights):
    variables = [tf.constant(w) for w in weights]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = loss(variables)
    return float(value), [g.numpy() for g in tape.gradient(value, variables)]


def moving(start, updates):
    for update in updates:
        start = 0.9 * start + 0.1 * update
    return start


@pytest.fixture
def step(spec_of):
    """(algorithm after one step, its losses, weights before it, the batch in float64)."""
    spec = spec_of(DCGAN)
    algorithm, random = loop.make(spec), np.random.RandomState(7)
    for player in algorithm.players.values():
        for v in player.trainable_variables:  # far from zero: every gradient is well above the noise of float32
            v.assign(random.normal(1.0 if "gamma" in v.path else 0.0, 0.3, v.shape))
    data = batch(spec, algorithm)
    before = {
        role: [v.numpy().astype("float64") for v in p.trainable_variables] for role, p in algorithm.players.items()
    }
    logs = algorithm.train_step((data,))
    return (
        algorithm,
        {k: float(v) for k, v in logs.items()},
        before,
        {k: v.numpy().astype("float64") for k, v in data.items()},
    )


def recomputed(before, data):
    """Losses, weights, Adam's moments and statistics after D's update and then G's, as the paper has them."""
    d, g, (image,), (z_d, z_g) = before["discriminator"], before["generator"], data["image"], data["z"]
    d_statistics, g_statistics = [], []
    fake = generator(g, z_d, [])

    def d_loss(w):
        real, made = discriminator(w, image, d_statistics), discriminator(w, fake, d_statistics)
        return tf.reduce_mean(log_one_plus_exp(-real)) + tf.reduce_mean(log_one_plus_exp(made))

    d_value, d_gradients = gradients(d_loss, d)
    new_d, *d_moments = adam(d, d_gradients)

    def g_loss(w):  # -log D(G(z)) with the D that has just learned, on noise that it has not seen
        return tf.reduce_mean(log_one_plus_exp(-discriminator(new_d, generator(w, z_g, g_statistics), [])))

    g_value, g_gradients = gradients(g_loss, g)
    new_g, *g_moments = adam(g, g_gradients)
    return {
        "discriminator": (d_value, new_d, d_moments, [d_statistics]),
        "generator": (g_value, new_g, g_moments, [g_statistics[:1], g_statistics[1:]]),
    }


@pytest.mark.parametrize("role", ["discriminator", "generator"])
def test_a_step_of_dcgan_is_what_a_plain_recomputation_gives(step, role):
    algorithm, losses, before, data = step
    value, weights, (m, v), statistics = recomputed(before, data)[role]
    player = algorithm.players[role]
    assert losses[f"{role}_loss"] == pytest.approx(value, abs=1e-5)
    for variable, expected, old in zip(player.trainable_variables, weights, before[role], strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=0, atol=1e-5, err_msg=variable.path)
        assert np.abs(expected - old).max() > 1e-4  # the step is ten times the tolerance
    (optimizer,) = (phase.optimizer for phase in algorithm.phases() if phase.name == role)
    for kind, expected in (("momentum", m), ("velocity", v)):  # these see the gradient's size; the step does not
        kept = [variable for variable in optimizer.variables if kind in variable.path]
        for got, want in zip(kept, expected, strict=True):
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-3, atol=1e-6)
    norms = [layer for layer in player.layers if hasattr(layer, "moving_mean")]
    for layer, seen in zip(norms, statistics, strict=True):
        np.testing.assert_allclose(
            layer.moving_mean.numpy(), moving(0.0, [mean for mean, _ in seen]), rtol=0, atol=1e-5
        )
        np.testing.assert_allclose(
            layer.moving_variance.numpy(), moving(1.0, [var for _, var in seen]), rtol=0, atol=1e-5
        )
