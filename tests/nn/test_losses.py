"""Adversarial losses: values by hand, logits that would overflow, gradients against finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.nn.losses import LOSSES, hinge, lsgan, minimax, non_saturating, wasserstein

LOG2 = np.log(2)


def tensor(*values):
    return tf.constant(values, tf.float64)


def log_sigmoid(x):
    return np.log(1 / (1 + np.exp(-np.asarray(x, "float64"))))


@pytest.fixture(params=list(LOSSES))
def game(request):
    return LOSSES.get(request.param)()


def test_an_undecided_discriminator_costs_two_bits():
    """Goodfellow et al. 2014, theorem 1: at D = 1/2 the game is worth -log 4."""
    assert float(non_saturating().discriminator(tensor(0.0), tensor(0.0))) == pytest.approx(np.log(4), abs=1e-12)
    assert float(non_saturating().generator(tensor(0.0))) == pytest.approx(LOG2, abs=1e-12)
    assert float(minimax().generator(tensor(0.0))) == pytest.approx(-LOG2, abs=1e-12)


@pytest.mark.parametrize("make", [minimax, non_saturating])
def test_discriminator_is_binary_cross_entropy(make):
    real, fake = [2.0, -1.0], [0.5, 3.0, -4.0]
    expected = -np.mean(log_sigmoid(real)) - np.mean(log_sigmoid(-np.array(fake)))  # 1 - sigmoid(x) = sigmoid(-x)
    assert float(make().discriminator(tensor(*real), tensor(*fake))) == pytest.approx(expected, abs=1e-12)
    assert float(make(discriminator_weight=0.5).discriminator(tensor(*real), tensor(*fake))) == pytest.approx(
        expected / 2, abs=1e-12
    )


def test_generators_by_hand():
    fake = [0.5, 3.0, -4.0]
    assert float(non_saturating().generator(tensor(*fake))) == pytest.approx(-np.mean(log_sigmoid(fake)), abs=1e-12)
    assert float(minimax().generator(tensor(*fake))) == pytest.approx(np.mean(log_sigmoid(-np.array(fake))), abs=1e-12)


def test_wasserstein_by_hand():
    """The critic lowers E f(G(z)) - E f(x); minus that is the estimate of the distance."""
    assert float(wasserstein().discriminator(tensor(2.0, -1.0), tensor(0.5, 3.0, -4.0))) == pytest.approx(
        -0.5 / 3 - 0.5, abs=1e-12
    )
    assert float(wasserstein().generator(tensor(0.5, 3.0, -4.0))) == pytest.approx(0.5 / 3, abs=1e-12)


@pytest.mark.parametrize(
    "args, d, g",
    [
        ({}, 0.5 * ((1 + 4) / 2 + (0.25 + 9) / 2), 0.5 * (0.25 + 4) / 2),  # a 0, b 1, c 1, halves
        ({"weight": 1.0}, (1 + 4) / 2 + (0.25 + 9) / 2, (0.25 + 4) / 2),
        ({"a": -1.0, "b": 1.0, "c": 0.0}, 0.5 * ((1 + 4) / 2 + (2.25 + 16) / 2), 0.5 * (0.25 + 9) / 2),
        ({"a": 3.0, "b": 2.0, "c": 0.5}, 0.5 * ((0 + 9) / 2 + (6.25 + 0) / 2), 0.5 * (0 + 6.25) / 2),
    ],
)
def test_least_squares_by_hand(args, d, g):
    """Three targets, no two of which may be taken for each other."""
    game = lsgan(**args)
    assert float(game.discriminator(tensor(2.0, -1.0), tensor(0.5, 3.0))) == pytest.approx(d, abs=1e-12)
    assert float(game.generator(tensor(0.5, 3.0))) == pytest.approx(g, abs=1e-12)


def test_hinge_by_hand():
    """D stops at the margin of 1 on its own side; G has no margin at which it stops."""
    assert float(hinge().discriminator(tensor(2.0, -1.0, 0.5), tensor(0.5, -3.0))) == pytest.approx(
        (0 + 2 + 0.5) / 3 + (1.5 + 0) / 2, abs=1e-12
    )
    assert float(hinge().discriminator(tensor(1.0, 7.0), tensor(-1.0, -7.0))) == 0
    assert float(hinge().generator(tensor(0.5, -3.0, 7.0))) == pytest.approx(-1.5, abs=1e-12)


@pytest.mark.parametrize("name", list(LOSSES))
def test_zero_sum_is_said_where_g_loses_what_d_wins(name):
    """It is stated exactly where d g / d fake = - d d / d fake for all logits."""
    game = LOSSES.get(name)()
    fake = tensor(-3.0, -0.4, 0.2, 5.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake)
        d, g = game.discriminator(tensor(1.0), fake), game.generator(fake)
    opposite = np.allclose(tape.gradient(d, fake), -tape.gradient(g, fake), rtol=0, atol=1e-12)
    assert opposite is game.zero_sum


def test_a_weighted_discriminator_is_not_a_zero_sum_game():
    assert minimax(discriminator_weight=0.5).zero_sum is False


def test_the_weight_is_the_discriminators_alone():
    for make in (minimax, non_saturating):
        assert float(make(discriminator_weight=0.5).generator(tensor(1.0))) == float(make().generator(tensor(1.0)))


def test_saturation_is_what_tells_the_two_apart():
    """Where D rejects all fakes, minimax leaves G no gradient and non-saturating leaves it a whole one."""
    fake = tensor(-20.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake)
        saturating, other = minimax().generator(fake), non_saturating().generator(fake)
    assert abs(float(tape.gradient(saturating, fake)[0])) < 1e-8
    assert float(tape.gradient(other, fake)[0]) == pytest.approx(-1, abs=1e-8)


@pytest.mark.parametrize("value", [-100.0, 100.0])
def test_extreme_logits_are_finite(game, value):
    """Linear in the logits, or their squares: nothing overflows on the way."""
    for dtype in (tf.float32, tf.float64):
        x = tf.constant([value], dtype)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            losses = [game.discriminator(x, -x), game.discriminator(-x, x), game.generator(x)]
        for loss in losses:
            assert np.isfinite(float(loss)) and np.isfinite(tape.gradient(loss, x)).all()
    assert max(abs(float(loss)) for loss in losses) <= 101**2


@pytest.mark.parametrize("shape", [(6,), (6, 1), (2, 3, 1)])
def test_a_loss_is_a_scalar_mean_over_everything(game, shape):
    flat = tf.constant(np.random.RandomState(0).standard_normal(6))
    real, fake = tf.reshape(flat, shape), tf.reshape(-2 * flat, shape)
    assert game.discriminator(real, fake).shape == game.generator(fake).shape == ()
    assert float(game.discriminator(real, fake)) == pytest.approx(float(game.discriminator(flat, -2 * flat)), abs=1e-12)
    twice = tf.concat([fake, fake], 0)
    assert float(game.generator(twice)) == pytest.approx(float(game.generator(fake)), abs=1e-12)


def test_gradients_are_the_finite_differences(game):
    random, h = np.random.RandomState(1), 1e-5
    real, fake = (random.standard_normal(4) * 3 + 0.01 for _ in range(2))
    functions = {
        "d by real": (lambda x: game.discriminator(x, tf.constant(fake)), real),
        "d by fake": (lambda x: game.discriminator(tf.constant(real), x), fake),
        "g by fake": (game.generator, fake),
    }
    for name, (function, at) in functions.items():
        x = tf.constant(at)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = function(x)
        gradient = tape.gradient(loss, x)
        for i, e in enumerate(np.eye(4) * h):
            central = (float(function(tf.constant(at + e))) - float(function(tf.constant(at - e)))) / (2 * h)
            assert float(gradient[i]) == pytest.approx(central, abs=1e-8), name


def test_players_pull_apart(game):
    """D raises real logits and lowers fake ones, G raises fake ones: the signs of the gradients."""
    real, fake = tensor(0.3), tensor(0.2)  # between the targets of least squares
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d, g = game.discriminator(real, fake), game.generator(fake)
    assert float(tape.gradient(d, real)[0]) < 0 < float(tape.gradient(d, fake)[0])
    assert float(tape.gradient(g, fake)[0]) < 0
