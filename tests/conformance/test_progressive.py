"""specs/progressive.yaml against Karras et al. 2017 and its authors' code: a test for each way to get it wrong."""

import itertools
import math

import numpy as np
import pytest
from games import images, kinds, layers, numpy, reader, setting, watch
from keras import ops

from zoo.train import loop

SHORT = (  # stages of two steps with batches of 4, so that step 2 begins the first fade, and step 4 ends it
    "training.batch_size=4",
    "algorithm.progressive.stabilise_kimg=0.008",
    "algorithm.progressive.fade_kimg=0.008",
)


read = reader("progressive")

# Karras et al. 2017; "code" is its authors'
PAPER = {
    "game.start": 4,  # section 2
    "game.loss": "wasserstein",  # appendix A.1: WGAN-GP with n_critic = 1
    "game.penalties.0.gradient_penalty.weight": 10,
    "game.penalties.1.drift.weight": 0.001,  # appendix A.1
    "training.batch_size": 16,  # appendix A.1: up to 128 x 128
    "data.range": (-1, 1),  # code
    **{f"{player}.{name}": value for player in ("generator", "discriminator") for name, value in {
        "optimizer": "Adam",  # appendix A.1, with all of its settings
        "optimizer.learning_rate": 1e-3,
        "optimizer.beta_1": 0,
        "optimizer.beta_2": 0.99,
        "optimizer.epsilon": 1e-8,
        "repeat": 1,
        "last_activation": "linear",  # table 2: no tanh, so that an image of any brightness is possible
        "LeakyReLU.negative_slope": 0.2,  # table 2
        "BatchNormalization.axis": (),  # appendix A.1: none in either network ...
    }.items()},
    "generator.PixelNorm.epsilon": 1e-8,  # section 4.2
    "discriminator.PixelNorm.epsilon": (),  # ... and no norm of any kind in D
}  # fmt: skip


@pytest.fixture
def play():
    """(spec, algorithm, batches) with short stages."""
    spec = read(*SHORT)
    algorithm = loop.make(spec)
    return spec, algorithm, loop.make_batches(spec, algorithm, images(spec))


def step(algorithm, batches, number):
    """Step `number` of a run, in the stage that it belongs to."""
    algorithm.begin(number)
    return algorithm.train_step(({name: ops.convert_to_tensor(value) for name, value in batches[number].items()},))


# --- the networks


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


def test_pixel_norm_follows_every_activation_of_g(algorithm):
    """Table 2 and appendix A.1: bias, LeakyReLU, pixel norm; before them all that of the latents, none after toRGB."""
    names = kinds(algorithm, "generator")
    assert all(after == "PixelNorm" for one, after in itertools.pairwise(names) if one == "LeakyReLU")
    assert names.count("PixelNorm") == names.count("LeakyReLU") + 1


def test_every_weight_starts_as_a_standard_normal_and_is_scaled_as_it_is_used(algorithm):
    """The scale belongs to run time: under Adam, a scale of the initial weights alone equalises nothing."""
    for layer in layers(algorithm, "EqualizedConv2D", "EqualizedDense"):
        w = numpy(layer.kernel)
        assert abs(w.mean()) < 5 / np.sqrt(w.size) and abs(w.std() - 1) < 5 / np.sqrt(2 * w.size), layer.name
        assert (numpy(layer.bias) == 0).all()
        gain = 1.0 if layer.name in last_layers(algorithm) else math.sqrt(2)
        assert layer.scale == pytest.approx(gain / math.sqrt(math.prod(w.shape[:-1])), rel=1e-6), layer.name


def last_layers(algorithm):
    """toRGB and the dense layer that gives the score: the only ones without a LeakyReLU behind them, of gain 1."""
    return {algorithm.players["generator"].layers[-1].name, algorithm.players["discriminator"].layers[-1].name}


@pytest.mark.parametrize("kind", ["EqualizedConv2D", "EqualizedDense"])
def test_the_bias_is_not_scaled(algorithm, kind):
    layer = layers(algorithm, kind)[0]
    x = np.random.RandomState(0).standard_normal((2, *layer.input.shape[1:])).astype("float32")
    before = numpy(layer(x))
    layer.bias.assign(numpy(layer.bias) + 1.0)
    try:
        np.testing.assert_allclose(numpy(layer(x)), before + 1.0, rtol=0, atol=1e-5)
    finally:
        layer.bias.assign(numpy(layer.bias) - 1.0)


