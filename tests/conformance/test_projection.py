"""specs/projection.yaml against Miyato and Koyama 2018 and the authors' code."""

import keras
import numpy as np
import pytest
from games import layers, numpy
from keras import ops
from played import Played


@pytest.fixture(scope="module")
def played():
    return Played("projection", batch=4)


def inner(played, layer, image, label):
    """What `layer` of D makes of images and labels, at inference."""
    model = played.algorithm.players["discriminator"]
    made = keras.Model(model.inputs, layer.output)([image, label], training=False)
    return np.array(made, "float64")


def example(count=4):
    random = np.random.RandomState(0)
    return ops.convert_to_tensor(random.uniform(-1, 1, (count, 32, 32, 1)).astype("float32")), ops.arange(count)


def test_features_are_summed_over_the_image(played):
    """A mean would weigh the class against the linear term by 1/16."""
    (pooled,) = layers(played.algorithm, "Rescaling", role="discriminator")
    (relu,) = layers(played.algorithm, "ReLU", role="discriminator")
    image, label = example()
    by_hand = inner(played, relu, image, label).sum(axis=(1, 2))
    np.testing.assert_allclose(inner(played, pooled, image, label), by_hand, rtol=1e-5, atol=1e-7)


def test_the_logit_is_a_linear_head_plus_an_inner_product_with_the_class(played):
    d = played.algorithm.players["discriminator"]
    (pooled,), (linear,) = (
        layers(played.algorithm, kind, role="discriminator") for kind in ("Rescaling", "SpectralDense")
    )
    (embedding,) = layers(played.algorithm, "SpectralEmbedding")
    image, label = example()
    h = inner(played, pooled, image, label)
    psi, v = inner(played, linear, image, label), inner(played, embedding, image, label)
    logits = np.array(d({"image": image, "label": label}, training=False)["logits"])
    np.testing.assert_allclose(logits, psi + (h * v).sum(1, keepdims=True), rtol=1e-4, atol=1e-6)
    assert linear.bias is None
    other = np.array(d({"image": image, "label": (label + 1) % 10}, training=False)["logits"])
    assert np.abs(other - logits).max() > 1e-6


def test_the_table_of_classes_is_normalised_as_one_matrix(played):
    """Its largest singular value is 1, over all classes and numbers; rows of norm 1 would be another table."""
    (embedding,) = layers(played.algorithm, "SpectralEmbedding")
    for _ in range(200):
        embedding(np.arange(10), training=True)
    table = np.array(embedding(np.arange(10)))
    assert np.linalg.svd(table, compute_uv=False)[0] == pytest.approx(1, abs=1e-2)
    assert np.linalg.norm(table, axis=1).max() < 0.99
    assert numpy(embedding.u).size == 10


def test_spectral_norm_is_on_all_of_d_and_on_nothing_of_g(played):
    d, g = (played.algorithm.players[role] for role in ("discriminator", "generator"))
    weighted = [layer for layer in d.layers if layer.trainable_variables]
    assert len(weighted) == 9 and all(hasattr(layer, "sigma") for layer in weighted)
    assert not [layer for layer in g.layers if hasattr(layer, "sigma")]


def test_every_class_begins_with_a_scale_of_one_and_a_shift_of_zero(played):
    norms = layers(played.algorithm, "ConditionalBatchNormalization", role="generator")
    assert len(norms) == 3
    for norm in norms:
        x = np.random.RandomState(1).normal(size=(6, 2, 2, norm.input[0].shape[-1])).astype("float32")
        plain = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 2e-5)
        for label in (0, 9):
            made = norm([x, np.full(6, label)], training=True)
            np.testing.assert_allclose(made, plain, atol=1e-4)
    kinds = played.kinds("generator")
    assert kinds[-3:] == ["BatchNormalization", "ReLU", "Conv2D"]  # the last one knows no class


def test_d_is_shown_a_fake_with_the_class_that_made_it(monkeypatch):
    played = Played("projection", batch=4).watch(monkeypatch)
    labels = played.batch()["label"][0]
    played.step()
    for phase, count in (("discriminator", 3), ("generator", 2)):
        given = [inputs["label"] for _, inputs, _ in played.passes[phase]]
        assert len(given) == count and all(np.array_equal(label, labels) for label in given)


def test_the_class_reaches_the_game_through_the_product_alone(played):
    """One logit and the hinges: no classifier, and no cross-entropy as in AC-GAN."""
    assert played.algorithm.plans["discriminator"].outputs.keys() == {"logits"}
    game = played.algorithm.game
    assert [dict(phase.minimise).keys() for phase in game.phases] == [{"d_loss"}, {"g_loss"}]
    assert {call.function for call in game.values.values()} == {"", "hinge.discriminator", "hinge.generator"}
