"""Which sizes a translator takes, and which maps of latents: by the arithmetic of strides and padding."""

import pytest

from zoo.spec.sizes import Sizes, allowed, cells

HEAD = "name: tested\ntitle: Tested\nnetworks:\n  net:\n    inputs: {a: %s}\n    output: b\n    layers:\n"
DOWN = "Conv2D: {filters: 4, kernel_size: 4, strides: 2, padding: same}"
UP = "Conv2DTranspose: {filters: 3, kernel_size: 4, strides: 2, padding: same}"
SAME = "Conv2D: {filters: 3, kernel_size: 3, padding: same}"


def plan(spec_of, layers, shape="[16, 24, 3]"):
    return spec_of(HEAD % shape + "".join(f"      - {layer}\n" for layer in layers)).plans["net"]


def rule(multiple, minimum, trained=(16, 24)):
    each = [{"multiple": multiple, "minimum": minimum, "trained": size} for size in trained]
    return dict(zip(("height", "width"), each, strict=True))


@pytest.mark.parametrize(
    ("layers", "multiple", "minimum"),
    [
        ([SAME], 1, 1),
        (["ReflectionPadding2D: {padding: 3}", "Conv2D: {filters: 3, kernel_size: 7}"], 1, 4),  # mirrors 3 of 4
        ([DOWN, UP], 2, 2),
        ([DOWN, DOWN, "ReflectionPadding2D", "Conv2D: {filters: 4, kernel_size: 3}", UP, UP], 4, 8),  # 2 at the bottom
        ([DOWN, DOWN, DOWN, UP, UP, UP], 8, 8),
        (["AveragePooling2D: {pool_size: 2}", SAME, "UpSampling2D"], 2, 2),
    ],
)
def test_multiple_and_minimum(spec_of, layers, multiple, minimum):
    assert allowed(plan(spec_of, layers)) == Sizes(rule(multiple, minimum))


def test_skips_need_sizes_that_come_back_at_every_level(spec_of):
    layers = ["as: skip", DOWN, "as: deep", DOWN, UP, "Add: {}\n        from: [x, deep]".replace(": {}", ":")]
    layers[2:3] = ["Conv2D: {filters: 3, kernel_size: 1}", "as: deep"]
    layers += [UP, "Add:\n        from: [x, skip]"]
    assert allowed(plan(spec_of, layers)) == Sizes(rule(4, 4))


def test_height_and_width_have_their_own_rules(spec_of):
    layers = [DOWN.replace("strides: 2", "strides: [2, 1]"), UP.replace("strides: 2", "strides: [2, 1]")]
    found = allowed(plan(spec_of, layers))
    assert [axis["multiple"] for axis in found.axes.values()] == [2, 1]


@pytest.mark.parametrize(
    "layers",
    [
        ["Flatten", "Dense: {units: 1152}", "Reshape: {target_shape: [16, 24, 3]}"],
        [SAME, "Reshape: {target_shape: [16, 24, 3]}"],
        [SAME, "LayerNormalization"],
        [SAME, "GroupNormalization: {groups: 1}"],  # of the whole image
        [SAME, "PReLU"],  # a weight for every pixel
        [SAME, "BatchNormalization: {axis: 1}"],  # a weight for every line
        ["UpSampling2D: {interpolation: bilinear}", DOWN.replace("filters: 4", "filters: 3")],
        [UP],  # returns larger images
    ],
)
def test_a_network_that_knows_its_size_takes_that_alone(spec_of, layers):
    assert allowed(plan(spec_of, layers)) is None


def test_a_prelu_shared_by_all_pixels_does_not_know_the_size(spec_of):
    assert allowed(plan(spec_of, [SAME, "PReLU: {shared_axes: [1, 2]}"])) == Sizes(rule(1, 1))


def test_latents_have_no_size(spec_of):
    layers = ["Dense: {units: 1152}", "Reshape: {target_shape: [16, 24, 3]}"]
    assert allowed(plan(spec_of, layers, shape="[8]")) is None


@pytest.mark.parametrize(("spec", "multiple", "minimum"), [("cyclegan_6", 4, 8), ("pix2pix", 256, 256)])
def test_the_papers_translators(spec, multiple, minimum):
    from pathlib import Path

    from zoo.spec.read import read_spec

    plans = read_spec(Path(__file__).parents[2] / "specs" / "paper" / f"{spec}.yaml").plans
    trained = {"cyclegan_6": 128, "pix2pix": 256}[spec]
    assert allowed(next(iter(plans.values()))) == Sizes(rule(multiple, minimum, (trained, trained)))


CROP = "Cropping2D: {cropping: [[2, 2], [3, 3]]}"


@pytest.mark.parametrize(
    ("layers", "scale", "offset", "minimum"),
    [
        ([UP], [2, 2], [0, 0], [1, 1]),
        ([UP, UP], [4, 4], [0, 0], [1, 1]),
        (["UpSampling2D: {size: [3, 1]}", SAME], [3, 1], [0, 0], [1, 1]),
        ([UP, CROP], [2, 2], [-4, -6], [3, 4]),  # 2 x 3 - 4 = 2, 2 x 4 - 6 = 2
        (["Conv2D: {filters: 3, kernel_size: 3}", UP], [2, 2], [-4, -4], [3, 3]),  # a convolution without padding
        ([SAME], [1, 1], [0, 0], [1, 1]),
    ],
)
def test_pixels_of_a_map_of_latents(spec_of, layers, scale, offset, minimum):
    found = cells(plan(spec_of, layers, shape="[5, 6, 3]"))
    assert found.grid == {"scale": scale, "offset": offset}
    rules = [{"multiple": 1, "minimum": least, "trained": size} for least, size in zip(minimum, (5, 6), strict=True)]
    assert found.axes == dict(zip(("rows", "columns"), rules, strict=True))


@pytest.mark.parametrize(
    "layers",
    [["Flatten", "Dense: {units: 90}", "Reshape: {target_shape: [5, 6, 3]}"], [DOWN], [SAME, "LayerNormalization"]],
)
def test_a_map_that_cannot_grow(spec_of, layers):
    """Dense layers know its size, and strides take it in steps."""
    assert cells(plan(spec_of, layers, shape="[5, 6, 3]")) is None
