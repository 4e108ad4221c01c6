"""Golden streams, moments by closed form, and paths that stay where their prior lives."""

import random
import zlib

import numpy as np
import pytest

from zoo.runtime.priors import PRIORS, categorical, labels, make, normal, sphere, stream, uniform


@pytest.fixture(params=["normal", "uniform", "sphere"])
def prior(request):
    return PRIORS.get(request.param)(shape=(2, 3))


# When one of these golden numbers changes, every published seed shows another picture.
GOLDEN = {
    "normal": [-0.112841874, -0.07952428, -0.28901353],
    "uniform": [-0.57332224, -0.8135221, -0.90075797],
    "sphere": [-0.61021996, -0.43004692, -1.5629112],
}


def test_stream_is_the_mersenne_twister_of_seed_and_name():
    oracle = random.Random(zlib.crc32(b"z") << 32)  # the standard library's own MT19937, key [0, crc32]
    expected = [oracle.getrandbits(32) for _ in range(3)]
    assert (
        stream(0, "z").randint(2**32, size=3, dtype=np.int64).tolist() == expected == [916283532, 1337293707, 400458303]
    )


@pytest.mark.parametrize("name", list(GOLDEN))
def test_draws_are_pinned_for_ever(name):
    drawn = PRIORS.get(name)(shape=(3,)).draw(stream(0, "z"), 1)
    np.testing.assert_allclose(drawn, [GOLDEN[name]], rtol=1e-6)


def test_labels_are_pinned_for_ever():
    assert labels(stream(0, "label"), 8, classes=10).tolist() == [6, 3, 2, 1, 8, 7, 8, 4]


def test_a_categorical_latent_is_drawn_as_labels_are():
    for classes in (10, tuple("abcdefghij")):
        prior = categorical(classes=classes)
        ids = prior.draw(stream(0, "label"), 8)
        assert prior.shape == () and ids.dtype == np.int64 and ids.tolist() == [6, 3, 2, 1, 8, 7, 8, 4]
        faster = prior.draw(np.random.default_rng(0), 1000)
        assert faster.dtype == np.int64 and set(faster) == set(range(10))


def test_inputs_and_seeds_have_streams_of_their_own():
    draws = [stream(*key).standard_normal(4) for key in ((0, "z"), (1, "z"), (0, "noise"))]
    assert not np.any(draws[0] == draws[1]) and not np.any(draws[0] == draws[2])
    np.testing.assert_array_equal(draws[0], stream(0, "z").standard_normal(4))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_outside_the_range(seed):
    with pytest.raises(ValueError, match=r"0\.\.4294967295, received"):
        stream(seed, "z")
    stream(2**32 - 1, "z")


def test_draws_are_float32_of_the_shape_and_join(prior):
    whole = prior.draw(stream(3, "z"), 5)
    assert whole.dtype == np.float32 and whole.shape == (5, 2, 3)
    numbers = stream(3, "z")
    np.testing.assert_array_equal(np.concatenate([prior.draw(numbers, 3), prior.draw(numbers, 2)]), whole)


def test_label_draws_join_and_are_uniform():
    whole = labels(stream(0, "label"), 3000, classes=3)
    numbers = stream(0, "label")
    np.testing.assert_array_equal(np.concatenate([labels(numbers, k, classes=3) for k in (1, 1, 998, 2000)]), whole)
    assert whole.dtype == np.int64
    np.testing.assert_allclose(np.bincount(whole, minlength=3) / 3000, 1 / 3, atol=4 * np.sqrt(2 / 9 / 3000))


def test_normal_moments():
    z = normal(shape=(100,)).draw(stream(0, "z"), 1000)
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / z.size)


def test_uniform_moments_and_limits():
    z = uniform(shape=(100,), low=-2, high=4).draw(stream(0, "z"), 1000)
    assert -2 <= z.min() < -1.99 and 3.99 < z.max() <= 4
    assert abs(z.mean() - 1) < 4 * np.sqrt(3 / z.size)  # variance 6^2 / 12


def test_sphere_has_norm_sqrt_d():
    z = sphere(shape=(4, 16)).draw(stream(0, "z"), 50).reshape(50, -1)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 8, rtol=1e-6)


def test_the_nearest_latent_lies_on_the_sphere_and_elsewhere_is_what_it_was():
    z = np.random.RandomState(0).standard_normal((5, 4, 16)) * 3
    onto = sphere(shape=(4, 16)).nearest(z)
    np.testing.assert_allclose(np.linalg.norm(onto.reshape(5, -1), axis=1), 8, rtol=1e-6)
    np.testing.assert_allclose(onto / z, np.broadcast_to((onto / z)[:, :1, :1], z.shape), rtol=1e-6)  # the same way
    for kind in (normal, uniform):
        np.testing.assert_array_equal(kind(shape=(4, 16)).nearest(z), z)


