"""specs/cgan.yaml against Mirza and Osindero 2014: what its numbers alone do not show."""

import keras
import numpy as np
import pytest
from games import images, layers, numpy, reader
from keras import ops

from zoo.spec.read import read_spec, spec_file
from zoo.train import loop

read = reader("cgan")


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


def test_a_label_belongs_to_its_image(spec, first):
    dataset = images(spec)
    pixels = {image.tobytes(): label for image, label in zip(dataset.images, dataset.labels, strict=True)}
    shown = np.round(first["image"][0] * 255).astype("uint8")
    assert [pixels[image.tobytes()] for image in shown] == first["label"][0].tolist()


def test_the_judgement_of_a_picture_depends_on_the_label(play):
    _, algorithm, data = play
    judge = algorithm.players["discriminator"]
    said = [
        numpy(judge({"image": data["image"][0], "label": ops.full((4,), label, "int64")}, training=False)["logits"])
        for label in (2, 5)
    ]
    assert (said[0] != said[1]).all()


def test_the_networks_and_the_game_are_those_of_the_paper():
    ours, paper = read(), read_spec(spec_file("paper/cgan_mnist"))
    theirs, mine = paper.document["networks"], ours.document["networks"]
    mine["generator"]["defaults"]["Dropout"] = theirs["generator"]["defaults"]["Dropout"]  # the one deviation
    assert mine == theirs and ours.latents == paper.latents  # shapes; the prior deviates
    assert ours.sections.algorithm.args["loss"] == paper.sections.algorithm.args["loss"]
    assert ours.fields == paper.fields and ours.exported == ("generator",)
