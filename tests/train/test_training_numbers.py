"""What a training computes: a function of its seed, whatever it runs on."""

import keras
import numpy as np
import pytest
import tiny

from zoo.spec.feeds import load_data
from zoo.train import loop


def weights(algorithm, name="generator"):
    return [keras.ops.convert_to_numpy(v.value).copy() for v in algorithm.players[name].weights]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_labels_meet_the_images_that_were_made_with_them(tmp_path):
    """D is asked about a fake with the label that G was given, in every draw."""
    spec = tiny.read(tmp_path, tiny.LABELLED, "algorithm.alternating.generator.updates=3")
    algorithm = loop.make(spec)
    batches = loop.make_batches(spec, algorithm, load_data(spec))
    asked = []

    def listen(name):
        player = algorithm.players[name]
        call = player.call
        player.call = lambda inputs, **options: asked.append((name, inputs["label"])) or call(inputs, **options)

    listen("generator")
    listen("discriminator")
    algorithm.train_step(({name: keras.ops.convert_to_tensor(array) for name, array in batches[0].items()},))
    names = [name for name, _ in asked]
    assert names == ["generator", "discriminator", "discriminator"] + ["generator", "discriminator"] * 3
    for made, judged in ((0, 2), (3, 4), (5, 6), (7, 8)):
        np.testing.assert_array_equal(asked[made][1], asked[judged][1])


def test_weights_are_a_function_of_the_seed(tmp_path):
    np.random.seed(1)
    first = weights(loop.make(tiny.read(tmp_path)))
    np.random.seed(2)
    assert same(first, weights(loop.make(tiny.read(tmp_path))))
    assert not same(first, weights(loop.make(tiny.read(tmp_path, tiny.GAN, "training.seed=1"))))


def test_latents_are_a_function_of_seed_name_and_step(tmp_path):
    def batches(*overrides):
        spec = tiny.read(tmp_path, tiny.GAN, *overrides)
        return loop.make_batches(spec, loop.make(spec), load_data(spec))

    def batch(step, *overrides):
        return batches(*overrides)[step]

    first = batch(3)
    assert first["z"].shape == (2, 8, 4) and first["z"].dtype == np.float32  # D's draw and G's
    assert first["image"].shape == (1, 8, 8, 8, 1)
    assert not np.array_equal(first["z"][0], first["z"][1])
    assert np.array_equal(first["z"], batch(3)["z"]) and np.array_equal(first["image"], batch(3)["image"])
    run = batches()
    assert len({run[step]["z"].tobytes() for step in range(20)}) == 20  # no step sees the noise of another
    assert not np.array_equal(first["z"], batch(3, "training.seed=1")["z"])
    several = batch(0, "algorithm.alternating.discriminator.updates=3")
    assert several["z"].shape == (4, 8, 4) and several["image"].shape == (3, 8, 8, 8, 1)


def test_bfloat16_keeps_float32_weights(tmp_path):
    before = keras.config.dtype_policy().name
    run = tiny.train(tmp_path, tiny.GAN, "training.precision=mixed_bfloat16")
    assert keras.config.dtype_policy().name == before
    generator = run.algorithm.players["generator"]
    assert {v.dtype for v in generator.weights} == {"float32"}
    assert {layer.compute_dtype for layer in generator.layers[1:]} == {"bfloat16"}


@pytest.mark.slow
def test_xla_trains_the_same(tmp_path):
    plain = tiny.train(tmp_path / "plain", tiny.DENSE)
    compiled = tiny.train(tmp_path / "xla", tiny.DENSE, "training.xla=true")
    for a, b in zip(weights(plain.algorithm), weights(compiled.algorithm), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_half_lives_count_the_images_that_the_manifest_counts(tmp_path):
    """Two batches a step for D: half as many steps to half of the average."""
    once, twice = (
        loop.make(tiny.read(tmp_path, tiny.GAN, f"algorithm.alternating.discriminator.updates={updates}"))
        for updates in (1, 2)
    )
    assert (float(once.ema_beta(1e6)), float(twice.ema_beta(1e6))) == pytest.approx((0.5 ** (8 / 20), 0.5 ** (16 / 20)))
