"""specs/schema.json: fresh, a JSON Schema, and what every spec keeps to."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest

from zoo.spec.diagnostics import Problems
from zoo.spec.read import read_spec
from zoo.spec.shapes import RULES
from zoo.spec.validate import document, names_of, specs_folder
from zoo.spec.yaml_tree import parse_file

SPECS = Path(__file__).parents[2] / "specs"
ALL = sorted([*SPECS.glob("*.yaml"), *SPECS.glob("paper/*.yaml")])


def fragments(value: Any) -> list[dict[str, Any]]:
    """Every mapping inside a JSON document."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in fragments(item))]
    return [found for item in value for found in fragments(item)] if isinstance(value, list) else []


def test_schema_is_fresh() -> None:
    from schema import dumps, generate

    text = (specs_folder() / "schema.json").read_text("utf-8")
    assert text == dumps(generate()), "specs/schema.json is stale: run `python tools/schema.py`"


def test_every_layer_with_a_rule_is_in_the_schema_and_knows_its_arguments() -> None:
    assert set(names_of("layer")) == set(RULES)
    for kind in ("layer", "initializer", "optimizer", "schedule", "loss", "prior", "source", "algorithm"):
        for name, part in names_of(kind).items():
            for argument, schema in part["properties"].items():
                assert {"type", "anyOf", "enum", "const", "$ref"} & set(schema), (
                    f"{kind} {name}.{argument} may be anything"
                )


def test_every_reference_leads_somewhere() -> None:
    for fragment in fragments(document()):
        target: Any = document()
        if "$ref" in fragment:
            for step in fragment["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            assert target


def test_schema_is_a_json_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(document())


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_spec_keeps_to_the_schema(path: Path) -> None:
    """As an editor sees it: what is repeated and merged, too, once it is resolved."""
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    jsonschema.Draft202012Validator(document()).validate(read_spec(path).document)


def test_schema_refuses_what_the_reader_refuses() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(document())
    sound = dict(read_spec(SPECS / "_template.yaml").document)
    for key, value in {
        "name": "My GAN",
        "trainig": {},
        "training": {"batch_size": 0, "steps": 1},
        "networks": [],
    }.items():
        assert not validator.is_valid({**sound, key: value}), key


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_no_shipped_file_is_marked_in_an_editor(path: Path) -> None:
    """As it is written: children of `extends` leave things out, and layers hold `$variables`."""
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    tree = parse_file(path, Problems())
    assert tree is not None
    jsonschema.Draft202012Validator(document()).validate(tree.plain())


MARKED = {
    "a layer's argument": {"networks": {"g": {"layers": [{"Dense": {"unitz": "many"}}]}}},
    "a layer's value": {"networks": {"g": {"layers": [{"Dense": {"units": "many"}}]}}},
    "inside a repeat": {"networks": {"g": {"layers": [{"repeat": 2, "layers": [{"Dense": {"unitz": 3}}]}]}}},
    "an initializer": {"networks": {"g": {"layers": [{"Dense": {"kernel_initializer": {"HeNormal": {"gain": 1}}}}]}}},
    "defaults": {"defaults": {"Conv2D": {"kernal": 3}}},
    "defaults of a network": {"networks": {"g": {"defaults": {"Conv2D": {"kernal": 3}}}}},
    "a layer of defaults": {"defaults": {"Conv3D": {}}},
    "a key": {"training": {"batchsize": 3}},
}
SILENT = {
    "a part of a network": {"networks": {"generator": {"output": "image"}}},
    "a part of a game": {"algorithm": {"alternating": {"generator": {"updates": 2}}}},
    "a variable": {"networks": {"g": {"layers": [{"Conv2D": {"filters": "$n", "kernel_size": ["$n", 3]}}]}}},
    "a layer that defaults complete": {"networks": {"g": {"layers": [{"Dense": None}, {"Conv2D": {"filters": 3}}]}}},
    "a variable in an initializer": {
        "networks": {"g": {"layers": [{"Dense": {"kernel_initializer": {"RandomNormal": {"stddev": "$s"}}}}]}}
    },
}


@pytest.mark.parametrize("case", [*MARKED, *SILENT])
def test_an_editor_marks_what_is_wrong_in_a_child_and_nothing_else(case: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    child = {"extends": "dcgan.yaml", **(MARKED | SILENT)[case]}
    assert jsonschema.Draft202012Validator(document()).is_valid(child) == (case in SILENT)


@pytest.mark.parametrize("missing", ["name", "networks.generator.inputs", "training.steps", "data.source",
                                     "algorithm.alternating.loss"])  # fmt: skip
def test_an_editor_marks_what_a_file_without_extends_leaves_out(missing: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    spec = copy.deepcopy(dict(read_spec(SPECS / "_template.yaml").document))
    *above, key = missing.split(".")
    del functools.reduce(lambda part, name: part[name], above, spec)[key]
    assert not jsonschema.Draft202012Validator(document()).is_valid(spec)
