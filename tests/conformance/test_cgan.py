"""specs/cgan.yaml against Mirza and Osindero 2014: a test for each way to get it wrong."""

import inspect

import keras
import numpy as np
import pytest
from games import images, layers, numpy, reader, watch
from keras import ops

from zoo.core.errors import SpecError
from zoo.data.sources import SOURCES
from zoo.spec.feeds import prior_of
from zoo.spec.read import read_spec, spec_file
from zoo.train import loop

read = reader("cgan")


@pytest.fixture(scope="module")
def paper():
    """The algorithm of the paper's own optimizer; specs/cgan.yaml deviates from it."""
    return loop.make(read_spec(spec_file("paper/cgan_mnist")))


@pytest.fixture(scope="module")
def first(spec, algorithm):
    return loop.make_batches(spec, algorithm, images(spec))[0]


@pytest.fixture
def play():
    """(spec, algorithm, batch of 4 with labels)."""
    spec = read("training.batch_size=4")
    algorithm = loop.make(spec)
    data = loop.make_batches(spec, algorithm, images(spec))[0]
    return spec, algorithm, {name: ops.convert_to_tensor(value) for name, value in data.items()}


# --- the networks


def test_the_generator_has_a_hidden_layer_for_noise_one_for_the_label_and_one_for_both(algorithm):
    dense = layers(algorithm, "Dense", role="generator")
    found = [(tuple(d.kernel.shape), d.activation.__name__) for d in dense]
    assert sorted(found) == sorted([
        ((100, 200), "relu"), ((10, 1000), "relu"), ((1200, 1200), "relu"), ((1200, 784), "sigmoid"),
    ])  # fmt: skip


def test_the_discriminator_is_of_maxout(algorithm):
    """Keras has no maxout; an ordinary hidden layer in its place is another model."""
    found = {(m.units, m.pieces, m.kernel.shape[0]) for m in layers(algorithm, "Maxout", role="discriminator")}
    assert found == {(240, 5, 784), (50, 5, 10), (240, 4, 290)}
    (last,) = layers(algorithm, "Dense", role="discriminator")
    assert last.units == 1 and last.activation is keras.activations.linear


def test_parameters_are_as_many_as_in_the_paper(algorithm):
    assert {role: plan.parameters for role, plan in algorithm.plans.items()} == {
        "generator": 2_413_984,
        "discriminator": 1_224_351,
    }


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_labels_are_one_hot_and_joined_not_embedded_and_multiplied(algorithm, role):
    kinds = [type(layer).__name__ for layer in algorithm.players[role].layers]
    assert kinds.count("OneHot") == 1 and kinds.count("Concatenate") == 1
    assert not {"Embedding", "Multiply", "Add"} & set(kinds)
    assert algorithm.plans[role].inputs["label"] == ()


def test_a_hidden_unit_of_the_label_does_not_see_the_noise(algorithm):
    """Separate layers: what stands before the joint cannot mix them."""
    model = algorithm.players["generator"]
    (joint,) = layers(algorithm, "Concatenate", role="generator")
    hidden = keras.Model(model.inputs, joint.output)
    random = np.random.RandomState(0)
    a, b = (random.uniform(size=(1, 100)).astype("float32") for _ in range(2))
    first, noise, label = (
        numpy(hidden({"z": z, "label": np.array([y])})) for z, y in ((a, 3), (b, 3), (a, 7))
    )  # [1, 1200]
    assert (first[:, 200:] == noise[:, 200:]).all() and (first[:, :200] != noise[:, :200]).any()
    assert (first[:, :200] == label[:, :200]).all() and (first[:, 200:] != label[:, 200:]).any()


@pytest.mark.parametrize("role, count", [("generator", 2), ("discriminator", 2)])
def test_dropout_of_one_half_in_both_networks_and_on_in_training(paper, role, count):
    """Other zoos forget it in G, or run G in inference mode while it makes the images that D learns from."""
    assert [layer.rate for layer in layers(paper, "Dropout", role=role)] == [0.5] * count
    random = np.random.RandomState(0)
    inputs = {"label": np.array([1, 2, 3, 4])}
    if role == "generator":
        inputs["z"] = random.uniform(size=(4, 100)).astype("float32")
    else:
        inputs["image"] = random.uniform(size=(4, 28, 28, 1)).astype("float32")
    one, two = (numpy(next(iter(paper.players[role](inputs, training=True).values()))) for _ in range(2))
    assert (one != two).any()


def test_no_dropout_in_the_generator_is_a_deviation_that_is_stated(spec, algorithm):
    rates = [layer.rate for role in algorithm.roles for layer in layers(algorithm, "Dropout", role=role)]
    assert rates == [0, 0, 0.5, 0.5]
    assert any("no dropout in G" in text for text in spec.sections.deviations)


def test_both_networks_train_with_dropout_on(play, monkeypatch):
    _, algorithm, data = play
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    assert len(calls) == 5 and all(training is True for *_, training in calls)


def test_there_is_no_batch_norm(algorithm):
    assert not [layer for role in algorithm.roles for layer in algorithm.players[role].layers if "Norm" in str(layer)]


# --- data, noise and labels


def test_the_papers_noise_fills_the_unit_hypercube(spec):
    z = prior_of(read_spec(spec_file("paper/cgan_mnist")).sections.latent["z"]).draw(np.random.RandomState(0), 200)
    assert z.shape == (200, 100) and z.min() >= 0 and z.max() < 1
    assert spec.sections.latent["z"].name == "normal" and any(
        "Normal noise" in text for text in spec.sections.deviations
    )
    assert z.mean() == pytest.approx(0.5, abs=0.01) and z.std() == pytest.approx(12**-0.5, abs=0.005)


