"""Gatys et al. 2015, Johnson et al. 2016: what a style transfer gets wrong without anybody noticing."""

import numpy as np
import pytest
from keras import ops
from played import Played

from zoo.nn.functions import evaluate
from zoo.nn.networks import build
from zoo.spec.read import read_spec, spec_file
from zoo.spec.sizes import Sizes, allowed

SMALL = ("data.size=32", "algorithm.game.values.style.picture.size=48")
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet, red first


def read():
    return read_spec(spec_file("style_transfer"))


@pytest.fixture(scope="module")
def played():
    return Played("style_transfer", *SMALL)


def test_the_network_is_that_of_the_table(spec):
    """papers: 16 channels, 424,899 weights, 2.77 G multiply-adds at 256 x 256; 1 MB in halves."""
    plan = spec.plans["generator"]
    assert plan.parameters == 424_899 and round(4 * plan.macs / 1e9, 2) == 2.77 and 2 * plan.parameters < 1e6
    kinds = [step.layer for step in plan.steps]
    assert kinds.count("UpSampling2D") == 2 and "Conv2DTranspose" not in kinds and "BatchNormalization" not in kinds
    assert plan.last_activation == "linear"
    for before, step in zip(plan.steps, plan.steps[1:], strict=False):
        if step.layer == "Conv2D":
            side = step.args["kernel_size"] // 2
            assert before.layer == "ReflectionPadding2D" and before.args.get("padding", 1) == side
    norms = [step for step in plan.steps if step.layer == "GroupNormalization"]
    assert len(norms) == kinds.count("Conv2D") - 1 and {step.args["groups"] for step in norms} == {-1}
    assert {step.args.get("scale", True) and step.args.get("center", True) for step in norms} == {True}


def test_any_photograph_fits(spec):
    rule = {"multiple": 4, "minimum": 8, "trained": 128}
    assert allowed(spec.plans["generator"]) == Sizes({"height": rule, "width": rule})


def test_nobody_judges(spec):
    assert spec.trained == ("generator",) and spec.sections.networks["vgg"].frozen


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_vgg_is_given_what_it_was_trained_on(limits):
    """RGB in this order, in the range of the data, standardised as in torchvision."""
    low, high = limits
    range_of = "algorithm.game.values.style.picture.range"
    changes = (f"data.range=[{low}, {high}]", f"{range_of}=[{low}, {high}]")
    spec = read_spec(spec_file("style_transfer"), (*SMALL, *changes))
    plan = spec.plans["vgg"]
    first, second = plan.steps[:2]
    assert (first.layer, second.layer) == ("Rescaling", "Conv2D")
    pixels = np.random.RandomState(0).randint(256, size=(5, 3)) / 255  # red, green, blue
    made = (low + (high - low) * pixels) * np.array(first.args["scale"]) + np.array(first.args["offset"])
    np.testing.assert_allclose(made, (pixels - MEAN) / DEVIATION, atol=1e-6)


def test_the_layers_and_the_pooling_are_vgg16s(spec):
    plan = read_spec(spec_file("style_transfer"), ("networks.vgg.output=relu5_3",)).plans["vgg"]
    assert plan.parameters == 14_714_688  # of the convolutions
    kinds = "".join({"Conv2D": "c", "MaxPooling2D": "p", "Rescaling": "r"}[step.layer] for step in plan.steps)
    assert kinds == "rccpccpcccpcccpccc"  # maxima: the weights were trained with them
    assert {step.args["activation"] for step in plan.steps if step.layer == "Conv2D"} == {"relu"}
    assert [plan.tensors[name][1][2] for name in ("relu1_2", "relu2_2", "relu3_3", "relu4_3")] == [64, 128, 256, 512]
    assert spec.plans["vgg"].output_name == "relu4_3"  # nothing behind it is computed


def test_a_gram_matrix_is_divided_by_its_elements():
    """By hand in float64; without the division large pictures and deep layers would weigh as they like."""
    random = np.random.RandomState(0)
    x, y = random.standard_normal((2, 6, 4, 3)), random.standard_normal((1, 5, 8, 3))

    def matrix(features, share):
        flat = features.reshape(len(features), -1, 3)
        return np.einsum("bnc,bnd->bcd", flat, flat) / share(flat.shape[1])

    for form, share in (("elements", lambda n: 3 * n), ("positions", lambda n: n)):
        wanted = np.mean((matrix(x, share) - matrix(y, share)) ** 2)
        between = tuple(ops.convert_to_tensor(one.astype("float32")) for one in (x, y))
        found = evaluate("gram", {"between": between, "layers": (), "divided_by": form, "per": "batch"})
        np.testing.assert_allclose(float(found), wanted, rtol=1e-5)
    # Gatys's layer loss is 1/(4 N^2 M^2) times the sum over matrices that are not divided: a quarter of the second form
    gatys = np.sum((matrix(x[:1], lambda n: 1) - matrix(x[1:], lambda n: 1)) ** 2) / (4 * 3**2 * 24**2)
    between = tuple(ops.convert_to_tensor(one.astype("float32")) for one in (x[:1], x[1:]))
    found = evaluate("gram", {"between": between, "layers": (), "divided_by": "positions", "per": "batch"})
    np.testing.assert_allclose(float(found) / 4, gatys, rtol=1e-5)


def test_the_losses_are_those_of_the_features(played, monkeypatch):
    """Content at relu2_2; styles in the mean over four layers, against one picture at its own size."""
    played.watch(monkeypatch)
    image, logs = played.batch()["image"][0], None
    vgg = build(played.spec.plans["vgg"], taps=("relu1_2", "relu2_2", "relu3_3"))
    vgg.set_weights(played.algorithm.players["vgg"].get_weights())
    made = np.array(played.algorithm.players["generator"]({"image": image})["styled"])
    style = evaluate("picture", played.spec.game.values["style"].arguments)
    assert style.shape == (1, 48, 48, 3)
    seen, shown, wanted = ({k: np.array(x) for k, x in vgg({"picture": x}).items()} for x in (image, made, style))

    def gram(x):
        flat = x.reshape(len(x), -1, x.shape[-1])
        return np.einsum("bnc,bnd->bcd", flat, flat) / flat[0].size

    layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    logs = played.step()
    np.testing.assert_allclose(logs["content"], np.mean((shown["relu2_2"] - seen["relu2_2"]) ** 2), rtol=1e-3)
    np.testing.assert_allclose(
        logs["gram"], np.mean([np.mean((gram(shown[k]) - gram(wanted[k])) ** 2) for k in layers]), rtol=1e-3
    )
    assert [name for name, *_ in played.passes["generator"]].count("generator") == 1
    total = logs["content"] + 4e5 * logs["gram"] + logs["smooth"]  # 1e5 and 1e10 for the sum over four layers
    np.testing.assert_allclose(logs["generator_loss"], total, rtol=1e-4)


def test_vgg_stays_as_it_was_given(played):
    before = played.weights()["vgg"]
    played.step()
    assert all(np.array_equal(a, b) for a, b in zip(before, played.weights()["vgg"], strict=True))
    assert not any(name.startswith("vgg/") for name in played.algorithm.state())  # nor is it kept with every checkpoint
