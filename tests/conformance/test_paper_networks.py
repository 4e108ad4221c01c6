"""Networks of specs/paper/: what papers warn of, in the plan and in Keras's first weights; how long games last."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.nn import networks
from zoo.spec.plan import BATCH_NORMS
from zoo.spec.read import read_spec
from zoo.spec.validate import specs_folder

PAPER = specs_folder() / "paper"
WEIGHTED = {"Dense", "Conv2D", "Embedding", "SpectralDense", "SpectralConv2D", "SpectralEmbedding"}


def plan_of(spec, network):
    return read_spec(PAPER / f"{spec}.yaml").plans[network]


def shapes_of(plan):
    """The shapes of a plan's tensors by number."""
    return dict(enumerate(plan.inputs.values())) | {step.output: step.cost.shape for step in plan.steps}


def weighted(plan):
    return {step.layer for step in plan.steps} & WEIGHTED


# Miyato & Koyama 2018, and the nets that follow it.

PROJECTED = ("projection_cifar", "biggan_cifar", "sagan_128")


@pytest.mark.parametrize("spec", PROJECTED)
def test_features_are_summed_over_all_pixels(spec):
    """A mean instead of a sum rescales the class term against the linear one."""
    plan = plan_of(spec, "discriminator")
    shapes = shapes_of(plan)
    (pool,) = [step for step in plan.steps if step.layer == "GlobalAveragePooling2D"]
    (scaled,) = [step for step in plan.steps if step.inputs == (pool.output,)]
    height, width, _ = shapes[pool.inputs[0]]
    assert scaled.layer == "Rescaling" and scaled.args["scale"] == height * width


@pytest.mark.parametrize("spec", PROJECTED)
def test_the_score_is_a_class_term_and_an_unconditional_one_of_the_same_features(spec):
    plan = plan_of(spec, "discriminator")
    steps = {step.output: step for step in plan.steps}
    last = steps[plan.output]
    kinds = {steps[i].layer: steps[i] for i in last.inputs}
    assert last.layer == "Add" and set(kinds) == {"Dot", "SpectralDense"}
    embedding, features = kinds["Dot"].inputs
    assert steps[embedding].layer == "SpectralEmbedding" and kinds["SpectralDense"].inputs == (features,)
    assert plan.last_activation != "softmax"


@pytest.mark.parametrize("spec", PROJECTED)
def test_spectral_norm_is_on_all_layers_of_d_with_weights(spec):
    assert all(name.startswith("Spectral") for name in weighted(plan_of(spec, "discriminator")))


def test_spectral_norm_is_on_g_where_the_paper_has_it():
    assert weighted(plan_of("projection_cifar", "generator")) == {"Dense", "Conv2D"}
    for spec in ("biggan_cifar", "sagan_128"):
        assert weighted(plan_of(spec, "generator")) == {"SpectralDense", "SpectralConv2D"}


@pytest.mark.parametrize("spec", PROJECTED)
def test_norms_are_by_class_but_for_the_last_and_their_tables_have_no_spectral_norm(spec):
    norms = [step for step in plan_of(spec, "generator").steps if step.layer in BATCH_NORMS]
    assert [step.layer for step in norms[:-1]] == ["ConditionalBatchNormalization"] * (len(norms) - 1)
    assert norms[-1].layer == "BatchNormalization" and len(norms) in (7, 11)
    assert not any(step.args.get("spectral") for step in norms)
    assert not [step for step in plan_of(spec, "discriminator").steps if step.layer in BATCH_NORMS]


def test_classes_make_no_difference_at_the_start():
    """Gamma is 1 and beta 0 for every class: a table that begins as N(0, 1) is the mistake."""
    network = networks.build(plan_of("projection_cifar", "generator"))
    z = np.repeat(np.random.RandomState(0).standard_normal((1, 128)), 2, axis=0).astype("float32")
    first, second = np.asarray(network({"z": z, "label": np.array([0, 9])}, training=False)["image"])
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)
    for layer in network.layers:
        if type(layer).__name__ == "ConditionalBatchNormalization":
            layer.gammas.assign(layer.gammas * np.linspace(0.5, 2, 10, dtype="float32")[:, None])
    first, second = np.asarray(network({"z": z, "label": np.array([0, 9])}, training=False)["image"])
    assert np.abs(first - second).max() > 1e-3


# Zhang et al. 2018.


def test_attention_stands_once_in_each_network_at_32_pixels():
    """At 8 x 8 and below it gains nothing; one block in each, of 256 and of 128 channels."""
    for network, channels, weights in (("generator", 256, 81_921), ("discriminator", 128, 20_481)):
        (block,) = [step for step in plan_of("sagan_128", network).steps if step.layer == "SelfAttention"]
        assert block.cost.shape == (32, 32, channels) and block.cost.parameters == weights
        assert block.args.get("spectral", True)


# Huang et al. 2024.


