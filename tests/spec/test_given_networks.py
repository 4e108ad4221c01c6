"""Networks that come with their layers: where they end, at which size they are called, and what is a mistake."""

import pytest

from zoo.core.errors import SpecError
from zoo.spec.read import read_spec, spec_file

SPEC = """
name: given
title: A given network
data: {source: {folder: {path: /nowhere}}, size: 32}
networks:
  vgg: {weights: {package: vgg16}, frozen: true, output: relu2_2}
  generator:
    inputs: image
    output: styled
    layers:
      - Conv2D: {filters: 3, kernel_size: 3, padding: same}
algorithm:
  game:
    values:
      style: {picture: {path: style.png, size: [48, 64]}}
      wanted: {vgg: {picture: style}}
      seen: {vgg: {picture: image}}
      made: generator
      shown: {vgg: {picture: made}}
      content: {l2: {between: [shown.relu2_2, seen.relu2_2]}}
      gram: {gram: {between: [shown, wanted], layers: [relu1_2, relu2_2]}}
    phases:
      generator: {trains: generator, minimise: {content: 1, gram: 5}, optimizer: Adam}
training: {batch_size: 2, steps: 1}
"""


def test_it_ends_where_it_is_told_and_takes_pictures_of_any_size(spec_of):
    spec = spec_of(SPEC)
    plan, values = spec.plans["vgg"], spec.game.values
    assert (plan.given, plan.inputs, plan.output_name) == ("vgg16", {"picture": (32, 32, 3)}, "relu2_2")
    assert plan.parameters == 260_160  # 1,792 + 36,928 + 73,856 + 147,584
    assert (values["seen"].shape, values["wanted"].shape) == ((16, 16, 128), (24, 32, 128))
    assert values["wanted"].taps == {"relu1_2": (48, 64, 64)}
    assert spec.exported == ("generator",) and spec.leaving["generator"].output_name == "styled"
    assert spec.document["networks"]["vgg"] == {"weights": {"package": "vgg16"}, "frozen": True, "output": "relu2_2"}
    assert spec_of(SPEC.replace(", output: relu2_2", "")).plans["vgg"].output_name == "relu5_3"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("package: vgg16", "package: vgg19", "networks.vgg.weights.package: expected vgg16, received 'vgg19'"),
        ("package: vgg16", "package: vgg16, run: x", "networks.vgg.weights: a package has the weights of one network"),
        ("{package: vgg16}", "{}", "networks.vgg.weights: expected {run: NAME}, an earlier training, {artifact: NAME}"),
        ("frozen: true, ", "", "networks.vgg.frozen: is not trained: write `frozen: true` beside its weights"),
        ("relu2_2}\n", "relu2_9}\n", "received 'relu2_9'. Did you mean 'relu2_2'"),
        ("frozen: true", "frozen: true, layers: [ReLU]", "networks.vgg.layers: comes with the package vgg16"),
        ("size: [48, 64]", "size: 1", "vgg: a window of 2 does not fit into 1 without padding; received style [1, 1"),
        ("64]}", "64], channels: 1}", "vgg: takes pictures [height, width, 3], received [48, 64, 1]"),
        ("size: 32", "size: 32, range: [0, 1]", "its range is [-1.0, 1.0], but data.range is [0.0, 1.0]: write"),
        ("path: style.png", "painting: boquet", "received 'boquet'. Did you mean 'bouquet'?"),
        ("path: style.png, ", "", "values.style.picture: takes one of `path: FILE` and `painting: bouquet`"),
        ("path: style.png", "path: a.png, painting: venice", "takes one of `path: FILE` and `painting: bouquet`"),
        ("picture: image}", "image: image}", "algorithm.game.values.seen.vgg: no input 'image'"),
        ("relu1_2, relu2", "relu3_1, relu2", "has no output and no layer `as: relu3_1`"),
    ],
)  # fmt: skip
def test_mistakes(spec_of, before, after, message):
    assert before in SPEC
    with pytest.raises(SpecError) as caught:
        spec_of(SPEC.replace(before, after, 1))
    lines = [line for line in str(caught.value).splitlines() if message in line]
    assert lines and all(":" in line.split(" ")[0] for line in lines), caught.value


def test_a_picture_is_found_beside_its_spec(spec_of, tmp_path):
    assert spec_of(SPEC).game.values["style"].arguments["path"] == str(tmp_path / "style.png")


def test_sizes_that_are_asked_for(spec_of):
    anything = f"{SPEC}export: {{sizes: any}}\n"
    assert spec_of(anything).sections.export.sizes == "any"
    upset = "\n      - Flatten\n      - Dense: {units: 3072}\n      - Reshape: {target_shape: [32, 32, 3]}"
    with pytest.raises(SpecError, match=r"tested\.yaml:12:9: networks\.generator\.layers\[1\]\.Flatten: Flatten knows"):
        spec_of(anything.replace("padding: same}", "padding: same}" + upset))
    assert spec_of(SPEC.replace("padding: same}", "padding: same}" + upset)).exported == ("generator",)
    with pytest.raises(SpecError, match="export.sizes: 'generator' takes z, and no image alone"):
        read_spec(spec_file("vanilla"), ("export.sizes=any",))
