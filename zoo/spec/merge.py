"""Merge the trees of `extends` and `--set` into one, in which every value keeps the place where it was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.core.registry import suggest
from zoo.spec.blocks import CONTROL
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.folder_paths import with_absolute_paths, with_folder_source
from zoo.spec.validate import Fragment, below, document, is_part, resolve, specs_folder
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
        if (stated := node and node.get("remove")) is not None:
            problems.add(stated.place, "remove", "takes away what another spec has: it goes with 'extends'")
        return node
    own = YamlNode({key: entry for key, entry in node.entries() if key not in ("extends", "remove")}, node.place)
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
    if base is None:
        return own
    keys, items = _removals(base, node.get("remove"), problems)
    left = base
    for away in keys:
        left = _without(left, away)
    merged = merge(left, own, document(), problems)
    for away in sorted(items, key=lambda keys: int(keys[-1]), reverse=True):  # the positions are those of the parent
        merged = _without(merged, away)
    return true_words(base, merged)


def _parent_path(path: Path, parent: YamlNode, problems: Problems) -> Path | None:
    """Return the file that `extends` names, beside the spec or in a folder below it; None if wrong (reported)."""
    rule = "expected a shipped spec such as dcgan, or a file beside or below this one such as mine.yaml"
    text = parent.value
    if not isinstance(text, str) or not text or "\0" in text:
        return problems.add(parent.place, "extends", f"{rule}, received {parent.describe()}")
    if Path(text).is_absolute() or ".." in Path(text).parts or "\\" in text:
        return problems.add(parent.place, "extends", f"{rule}, received '{text}'")
    target = path.parent / text
    shipped = specs_folder() / f"{text}.yaml"
    try:
        if not Path(text).suffix and not target.is_file() and shipped.is_file():
            return shipped
        found, inside = target.is_file(), target.resolve().is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError):  # too long a name, or links in a circle
        found, inside = False, True
    if not found:
        names = [file.stem for file in specs_folder().glob("*.yaml")]
        near = problems.near_file(target) if Path(text).suffix else f", nor a shipped spec.{suggest(text, names)}"
        return problems.add(parent.place, "extends", f"there is no file '{text}' beside this spec{near}")
    if not inside:
        return problems.add(parent.place, "extends", f"{rule}; '{text}' is a link that leads elsewhere")
    return target


def _removals(base: YamlNode, stated: YamlNode | None, problems: Problems) -> tuple[list[list[str]], list[list[str]]]:
    """Return the paths of `remove`: those of keys, and those of items of lists. Wrong ones are reported."""
    keys, items = [], []
    for item in stated.value if stated is not None and stated.is_list else ():
        path = item.value.split(".") if isinstance(item.value, str) else [""]
        around: YamlNode | None = base
        for key in path[:-1]:
            around = _child(around, key)
        if around is None or _child(around, path[-1]) is None:
            hint = suggest(path[-1], around.value) if around is not None and around.is_map else ""
            problems.add(item.place, "remove", f"the parent has no {item.describe()}.{hint}")
        elif around.is_list:
            items.append(path)
        else:
            keys.append(path)
    if stated is not None and not stated.is_list:
        rule = "expected a list of paths such as [data.flip, networks.generator.layers.3]"
        problems.add(stated.place, "remove", f"{rule}, received {stated.describe()}")
    return keys, items


def _child(node: YamlNode | None, key: str) -> YamlNode | None:
    """Return what a key, or a position, leads to."""
    if node is not None and node.is_list:
        return node.value[int(key)] if key.isdecimal() and int(key) < len(node.value) else None
    return node.get(key) if node is not None and node.is_map else None


def _without(node: YamlNode, path: list[str]) -> YamlNode:
    """Return the tree without the value at a path; unchanged where it leads nowhere."""
    key, rest = path[0], path[1:]
    child = _child(node, key)
    if child is None:
        return node
    if node.is_list:
        kept = [_without(child, rest)] if rest else []
        return YamlNode([*node.value[: int(key)], *kept, *node.value[int(key) + 1 :]], node.place)
    entries = {
        name: Entry(_without(child, rest), entry.place) if name == key else entry
        for name, entry in node.entries()
        if rest or name != key
    }
    return YamlNode(entries, node.place)


def merge(base: YamlNode, top: YamlNode, fragment: Fragment, problems: Problems) -> YamlNode:
    """Merge mappings key by key, and replace everything else by the value of `top`.

    Where the schema expects a part, another name replaces all of it: `Adam: {...}` over `SGD: {...}` is Adam alone.
    A mapping from positions over a list changes its items: `layers: {3: {Dense: {units: 5}}}`.
    """
    if base.is_list and top.is_map and top.value and all(key.isdecimal() for key in top.value):
        return _changed(base, top, resolve(fragment).get("items", {}), problems)
    names_too = "x-parts" not in resolve(fragment)  # where a word may also be the name of a state
    if names_too and isinstance(base.value, str) and isinstance(top.value, str):
        return top
    if is_part(fragment) and all(node.is_map or isinstance(node.value, str) for node in (base, top)):
        stated, base, top = top, _as_part(base), _as_part(top)
        if set(base.value) != set(top.value):
            return stated if names_too and stated.value and isinstance(stated.value, str) else top
    if not (base.is_map and top.is_map) or _is_another_layer(base, top, fragment):
        return top
    merged = dict(base.value)
    for key, entry in top.entries():
        old = merged.get(key)
        merged[key] = Entry(merge(old.node, entry.node, below(fragment, key), problems), entry.place) if old else entry
    return YamlNode(merged, top.place if top.place.line else base.place)


def _changed(base: YamlNode, top: YamlNode, fragment: Fragment, problems: Problems) -> YamlNode:
    """Return a list with the items at some positions changed."""
    items = list(base.value)
    for key, entry in top.entries():
        if int(key) < len(items):
            items[int(key)] = merge(items[int(key)], entry.node, fragment, problems)
        else:
            text = f"'{key}' is not a position in a list of {len(items)} (0 is the first)"
            problems.add(entry.place, "", text)
    return YamlNode(items, base.place)


def _is_another_layer(base: YamlNode, top: YamlNode, fragment: Fragment) -> bool:
    """Return True for two items of a list of layers that call different layers."""
    if resolve(fragment) is not document()["$defs"]["layer_item"]:
        return False
    called = [node.value.keys() - set(CONTROL) for node in (base, top)]
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
        return merge(root, value, fragment, problems)
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
