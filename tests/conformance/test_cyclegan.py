"""specs/cyclegan.yaml against Zhu et al. 2017 and the authors' code: what its numbers alone do not show."""

import itertools

import keras
import numpy as np
import pytest
from games import reader
from keras import ops

from zoo.spec.read import read_spec
from zoo.spec.validate import specs_folder

MAKERS, JUDGES = ("a_to_b", "b_to_a"), ("discriminator_a", "discriminator_b")
PAPER_SPECS = {name: specs_folder() / "paper" / f"{name}.yaml" for name in ("cyclegan_6", "cyclegan_9")}


read = reader("cyclegan")


@pytest.fixture(scope="module", params=["cyclegan", *PAPER_SPECS])
def plans(request, spec):
    return spec.plans if request.param == "cyclegan" else read_spec(PAPER_SPECS[request.param]).plans


def kinds(plan):
    return [step.layer for step in plan.steps]


def layers(algorithm, roles, kind):
    return [layer for role in roles for layer in algorithm.players[role].layers if type(layer).__name__ == kind]


def test_instance_norm_is_per_instance_and_channel(algorithm):
    """Keras's example has `groups=1`: layer norm over all channels. There is no gain and no bias; epsilon is 1e-5."""
    random = np.random.RandomState(0)
    norms = layers(algorithm, (*MAKERS, *JUDGES), "GroupNormalization")
    assert len(norms) == 2 * (1 + 2 + 2 * 4 + 2) + 2 * 2
    for norm in norms:
        channels = norm.input.shape[-1]
        x = random.standard_normal((3, 6, 5, channels)) * random.uniform(1, 9, (3, 1, 1, channels))
        x = x + random.uniform(-50, 50, (3, 1, 1, channels))
        y = ops.convert_to_numpy(norm(x.astype("float32")))
        np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(y.var(axis=(1, 2)), 1, atol=1e-3)
        assert not norm.weights and norm.epsilon == 1e-5


def test_a_flat_image_is_finite(algorithm):
    """Variance 0: the public code's issue 20, NaN from instance norm."""
    for role, tap in (("a_to_b", "a"), ("discriminator_b", "b")):
        out = algorithm.players[role]({tap: np.ones((1, 48, 48, 3), "float32")})
        assert np.isfinite(ops.convert_to_numpy(next(iter(out.values())))).all()


def test_nothing_follows_the_sum_of_a_residual_block(plans):
    """No ReLU after the add: what comes next pads for the next block, or goes up."""
    for role in MAKERS:
        names = kinds(plans[role])
        assert names.count("Add") in (4, 6, 9)
        for place, name in enumerate(names):
            if name == "Add":
                assert names[place - 1] == "GroupNormalization"
                assert names[place + 1] in ("ReflectionPadding2D", "Conv2DTranspose")


def test_images_are_reflected_at_their_edges_and_never_padded_by_keras(plans):
    for role in MAKERS:
        steps = plans[role].steps
        for before, step in itertools.pairwise(steps):
            if step.layer != "Conv2D":
                continue
            assert step.args.get("padding", "valid") == "valid"
            size = step.args["kernel_size"]
            if step.args.get("strides", 1) == 1:
                assert before.layer == "ReflectionPadding2D" and before.args.get("padding", 1) == size // 2
            else:
                assert before.layer == "ZeroPadding2D" and before.args["padding"] == 1
        assert kinds(plans[role]).count("ReflectionPadding2D") == 2 + 2 * kinds(plans[role]).count("Add")


def test_upsampling_keeps_its_place(spec):
    """Padding 1 and output padding 1, as in Torch: pixel i becomes 2i - 1 .. 2i + 1."""
    steps = spec.plans["a_to_b"].steps
    (up, crop) = next((s, t) for s, t in itertools.pairwise(steps) if s.layer == "Conv2DTranspose")
    assert crop.layer == "Cropping2D"
    pixel = np.zeros((1, 5, 5, 1), "float32")
    pixel[0, 2, 2] = 1
    conv = keras.layers.Conv2DTranspose(
        1, up.args["kernel_size"], up.args["strides"], up.args.get("padding", "valid"), kernel_initializer="ones"
    )
    out = ops.convert_to_numpy(keras.layers.Cropping2D(crop.args["cropping"])(conv(pixel)))[0, :, :, 0]
    assert out.shape == (10, 10) and np.argwhere(out).min(axis=0).tolist() == [3, 3]
    assert np.argwhere(out).max(axis=0).tolist() == [5, 5]


def receptive_field(plan):
    """The side of the patch that one logit sees."""
    side, stride = 1, 1
    for step in plan.steps:
        if step.layer == "Conv2D":
            side += (step.args["kernel_size"] - 1) * stride
            stride *= step.args.get("strides", 1)
    return side


@pytest.mark.parametrize(("name", "patch", "strides"), [
    ("cyclegan", 34, [2, 2, 1, 1]), ("cyclegan_6", 70, [2, 2, 2, 1, 1]), ("cyclegan_9", 70, [2, 2, 2, 1, 1]),
])  # fmt: skip
def test_patches_have_the_stated_size(name, patch, strides, spec):
    """The last hidden layer has stride 1: with 2, 70 pixels would be 94, and 34 would be 46."""
    known = spec if name == "cyclegan" else read_spec(PAPER_SPECS[name])
    for role in JUDGES:
        convs = [step for step in known.plans[role].steps if step.layer == "Conv2D"]
        assert [step.args.get("strides", 1) for step in convs] == strides
        assert all(step.args["kernel_size"] == 4 for step in convs) and convs[-1].args["filters"] == 1
        assert receptive_field(known.plans[role]) == patch
    if name == "cyclegan":
        assert any(f"{patch} x {patch}" in text for text in known.sections.deviations)


def test_the_judges_first_layer_has_no_norm_and_the_last_no_activation(plans):
    for role in JUDGES:
        names = kinds(plans[role])
        assert names[:3] == ["ZeroPadding2D", "Conv2D", "LeakyReLU"]
        assert names[-1] == "Conv2D" and plans[role].last_activation == "linear"  # no sigmoid under squares
        assert names.count("GroupNormalization") == names.count("LeakyReLU") - 1
    for role in MAKERS:
        assert plans[role].last_activation == "tanh" and kinds(plans[role])[-2] == "ReflectionPadding2D"
