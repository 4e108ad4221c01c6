"""Read a YAML file as a checked, frozen `Spec`.

`read_spec("specs/dcgan.yaml")` returns it, or raises SpecError with every mistake of the file at its place. Shapes of
data come from its catalogue and shapes of networks from the rules of `shapes`: no data is read, no framework imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from zoo.core.host import memory
from zoo.data.captions import Captions
from zoo.spec import checks
from zoo.spec.data_fields import captions_of, check_pairs, data_fields, with_class_names
from zoo.spec.data_fields import latents as latents_of
from zoo.spec.diagnostics import Problems
from zoo.spec.folder_paths import without_paths
from zoo.spec.game_plan import GamePlan
from zoo.spec.game_reader import Ends, read_game
from zoo.spec.given_networks import check_pictures
from zoo.spec.graph_checks import default_exports
from zoo.spec.merge import load_tree
from zoo.spec.network_ends import plan_networks
from zoo.spec.plan import Plan
from zoo.spec.sections import OUTSIDE_HASH, PROSE, RESERVED, Sections
from zoo.spec.shapes import Shape
from zoo.spec.sizes import check_sizes
from zoo.spec.types import construct
from zoo.spec.validate import document, names_of, specs_folder, validate


@dataclass(frozen=True)
class Spec:
    """A checked spec: its networks, data, latents and training fit each other.

    Attributes:
        path: The file it was read from.
        sections: The sections of the file as dataclasses, with defaults.
        plans: The networks, expanded, by name.
        fields: The shapes of one example of the data, by name: `image` [height, width, channels] or `point` [2], or `a`
            and `b`, both images, for a source of two domains; then labels [], one `label` or several with names, and
            captions [longest].
        latents: The shape of one latent, by name; [] for class ids.
        labels: The names of the classes, in the order of their ids, of every label of the data and categorical latent.
        document: The merged file as plain values; `spec.yaml` of an artifact holds it.
        game: What a step computes, for `game` and the words that expand into it; None for algorithms in Python.
    """

    path: Path
    sections: Sections
    plans: Mapping[str, Plan]
    fields: Mapping[str, Shape]
    latents: Mapping[str, Shape]
    labels: Mapping[str, tuple[str, ...]]
    document: Mapping[str, Any]
    game: GamePlan | None = None

    @property
    def name(self) -> str:
        """The name of the model, such as dcgan."""
        return self.sections.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the field `label`; empty for data without it."""
        return self.labels.get("label", ())

    @cached_property
    def captions(self) -> Captions | None:
        """How captions are made of the labels of the data; None for data without captions."""
        data = self.sections.data
        if data is None or data.text is None:
            return None
        return captions_of(data.source.name, data.text.longest, data.text.fewest)

    @property
    def image_fields(self) -> tuple[str, ...]:
        """The names of the fields of the data that hold images."""
        return tuple(name for name, shape in self.fields.items() if len(shape) == 3)

    @property
    def exported(self) -> tuple[str, ...]:
        """The names of what leaves: values or networks that the spec states, or else all that make data for a user."""
        if self.game is not None and self.game.exports:
            return tuple(self.game.exports)
        export = self.sections.export
        if export is not None and export.networks is not None:
            return export.networks
        return default_exports(self.trained, self.plans, self.latents, self.fields)

    @property
    def leaving(self) -> dict[str, Plan]:
        """The plans of all that leaves, by the names of `exported`: of a value with all that it passes through."""
        values = self.game.exports if self.game is not None else {}
        plans = {**self.plans, **{name: value.plan for name, value in values.items()}}
        return {name: plans[name] for name in self.exported if name in plans}

    @property
    def exported_networks(self) -> tuple[str, ...]:
        """The names of the networks that leave, as such or as parts of values."""
        values = self.game.exports if self.game is not None else {}
        parts = [values[name].networks if name in values else (name,) for name in self.exported]
        return tuple(dict.fromkeys(name for names in parts for name in names))

    @property
    def trained(self) -> tuple[str, ...]:
        """The names of the networks that the algorithm trains."""
        algorithm = self.sections.algorithm
        if self.game is not None:
            return self.game.trained
        return tuple(names_of("algorithm")[algorithm.name]["x-networks"]) if algorithm else ()

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


def _room(path: Path) -> int:
    """Return the bytes that a spec may need: those of this machine. The networks of papers are counted on any."""
    return sys.maxsize if path.resolve().parent == (specs_folder() / "paper").resolve() else memory()


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
    tree = with_class_names(tree, problems)
    room = _room(Path(path))
    data, drawn = data_fields(tree, room, problems), latents_of(tree, problems)
    fields, latents, labels = data.shapes, drawn.shapes, {**data.labels, **drawn.labels}
    for name, entry in tree.entries("latent"):
        if name in fields:
            problems.add(entry.place, "latent", f"'{name}' is a field of the data already; choose another name")
        elif name.endswith("_plays"):
            problems.add(entry.place, "latent", f"'{name}' is reserved: whether a phase plays. Choose another name")
        elif name in RESERVED:
            problems.add(entry.place, "latent", f"'{name}' is reserved: {RESERVED[name]}. Choose another name")
    plans = plan_networks(tree, {**fields, **latents}, problems)
    if tree.get("networks") is not None:
        checks.check_spec(tree, plans, fields, latents, {**labels, **data.words}, room, problems)
        check_pairs(tree, plans, data, problems)
    counts = {name: len(names) for name, names in {**labels, **data.words}.items() if names}
    game = read_game(tree, plans, Ends(latents, fields, counts), problems)
    if game is not None:
        check_pictures(game, tree, problems)
    problems.raise_if_any()
    known = {name: shape for name, shape in {**fields, **latents}.items() if shape is not None}
    resolved = tree.plain()
    shown, made = ({name: known[name] for name in group} for group in (fields, latents))
    spec = Spec(Path(path), construct(Sections, resolved), plans, shown, made, labels, resolved, game)
    check_sizes(tree, spec.leaving, fields, problems)
    problems.raise_if_any()
    return spec
