"""The language of specs: extends, --set, repeat, defaults, names; and the hash of a spec."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.core.errors import SpecError
from zoo.spec.plan import Plan
from zoo.spec.read import Spec, read_spec, spec_file
from zoo.spec.types import Part
from zoo.spec.validate import names_of

SPECS = Path(__file__).parents[2] / "specs"
ALL = sorted([*SPECS.glob("*.yaml"), *SPECS.glob("paper/*.yaml")])
BASE = (Path(__file__).parent / "broken" / "valid.yaml").read_text("utf-8")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Puts `base.yaml`, and specs of any text beside it."""

    def put(text: str, name: str = "spec.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    put(BASE, "base.yaml")
    return put


def net(write: Write, layers: str, *, shape: str = "[8, 8, 3]", defaults: str = "{}", above: str = "{}") -> Plan:
    """The plan of a network with these layers on an input `a`."""
    body = "".join(f"      {line}\n" for line in layers.strip().splitlines())
    head = f"name: a\ntitle: T\ndefaults: {above}\nnetworks:\n  net:\n    inputs: {{a: {shape}}}\n    output: y\n"
    return read_spec(write(f"{head}    defaults: {defaults}\n    layers:\n{body}")).plans["net"]


def steps(plan: Plan) -> list[tuple[str, tuple[int, ...]]]:
    return [(step.layer, step.cost.shape) for step in plan.steps]


# --- extends


def test_extends_merges_mappings_and_replaces_lists(write: Write) -> None:
    spec = read_spec(
        write("extends: base.yaml\nname: child\ntraining: {steps: 20}\ndata: {range: [-1, 1]}\nnetworks:\n"
              "  discriminator:\n    layers: [Flatten, ReLU, Dense: {units: 1}]\n")
    )  # fmt: skip
    base = read_spec(write(BASE, "base.yaml"))
    assert (spec.name, spec.sections.title) == ("child", base.sections.title)
    assert spec.sections.training.steps == 20 and spec.sections.training.batch_size == 10
    assert [step.layer for step in spec.plans["discriminator"].steps] == ["Flatten", "ReLU", "Dense"]
    assert spec.plans["generator"].parameters == base.plans["generator"].parameters
    assert spec.document["networks"]["discriminator"]["inputs"] == "image"
    assert "extends" not in spec.document


def test_extends_finds_a_shipped_spec_by_its_name(write: Write) -> None:
    shipped = read_spec(SPECS / "dcgan.yaml")
    child = read_spec(write("extends: dcgan\nname: mine\ntraining: {steps: 7}\n"))
    assert child.plans["generator"].parameters == shipped.plans["generator"].parameters
    assert child.document["training"]["steps"] == 7 and "extends" not in child.document
    assert read_spec(write("extends: paper/dcgan_64\nname: mine\n")).plans["generator"].parameters == 18_885_760
    write(BASE.replace("title: ", "title: Nearer "), "dcgan.yaml")
    assert "Nearer" in read_spec(write("extends: dcgan.yaml\nname: mine\n")).sections.title  # a file beside it


LAYERED = """name: base
title: T
networks:
  net:
    inputs: {a: [8, 8, 3]}
    output: y
    defaults: {LeakyReLU: {negative_slope: 0.1}}
    layers: [Flatten, Dense: {units: 5, use_bias: false}, LeakyReLU, Dense: {units: 1}]
"""


@pytest.mark.parametrize(("child", "expected"), [
    ("networks: {net: {layers: {1: {Dense: {units: 7}}}}}", ["Flatten", "Dense", "LeakyReLU", "Dense"]),
    ("networks: {net: {layers: {2: ReLU, 0: {Reshape: {target_shape: [-1]}}}}}", ["Reshape", "Dense", "ReLU", "Dense"]),
    ("remove: [networks.net.layers.2, networks.net.layers.1]", ["Flatten", "Dense"]),
    ("remove: [networks.net.layers.0]\nnetworks: {net: {layers: {2: ELU}}}", ["Dense", "ELU", "Dense"]),
])  # fmt: skip
def test_a_child_changes_and_takes_away_single_layers(write: Write, child: str, expected: list[str]) -> None:
    write(LAYERED, "layered.yaml")
    plan = read_spec(write(f"extends: layered.yaml\n{child}\n")).plans["net"]
    assert [step.layer for step in plan.steps] == expected
    if "units: 7" in child:
        assert plan.steps[1].args == {"units": 7, "use_bias": False}


def test_a_child_takes_away_keys(write: Write) -> None:
    write(LAYERED, "layered.yaml")
    document = read_spec(write("extends: layered.yaml\nremove: [networks.net.defaults.LeakyReLU]\n")).document
    assert document["networks"]["net"]["defaults"] == {} and "remove" not in document


@pytest.mark.parametrize(("text", "message"), [
    ("extends: layered.yaml\nremove: [networks.net.layer]", "2:10: remove: the parent has no 'networks.net.layer'."),
    ("extends: layered.yaml\nremove: [networks.net.layers.4]", "2:10: remove: the parent has no"),
    ("extends: layered.yaml\nremove: data", "2:9: remove: expected a list of paths"),
    ("extends: layered.yaml\nnetworks: {net: {layers: {4: ReLU}}}", "'4' is not a position in a list of 4"),
    ("remove: [data]\n" + LAYERED, "1:9: remove: takes away what another spec has: it goes with 'extends'"),
    ("extends: dcgna", "there is no file 'dcgna' beside this spec, nor a shipped spec. Did you mean 'dcgan'?"),
])  # fmt: skip
def test_what_a_child_cannot_take_away(write: Write, text: str, message: str) -> None:
    write(LAYERED, "layered.yaml")
    with pytest.raises(SpecError) as caught:
        read_spec(write(text + "\n"))
    assert message in str(caught.value)


def test_a_part_of_the_same_name_merges_and_another_replaces_it(write: Write) -> None:
    def prior(text: str) -> Any:
        return read_spec(write(f"extends: base.yaml\nlatent: {{z: {text}}}\n")).sections.latent["z"]

    write(BASE.replace("normal: {shape: [8]}", "uniform: {shape: [8], low: 0, high: 3}"), "base.yaml")
    assert prior("{uniform: {high: 2}}") == Part("uniform", {"shape": [8], "low": 0, "high": 2})
    assert prior("{normal: {shape: [4]}}") == Part("normal", {"shape": [4]})
    assert prior("uniform") == Part("uniform", {"shape": [8], "low": 0, "high": 3})


def test_extends_of_extends_and_from_below(write: Write) -> None:
    write("extends: grand.yaml\ntraining: {seed: 3, steps: 30}\n", "parts/parent.yaml")
    write(BASE, "parts/grand.yaml")
    training = read_spec(write("extends: parts/parent.yaml\ntraining: {steps: 5}\n")).sections.training
    assert (training.seed, training.steps, training.batch_size) == (3, 5, 10)


def test_a_mistake_in_the_parent_stands_in_the_parent(write: Write) -> None:
    write(BASE.replace("batch_size: 10", "batch_size: 0"), "base.yaml")
    with pytest.raises(SpecError, match=r"base\.yaml:\d+:24: training\.batch_size"):
        read_spec(write("extends: base.yaml\nname: child\n"))
    assert read_spec(write("extends: base.yaml\ntraining: {batch_size: 4}\n")).sections.training.batch_size == 4


# --- --set


def test_set_reaches_everything(write: Write) -> None:
    spec = read_spec(
        write(BASE),
        [
            "training.batch_size=4",
            "training.precision=mixed_bfloat16",
            "training={seed: 7, budget: 90s}",
            "networks.generator.layers.0.Dense.use_bias=false",
            "networks.discriminator.layers.0=Flatten",
            "latent.z.normal.shape=[5]",
            "algorithm.alternating.generator.optimizer.SGD.learning_rate=1e-3",
            "export.opset=18",
            "about=a = b",
        ],
    )
    training = spec.sections.training
    assert (training.batch_size, training.seed, training.budget, training.steps) == (4, 7, "90s", 10)
    assert spec.plans["generator"].parameters == 5 * 64
    optimizers = spec.document["algorithm"]["alternating"]
    assert optimizers["generator"]["optimizer"] == {"SGD": {"learning_rate": 1e-3}}  # in the place of Adam
    assert optimizers["discriminator"]["optimizer"] == "Adam"
    assert spec.sections.export.opset == 18 and spec.sections.about == "a = b"
    assert spec.sections.data.source == Part("digits", {})


@pytest.mark.parametrize("path", ["defaults", "networks.generator.defaults", "networks.generator.layers.0"])
def test_set_puts_a_part_in_the_place_of_another(write: Write, path: str) -> None:
    place = f"{path}.Dense.kernel_initializer"
    normal, uniform = f"{place}={{RandomNormal: {{stddev: 0.1}}}}", f"{place}={{RandomUniform: {{maxval: 0.2}}}}"
    same = f"{place}={{RandomNormal: {{mean: 1}}}}"
    first = [
        read_spec(write(BASE), changes).plans["generator"].steps[0] for changes in ((normal, uniform), (normal, same))
    ]
    assert [step.args["kernel_initializer"] for step in first] == [
        {"RandomUniform": {"maxval": 0.2}},
        {"RandomNormal": {"stddev": 0.1, "mean": 1}},
    ]


def test_set_puts_a_layer_in_the_place_of_another(write: Write) -> None:
    item = "networks.discriminator.layers.0"
    changed = read_spec(write(BASE), [f"{item}={{Reshape: {{target_shape: [64]}}}}", f"{item}.as=flat"])
    assert changed.document["networks"]["discriminator"]["layers"][0] == {
        "Reshape": {"target_shape": [64]},
        "as": "flat",
    }


def test_set_changes_an_argument_of_a_part_and_the_last_one_wins(write: Write) -> None:
    prior = read_spec(
        write(BASE), ["latent.z.uniform={shape: [8], low: 0}", "latent.z.uniform.low=-2"]
    ).sections.latent["z"]
    assert prior == Part("uniform", {"shape": [8], "low": -2})
    assert read_spec(write(BASE), ["training.seed=1", "training.seed=2"]).sections.training.seed == 2


def test_set_leaves_names_of_values_as_they_are() -> None:
    """Also where the file has the same name there, and a part could stand in its place."""
    ours = "algorithm.game.states.k.integral={of: balance, rate: 0.5}"
    integral = read_spec(spec_file("began"), [ours]).document["algorithm"]["game"]["states"]["k"]["integral"]
    assert (integral["of"], integral["rate"]) == ("balance", 0.5)


# --- numbers and words


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("2E+1", 20.0), (".5", 0.5), ("1.", 1.0), ("3", 3)])
def test_numbers(write: Write, text: str, value: float) -> None:
    found = read_spec(write(BASE), [f"training.checkpoint_every_seconds={text}"]).document["training"]
    assert found["checkpoint_every_seconds"] == value


