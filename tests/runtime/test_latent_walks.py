"""Walks through the latents and sums of them."""

import numpy as np
import onnx_nets as nets
import pytest
from onnx_nets import fails

from zoo.artifact.tensor import Tensor
from zoo.core.images import to_uint8
from zoo.runtime.generator import Generator


@pytest.mark.parametrize(("n", "stops"), [(2, 2), (9, 2), (11, 3), (10, 4)])
def test_interpolate_passes_through_samples(generator, n, stops):
    frames, ends = generator.interpolate(n, seed=4, stops=stops), generator.sample(stops, seed=4)
    assert frames.dtype == np.uint8 and len(frames) == n
    np.testing.assert_array_equal(frames[np.linspace(0, n - 1, stops).round().astype(int)[[0, -1]]], ends[[0, -1]])
    if (n - 1) % (stops - 1) == 0:
        np.testing.assert_array_equal(frames[:: (n - 1) // (stops - 1)], ends)


def test_interpolate_walks_straight_through_a_box(plane):
    (a, b), t = plane.latents(2, seed=1)["z"], np.linspace(0, 1, 5)[:, None]
    np.testing.assert_allclose(plane.interpolate(5, seed=1), np.tanh((a + t * (b - a)) * [2, 3]), atol=1e-6)


def test_interpolate_walks_round_the_shell(generator):
    (a, b) = generator.latents(2, seed=1)["z"].astype(np.float64)
    omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    middle = (a + b) * np.sin(omega / 2) / np.sin(omega)
    expected = to_uint8(generator(z=np.float32([middle])), (-1, 1))[0]
    np.testing.assert_allclose(generator.interpolate(3, seed=1)[1], expected, atol=1)


def test_interpolate_holds_the_class(conditional):
    coat = conditional.interpolate(5, seed=2, stops=3, label="coat")
    np.testing.assert_array_equal(coat[::2], conditional.sample(3, seed=2, label="coat"))
    first = int(conditional.latents(1, seed=2)["label"][0])
    np.testing.assert_array_equal(conditional.interpolate(5, seed=2, stops=3),
                                  conditional.interpolate(5, seed=2, stops=3, label=first))  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 1}, r"n must be a whole number in 2\.\.1000000000, received 1"),
        ({"n": 2, "stops": 3}, "n must be a whole number in 3.*, received 2"),
        ({"n": 5, "stops": 1}, "stops must be a whole number from 2 up"),
        ({"n": 5, "label": "bag"}, "takes no label"),
    ],
)
def test_wrong_walks(generator, wrong, message):
    fails(message, generator.interpolate, **wrong)


@pytest.mark.parametrize(("n", "stops"), [(2, 2), (3, 3), (8, 2), (12, 4), (10, 4)])
def test_a_walk_is_closed(generator, n, stops):
    frames, ends = generator.walk(n, seed=4, stops=stops), generator.sample(stops, seed=4)
    assert frames.dtype == np.uint8 and len(frames) == n
    np.testing.assert_array_equal(frames[0], ends[0])
    if n % stops == 0:
        np.testing.assert_array_equal(frames[:: n // stops], ends)


def test_a_walk_goes_round_at_one_pace_without_a_repeat(plane):
    """Between uniform latents the way is straight: each leg has equal steps, the last leads back to the first frame."""
    frames = np.arctanh(plane.walk(12, seed=3, stops=3)) / [2, 3]  # the latents again
    a, b, c = plane.latents(3, seed=3)["z"]
    t = np.arange(4)[:, None] / 4
    expected = np.concatenate([a + t * (b - a), b + t * (c - b), c + t * (a - c)])
    np.testing.assert_allclose(frames, expected, atol=1e-4)


def test_a_walk_keeps_the_norm_of_the_sphere():
    class Identity:
        def run(self, names, feed):
            return [feed["z"]]

    z = Tensor("z", "float32", ("batch", 8), prior={"sphere": {}})
    generator = Generator(nets.describe(z, output=Tensor("point", "float32", ("batch", 8))), Identity())
    frames = generator.walk(30, seed=1, stops=3)
    np.testing.assert_allclose(np.linalg.norm(frames, axis=1), np.sqrt(8), rtol=1e-5)


def test_a_walk_holds_the_class(conditional):
    np.testing.assert_array_equal(
        conditional.walk(6, seed=2, stops=3, label="coat")[::2], conditional.sample(3, seed=2, label="coat")
    )
    first = int(conditional.latents(1, seed=2)["label"][0])
    np.testing.assert_array_equal(conditional.walk(6, seed=2), conditional.walk(6, seed=2, label=first))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 3}, r"n must be a whole number in 4\.\."),
        ({"n": 5, "stops": 1}, "stops must be a whole number from 2 up"),
    ],
)
def test_wrong_closed_walks(generator, wrong, message):
    fails(message, generator.walk, **wrong)


# ---- sums


def test_arithmetic_is_the_network_applied_to_the_sum(plane):
    z = plane.latents(6, seed=1)["z"].astype(np.float64)
    total = z[[0, 3]].mean(axis=0) - z[5] + z[[1, 2]].mean(axis=0)
    points = plane.arithmetic([0, 3], [5], [1, 2], seed=1, noise=0)
    np.testing.assert_allclose(points, np.tanh([total * [2, 3]] * 9), atol=1e-6)


def test_noise_stays_within_its_limit(plane):
    z = np.arctanh(plane.arithmetic([0], [0], [1], seed=1, n=200, noise=0.1).astype(np.float64)) / [2, 3]
    np.testing.assert_allclose(z[0], plane.latents(2, seed=1)["z"][1], atol=1e-4)
    off = z[1:] - z[0]
    assert 0.09 < np.abs(off).max() < 0.1001 and np.abs(off.mean(axis=0)).max() < 0.02


def test_arithmetic_of_a_class(conditional):
    images = conditional.arithmetic([4, 1], [2], [3], seed=2, n=2)
    assert images.shape == (2, 8, 8, 3) and images.dtype == np.uint8
    first = int(conditional.latents(5, seed=2)["label"][4])
    np.testing.assert_array_equal(images, conditional.arithmetic([4, 1], [2], [3], seed=2, n=2, label=first))
    other = conditional.arithmetic([4, 1], [2], [3], seed=2, n=2, label=(first + 1) % 3)
    assert (other != images).any()
    np.testing.assert_array_equal(conditional.arithmetic([4, 1], [2], [3], 2, n=1), images[:1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": []}, "each of a, b and c is a list of one or more rows"),
        ({"b": [-1]}, r"a row must be a whole number in 0\.\.99999, received -1"),
        ({"c": [10**6]}, "a row must be"),
        ({"a": [0.5]}, "a row must be"),
        ({"noise": -1}, "noise must be a number from 0 up, received -1"),
        ({"label": 0}, "takes no label"),
    ],
)
def test_wrong_sums(generator, wrong, message):
    fails(message, generator.arithmetic, **{"a": [0], "b": [1], "c": [2], **wrong})
