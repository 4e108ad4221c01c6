"""specs/cyclegan.yaml against Zhu et al. 2017 and the authors' code: a test for each way to get it wrong."""

import itertools

import keras
import numpy as np
import pytest
from games import reader, setting
from keras import ops

from zoo.nn import networks
from zoo.nn.layers import LAYERS
from zoo.spec.read import read_spec
from zoo.spec.validate import specs_folder

MAKERS, JUDGES = ("a_to_b", "b_to_a"), ("discriminator_a", "discriminator_b")
PAPER_SPECS = {name: specs_folder() / "paper" / f"{name}.yaml" for name in ("cyclegan_6", "cyclegan_9")}


read = reader("cyclegan")

# Zhu et al. 2017; "code" is its authors', in Torch
PAPER = {
    "game.cycle_a": 10,  # section 4: lambda
    "game.cycle_b": 10,
    "game.identity": 5,  # section 5.2: half of lambda; code: on by default
    "game.pool_size": 50,  # section 4
    "game.discriminator_weight": 0.5,  # section 7.1: D's objective is divided by 2
    "game.loss": {"lsgan": {"weight": 1}},  # section 4: squares instead of logarithms
    "training.batch_size": 1,  # section 4
    "training.ema_half_life_images": None,  # the last weights
    "data.range": (-1, 1),  # code
    "data.flip": True,  # code
    "export.networks": MAKERS,
    **{f"{player}.{name}": value for player in ("generators", "discriminators") for name, value in {
        "optimizer": "Adam",  # section 4
        "optimizer.beta_1": 0.5,  # code
        "optimizer.beta_2": 0.999,  # code
        "optimizer.epsilon": 1e-8,  # code; Keras's own is 1e-7
        "repeat": 1,
    }.items()},
    **{f"{judge}.LeakyReLU.negative_slope": 0.2 for judge in JUDGES},  # section 7.2; Keras's own is 0.3
    **{f"{maker}.LeakyReLU.negative_slope": () for maker in MAKERS},
}  # fmt: skip


@pytest.fixture(scope="module", params=["cyclegan", *PAPER_SPECS])
def plans(request, spec):
    return spec.plans if request.param == "cyclegan" else read_spec(PAPER_SPECS[request.param]).plans


def kinds(plan):
    return [step.layer for step in plan.steps]


def layers(algorithm, roles, kind):
    return [layer for role in roles for layer in algorithm.players[role].layers if type(layer).__name__ == kind]


# --- the networks


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


