"""Merge the trees of `extends` and `--set` into one, in which every value keeps the place where it was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.spec.diagnostics import Place, Problems
from zoo.spec.folder_paths import with_absolute_paths, with_folder_source
from zoo.spec.validate import Fragment, below, document, is_part, names_of, resolve
from zoo.spec.words import true_words
from zoo.spec.yaml_tree import Entry, YamlNode, parse_file, parse_text

MAX_CHAIN = 16


def load_tree(path: Path, overrides: Sequence[str], problems: Problems) -> YamlNode | None:
    """Return the tree of `path` merged over the files that it extends, with the `a.b.c=value` overrides on top.

    None when a file cannot be read (reported).
    """
    node = _load_extended(path, (), problems)
    if node is None or not overrides:
        return node and with_absolute_paths(node)
    changed = node
    for override in overrides:
        changed = with_folder_source(_override(changed, override, problems))
    return with_absolute_paths(true_words(node, changed, overrides))


def _load_extended(path: Path, children: tuple[Path, ...], problems: Problems) -> YamlNode | None:
    node = parse_file(path, problems)
    node = node and with_folder_source(node)
    parent = node.get("extends") if node is not None else None
    if node is None or parent is None:
        return node
    own = YamlNode({key: entry for key, entry in node.entries() if key != "extends"}, node.place)
    target = _parent_path(path, parent, problems)
    family = (*children, path.resolve())
    base = None
    if target is not None and target.resolve() in family:
        chain = " -> ".join([*(p.name for p in family), target.name])
        problems.add(parent.place, "extends", f"the files extend each other in a circle: {chain}")
    elif len(family) > MAX_CHAIN:
        problems.add(parent.place, "extends", f"is the end of a chain of more than {MAX_CHAIN} specs")
    elif target is not None:
        base = _load_extended(target, family, problems)
    problems.incomplete |= base is None
    return own if base is None else true_words(base, merge(base, own, document()))


def _parent_path(path: Path, parent: YamlNode, problems: Problems) -> Path | None:
    """Return the file that `extends` names, beside the spec or in a folder below it; None if wrong (reported)."""
    rule = "expected the name of a spec file beside or below this one, such as dcgan.yaml"
    text = parent.value
    if not isinstance(text, str) or not text or "\0" in text:
        return problems.add(parent.place, "extends", f"{rule}, received {parent.describe()}")
    if Path(text).is_absolute() or ".." in Path(text).parts or "\\" in text:
        return problems.add(parent.place, "extends", f"{rule}, received '{text}'")
    target = path.parent / text
    try:
        found, inside = target.is_file(), target.resolve().is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError):  # too long a name, or links in a circle
        found, inside = False, True
    if not found:
        near = problems.near_file(target)
        return problems.add(parent.place, "extends", f"there is no file '{text}' beside this spec{near}")
    if not inside:
        return problems.add(parent.place, "extends", f"{rule}; '{text}' is a link that leads elsewhere")
    return target


def merge(base: YamlNode, top: YamlNode, fragment: Fragment) -> YamlNode:
    """Merge mappings key by key, and replace everything else by the value of `top`.

    Where the schema expects a part, another name replaces all of it: `Adam: {...}` over `SGD: {...}` is Adam alone.
    """
    if is_part(fragment) and all(node.is_map or isinstance(node.value, str) for node in (base, top)):
        base, top = _as_part(base), _as_part(top)
        if set(base.value) != set(top.value):
            return top
    if not (base.is_map and top.is_map) or _is_another_layer(base, top, fragment):
        return top
    merged = dict(base.value)
    for key, entry in top.entries():
        old = merged.get(key)
        merged[key] = Entry(merge(old.node, entry.node, below(fragment, key)), entry.place) if old else entry
    return YamlNode(merged, top.place if top.place.line else base.place)


def _is_another_layer(base: YamlNode, top: YamlNode, fragment: Fragment) -> bool:
    """Return True for two items of a list of layers that call different layers."""
    if resolve(fragment) is not document()["$defs"]["layer_item"]:
        return False
    called = [node.value.keys() & names_of("layer").keys() for node in (base, top)]
    return bool(called[1]) and called[0] != called[1]


def _as_part(node: YamlNode) -> YamlNode:
    """Return a part as a mapping from its name to its arguments."""
    if isinstance(node.value, str):
        return YamlNode({node.value: Entry(YamlNode({}, node.place), node.place)}, node.place)
    if node.is_map:
        empty = {k: Entry(YamlNode({}, e.node.place), e.place) for k, e in node.entries() if e.node.value is None}
        return YamlNode({**node.value, **empty}, node.place)
    return YamlNode({}, node.place)


def _override(root: YamlNode, override: str, problems: Problems) -> YamlNode:
    """Return `root` with one `a.b.c=value` applied; unchanged when that is wrong (reported)."""
    place = Place(f"--set {override}", 0, 0)
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    wrong = Problems()
    if not equals or not all(keys):
        wrong.add(place, "", "expected a.b.c=value, such as training.batch_size=64")
    elif keys == ["extends"]:
        wrong.add(place, "", "'extends' belongs in a file")
    value = parse_text(text, place.file, wrong)
    for problem in wrong:
        problems.add(place, "", problem.message)
    return root if wrong or value is None else _set(root, keys, _placed(value, place), document(), place, problems)


def _placed(node: YamlNode, place: Place) -> YamlNode:
    """Return a copy of the tree with `place` as the place of every value."""
    if node.is_map:
        return YamlNode({k: Entry(_placed(e.node, place), place) for k, e in node.entries()}, place)
    return YamlNode([_placed(i, place) for i in node.value] if node.is_list else node.value, place)


def _set(
    root: YamlNode, keys: list[str], value: YamlNode, fragment: Fragment, place: Place, problems: Problems
) -> YamlNode:
    """Return `root` with the value at a path of keys replaced; missing mappings are made."""
    if not keys:
        return merge(root, value, fragment)
    key, rest = keys[0], keys[1:]
    if root.is_list:
        if not key.isdecimal() or int(key) >= len(root.value):
            problems.add(place, "", f"'{key}' is not a position in a list of {len(root.value)} (0 is the first)")
            return root
        items = list(root.value)
        items[int(key)] = _set(items[int(key)], rest, value, resolve(fragment).get("items", {}), place, problems)
        return YamlNode(items, root.place)
    if is_part(fragment):
        root = _as_part(root)
        if key not in root.value:  # another part takes the place of this one
            root = YamlNode({}, root.place)
    if not root.is_map:
        root = YamlNode({}, place)
    new = _set(root.get(key) or YamlNode(None, place), rest, value, below(fragment, key), place, problems)
    return YamlNode({**root.value, key: Entry(new, place)}, root.place)
