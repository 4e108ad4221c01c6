"""Folders of pictures in a spec: `source: ./photos` is `{folder: {path: ...}}`, and a path is made absolute; so is that
of a `picture` of a game.

A relative path begins at the folder of the file in which it is written; one of `--set` where the command runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.core.errors import DataError
from zoo.spec.validate import names_of
from zoo.spec.yaml_tree import Entry, YamlNode

# sources of the user's own images, and their paths
PATHS = {"folder": ("path",), "folders": ("a", "b"), "pairs": ("path", "a", "b")}


def with_folder_source(root: YamlNode) -> YamlNode:
    """Return the tree with a source that is a path, or the name of a folder that exists, as the source `folder`."""
    source = root.get("data", "source")
    if source is not None and source.is_map and len(source.value) == 1:  # `--set` makes a mapping of a bare name
        name, entry = next(source.entries())
        source = YamlNode(name, entry.place) if not entry.node.value else None
    if source is None or not isinstance(source.value, str) or source.value in names_of("source"):
        return root
    text = source.value
    if "/" not in text and os.sep not in text and not Path(_absolute(source)).is_dir():
        return root
    path = YamlNode({"path": Entry(source, source.place)}, source.place)
    return _changed(root, ("data", "source"), YamlNode({"folder": Entry(path, source.place)}, source.place))


def with_absolute_paths(root: YamlNode) -> YamlNode:
    """Return the tree with the paths of its folders, and of the pictures of its game, made absolute."""
    places: list[tuple[str, ...]] = [("data", "source", name, key) for name, keys in PATHS.items() for key in keys]
    for where in places:
        if (node := root.get(*where)) is not None and _is_relative(node):
            root = _changed(root, where, YamlNode(_absolute(node), node.place))
    for word, _ in root.entries("algorithm"):
        if (values := root.get("algorithm", word, "values")) is not None:
            root = _changed(root, ("algorithm", word, "values"), _with_pictures(values))
    return root


def _is_relative(path: YamlNode) -> bool:
    return isinstance(path.value, str) and bool(path.value) and not path.value.startswith("~")


def _with_pictures(node: YamlNode) -> YamlNode:
    """Return a node in which the paths of all calls of `picture` are absolute, nested ones included."""
    if node.is_list:
        return YamlNode([_with_pictures(item) for item in node.value], node.place)
    if not node.is_map:
        return node
    made = {key: Entry(_with_pictures(entry.node), entry.place) for key, entry in node.value.items()}
    picture = made["picture"].node if "picture" in made else None
    if picture is not None and (path := picture.get("path")) is not None and _is_relative(path):
        made["picture"] = Entry(
            _changed(picture, ("path",), YamlNode(_absolute(path), path.place)), made["picture"].place
        )
    return YamlNode(made, node.place)


def without_paths(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec's document without the paths of folders and pictures: pixels decide a training, not their place.

    Args:
        document: See `Spec.document`.

    Returns:
        A copy; of another source it is the same.
    """
    if isinstance(document.get("algorithm"), Mapping):
        document = {**document, "algorithm": _without_pictures(document["algorithm"])}
    data = document.get("data") or {}
    source = data.get("source")
    if not isinstance(source, Mapping) or not (name := next((name for name in PATHS if name in source), "")):
        return dict(document)
    arguments = {key: value for key, value in source[name].items() if key not in PATHS[name]}
    return {**document, "data": {**data, "source": {name: arguments}}}


def _without_pictures(node: Any) -> Any:
    """Return a part of a document in which no call of `picture` has a path."""
    if isinstance(node, Mapping):
        found = {key: _without_pictures(value) for key, value in node.items()}
        if isinstance(found.get("picture"), Mapping):
            found["picture"] = {key: value for key, value in found["picture"].items() if key != "path"}
        return found
    return [_without_pictures(item) for item in node] if isinstance(node, list) else node


def images_in(source: str, args: Mapping[str, Any], most: int) -> tuple[int, str] | None:
    """Return the images of the smallest folder of a source, counted up to `most`, and "in FOLDER"; None without one."""
    stated = [str(args[key]) for key in PATHS.get(source, ()) if args.get(key)]
    paths = [path for path in stated if Path(path).expanduser().is_dir()]
    if not paths:
        return None
    from zoo.data.folder_reader import count_images  # imports NumPy, which other specs do not need

    counts = [(count_images(path, most), path) for path in paths]
    count, path = min(counts)
    return count, f"in {path}"


def class_names(path: str) -> tuple[str, ...]:
    """Return the names of the sub-folders of images in a folder, sorted; empty for a folder that does not exist.

    Args:
        path: The folder.

    Raises:
        DataError: There are images beside such sub-folders.
    """
    if "\0" in path or not Path(path).expanduser().is_dir():
        return ()
    from zoo.data.folder_reader import classes_in

    return classes_in(path)


def mismatched(source: str, args: Mapping[str, Any]) -> str:
    """Return what keeps the folders of a source from being pairs, or an empty string, also for any other source."""
    if source != "pairs":
        return ""
    from zoo.data.paired_folders import why_no_pairs

    try:
        return why_no_pairs(args.get("path"), args.get("a"), args.get("b"))
    except DataError as error:
        return str(error).removeprefix("data source 'pairs': ")


def _absolute(node: YamlNode) -> str:
    """Return the absolute path that a node states, from the place where it is written."""
    base = Path(node.place.file).absolute().parent if node.place.line else Path.cwd()
    return os.path.abspath(base / node.value) if "\0" not in node.value else node.value


def _changed(root: YamlNode, keys: tuple[str, ...], value: YamlNode) -> YamlNode:
    if not keys:
        return value
    entry = root.value[keys[0]]
    return YamlNode({**root.value, keys[0]: Entry(_changed(entry.node, keys[1:], value), entry.place)}, root.place)