@pytest.mark.parametrize("spec", ["r3gan_stacked", "r3gan_cifar"])
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_residual_blocks_of_r3gan(spec, network):
    plan = plan_of(spec, network)
    steps = {step.output: step for step in plan.steps}
    ends = [step for step in plan.steps if step.layer == "Add"]
    assert len(ends) == 8
    for end in ends:
        third, before = steps[end.inputs[0]], end.inputs[1]
        second = steps[steps[third.inputs[0]].inputs[0]]
        first = steps[steps[second.inputs[0]].inputs[0]]
        assert [steps[s.inputs[0]].layer for s in (third, second)] == ["LeakyReLU"] * 2 and first.inputs == (before,)
        width = end.cost.shape[-1]
        assert (first.args["filters"], second.args["filters"], third.args["filters"]) == (2 * width, 2 * width, width)
        assert second.args["groups"] * 16 == 2 * width and second.args["kernel_size"] == 3
        assert third.args["kernel_initializer"] == "Zeros" and not third.args["use_bias"]
        for conv in (first, second):
            assert conv.args["kernel_initializer"] == {"Fixup": {"blocks": len(ends)}} and conv.args["use_bias"]
    assert not {step.layer for step in plan.steps} & {*BATCH_NORMS, "GroupNormalization", "LayerNormalization"}


@pytest.mark.parametrize("spec", ["r3gan_stacked", "r3gan_cifar"])
def test_r3gan_has_no_tanh_and_no_bias_outside_the_blocks(spec):
    for network in ("generator", "discriminator"):
        plan = plan_of(spec, network)
        inner = [step for step in plan.steps if "Fixup" in str(step.args.get("kernel_initializer"))]
        assert {step.layer for step in plan.steps if step.args.get("use_bias", False)} <= {"Conv2D"}
        assert [step for step in plan.steps if step.args.get("use_bias", False)] == inner
    assert plan_of(spec, "generator").last_activation == "linear"


def test_the_score_of_a_class_has_no_unconditional_term():
    plan = plan_of("r3gan_cifar", "discriminator")
    assert next(step.layer for step in plan.steps if step.output == plan.output) == "Dot"
    assert not [step for step in plan.steps if step.layer == "Dense" and step.args["units"] == 1]


SMALL = """
extends: paper/r3gan_stacked
name: small
networks:
  generator:
    layers:
      0: {Dense: {units: 32}}
      2: {stage: {width: 32}}
      3: {repeat: 3, layers: [FilteredUpSampling2D, stage: {width: 32}]}
training: {batch_size: 4}
"""


def test_r3gan_begins_as_its_skeleton(tmp_path):
    """The third convolution of a block begins at zero, so that G is a map, made larger, and 1 x 1 at the start."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, "utf-8")
    plan = read_spec(path).plans["generator"]
    network = networks.build(plan)
    z = np.random.RandomState(0).standard_normal((3, 64)).astype("float32")
    image = np.asarray(network({"z": z})["image"])
    layers = {step.layer: network.get_layer(networks.layer_name(step)) for step in plan.steps}  # the last of each
    x = layers["LearnedMap"](layers["Dense"](z))
    for _ in range(3):
        x = layers["FilteredUpSampling2D"](x)
    np.testing.assert_allclose(image, np.asarray(layers["Conv2D"](x)), rtol=0, atol=1e-5)
    assert np.abs(image).max() > 0.1


@pytest.mark.parametrize(
    ("name", "batch", "updates", "millions", "burn_in"),
    [
        ("projection_cifar", 64, {"generator": 1, "discriminator": 5}, 50_000 * 5 * 64e-6, None),
        ("biggan_cifar", 50, {"discriminator": 4, "generator": 1}, 25, None),  # 500 passes over 50,000 images
        ("r3gan_stacked", 512, {"discriminator": 1, "generator": 1}, 10, 2),
        ("r3gan_cifar", 512, {"discriminator": 1, "generator": 1}, 250, 20),
    ],
)
def test_games_of_papers_are_as_long_as_theirs(name, batch, updates, millions, burn_in):
    """Updates in order, images that D sees, and the share of them over which R3GAN's cosine moves."""
    spec = read_spec(PAPER / f"{name}.yaml")
    training, phases = spec.sections.training, {phase.name: phase for phase in spec.game.phases}
    assert list(phases) == list(updates) and {key: phase.updates for key, phase in phases.items()} == updates
    shown = training.steps * batch * updates["discriminator"] / 1e6
    assert training.batch_size == batch and shown == pytest.approx(millions, rel=1e-4)
    adam = phases["discriminator"].optimizer.args
    assert adam["beta_1"] == 0 and adam["epsilon"] == 1e-8
    if burn_in:
        cosine = adam["beta_2"]["cosine"]
        assert (cosine["initial"], cosine["final"]) == (0.9, 0.99)
        assert cosine["updates"] * batch / 1e6 == pytest.approx(burn_in, rel=1e-3)
        assert phases["generator"].fresh and phases["generator"].batch_size is None


def test_projections_generator_learns_from_twice_the_batch_and_its_rates_fall_from_the_start():
    phases = {phase.name: phase for phase in read_spec(PAPER / "projection_cifar.yaml").game.phases}
    assert (phases["generator"].batch_size, phases["generator"].fresh) == (128, True)
    for phase in phases.values():
        line = phase.optimizer.args["learning_rate"]["linear"]
        assert (line["initial"], line["final"], line.get("start", 0)) == (2e-4, 0, 0)
        assert line["updates"] == 50_000 * phase.updates
