"""The spec language: one YAML file is a model.

`read("specs/dcgan.yaml")` returns a frozen `Spec`, or raises SpecError with every mistake of the file at its place.
No framework is imported and no graph is built here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from zoo.core.errors import DataError
from zoo.core.host import memory
from zoo.data.catalogue import describe, final_shape, window_shape
from zoo.spec import checks
from zoo.spec.diagnostics import Problems
from zoo.spec.expand import plan
from zoo.spec.merge import load_tree
from zoo.spec.plan import Plan
from zoo.spec.sections import OUTSIDE_HASH, PROSE, Sections
from zoo.spec.shapes import Shape
from zoo.spec.types import Part, construct
from zoo.spec.validate import below, document, specs_folder, validate
from zoo.spec.yaml_tree import YamlNode


@dataclass(frozen=True)
class Spec:
    """A model that is known to fit together.

    `sections` is what the file says; `plans` are its networks, expanded; `fields` are the shapes of one example of the
    data (`image` [height, width, channels] or `point` [2], and `label` [] where there are classes; `a` and `b`, both
    images, of a source of two domains).
    """

    path: Path
    sections: Sections
    plans: Mapping[str, Plan]
    fields: Mapping[str, Shape]
    latents: Mapping[str, Shape]
    classes: tuple[str, ...]
    document: Mapping[str, Any]  # the merged file as plain values: what `spec.yaml` of an artifact holds

    @property
    def name(self) -> str:
        return self.sections.name

    @property
    def image_fields(self) -> tuple[str, ...]:
        """The fields of the data that hold images."""
        return tuple(name for name, shape in self.fields.items() if len(shape) == 3)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of what decides networks, data, game, training and export, in hexadecimal.

        Layout, comments and prose do not count, nor does evaluation during training, which changes no weight.
        """
        content = {section: value for section, value in self.document.items() if section not in PROSE}
        for section, keys in OUTSIDE_HASH.items():
            content[section] = {key: value for key, value in (content.get(section) or {}).items() if key not in keys}
        content = {section: value for section, value in content.items() if value not in (None, {})}  # as if left out
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """The resolved spec as YAML; reading it gives the same spec."""
        return yaml.dump(dict(self.document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Short lists on one line, and quotes around every word that some YAML tool would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.Node:
        short = all(not isinstance(item, (dict, list)) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=short)


def spec_file(name: str | os.PathLike[str]) -> Path:
    """A spec by path, or by the name of one that ships with the package: 'dcgan' -> specs/dcgan.yaml."""
    path = Path(name)
    shipped = specs_folder() / f"{path}.yaml"
    try:
        return shipped if not path.suffix and not path.exists() and shipped.is_file() else path
    except (OSError, ValueError):  # no name that a file could have: `read` says so
        return path


def read_spec(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Spec:
    """Read and check a spec with `a.b.c=value` overrides. Raises SpecError that lists all mistakes."""
    problems = Problems()
    tree = load_tree(Path(path), overrides, problems)
    if tree is None:
        problems.raise_if_any()
        raise AssertionError("a spec that cannot be loaded has at least one problem")
    validate(tree, document(), "", problems)
    if problems.incomplete:
        problems.raise_if_any()
    fields, classes = _fields(tree, problems)
    latents = _latents(tree)
    for name in latents.keys() & fields.keys():
        entry = tree.get("latent").value[name]  # type: ignore[union-attr]
        problems.add(entry.place, "latent", f"'{name}' is a field of the data already; choose another name")
    plans = _plans(tree, {**fields, **latents}, problems)
    if tree.get("networks") is not None:
        checks.check_spec(tree, plans, fields, memory(), problems)
    problems.raise_if_any()
    known = {name: shape for name, shape in {**fields, **latents}.items() if shape is not None}
    document_ = tree.plain()
    return Spec(
        Path(path),
        construct(Sections, document_),
        plans,
        {name: known[name] for name in fields},
        {name: known[name] for name in latents},
        classes,
        document_,
    )


def _fields(tree: YamlNode, problems: Problems) -> tuple[dict[str, Shape | None], tuple[str, ...]]:
    """The shapes of one example, from the data section, without touching the data; None where the section is wrong."""
    data = tree.get("data")
    if data is None or data.value is None:
        return {}, ()
    unknown: dict[str, Shape | None] = dict.fromkeys(("image", "point", "label", "a", "b"))
    wrong = Problems()
    validate(data, below(document(), "data"), "data", wrong)
    if wrong or problems.inside(data):
        return unknown, ()
    part = Part.of(data.get("source").plain())  # type: ignore[union-attr]
    stated = {key: entry.node.plain() for key, entry in data.entries()}
    try:
        card = describe(part.name, part.args)
        shape = final_shape(card.shape, stated.get("size"), stated.get("channels"))
        window_shape(shape, stated.get("jitter_from"))
    except DataError as error:
        problems.add(data.place, "data", str(error))
        return unknown, ()
    batch = checks.at(tree, "training", "batch_size")
    items = card.splits.get("train")
    if items is not None and batch is not None and isinstance(batch.value, int) and batch.value > items:
        text = f"a batch of {batch.value:,} cannot be drawn from the {items:,} items of '{part.name}'"
        problems.add(batch.place, "training.batch_size", text)
    fields: dict[str, Shape | None] = dict.fromkeys(card.domains or ("image" if len(shape) == 3 else "point",), shape)
    if card.classes:
        fields["label"] = ()
    return fields, card.classes


def _latents(tree: YamlNode) -> dict[str, Shape | None]:
    """The shape of each latent; None where its prior is wrong."""
    latent, shapes = tree.get("latent"), {}
    for name, entry in latent.entries() if latent is not None else ():
        prior = next(entry.node.entries())[1].node if entry.node.is_map and entry.node.value else None
        shape = prior.get("shape") if prior is not None else None
        sizes = shape.plain() if shape is not None else None
        sound = isinstance(sizes, list) and len(sizes) > 0 and all(isinstance(s, int) and s >= 1 for s in sizes)
        shapes[name] = tuple(sizes or ()) if sound else None
    return shapes


def _plans(tree: YamlNode, known: Mapping[str, Shape | None], problems: Problems) -> dict[str, Plan]:
    networks, plans = tree.get("networks"), {}
    if networks is not None and networks.is_map and not networks.value:
        problems.add(networks.place, "networks", "a spec needs at least one network")
    for name, entry in networks.entries() if networks is not None else ():
        if entry.node.is_map:
            inputs = checks.network_inputs(name, entry.node, known, problems)
            made = plan(name, entry.node, inputs, tree.get("defaults"), problems)
            if made is not None:
                plans[name] = made
    return plans
