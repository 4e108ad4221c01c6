"""Rules of a game that its steps show: what is handed on and logged, what is computed once, what a term costs."""

import numpy as np
import pytest
from keras import ops
from small_games import SGD, D, G, calls_of


def test_numbers_of_each_example_are_reused_beside_the_images_that_they_belong_to(play):
    """Four examples of 8 x 8 pixels: `energy` [batch] times `fake` [8, 8, 1], both reused."""
    values = "energy: {mean: {of: fake, per: example}}\nlit: {sum: {fake: 1, energy: 2}}\n"
    values += "first: {mean: {square: energy}}\nsecond: {mean: {square: lit}}\nseen: {mean: {square: on_real}}"
    phases = [
        f"generator: {{trains: generator, minimise: {{first: 1, pixel: 1}}, {SGD}}}",
        f"discriminator: {{trains: discriminator, reuse: [fake, energy], minimise: {{seen: 1, second: 1}}, {SGD}}}",
    ]
    game = play(phases, values=values + "\npixel: {mean: fake}")
    fake = np.array(game.net("generator", z=game.batch()["z"][0]))
    on_real = np.array(game.net("discriminator", image=game.batch()["image"][0]))
    lit = fake + 2 * fake.mean((1, 2, 3), keepdims=True)
    assert game.step()["discriminator_loss"] == pytest.approx((on_real**2).mean() + (lit**2).mean(), rel=1e-5)