def test_one_step_of_adam_changes_what_all_layers_do_by_the_same_share(play):
    """Section 4.1: every weight moves by the learning rate, next to a standard deviation of 1."""
    _, algorithm, batches = play
    algorithm.begin(0)
    kernels = [layer.kernel for layer in layers(algorithm, "EqualizedConv2D", "EqualizedDense")]
    before = [numpy(kernel) for kernel in kernels]
    step(algorithm, batches, 0)
    for kernel, old in zip(kernels, before, strict=True):
        moved = np.abs(numpy(kernel) - old)
        assert np.median(moved) == pytest.approx(1e-3, rel=0.02) and moved.max() < 1.05e-3, kernel.path


def test_the_first_layer_is_the_dense_one_of_the_authors(algorithm):
    """A dense layer to 4 x 4 with gain sqrt(2) / 4, and a bias for each map, not for each pixel."""
    dense = layers(algorithm, "EqualizedConv2D", role="generator")[0]
    z = np.random.RandomState(0).standard_normal((5, 64)).astype("float32")
    padded = np.zeros((5, 7, 7, 64), "float32")
    padded[:, 3, 3] = z
    weights = numpy(dense.kernel)[::-1, ::-1] * math.sqrt(2) / 4 / math.sqrt(64)  # [4, 4, in, out]
    expected = np.einsum("bi,hwio->bhwo", z, weights)
    np.testing.assert_allclose(numpy(dense(padded)), expected, rtol=0, atol=1e-5)
    assert dense.bias.shape == (64,)


def test_latents_lie_on_a_hypersphere(spec, algorithm):
    assert spec.sections.latent["z"].name == "normal"
    norm = layers(algorithm, "PixelNorm")[0]
    z = np.random.RandomState(0).standard_normal((5, 64)).astype("float32")
    np.testing.assert_allclose(np.square(numpy(norm(z))).mean(1), 1, atol=1e-5)
    assert algorithm.players["generator"].layers[1] is norm
    g = algorithm.players["generator"]
    np.testing.assert_allclose(numpy(g({"z": z})["image"]), numpy(g({"z": 7 * z})["image"]), rtol=0, atol=1e-4)