def test_sums_of_means_keep_the_norm_of_normal_latents():
    """A mean of k has variance 1/k: three of three add up to 1 again."""
    z = normal(shape=(4096,)).draw(stream(0, "z"), 9).reshape(3, 3, 4096).mean(axis=1)  # three means of three
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), np.sqrt(4096 / 3), rtol=0.05)
    np.testing.assert_allclose(np.linalg.norm(z[0] - z[1] + z[2]), 64, rtol=0.05)


def test_paths_are_exact_at_their_ends(prior):
    a, b = prior.draw(stream(0, "z"), 2)
    for t, end in ((0.0, a), (1.0, b)):
        between = prior.between(a, b, t)
        assert between.dtype == np.float32
        np.testing.assert_array_equal(between, end)


def test_sphere_path_keeps_the_norm_and_turns_evenly():
    prior = sphere(shape=(64,))
    a, b = prior.draw(stream(0, "z"), 2)
    walk = np.stack([prior.between(a, b, t) for t in np.linspace(0, 1, 9)])
    np.testing.assert_allclose(np.linalg.norm(walk, axis=1), 8, rtol=1e-6)
    cosines = np.sum(walk[1:] * walk[:-1], axis=1) / 64
    np.testing.assert_allclose(np.arccos(cosines), np.arccos(a @ b / 64) / 8, rtol=1e-3)


def test_normal_path_stays_on_the_shell_where_a_straight_line_does_not():
    prior = normal(shape=(512,))
    a, b = prior.draw(stream(0, "z"), 2)
    assert 0.95 < np.linalg.norm(prior.between(a, b, 0.5)) / np.sqrt(512) < 1.05
    assert np.linalg.norm((a + b) / 2) / np.sqrt(512) < 0.78


@pytest.mark.parametrize(("b", "middle"), [([2, 2], [1.5, 1.5]), ([-1, -1], [0, 0]), ([0, 0], [0.5, 0.5])])
def test_slerp_goes_straight_where_there_is_no_circle(b, middle):
    a = np.ones(2, np.float32)
    np.testing.assert_allclose(normal(shape=(2,)).between(a, np.float32(b), 0.5), middle, atol=1e-6)


def test_uniform_path_is_straight_and_stays_in_the_box():
    prior = uniform(shape=(64,))
    a, b = prior.draw(stream(0, "z"), 2)
    for t in np.linspace(0, 1, 11):
        between = prior.between(a, b, t)
        assert np.abs(between).max() <= 1
        np.testing.assert_allclose(between, a + t * (b - a), atol=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (True,), (1.5,), "100", 100])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match="a latent shape"):
        normal(shape=shape)


@pytest.mark.parametrize("limits", [{"low": 1.0}, {"high": np.inf}, {"low": float("nan")}])
def test_wrong_limits(limits):
    with pytest.raises(ValueError, match="finite low < high"):
        uniform(shape=(2,), **limits)


def test_signatures_are_the_schema():
    assert list(PRIORS) == [*GOLDEN, "categorical"]
    assert PRIORS.bind("uniform", {"shape": [3]}) == {"shape": [3], "low": -1.0, "high": 1.0}
    assert PRIORS.get("normal")(shape=[3]).shape == (3,)


def test_make_reads_the_part_of_a_manifest():
    prior = make({"uniform": {"low": 0}}, shape=(2, 3))
    z = prior.draw(stream(0, "z"), 100)
    assert z.shape == (100, 2, 3) and 0 <= z.min() < 0.1 and 0.9 < z.max() <= 1
    assert make({"normal": {"shape": [4]}}, shape=(4,)).shape == (4,)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"norml": {}}, "unknown prior 'norml'. Did you mean 'normal'"),
        ({"normal": {"std": 2}}, "prior 'normal' has no argument 'std'"),
        ({"uniform": {"low": "0"}}, "uniform needs finite low < high"),
        ({"uniform": {"low": 3}}, "uniform needs finite low < high"),
        ({"normal": {"shape": [9]}}, r"its shape is \[9\], the tensor's is \[8\]"),
        ({"normal": {"shape": None}}, "a latent shape is a list"),
    ],
)
def test_make_refuses(part, message):
    with pytest.raises(ValueError, match=message):
        make(part, shape=(8,))
