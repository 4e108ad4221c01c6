"""A game of tanh alone, which has derivatives everywhere, and optimizers for it."""

SMOOTH = """
name: smooth
title: A game that has derivatives everywhere
networks:
  generator:
    inputs: {z: [2]}
    output: point
    layers: [Dense: {units: 4, activation: tanh}, Dense: {units: 2}]
  discriminator:
    inputs: {point: [2]}
    output: logits
    layers: [Dense: {units: 5, activation: tanh}, Dense: {units: 1}]
"""
EXACT = 31 / 32  # Keras rounds 0.999 to float32 before it takes its powers, also in float64
ADAM = {"Adam": {"learning_rate": 0.05, "beta_1": 0.5, "beta_2": EXACT, "epsilon": 1e-8}}
MOMENTUM = {"SGD": {"learning_rate": 0.3, "momentum": 0.5}}