def test_sizes_change_by_nearest_neighbours_and_boxes(algorithm):
    ups, pools = layers(algorithm, "UpSampling2D"), layers(algorithm, "AveragePooling2D")
    assert len(ups) == len(pools) == 3 and not layers(algorithm, "MaxPooling2D", "Conv2DTranspose", "Conv2D")
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    for layer in ups:
        np.testing.assert_array_equal(numpy(layer(x)), x.repeat(2, axis=1).repeat(2, axis=2))
    for layer in pools:
        np.testing.assert_array_equal(numpy(layer(x))[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    assert all(conv.strides == (1, 1) for conv in layers(algorithm, "EqualizedConv2D"))


def test_the_statistics_of_the_batch_are_one_map_over_the_whole_batch(algorithm):
    """At 4 x 4; not a map for each feature (64 -> 128), not groups of four."""
    (layer,) = layers(algorithm, "MinibatchStdDev")
    assert layer.input.shape[1:3] == (4, 4)
    x = np.random.RandomState(0).standard_normal((16, 4, 4, 64)).astype("float32")
    y = numpy(layer(x))
    assert y.shape == (16, 4, 4, 65)
    np.testing.assert_allclose(y[..., 64], np.sqrt(x.var(axis=0) + 1e-8).mean(), rtol=0, atol=1e-5)


# --- growing


def test_stages(spec, algorithm):
    """4, then a fade and a rest for each size; the unit is kimg of real images shown to D, whatever the batch size."""
    per_stage = 1000 * spec.sections.algorithm.args["stabilise_kimg"] / spec.sections.training.batch_size
    assert spec.sections.algorithm.args["stabilise_kimg"] == spec.sections.algorithm.args["fade_kimg"]
    found = [(stage.size, stage.fading, stage.first) for stage in algorithm.stages]
    order = [(4, False), (8, True), (8, False), (16, True), (16, False), (32, True), (32, False)]
    assert found == [(*stage, math.ceil(number * per_stage)) for number, stage in enumerate(order)]
    doubled = loop.make(read("training.batch_size=32")).stages
    assert [stage.first for stage in doubled] == [math.ceil(number * per_stage / 2) for number in range(7)]
    assert spec.sections.training.steps > algorithm.stages[-1].first


def test_alpha_moves_at_every_step_and_not_by_epochs(algorithm):
    fade = algorithm.stages[1]
    alphas = np.array([algorithm.step_inputs(number)["alpha"][0] for number in range(fade.first, fade.last + 1)])
    np.testing.assert_allclose(alphas, np.linspace(0, 1, len(alphas)), atol=1e-6)


def test_real_images_are_reduced_to_the_size_of_the_stage(play, monkeypatch):
    _, algorithm, batches = play
    algorithm.begin(0)
    calls = watch(algorithm, monkeypatch)
    step(algorithm, batches, 0)
    real = batches[0]["image"][0].reshape(4, 4, 8, 4, 8, 1).mean(axis=(2, 4))
    seen = [inputs["image"] for name, inputs, _ in calls if name == "discriminator"]
    np.testing.assert_allclose(seen[0], real, rtol=0, atol=1e-6)
    assert all(image.shape == (4, 4, 4, 1) for image in seen)


def test_real_images_fade_like_those_of_the_generator(play, monkeypatch):
    """Else D tells real from fake by their sharpness."""
    _, algorithm, batches = play
    algorithm.begin(3)
    assert algorithm.stage.fading and float(batches[3]["alpha"][0]) == 0.5
    calls = watch(algorithm, monkeypatch)
    step(algorithm, batches, 3)
    fine = batches[3]["image"][0].reshape(4, 8, 4, 8, 4, 1).mean(axis=(2, 4))
    coarse = fine.reshape(4, 4, 2, 4, 2, 1).mean(axis=(2, 4)).repeat(2, axis=1).repeat(2, axis=2)
    seen = next(inputs["image"] for name, inputs, _ in calls if name == "discriminator")
    np.testing.assert_allclose(seen, (coarse + fine) / 2, rtol=0, atol=1e-6)


def test_all_networks_have_the_alpha_of_the_step(play):
    _, algorithm, batches = play
    for number, alpha in ((2, 0.0), (3, 0.5)):
        step(algorithm, batches, number)
        models = [*algorithm.players.values(), *algorithm.averages.values()]
        found = [float(layer.alpha) for model in models for layer in model.layers if type(layer).__name__ == "Fade"]
        assert found == [alpha] * 3


def test_moments_are_new_when_a_size_begins_and_when_it_has_faded_in(play):
    _, algorithm, batches = play
    for number in range(6):
        step(algorithm, batches, number)
        for phase in algorithm.phases():
            assert int(phase.optimizer.iterations) == number % 2 + 1
    for first in (6, 8, 10, 12):
        algorithm.begin(first)
        for phase in algorithm.phases():
            assert int(phase.optimizer.iterations) == 0
            moments = [numpy(v) for v in phase.optimizer.variables if len(v.shape)]
            assert len(moments) == 2 * len(phase.variables) and not any(m.any() for m in moments)


def test_the_average_goes_on_over_all_stages_with_the_new_layers_in_it(play):
    """New layers enter it as they are; old ones keep what was averaged before."""
    _, algorithm, batches = play
    step(algorithm, batches, 0)
    step(algorithm, batches, 1)
    before = {v.path: numpy(v) for v in algorithm.averages["generator"].weights}
    algorithm.begin(2)
    average, player = (
        {v.path: numpy(v) for v in m["generator"].weights} for m in (algorithm.averages, algorithm.players)
    )
    assert average.keys() == player.keys()
    new = average.keys() - before.keys()
    assert len([path for path in new if path.endswith("kernel")]) == 3  # two convolutions and a head
    assert all(np.array_equal(average[path], player[path]) for path in new)
    assert all(np.array_equal(average[path], before[path]) for path in before)
    assert not all(np.array_equal(before[path], player[path]) for path in before)


def test_the_average_does_not_start_over_with_the_optimizers(spec, algorithm):
    """Its half-life is the stated one once the run, not the stage, is ten times as long."""
    assert algorithm.stage.size == 32 and 16 * algorithm.stage.first > 10 * spec.sections.training.ema_half_life_images
    expected = 0.5 ** (16 / spec.sections.training.ema_half_life_images)
    assert float(algorithm.ema_beta(ops.convert_to_tensor(1.0))) == pytest.approx(expected, rel=1e-5)
    assert algorithm.exported("generator") is algorithm.averages["generator"]


# --- the game


def test_drift_is_of_real_images_alone():
    algorithm = loop.make(spec := read(*SHORT, "algorithm.progressive.penalties.1.drift.weight=10.0"))
    algorithm.begin(0)
    data = {name: ops.convert_to_tensor(v) for name, v in loop.make_batches(spec, algorithm, images(spec))[0].items()}
    fake = algorithm.players["generator"]({"z": data["z"][0]})["image"]
    shown = {**data, "image": algorithm.shown(data["image"], 1.0)}
    judged = [numpy(algorithm.players["discriminator"]({"image": x})["logits"]) for x in (shown["image"][0], fake)]
    with_drift = float(algorithm.discriminator_loss(shown, 0)[0])
    algorithm.penalties = algorithm.penalties[:1]
    drift = with_drift - float(algorithm.discriminator_loss(shown, 0)[0])
    real, made = (np.square(x).mean() for x in judged)
    assert drift == pytest.approx(10 * real, rel=1e-3) and real != pytest.approx(made, rel=0.1)
