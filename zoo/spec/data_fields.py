"""The fields of the data and the latents, as networks know them by name: shapes, classes, and what belongs together.

They follow from the source, its arguments and the data section, before anything is read. Of the user's own folder the
names of the sub-folders are looked at, and become part of the spec: an artifact names its classes where the folder is
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.core.errors import DataError
from zoo.data.captions import Captions
from zoo.data.catalogue import DATASETS, SUBJECT, Field, describe, fields, final_shape, window_shape
from zoo.spec.cost_checks import check_data
from zoo.spec.diagnostics import Problems
from zoo.spec.folder_paths import class_names, images_in, mismatched
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape
from zoo.spec.types import Part
from zoo.spec.validate import below, document, validate
from zoo.spec.yaml_tree import Entry, YamlNode

ANY = ("image", "point", "label", "a", "b")  # fields of most sources, for a spec whose source is wrong


@dataclass(frozen=True)
class Known:
    """The inputs that networks may take by name: fields of the data, or latents.

    Attributes:
        shapes: The shape of one example; None where the section is wrong (reported).
        labels: The names of the classes of those that are class ids.
        groups: Of data, the number of the set of examples: fields of one set belong together, others are drawn apart.
        words: The names of the ids of captions: that of the padding, then the words.
    """

    shapes: Mapping[str, Shape | None]
    labels: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, int]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def with_class_names(tree: YamlNode, problems: Problems) -> YamlNode:
    """Return the tree in which `folder` lists its classes: those that it states, or else its sub-folders of images."""
    name, where = "folder", ("data", "source", "folder")
    args = tree.get(*where)
    if args is None or not args.is_map or (path := args.get("path")) is None or not isinstance(path.value, str):
        return tree
    stated = args.get("classes")
    if stated is not None and (stated.is_list or stated.value is False):
        return tree
    try:
        names = class_names(path.value)
    except DataError as error:
        problems.add(path.place, ".".join((*where, "path")), str(error).removeprefix(f"data source '{name}': "))
        return tree
    if stated is not None and stated.value is True and not names:
        text = f"there are no sub-folders with images in {path.value}: each is a class, by its name"
        problems.add(stated.place, ".".join((*where, "classes")), text)
    if not names:
        return tree
    place = path.place if stated is None else stated.place
    node = YamlNode([YamlNode(one, place) for one in names], place)
    return _replaced(tree, (*where, "classes"), node)


def _replaced(root: YamlNode, keys: tuple[str, ...], value: YamlNode) -> YamlNode:
    if not keys:
        return value
    entry = root.value.get(keys[0])
    node = _replaced(entry.node if entry else YamlNode({}, root.place), keys[1:], value)
    return YamlNode({**root.value, keys[0]: Entry(node, entry.place if entry else value.place)}, root.place)


def data_fields(tree: YamlNode, memory: int, problems: Problems) -> Known:
    """Return the fields of the data section, and report what is wrong in it, or larger than `memory` bytes."""
    data = tree.get("data")
    if data is None or data.value is None:
        return Known({}, {}, {})
    wrong = Problems()
    validate(data, below(document(), "data"), "data", wrong)
    if wrong or problems.inside(data):
        return _unknown(data)
    stated = data.plain()
    part = Part.of(stated["source"])
    try:
        card = describe(part.name, part.args)
        shape = final_shape(card.shape, stated.get("size"), stated.get("channels"))
        window = window_shape(shape, stated.get("jitter_from"))
    except DataError as error:
        problems.add(data.place, "data", str(error))
        return _unknown(data)
    for key in ("flip", "fit"):
        node = data.get(key)
        if len(shape) != 3 and node is not None and node.value not in (None, False):
            problems.add(node.place, f"data.{key}", f"belongs to images; the data are points of shape {list(shape)}")
    _check_items(tree, part, card.splits.get("train"), problems)
    check_data(data, card.splits.get("train"), shape, window, memory, problems)
    captions = _captions(data, part.name, stated.get("text"), problems)
    found = fields(card, shape, captions.longest if captions else 0)
    labels = {name: one.classes for name, one in found.items() if one.kind == "label"}
    words = ("", *captions.vocabulary.words) if captions else ()
    return Known(
        {name: one.shape for name, one in found.items()}, labels, {name: one.group for name, one in found.items()},
        {name: words for name, one in found.items() if one.kind == "text"},
    )  # fmt: skip


def captions_of(source: str, longest: int, fewest: int = 1) -> Captions | None:
    """Return the captions of a source.

    Args:
        source: Its name.
        longest: Words of a caption.
        fewest: Phrases of the shortest caption of a training.

    Returns:
        The captions; None for a source that has none.
    """
    return Captions(source, longest, fewest) if DATASETS[source].captions else None


def _captions(data: YamlNode, source: str, stated: Any, problems: Problems) -> Captions | None:
    """Return the captions that the data section asks for, and report what is wrong with them."""
    node = data.get("text")
    if node is None or not isinstance(stated, dict):
        return None
    captions = captions_of(source, **stated)
    if captions is None:
        known = ", ".join(name for name, info in DATASETS.items() if info.captions)
        problems.add(node.place, "data.text", f"'{source}' has no captions. Sources that have: {known}")
    elif captions.longest < captions.longest_possible:
        at, most = node.get("longest") or node, captions.longest_possible
        text = f"a whole caption has up to {most} words, received {captions.longest}: set longest: {most} or more"
        problems.add(at.place, "data.text.longest", text)
    elif captions.fewest > (most := sum(name != SUBJECT for name in captions.phrases)):
        at = node.get("fewest") or node
        text = f"a caption of '{source}' has at most {most} phrases, received {captions.fewest}"
        problems.add(at.place, "data.text.fewest", text)
    return captions


def _unknown(data: YamlNode) -> Known:
    """Return the names of the fields of a source that is wrong; of an unknown one the usual names."""
    source = data.get("source")
    name = next(iter(source.value), None) if source is not None and source.is_map else source and source.value
    info = DATASETS.get(name) if isinstance(name, str) else None
    found: dict[str, Field] = fields(info, info.shape or (1, 1, 3), 1) if info is not None else {}
    return Known(dict.fromkeys((*found, *ANY)), {}, {})


def _check_items(tree: YamlNode, part: Part, items: int | None, problems: Problems) -> None:
    """Report folders that are no pairs, and a batch that is larger than the data."""
    source = tree.get("data", "source")
    if source is not None and (text := mismatched(part.name, part.args)):
        problems.add(source.place, f"data.source.{part.name}", text)
        return
    batch = tree.get("training", "batch_size")
    size = batch.value if batch is not None and isinstance(batch.value, int) else 0
    count, where = images_in(part.name, part.args, size) or (items, f"of '{part.name}'")
    limit = tree.get("data", "limit")
    if limit is not None and count is not None and isinstance(limit.value, int):
        if items is not None and limit.value > items:
            problems.add(limit.place, "data.limit", f"there are {items:,} examples {where}, received {limit.value:,}")
        count = min(count, limit.value)
    if batch is not None and count is not None and size > count:
        hint = f"set training.batch_size={count} or less, or add images" if count else "add images"
        text = f"a batch of {size:,} cannot be drawn from the {count:,} items {where}: {hint}"
        problems.add(batch.place, "training.batch_size", text)


def latents(tree: YamlNode, problems: Problems) -> Known:
    """Return the latents: their shapes, None where a prior is wrong, and the classes of categorical ones."""
    shapes: dict[str, Shape | None] = {}
    labels: dict[str, tuple[str, ...]] = {}
    for name, entry in tree.entries("latent"):
        prior = next((key for key, _ in entry.node.entries()), "")
        if prior == "categorical":
            classes = entry.node.get(prior, "classes")
            stated = classes.plain() if classes is not None else None
            labels[name] = tuple(map(str, range(stated) if isinstance(stated, int) else stated or ()))
            shapes[name] = ()
            if classes is not None and len(set(labels[name])) < len(labels[name]):
                problems.add(classes.place, f"latent.{name}.categorical.classes", "names a class twice")
            continue
        shape = entry.node.get(prior, "shape")
        sizes = shape.plain() if shape is not None else None
        sound = isinstance(sizes, list) and len(sizes) > 0 and all(isinstance(s, int) and s >= 1 for s in sizes)
        shapes[name] = tuple(sizes or ()) if sound else None
    return Known(shapes, labels, {})


def check_pairs(tree: YamlNode, plans: Mapping[str, Plan], data: Known, problems: Problems) -> None:
    """Report a network that takes fields of different sets side by side, which nothing connects."""
    for plan in plans.values():
        taken = [name for name in plan.inputs if name in data.groups]
        apart = [name for name in taken if data.groups[name] != data.groups[taken[0]]]
        node = tree.get("networks", plan.name, "inputs")
        if apart and node is not None and not problems.at(node.place):
            text = (
                f"'{taken[0]}' and '{apart[0]}' are drawn apart, so that nothing connects what this network would see "
                "side by side. Pairs come from the source 'pairs': {a: ..., b: ...} with the same file names in both"
            )
            problems.add(node.place, f"networks.{plan.name}.inputs", text)
