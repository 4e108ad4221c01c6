"""Read a YAML file as a checked, frozen `Spec`.

`read_spec("specs/dcgan.yaml")` returns it, or raises SpecError with every mistake of the file at its place. Shapes of
data come from its catalogue and shapes of networks from the rules of `shapes`: no data is read, no framework imported.
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
from zoo.spec.cost_checks import check_data
from zoo.spec.diagnostics import Problems
from zoo.spec.expand import plan
from zoo.spec.folder_paths import images_in, without_paths
from zoo.spec.graph_checks import default_exports
from zoo.spec.merge import load_tree
from zoo.spec.plan import Plan
from zoo.spec.sections import OUTSIDE_HASH, PROSE, RESERVED, Sections
from zoo.spec.shapes import Shape
from zoo.spec.types import Part, construct
from zoo.spec.validate import below, document, names_of, specs_folder, validate
from zoo.spec.yaml_tree import YamlNode


@dataclass(frozen=True)
class Spec:
    """A checked spec: its networks, data, latents and training fit each other.

    Attributes:
        path: The file it was read from.
        sections: The sections of the file as dataclasses, with defaults.
        plans: The networks, expanded, by name.
        fields: The shapes of one example of the data: `image` [height, width, channels] or `point` [2], and `label` []
            where there are classes; `a` and `b`, both images, for a source of two domains.
        latents: The shape of one latent, by name.
        classes: The names of the classes, in the order of their ids; empty for data without labels.
        document: The merged file as plain values; `spec.yaml` of an artifact holds it.
    """

    path: Path
    sections: Sections
    plans: Mapping[str, Plan]
    fields: Mapping[str, Shape]
    latents: Mapping[str, Shape]
    classes: tuple[str, ...]
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the model, such as dcgan."""
        return self.sections.name

    @property
    def image_fields(self) -> tuple[str, ...]:
        """The names of the fields of the data that hold images."""
        return tuple(name for name, shape in self.fields.items() if len(shape) == 3)

    @property
    def exported(self) -> tuple[str, ...]:
        """The names of the exported networks: those that the spec states, or else all that make data for a user."""
        export = self.sections.export
        if export is not None and export.networks is not None:
            return export.networks
        algorithm = self.sections.algorithm
        roles = names_of("algorithm")[algorithm.name]["x-networks"] if algorithm else ()
        return default_exports(tuple(roles), self.plans, self.latents, self.fields)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of what decides networks, data, game, training and export, in hexadecimal.

        Layout, comments and prose do not count, nor does evaluation during training, which changes no weight, nor
        the place of a folder of images.
        """
        document = without_paths(self.document)
        content = {section: value for section, value in document.items() if section not in PROSE}
        for section, keys in OUTSIDE_HASH.items():
            content[section] = {key: value for key, value in (content.get(section) or {}).items() if key not in keys}
        content = {section: value for section, value in content.items() if value not in (None, {})}  # as if left out
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """Write the resolved spec as YAML.

        Returns:
            The text, without `extends`; reading it gives the same spec.
        """
        return yaml.dump(dict(self.document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes short lists on one line, and quotes words that YAML 1.1 reads as another type."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.Node:
        short = all(not isinstance(item, (dict, list)) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=short)


def spec_file(name: str | os.PathLike[str]) -> Path:
    """Return the file of a spec.

    Args:
        name: A path, or the name of a spec that ships with the package, such as 'dcgan' for specs/dcgan.yaml.

    Returns:
        The path of the shipped spec of that name; `name` itself where there is none, or a file is called so.
    """
    path = Path(name)
    shipped = specs_folder() / f"{path}.yaml"
    try:
        return shipped if not path.suffix and not path.exists() and shipped.is_file() else path
    except (OSError, ValueError):  # not a possible file name: `read_spec` reports it
        return path


def read_spec(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Spec:
    """Read and check a spec.

    Args:
        path: The YAML file.
        overrides: Values that replace those of the file, such as "training.steps=100".

    Returns:
        The checked spec.

    Raises:
        SpecError: The file cannot be read or has mistakes; one line for each, with file, line and column.
    """
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
    for name, entry in tree.entries("latent"):
        if name in fields:
            problems.add(entry.place, "latent", f"'{name}' is a field of the data already; choose another name")
        elif name in RESERVED:
            problems.add(entry.place, "latent", f"'{name}' is reserved: {RESERVED[name]}. Choose another name")
    plans = _plans(tree, {**fields, **latents}, problems)
    if tree.get("networks") is not None:
        checks.check_spec(tree, plans, fields, latents, len(classes), memory(), problems)
    problems.raise_if_any()
    known = {name: shape for name, shape in {**fields, **latents}.items() if shape is not None}
    resolved = tree.plain()
    data, drawn = ({name: known[name] for name in group} for group in (fields, latents))
    return Spec(Path(path), construct(Sections, resolved), plans, data, drawn, classes, resolved)


def _fields(tree: YamlNode, problems: Problems) -> tuple[dict[str, Shape | None], tuple[str, ...]]:
    """Return the shapes of one example, None where the data section is wrong (reported), and the class names."""
    data = tree.get("data")
    if data is None or data.value is None:
        return {}, ()
    unknown: dict[str, Shape | None] = dict.fromkeys(("image", "point", "label", "a", "b"))
    wrong = Problems()
    validate(data, below(document(), "data"), "data", wrong)
    if wrong or problems.inside(data):
        return unknown, ()
    stated = data.plain()
    part = Part.of(stated["source"])
    try:
        card = describe(part.name, part.args)
        shape = final_shape(card.shape, stated.get("size"), stated.get("channels"))
        window = window_shape(shape, stated.get("jitter_from"))
    except DataError as error:
        problems.add(data.place, "data", str(error))
        return unknown, ()
    for key in ("flip", "fit"):
        node = data.get(key)
        if len(shape) != 3 and node is not None and node.value not in (None, False):
            problems.add(node.place, f"data.{key}", f"belongs to images; the data are points of shape {list(shape)}")
    batch = tree.get("training", "batch_size")
    items = card.splits.get("train")
    size = batch.value if batch is not None and isinstance(batch.value, int) else 0
    count, where = images_in(part.name, part.args, size) or (items, f"of '{part.name}'")
    if batch is not None and count is not None and size > count:
        hint = f"set training.batch_size={count} or less, or add images" if count else "add images"
        text = f"a batch of {size:,} cannot be drawn from the {count:,} items {where}: {hint}"
        problems.add(batch.place, "training.batch_size", text)
    check_data(data, items, shape, window, memory(), problems)
    fields: dict[str, Shape | None] = dict.fromkeys(card.domains or ("image" if len(shape) == 3 else "point",), shape)
    if card.classes:
        fields["label"] = ()
    return fields, card.classes


def _latents(tree: YamlNode) -> dict[str, Shape | None]:
    """Return the shape of each latent; None where its prior is wrong (reported)."""
    shapes: dict[str, Shape | None] = {}
    for name, entry in tree.entries("latent"):
        prior = next((key for key, _ in entry.node.entries()), "")
        shape = entry.node.get(prior, "shape")
        sizes = shape.plain() if shape is not None else None
        sound = isinstance(sizes, list) and len(sizes) > 0 and all(isinstance(s, int) and s >= 1 for s in sizes)
        shapes[name] = tuple(sizes or ()) if sound else None
    return shapes


def _plans(tree: YamlNode, known: Mapping[str, Shape | None], problems: Problems) -> dict[str, Plan]:
    """Return the plans of all networks that are correct by themselves; mistakes of the others are reported."""
    networks, plans = tree.get("networks"), {}
    if networks is not None and networks.is_map and not networks.value:
        problems.add(networks.place, "networks", "a spec needs at least one network")
    for name, entry in tree.entries("networks"):
        if entry.node.is_map:
            inputs = checks.network_inputs(name, entry.node, known, problems)
            expanded = plan(name, entry.node, inputs, tree.get("defaults"), problems)
            if expanded is not None:
                plans[name] = expanded
    return plans
