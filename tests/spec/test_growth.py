"""Plans of a final network cut down to every size: the same layers, the paper's counts, fades that begin and end."""

from __future__ import annotations

import re

import numpy as np
import pytest
from growing import GROWING
from keras import ops

from zoo.core.errors import SpecError
from zoo.nn import networks
from zoo.spec import growth
from zoo.spec.read import read_spec, spec_file

MAPS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}  # the paper's table 2
CUT = {"generator": growth.grown_generator, "discriminator": growth.grown_discriminator}


@pytest.fixture(scope="module")
def paper():
    return {
        name: read_spec(spec_file("dcgan").parent / "paper" / f"{name}.yaml").plans
        for name in ("pggan_1024", "pggan_cifar")
    }


def conv(size, before, after):
    return size * size * before * after + after


def expected(role, size):
    """Weights of the paper's networks when they stand at `size`, from its table 2."""
    blocks = [(MAPS[s // 2], MAPS[s]) for s in MAPS if 4 < s <= size]
    if role == "generator":
        body = conv(4, 512, 512) + conv(3, 512, 512) + sum(conv(3, a, b) + conv(3, b, b) for a, b in blocks)
        return body + conv(1, MAPS[size], 3)
    last = conv(3, 513, 512) + conv(4, 512, 512) + conv(1, 512, 1)
    return conv(1, 3, MAPS[size]) + sum(conv(3, b, b) + conv(3, b, a) for a, b in blocks) + last


@pytest.mark.parametrize("role", CUT)
@pytest.mark.parametrize("size", MAPS)
def test_counts_at_every_size_are_the_papers(paper, role, size):
    plan = paper["pggan_1024"][role]
    cut = CUT[role](plan, size)
    assert cut.parameters == expected(role, size)
    assert (cut.output_shape if role == "generator" else cut.inputs["image"]) == (size, size, 3)
    if size > 4:
        old = MAPS[size // 2]
        head = conv(1, old, 3) if role == "generator" else conv(1, 3, old)
        assert CUT[role](plan, size, fading=True).parameters == expected(role, size) + head


def test_at_full_size_the_plan_is_that_of_the_spec(paper):
    for name, size, counts in (
        ("pggan_1024", 1024, (23_071_507, 23_077_137)),
        ("pggan_cifar", 32, (1_295_747, 1_297_153)),
    ):
        plans = paper[name]
        assert growth.sizes(plans["generator"], plans["discriminator"], 4) == tuple(s for s in MAPS if s <= size)
        for (role, cut), count in zip(CUT.items(), counts, strict=True):
            assert cut(plans[role], size) is plans[role] and plans[role].parameters == count


@pytest.mark.parametrize("role", CUT)
def test_layers_keep_name_and_weights_between_all_stages(paper, role):
    """What stands under one name anywhere has one meaning: layer, arguments, shape of its weights."""
    plan, seen = paper["pggan_1024"][role], {}
    for size, fading in [(s, f) for s in MAPS for f in (False, True) if s > 4 or not f]:
        cut = CUT[role](plan, size, fading=fading)
        assert len({step.output for step in cut.steps} | set(range(len(cut.inputs)))) == len(cut.steps) + len(
            cut.inputs
        )
        for step in cut.steps:
            meaning = (step.layer, step.args, step.cost.parameters)
            assert seen.setdefault(networks.layer_name(step), meaning) == meaning
    assert {networks.layer_name(step) for step in plan.steps} <= set(seen)


# --- what fades compute


class Networks:
    """Networks of all sizes with one set of weights, as numpy functions; alpha is set before each call."""

    def __init__(self, plan, role):
        self.plan, self.role, self.layers = plan, role, {}

    def __call__(self, size, inputs, *, alpha=None):
        network = networks.build(CUT[self.role](self.plan, size, fading=alpha is not None), layers=self.layers)
        for layer in network.layers:
            if layer.name.startswith("fade_"):
                layer.alpha.assign(alpha)
        return ops.convert_to_numpy(network(inputs)[self.plan.output_name])


def enlarged(images):
    return images.repeat(2, axis=1).repeat(2, axis=2)


def halved(images):
    return (images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]) / 4


@pytest.mark.parametrize("size", [4, 8])
def test_the_generators_fade(spec_of, size):
    g = Networks(spec_of(GROWING).plans["generator"], "generator")
    z = {"z": np.random.RandomState(0).standard_normal((6, 3)).astype("float32")}
    old, new = enlarged(g(size // 2, z)), g(size, z)
    assert new.shape == (6, size, size, 1) and np.abs(old - new).max() > 0.1
    for alpha in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(g(size, z, alpha=alpha), (1 - alpha) * old + alpha * new, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [4, 8])
def test_the_discriminators_fade(spec_of, size):
    """At 0 it is the smaller D on images of half the size, at 1 it is the larger one."""
    d = Networks(spec_of(GROWING).plans["discriminator"], "discriminator")
    images = np.random.RandomState(0).standard_normal((6, size, size, 1)).astype("float32")
    old, new = d(size // 2, {"image": halved(images)}), d(size, {"image": images})
    assert np.abs(old - new).max() > 0.01
    np.testing.assert_allclose(d(size, {"image": images}, alpha=0.0), old, rtol=0, atol=1e-6)
    np.testing.assert_allclose(d(size, {"image": images}, alpha=1.0), new, rtol=0, atol=1e-6)


def test_it_is_what_the_layers_take_in_that_fades_in_the_discriminator(spec_of):
    """Not the logits, and not what the heads make: alpha mixes what comes out of the new layers."""
    plan = spec_of(GROWING).plans["discriminator"]
    cut = growth.grown_discriminator(plan, 8, fading=True)
    (add,) = (step for step in cut.steps if step.layer == "Add")
    assert add.cost.shape == (4, 4, 4)
    after = [step.layer for step in cut.steps[cut.steps.index(add) + 1 :]]
    assert after == ["EqualizedConv2D", "LeakyReLU", "AveragePooling2D", "MinibatchStdDev", "Flatten", "EqualizedDense"]


def test_a_plan_without_a_fade_has_no_trace_of_one(spec_of):
    for role, plan in spec_of(GROWING).plans.items():
        for size in (2, 4, 8):
            layers = [step.layer for step in CUT[role](plan, size).steps]
            assert not {"Fade", "Add", "Subtract"} & set(layers)
            assert layers.count("EqualizedConv2D") == 1 + {2: 0, 4: 1, 8: 2}[size]  # one head


# --- other networks than the paper's, and those that cannot be cut

LABEL = """\
      - from: label
      - OneHot: {classes: 10}
        as: code
"""
JOINED = """\
      - Concatenate:
        from: [seen, code]
"""


def test_networks_that_know_the_label(spec_of):
    text = changed(
        ("inputs: z", "inputs: [z, label]"),
        ("inputs: image", "inputs: [image, label]"),
        ("      - PixelNorm\n      - EqualizedDense",
         f"      - PixelNorm:\n        as: seen\n{LABEL}{JOINED}      - EqualizedDense"),
        ("      - Flatten\n", f"      - Flatten:\n        as: seen\n{LABEL}{JOINED}"),
    )  # fmt: skip
    text = text.replace("layers:\n      - PixelNorm", "layers:\n      - from: z\n      - PixelNorm")
    plans = spec_of(text).plans
    z, label = np.random.RandomState(0).standard_normal((4, 3)).astype("float32"), np.arange(4)
    g, d = (Networks(plans[role], role) for role in CUT)
    small, large = (g(size, {"z": z, "label": label}) for size in (2, 4))
    mixed = g(4, {"z": z, "label": label}, alpha=0.5)
    np.testing.assert_allclose(mixed, (enlarged(small) + large) / 2, rtol=0, atol=1e-6)
    assert np.abs(large - g(4, {"z": z, "label": label[::-1]})).max() > 0.01
    old = d(2, {"image": halved(large), "label": label})
    np.testing.assert_allclose(d(4, {"image": large, "label": label}, alpha=0.0), old, rtol=0, atol=1e-6)
    assert np.abs(old - d(2, {"image": halved(large), "label": label[::-1]})).max() > 0.01


def changed(*changes):
    """GROWING with some of its text replaced."""
    text = GROWING
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def refused(spec_of, *changes, start=2):
    """What is said of a changed GROWING that cannot grow from `start` pixels."""
    with pytest.raises(SpecError) as caught:
        spec_of(changed(*changes), f"algorithm.progressive.start={start}")
    return str(caught.value)


def test_sizes_that_never_meet(spec_of):
    said = refused(spec_of, start=3)
    text = "images of 3 pixels, doubled again and again, never become [8, 8, 1]"
    assert re.search(rf"tested\.yaml:\d+:\d+: networks\.generator: cannot grow: {re.escape(text)}$", said)
    assert "never become [8, 8, 1]" in refused(spec_of, start=16)


@pytest.mark.parametrize(
    ("role", "after"),
    [("generator", "      - EqualizedConv2D: {filters: 1"), ("discriminator", "      - repeat: {filters: [4, 5]}")],
)
def test_a_network_without_the_mark(spec_of, role, after):
    said = refused(spec_of, (f"      - as: features\n{after}", after))
    assert f"networks.{role}: cannot grow: write `as: features` where" in said


def test_a_size_that_a_network_jumps_over(spec_of):
    assert "networks.generator: cannot grow: no layer makes anything of 1 x 1" in refused(spec_of, start=1)
    said = refused(
        spec_of,
        ("repeat: {filters: [4, 5]}", "repeat: {filters: [4, 5], by: [4, 1]}"),
        ("          - AveragePooling2D\n", "          - AveragePooling2D: {pool_size: $by}\n"),
    )
    assert "networks.discriminator: cannot grow: no layer makes anything of 4 x 4 pixels" in said


def test_a_connection_past_the_mark(spec_of):
    early = "      - Reshape: {target_shape: [2, 2, 5]}\n"
    late = "      - as: features\n      - EqualizedConv2D: {filters: 1,"
    past = """\
      - as: features
      - from: early
      - UpSampling2D: {size: 4}
      - Concatenate:
        from: [x, features]
      - EqualizedConv2D: {filters: 1,"""
    said = refused(spec_of, (early, f"{early}      - as: early\n"), (late, past))
    assert "cannot grow: a layer after `as: features` takes this output from before it" in said and "layers[" in said


def test_a_discriminator_that_reads_the_image_again(spec_of):
    again = """\
      - as: seen
      - from: image
      - AveragePooling2D: {pool_size: 4}
      - Concatenate:
        from: [x, seen]
      - MinibatchStdDev
"""
    said = refused(spec_of, ("      - MinibatchStdDev\n", again))
    assert "cannot grow: this reads the image past the layers of size" in said and "AveragePooling2D" in said


def test_a_head_without_a_convolution(spec_of):
    said = refused(spec_of, ("      - EqualizedConv2D: {filters: 3, kernel_size: 1}\n", ""))
    assert "cannot grow: there is no convolution before `as: features`" in said