def test_quotes_make_words(write: Write) -> None:
    assert read_spec(write(BASE), ["title='no'", "about='1:30'"]).sections.title == "no"


# --- repeat, defaults, names


def test_repeat_by_number_and_by_values(write: Write) -> None:
    plan = net(
        write,
        "- repeat: 2\n  layers: [ReLU]\n- repeat: {n: [4, 6]}\n  layers:\n    - Conv2D: {filters: $n, kernel_size: 1}",
    )
    assert steps(plan) == [("ReLU", (8, 8, 3)), ("ReLU", (8, 8, 3)), ("Conv2D", (8, 8, 4)), ("Conv2D", (8, 8, 6))]


def test_repeat_takes_several_lists_side_by_side(write: Write) -> None:
    plan = net(write, """
- repeat: {n: [4, 6], k: [1, [3, 5]], s: [2, 1]}
  layers:
    - Conv2D: {filters: $n, kernel_size: $k, strides: $s, padding: same}
""")  # fmt: skip
    assert steps(plan) == [("Conv2D", (4, 4, 4)), ("Conv2D", (4, 4, 6))]
    assert [step.args["kernel_size"] for step in plan.steps] == [1, [3, 5]]


def test_nested_repeats_and_index(write: Write) -> None:
    plan = net(write, """
- repeat: {n: [2, 4]}
  layers:
    - repeat: {k: [1, 3]}
      layers:
        - Conv2D: {filters: $n, kernel_size: $k, padding: same}
          as: t${n}_$index
- Concatenate:
  from: [t2_0, t2_1, t4_0, t4_1]
""")  # fmt: skip
    assert [(s.args["filters"], s.args["kernel_size"]) for s in plan.steps[:4]] == [(2, 1), (2, 3), (4, 1), (4, 3)]
    assert plan.output_shape == (8, 8, 12)


