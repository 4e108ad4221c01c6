"""specs/acgan.yaml against Odena et al. 2016: classes are learned from logits, of the labels that made the image."""

import numpy as np
import pytest
from played import Played, cross_entropy, softplus

CERTAIN = ("defaults.Dropout.rate=0", "defaults.BatchNormalization.momentum=0.9")


@pytest.fixture(scope="module")
def first():
    """(labels, {logits, classes} of real images, of the fakes of D's update, what the step logged), all by hand."""
    played = Played("acgan", *CERTAIN, batch=4)
    batch = played.batch()
    labels = batch["label"][0]
    fake = played.net("generator", z=batch["z"][0], label=labels)
    real, made = (played.net("discriminator", image=x) for x in (batch["image"][0], fake))
    return labels, real, made, played.step()


def test_the_loss_of_the_class_is_of_logits(first):
    labels, real, _, logs = first
    assert logs["real_class"] == pytest.approx(cross_entropy(real["classes"], labels), rel=1e-4)
    softmax = np.exp(real["classes"]) / np.exp(real["classes"]).sum(-1, keepdims=True)
    assert logs["real_class"] != pytest.approx(cross_entropy(softmax, labels), rel=1e-4)  # the mistake


def test_both_players_lower_the_error_on_fakes_of_the_labels_that_made_them(first):
    """D: source + class of real and of fake images; the labels of the fakes are those that G was given."""
    labels, real, made, logs = first
    source = np.mean(softplus(-real["logits"]) + softplus(made["logits"]))
    of_class = cross_entropy(real["classes"], labels) + cross_entropy(made["classes"], labels)
    assert logs["discriminator_loss"] == pytest.approx(source + of_class, rel=1e-4)
    assert logs["generator_loss"] == pytest.approx(logs["g_loss"] + logs["fake_class"], rel=1e-5)


def test_g_makes_and_d_reads_the_same_labels(monkeypatch):
    played = Played("acgan", batch=4).watch(monkeypatch)
    labels = played.batch()["label"][0]
    played.step()
    for passes in played.passes.values():
        (given,) = [inputs["label"] for name, inputs, _ in passes if name == "generator"]
        np.testing.assert_array_equal(given, labels)
        assert all("label" not in inputs for name, inputs, _ in passes if name == "discriminator")


def test_d_has_dropout_and_two_heads_on_the_same_features():
    played = Played("acgan")
    plan = played.spec.plans["discriminator"]
    assert played.kinds("discriminator").count("Dropout") == 3
    assert [(step.layer, step.args["units"], step.args.get("activation")) for step in plan.steps[-2:]] == [
        ("Dense", 1, None), ("Dense", 10, None),
    ]  # fmt: skip
