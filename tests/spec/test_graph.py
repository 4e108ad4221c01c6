"""What the layers of a network do together: dead layers, classes, logits, ranges, groups, exports, costs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zoo.core.errors import SpecError
from zoo.spec.read import Spec, read_spec
from zoo.spec.sections import RESERVED
from zoo.spec.validate import specs_folder

BASE = (Path(__file__).parent / "broken" / "valid.yaml").read_text("utf-8")
END = "Reshape: {target_shape: [8, 8, 1]}"


def read(folder: Path, text: str) -> Spec:
    """Read a child of valid.yaml."""
    (folder / "base.yaml").write_text(BASE)
    (folder / "child.yaml").write_text("extends: base.yaml\n" + text)
    return read_spec(folder / "child.yaml")


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(folder, text)
    return str(caught.value).splitlines()


def layers(role: str, *items: str, inputs: str = "") -> str:
    """Return the lines that replace the layers of a network, one an item."""
    head = f"networks:\n  {role}:\n" + (f"    inputs: {inputs}\n" if inputs else "")
    return head + "    layers:\n" + "".join(f"      - {item}\n" for item in items)


UNITS = "Dense: {units: 64}"
CASES = {
    "dead layer": (layers("generator", UNITS, "as: h", "Dense: {units: 32}", "from: h", END), 7, 9, "feeds nothing"),
    "dead branch": (
        layers("discriminator", "Flatten", "as: h", "Dense: {units: 5}", "ReLU", "from: h", "Dense: {units: 1}"),
        8, 9, "feeds nothing",
    ),
    "unread input": (
        layers("discriminator", "Flatten", "Dense: {units: 1}", inputs="[image, label]"),
        4, 21, "the output does not depend on 'label'",
    ),
    "one-hot": (
        layers("generator", "from: label", "OneHot: {classes: 3}", "{Concatenate: {}, from: [x, z]}", UNITS, END,
               inputs="[z, label]"),
        7, 9, "classes 3 is too few: the data have 10 classes",
    ),
    "embedding in D": (
        layers("discriminator", "Flatten", "as: h", "from: label", "Embedding: {input_dim: 9, output_dim: 4}",
               "{Concatenate: {}, from: [x, h]}", "Dense: {units: 1}", inputs="[image, label]"),
        9, 9, "input_dim 9 is too few",
    ),
    "shifted ids": (
        layers("generator", "from: label", "Rescaling: {scale: 1, offset: 1}", "OneHot: {classes: 10}",
               "{Concatenate: {}, from: [x, z]}", UNITS, END, inputs="[z, label]"),
        8, 9, "which come here as ids up to 10",
    ),
    "32 logits": (layers("discriminator", "Flatten", "Dense: {units: 32}"), 6, 9, "one number for each example"),
    "32 maps": (layers("discriminator", "Conv2D: {filters: 32, kernel_size: 3}"), 5, 9, "received [6, 6, 32]"),
    "relu": (layers("generator", "Dense: {units: 64, activation: relu}", END), 5, 9, "makes nothing below 0"),
    "relu layer": (layers("generator", UNITS, "ReLU", END), 6, 9, "makes nothing below 0, but data.range is [-1, 1]"),
    "softplus": (layers("generator", "Dense: {units: 64, activation: softplus}", END), 5, 9, "nothing below 0"),
    "gelu": (layers("generator", "Dense: {units: 64, activation: gelu}", END), 5, 9, "nothing below -0.17"),
    "half of a tanh": (
        layers("generator", "Dense: {units: 64, activation: tanh}", "Rescaling: {scale: 0.5}", END), 6, 9,
        "makes nothing below -0.5 or above 0.5",
    ),
    "points": (
        "data: {source: ring}\n" + layers("generator", "Dense: {units: 2, activation: tanh}")
        + "    output: point\n  discriminator: {inputs: point, layers: [Dense: {units: 1}]}\n",
        6, 9, "makes nothing below -1 or above 1, but the centres of the data are in [-2, 2]",
    ),
    "flip of points": ("data: {source: ring, flip: true}\n", 2, 28, "belongs to images"),
    "fit of points": ("data: {source: ring, fit: crop}\n", 2, 27, "belongs to images"),
    "groups": (
        layers("discriminator", "MinibatchStdDev: {group_size: 4}", "Flatten", "Dense: {units: 1}"), 5, 9,
        "groups of 4 do not divide the batch: training.batch_size is 10",
    ),
    "groups of one": (
        layers("discriminator", "MinibatchStdDev: {group_size: 1}", "Flatten", "Dense: {units: 1}"), 5, 9,
        "a group of 1",
    ),
    "rows that mix": (
        layers("generator", UNITS, END, "MinibatchStdDev", "Conv2D: {filters: 1, kernel_size: 1}"), 7, 9,
        "'generator' is exported, and MinibatchStdDev lets",
    ),
    "nothing between": (layers("generator", "from: z"), 5, 7, "no layer comes between"),
    "no weights": ("latent: {z: {normal: {shape: [64]}}}\n" + layers("generator", END), 5, 5, "no layer has weights"),
    "exported D": ("export: {networks: [discriminator]}\n", 0, 0, "'discriminator' is exported, but image is not what"),
    "exported twice": ("export: {networks: [generator, generator]}\n", 2, 32, "names 'generator' twice"),
    "no export": ("export: {networks: []}\n", 2, 20, "expected one or more of generator, discriminator"),
    "stride": (
        layers("discriminator", "Conv2D: {filters: 1, kernel_size: 3, strides: 100000, padding: same}"), 5, 9,
        "a stride of 100,000 leads past all of the 8 pixels",
    ),
    "dilation": (
        layers("discriminator", "Conv2D: {filters: 1, kernel_size: 3, dilation_rate: 100000, padding: same}"), 5, 9,
        "a window of 200,001",
    ),
    "pool": (
        layers("discriminator", "MaxPooling2D: {pool_size: 100000, padding: same}", "Flatten", "Dense: {units: 1}"),
        5, 9, "a window of 100,000",
    ),
    "batch norm": ("export: {batch_norm_batches: 1000000000}\n", 2, 30, "Some hundred batches are enough"),
    "updates": (
        "algorithm: {alternating: {discriminator: {updates: 1000000}}}\n", 2, 52,
        "a step of 1,000,000 updates is a graph",
    ),
    "size": ("data: {size: 100000}\n", 2, 14, "the data need 15,000.0 GB as [100000, 100000, 1]"),
    "filters": (
        layers("discriminator", "Conv2D: {filters: 1000000000, kernel_size: 3}", "Flatten", "Dense: {units: 1}"),
        7, 9, "this machine has",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_networks_that_would_train_nonsense_are_refused_at_their_place(tmp_path: Path, case: str) -> None:
    text, line, column, piece = CASES[case]
    found = mistakes(tmp_path, text)
    at = f":{line}:{column}: " if line else ""
    assert any(at in one and piece in one for one in found), found


@pytest.mark.parametrize("name", [*sorted(RESERVED), "critic_plays"])
def test_a_latent_cannot_have_a_reserved_name(tmp_path: Path, name: str) -> None:
    found = mistakes(tmp_path, f"latent: {{{name}: {{normal: {{shape: [4]}}}}}}\n")
    assert any(":2:10: latent: " in one and f"'{name}' is " in one for one in found), found


def test_the_template_lists_the_reserved_names() -> None:
    text = (specs_folder() / "_template.yaml").read_text("utf-8")
    listed = re.search(r"# reserved names: ([\w, ]+);", text)
    assert listed and set(listed[1].split(", ")) == set(RESERVED)


SOUND = {
    "linear": layers("generator", UNITS, END),
    "leaky": layers("generator", UNITS, "LeakyReLU", END),
    "sum of tanhs": layers(
        "generator", "Dense: {units: 64, activation: tanh}", "{Add: {}, from: [x, x]}", END
    ),
    "elu": layers("generator", "Dense: {units: 64, activation: elu}", END),
    "relu of [0, 1]": "data: {range: [0, 1]}\n" + layers("generator", "Dense: {units: 64, activation: relu}", END),
    "patches": layers("discriminator", "Conv2D: {filters: 1, kernel_size: 3}"),
    "flat patches": layers("discriminator", "Conv2D: {filters: 1, kernel_size: 3}", "Flatten"),
    "two scales": layers(
        "discriminator", "{Conv2D: {filters: 1, kernel_size: 3}, as: fine}", "Flatten", "as: small", "from: fine",
        "Conv2D: {filters: 1, kernel_size: 3}", "Flatten", "{Concatenate: {}, from: [x, small]}",
    ),
    "more classes": layers(
        "generator", "from: label", "OneHot: {classes: 12}", "{Concatenate: {}, from: [x, z]}", UNITS, END,
        inputs="[z, label]",
    ),
    "groups": layers("discriminator", "MinibatchStdDev: {group_size: 5}", "Flatten", "Dense: {units: 1}"),
    "half a batch": "training: {batch_size: 6}\n"
    + layers("discriminator", "MinibatchStdDev: {group_size: 3}", "Flatten", "Dense: {units: 1}"),
    "steps": "training: {steps: 1000000000}\n",
}  # fmt: skip


@pytest.mark.parametrize("case", SOUND)
def test_what_is_legitimate_is_read(tmp_path: Path, case: str) -> None:
    assert read(tmp_path, SOUND[case]).exported == ("generator",)


def test_the_networks_that_make_data_are_exported_unless_the_spec_states_others(tmp_path: Path) -> None:
    text = (specs_folder() / "cyclegan.yaml").read_text("utf-8")
    stated, _, after = text.partition("  networks: [a_to_b, b_to_a]\n")
    path = tmp_path / "cyclegan.yaml"
    for without in (stated + after, stated.rpartition("export:")[0]):
        path.write_text(without)
        assert read_spec(path).exported == ("a_to_b", "b_to_a")
    path.write_text(text.replace("[a_to_b, b_to_a]", "[b_to_a]"))
    assert read_spec(path).exported == ("b_to_a",)


@pytest.mark.parametrize(
    "value", ["[alternating]", "3", "true", "[]", "{}", "", "{alternating: 3}", "{alternating: []}"]
)
@pytest.mark.parametrize(
    "section", ["algorithm", "data", "latent", "defaults", "networks", "training", "export", "paper"]
)
def test_a_section_of_any_kind_is_located_or_read(tmp_path: Path, section: str, value: str) -> None:
    try:
        read(tmp_path, f"{section}: {value}\n")
    except SpecError as error:
        assert all(re.match(r"\S+\.yaml:\d+:\d+: ", line) for line in str(error).splitlines())