def test_pixels_are_in_the_range_of_the_sigmoid(first):
    assert first["image"].min() == 0 and first["image"].max() == 1
    with pytest.raises(SpecError, match="sigmoid makes"):
        read("data.range=[-1, 1]")


def test_a_label_belongs_to_its_image(spec, first):
    dataset = images(spec)
    pixels = {image.tobytes(): label for image, label in zip(dataset.images, dataset.labels, strict=True)}
    shown = np.round(first["image"][0] * 255).astype("uint8")
    assert [pixels[image.tobytes()] for image in shown] == first["label"][0].tolist()


def test_all_players_are_told_the_same_labels_in_the_same_order(play, monkeypatch):
    """Fakes that D judges with labels drawn apart from those that G was told teach G to ignore the label."""
    _, algorithm, data = play
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    labels = numpy(data["label"][0]).tolist()
    assert len(set(labels)) > 1
    assert [name for name, *_ in calls].count("discriminator") == 3 and len(calls) == 5
    assert all(inputs["label"].tolist() == labels for _, inputs, _ in calls)


def test_the_judgement_of_a_picture_depends_on_the_label(play):
    _, algorithm, data = play
    judge = algorithm.players["discriminator"]
    said = [
        numpy(judge({"image": data["image"][0], "label": ops.full((4,), label, "int64")}, training=False)["logits"])
        for label in (2, 5)
    ]
    assert (said[0] != said[1]).all()


def test_real_and_fake_pass_the_discriminator_apart(play, monkeypatch):
    _, algorithm, data = play
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step((data,))
    assert sorted(name for name, *_ in calls) == ["discriminator"] * 3 + ["generator"] * 2
    assert all(x.shape[0] == 4 for _, inputs, _ in calls for x in inputs.values())
    one, two = (inputs["z"] for name, inputs, _ in calls if name == "generator")
    assert not np.array_equal(one, two)  # fresh noise for G's turn


def test_training_never_sees_the_test_images(spec):
    assert inspect.signature(SOURCES.get(spec.sections.data.source.name)).parameters["split"].default == "train"
    assert "split" not in spec.sections.data.source.args


# --- the game


def test_losses_are_logarithms_and_not_squares(algorithm):
    far = ops.convert_to_tensor([-8.0])
    assert float(algorithm.game.generator(far)) == pytest.approx(np.log1p(np.exp(8)), rel=1e-6)  # a square: 64 or 81
    zero = ops.zeros(3)
    assert float(algorithm.game.discriminator(zero, zero)) == pytest.approx(np.log(2), rel=1e-6)


def test_the_first_losses_are_those_of_a_discriminator_that_knows_nothing(play):
    _, algorithm, data = play
    logs = {name: float(value) for name, value in algorithm.train_step((data,)).items()}
    assert logs == pytest.approx({"discriminator_loss": np.log(2), "generator_loss": np.log(2)}, abs=2e-3)


# --- the optimizers


@pytest.mark.parametrize("phase", [0, 1])
@pytest.mark.parametrize("updates, rate, momentum", [
    (0, 0.1, 0.5), (600, 0.1 / 1.00004**600, 0.5008), (150_000, 0.1 / 1.00004**150_000, 0.7),
    (287_000, 0.1 / 1.00004**287_000, 0.7), (288_500, 1e-6, 0.7), (10**6, 1e-6, 0.7),
])  # fmt: skip
def test_rate_falls_by_1_00004_with_every_update(paper, phase, updates, rate, momentum):
    """After an epoch of 600 updates it is 2.4 % lower (a decay per epoch: 0.004 %). GAN's own factor is 1.000004."""
    optimizer = paper.phases()[phase].optimizer
    before = optimizer.iterations.numpy()
    optimizer.iterations.assign(updates)
    try:
        assert float(optimizer.learning_rate) == pytest.approx(rate, rel=2e-5)
        assert float(optimizer.schedule(optimizer.iterations)) == pytest.approx(momentum, rel=1e-5)
    finally:
        optimizer.iterations.assign(before)


def test_the_paper_has_sgd_in_batches_of_100_until_the_rate_is_at_its_floor(paper):
    for phase in paper.phases():
        assert isinstance(phase.optimizer, keras.optimizers.SGD) and not phase.optimizer.nesterov
    training_section = read_spec(spec_file("paper/cgan_mnist")).sections.training
    assert training_section.batch_size == 100 and training_section.steps >= 287_800


def test_another_optimizer_is_a_deviation_that_is_stated(spec, algorithm):
    """With its settings written out: Keras's own beta_1 is 0.9, its rate 1e-3."""
    stated = any("Adam" in text for text in spec.sections.deviations)
    for phase in algorithm.phases():
        adam = phase.optimizer
        assert type(adam) is keras.optimizers.Adam and stated
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.5, 0.999, 1e-8)
        assert float(adam.learning_rate) == pytest.approx(2e-4, rel=1e-6)
    assert spec.sections.training.batch_size == 100


def test_one_update_of_each_player_a_step(play):
    _, algorithm, data = play
    algorithm.train_step((data,))
    assert [int(phase.optimizer.iterations.value) for phase in algorithm.phases()] == [1, 1]


# --- the artifact


def test_the_networks_and_the_game_are_those_of_the_paper():
    ours, paper = read(), read_spec(spec_file("paper/cgan_mnist"))
    theirs, mine = paper.document["networks"], ours.document["networks"]
    mine["generator"]["defaults"]["Dropout"] = theirs["generator"]["defaults"]["Dropout"]  # the one deviation
    assert mine == theirs and ours.latents == paper.latents  # shapes; the prior deviates
    assert ours.sections.algorithm.args["loss"] == paper.sections.algorithm.args["loss"]
    assert ours.fields == paper.fields and ours.sections.export.networks == ("generator",)