def test_reflection_shows_the_neighbours_of_the_edge_not_the_edge():
    row = np.arange(4, dtype="float32").reshape(1, 1, 4, 1).repeat(4, axis=1)
    padded = ops.convert_to_numpy(LAYERS.get("ReflectionPadding2D")(padding=2)(row))
    assert padded[0, 3, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


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


def test_a_logit_sees_its_patch_and_nothing_else(spec):
    """Measured on a judge without norms, which look at the whole image."""
    plan = spec.plans["discriminator_a"]
    steps = [step for step in plan.steps if step.layer != "GroupNormalization"]
    x = keras.Input((48, 48, 3))
    y = x
    for step in steps:
        args = {**step.args, "kernel_initializer": "ones"} if step.layer == "Conv2D" else step.args
        y = getattr(keras.layers, step.layer)(**args)(y)
    model = keras.Model(x, y)
    base = ops.convert_to_numpy(model(np.zeros((1, 48, 48, 3), "float32")))
    rows = []
    for row in range(48):
        image = np.zeros((1, 48, 48, 3), "float32")
        image[0, row, 24] = 1
        rows.append((ops.convert_to_numpy(model(image)) != base)[0, 5, 5, 0])
    assert sum(rows) == 34


def test_the_judges_first_layer_has_no_norm_and_the_last_no_activation(plans):
    for role in JUDGES:
        names = kinds(plans[role])
        assert names[:3] == ["ZeroPadding2D", "Conv2D", "LeakyReLU"]
        assert names[-1] == "Conv2D" and plans[role].last_activation == "linear"  # no sigmoid under squares
        assert names.count("GroupNormalization") == names.count("LeakyReLU") - 1
    for role in MAKERS:
        assert plans[role].last_activation == "tanh" and kinds(plans[role])[-2] == "ReflectionPadding2D"


def test_weights_begin_small_and_different(algorithm):
    """N(0, 0.02), in all four networks, no two of which are the same."""
    firsts = []
    for role in (*MAKERS, *JUDGES):
        kernels = [v.numpy() for v in algorithm.players[role].trainable_variables if len(v.shape) == 4]
        flat = np.concatenate([kernel.ravel() for kernel in kernels])
        assert flat.std() == pytest.approx(0.02, rel=0.02) and abs(flat.mean()) < 3e-4
        firsts.append(kernels[0].ravel()[:8])
    assert len({tuple(first) for first in firsts}) == 4


# --- the step


@pytest.mark.parametrize(("name", "expected"), PAPER.items())
def test_settings_are_those_of_the_paper(spec, algorithm, name, expected):
    assert setting(spec, algorithm, name) == expected


@pytest.mark.parametrize("name", PAPER_SPECS)
def test_the_papers_own_sizes_have_the_same_settings(spec, name):
    known = read_spec(PAPER_SPECS[name])
    ours, theirs = spec.sections.algorithm.args, known.sections.algorithm.args
    shared = theirs.keys() - {"generators", "discriminators"}  # whose rates follow the length of the run
    assert len(shared) == 6 and {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}
    assert known.sections.training.batch_size == 1 and known.sections.data.flip
    high, (low, _) = known.sections.data.jitter_from, known.fields["a"][:2]
    assert high / low == pytest.approx(286 / 256, rel=0.01)


def test_the_adversarial_term_has_its_full_weight_in_the_generators_loss(algorithm):
    """`lsgan` halves both losses by default; against cycles of 10 that would make 20 of them."""
    three = np.full((1, 4, 4, 1), 3.0, "float32")
    assert float(algorithm.game.generator(three)) == pytest.approx(4.0)
    assert float(algorithm.game.discriminator(three, three)) == pytest.approx(4.0 + 9.0)
    assert algorithm.discriminator_weight == 0.5  # which halves D's


def test_the_rate_is_constant_for_half_of_the_run_and_then_falls_to_zero(algorithm, spec):
    """Per update, from the middle on: not from step 0, and not by epochs that a loop forgets to count."""
    steps = spec.sections.training.steps
    for phase in algorithm.phases():
        found = []
        for updates in (0, steps // 4, steps // 2, steps * 3 // 4, steps, 0):
            phase.optimizer.iterations.assign(updates)
            found.append(float(phase.optimizer.learning_rate))
        np.testing.assert_allclose(found, [2e-4, 2e-4, 2e-4, 1e-4, 0, 2e-4], atol=1e-9)
    for path in PAPER_SPECS.values():
        known = read_spec(path)
        args = known.sections.algorithm.args["generators"]["optimizer"]["Adam"]["learning_rate"]["linear"]
        assert args["start"] == args["updates"] == known.sections.training.steps / 2


def test_the_pools_hold_fifty_images_of_each_domain(algorithm):
    for pool in algorithm.pools.values():
        assert pool.images.shape == (50, 48, 48, 3) and pool.probability == 0.5


def test_a_network_of_the_paper_is_built_as_planned():
    """Reflection, strides and crops of 128 x 128 lead back to 128 x 128, in Keras as in the plan."""
    plan = read_spec(PAPER_SPECS["cyclegan_6"]).plans["a_to_b"]
    network = networks.build(plan)
    assert network.output[plan.output_name].shape == (None, 128, 128, 3)
    assert network.count_params() == 7_837_699