def test_index_counts_the_rounds_of_its_own_repeat(write: Write) -> None:
    plan = net(
        write, "- repeat: 2\n  layers:\n    - repeat: 3\n      layers:\n        - LeakyReLU: {negative_slope: $index}"
    )
    assert [step.args["negative_slope"] for step in plan.steps] == [0, 1, 2, 0, 1, 2]


def test_the_nearest_default_wins(write: Write) -> None:
    plan = net(
        write,
        "- Conv2D\n- Conv2D: {filters: 7}",
        above="{Conv2D: {filters: 2, kernel_size: 3, strides: 2}}",
        defaults="{Conv2D: {filters: 5, padding: same}}",
    )
    assert plan.steps[0].args == {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}
    assert plan.steps[1].args["filters"] == 7
    assert steps(plan) == [("Conv2D", (4, 4, 5)), ("Conv2D", (2, 2, 7))]


def test_named_tensors(write: Write) -> None:
    plan = net(write, """
- as: start
- Conv2D: {filters: 4, kernel_size: 1}
  as: main
- from: start
- Conv2D: {filters: 4, kernel_size: 1}
- Add:
  from: [x, main]
- Concatenate:
  from: [x, a]
""")  # fmt: skip
    assert [step.inputs for step in plan.steps] == [(0,), (0,), (2, 1), (3, 0)]
    assert plan.output_shape == (8, 8, 7) and plan.named_tensors == {"start": 0, "main": 1}


