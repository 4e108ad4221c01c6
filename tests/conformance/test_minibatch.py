"""specs/minibatch.yaml and specs/feature_matching.yaml against Salimans et al. 2016 and the authors' code."""

import numpy as np
import pytest
from games import layers
from played import Played, softplus


@pytest.fixture(scope="module")
def minibatch():
    return Played("minibatch", batch=3)


def test_an_example_is_not_compared_with_itself(minibatch):
    """Alone in its batch it has no neighbours: the bias of -1 is all that there is, and not exp(0) - 1 = 0."""
    (layer,) = layers(minibatch.algorithm, "MinibatchDiscrimination")
    x = np.random.RandomState(0).normal(size=(1, 4096)).astype("float32")
    np.testing.assert_array_equal(layer(x)[:, 4096:], -np.ones((1, 100)))
    np.testing.assert_allclose(layer(np.repeat(x, 3, axis=0))[:, 4096:], np.ones((3, 100)), atol=1e-5)  # 2 - 1


def test_sizes_are_those_of_the_code(minibatch):
    (layer,) = layers(minibatch.algorithm, "MinibatchDiscrimination")
    assert (layer.kernel.shape, layer.bias.shape) == ((4096, 100 * 5), (100,))
    assert minibatch.kinds("discriminator")[-2:] == ["MinibatchDiscrimination", "Dense"]


def test_real_images_are_compared_with_real_ones_and_fakes_with_fakes(monkeypatch):
    played = Played("minibatch", batch=3).watch(monkeypatch)
    real = played.batch()["image"][0]
    played.step()
    passes = [inputs["image"] for name, inputs, _ in played.passes["discriminator"] if name == "discriminator"]
    assert [len(x) for x in passes] == [3, 3]
    assert sorted(np.allclose(x, real, atol=1e-6) for x in passes) == [False, True]
    (of_g,) = [inputs["image"] for name, inputs, _ in played.passes["generator"] if name == "discriminator"]
    assert len(of_g) == 3 and not np.allclose(of_g, real, atol=1e-3)


def test_fakes_are_not_smoothed():
    """The target of a fake is 0: its loss falls on and on with its logit, where a smoothed one turns."""
    played = Played("minibatch")
    call = played.spec.game.values["d_loss"]
    assert call.function == "non_saturating.discriminator" and not call.arguments.keys() & {
        "real_target",
        "fake_target",
    }


def test_feature_matching_is_the_distance_of_batch_means_before_the_logits():
    """The mean absolute difference of the code; D is frozen in place, so that its features can be computed by hand."""
    frozen = "algorithm.alternating.discriminator.optimizer={SGD: {learning_rate: 1e-30}}"
    played = Played("feature_matching", frozen, batch=3)
    batch = played.batch()
    fake = played.net("generator", z=batch["z"][1])
    real, made = (played.net("discriminator", image=x)["features"] for x in (batch["image"][0], fake))
    assert real.shape == (3, 4096)
    logs = played.step()
    by_hand = np.abs(real.mean(0) - made.mean(0)).mean()
    assert logs["generator_loss"] == pytest.approx(by_hand, rel=1e-3)


def test_feature_matching_leaves_d_its_own_loss():
    played = Played(
        "feature_matching", "algorithm.alternating.generator.optimizer={SGD: {learning_rate: 1e-30}}", batch=3
    )
    batch = played.batch()
    real = played.net("discriminator", image=batch["image"][0])["logits"]
    fake = played.net("discriminator", image=played.net("generator", z=batch["z"][0]))["logits"]
    assert played.step()["discriminator_loss"] == pytest.approx((softplus(-real) + softplus(fake)).mean(), rel=1e-4)
    assert "MinibatchDiscrimination" not in played.kinds("discriminator")