def test_a_name_may_be_bound_again_in_the_next_round(write: Write) -> None:
    plan = net(write, "- repeat: 2\n  layers:\n    - as: block\n    - ReLU\n    - Add:\n      from: [x, block]")
    assert [step.inputs for step in plan.steps] == [(0,), (1, 0), (2,), (3, 2)]


def test_a_network_without_layers_of_its_own_weights(write: Write) -> None:
    plan = net(write, "- Flatten")
    assert (plan.parameters, plan.macs, plan.activations, plan.output_shape) == (0, 0, 192, (192,))


def test_last_activation(write: Write) -> None:
    cases = {
        "- Flatten\n- Dense: {units: 1}": "linear",
        "- Flatten\n- Dense: {units: 4, activation: tanh}\n- Reshape: {target_shape: [2, 2]}": "tanh",
        "- Activation: {activation: sigmoid}": "sigmoid",
        "- ReLU": "relu",
        "- BatchNormalization": "unknown",
    }
    assert {layers: net(write, layers).last_activation for layers in cases} == cases


# --- to_yaml, sha256, files


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_resolved_yaml_is_the_same_spec(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.spec.read.memory", lambda: sys.maxsize)  # those of papers are counted on any machine
    spec = read_spec(path)
    again = tmp_path / "again.yaml"
    again.write_text(spec.to_yaml(), "utf-8")
    second = read_spec(again)
    assert second.sha256 == spec.sha256 and second.document == spec.document
    assert second.to_yaml() == spec.to_yaml()
    assert {n: p.parameters for n, p in second.plans.items()} == {n: p.parameters for n, p in spec.plans.items()}


@pytest.fixture
def sha(write: Write) -> Callable[..., str]:
    """The hash of a text with overrides."""

    def of(text: str, *overrides: str) -> str:
        spec: Spec = read_spec(write(text), overrides)
        return spec.sha256

    return of


WORDY = (
    "about: Some words.\ndeviations: [Fewer maps.]\npaper: {title: A, authors: B, year: 2014}\nexport: {licence: MIT}\n"
)


def test_sha256_ignores_layout_and_prose(sha: Callable[..., str]) -> None:
    same = sha(BASE)
    assert sha("# a comment\n\n" + BASE.replace("{source: digits}", "\n  source:   'digits'  # 8 x 8")) == same
    assert sha(BASE.replace("title: What", "title: That")) == same
    assert sha(BASE + "spec_version: 1\n" + WORDY) == sha(BASE + "spec_version: 1\n")
    assert sha(BASE + WORDY, "about=Other.", "deviations=[]", "paper.year=2015", "export.licence=ISC") == same
    assert sha(BASE, "training.evaluate=null") == same
    assert sha(BASE + "export: null\ndefaults: {}\n") == same


def test_sha256_of_json_is_that_of_yaml(write: Write, sha: Callable[..., str]) -> None:
    assert sha(json.dumps(read_spec(write(BASE)).document)) == sha(BASE)


@pytest.mark.parametrize(
    "override",
    [
        "name=other", "data.flip=true", "data.range=[-1, 1]", "latent.z.normal.shape=[9]",
        "defaults.Dense.use_bias=false",
        "networks.generator.layers=[Dense: {units: 64}, Reshape: {target_shape: [8, 8, 1]}]",
        "networks.discriminator.layers=[Flatten, ReLU, Dense: {units: 1}]", "algorithm.alternating.loss=wasserstein",
        "algorithm.alternating.generator.optimizer.Adam.learning_rate=0.01", "training.steps=11", "training.seed=1",
        "training.batch_size=11", "training.ema_half_life_images=100", "training.precision=mixed_bfloat16",
        "export.opset=18", "export.batch_norm_batches=7",
    ],
)  # fmt: skip
def test_sha256_follows_every_number_layer_and_seed(sha: Callable[..., str], override: str) -> None:
    assert sha(BASE, override) != sha(BASE)


def test_find() -> None:
    assert spec_file("dcgan") == SPECS / "dcgan.yaml"
    assert spec_file("paper/pix2pix") == SPECS / "paper" / "pix2pix.yaml"
    assert spec_file("nowhere/dcgan.yaml") == Path("nowhere/dcgan.yaml")
    assert spec_file("no_such_model") == Path("no_such_model")


def test_all_specs_are_read_quickly_and_without_a_framework() -> None:
    code = (
        "import sys, time, zoo.spec.read; start = time.perf_counter()\n"
        "for path in sys.argv[1:]: zoo.spec.read.read_spec(path)\n"
        "print(time.perf_counter() - start)\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'torch', 'numpy', 'PIL', 'onnx', 'onnxruntime', 'sklearn'}\n"
        "print(*(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code, *map(str, ALL)], capture_output=True, text=True, check=True)
    seconds, imported = run.stdout.splitlines()
    assert float(seconds) < 5
    assert not imported.strip()


def test_the_template_shows_the_whole_language() -> None:
    spec = read_spec(SPECS / "_template.yaml")
    assert spec.fields == {"image": (16, 16, 1), "label": ()} and spec.latents == {"z": (32,)}
    missing = {"extends", "remove"}
    sections = {name for name in type(spec.sections).__dataclass_fields__} - missing
    assert sections == set(spec.document)
    for section in ("data", "training", "export"):
        knobs = set(type(getattr(spec.sections, section)).__dataclass_fields__)
        assert knobs - {"values"} == set(spec.document[section])  # which excludes `networks`: it is in a comment
    assert "\n  # values: " in (SPECS / "_template.yaml").read_text("utf-8")


def test_the_template_names_parts_of_every_kind_and_every_knob_of_an_algorithm() -> None:
    """As it stands, or in a comment: those on algorithms are YAML with the arguments of the schema."""
    text = (SPECS / "_template.yaml").read_text("utf-8")
    for kind in ("source", "prior", "loss", "penalty", "schedule", "optimizer", "function", "state"):
        assert any(re.search(rf"\b{name}\b", text) for name in names_of(kind)), kind
    others = "\n".join(
        re.findall(r"^  # ((?:unrolled|progressive|cyclegan|game|  ).*)$", text.split("\nalgorithm:")[1], re.M)
    )
    shown = {**read_spec(SPECS / "_template.yaml").document["algorithm"], **yaml.safe_load(others)}
    assert shown.keys() == names_of("algorithm").keys()
    for name, part in names_of("algorithm").items():
        inherited = names_of("algorithm")["alternating"]["properties"] if name in ("unrolled", "progressive") else {}
        known = set(part["properties"])
        assert set(shown[name]) <= known
        unshown = {argument for argument in known - set(shown[name]) - set(inherited) if f"# {argument}: " not in text}
        assert not unshown, f"{name}: {unshown}"
