"""Folders of artifacts: which they are, and the manifest of an ONNX file in one."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.artifact.manifest import MANIFEST_FILE, MODEL_FILE, Manifest, read_manifests
from zoo.core.errors import ServeError, UsageError

SET_ASIDE = re.compile(r"\.previous(-\d+)?$")  # how the folders of earlier artifacts end, which are kept


def is_artifact(folder: Path) -> bool:
    """Return True for a folder that holds an exported model.

    Args:
        folder: Any path.

    Returns:
        True if there is a manifest.json in it.
    """
    return (folder / MANIFEST_FILE).is_file()


def require_artifact(folder: Path, flag: str = "") -> Path:
    """Check that a folder is an exported model.

    Args:
        folder: What a user named.
        flag: How the user named it, such as "--artifact"; it opens the message.

    Returns:
        `folder`.

    Raises:
        UsageError: It has no manifest.json.
    """
    if not is_artifact(folder):
        place = f"{flag}: {folder}" if flag else f"{folder}:"
        raise UsageError(f"{place} is not an exported model: it has no {MANIFEST_FILE}")
    return folder


def find_artifacts(folder: Path) -> list[Path]:
    """Find the artifacts in a folder.

    Args:
        folder: A folder of artifacts such as `exported`, or an artifact itself.

    Returns:
        The folders of the artifacts by name, without hidden ones and those that an export has set aside, such as
        dcgan.previous; `folder` alone where it is an artifact.

    Raises:
        OSError: The folder cannot be listed.
    """
    if is_artifact(folder):
        return [folder]
    shown = (path for path in sorted(folder.iterdir()) if path.name[0] != "." and not SET_ASIDE.search(path.name))
    return [path for path in shown if is_artifact(path)]


def manifest_beside(file: Path) -> Manifest | None:
    """Find the manifest of an ONNX file in the manifest.json beside it.

    Args:
        file: The path of an ONNX file.

    Returns:
        The manifest that has the file among its `onnx_files`, or None.

    Raises:
        ServeError: The manifest.json beside generator.onnx cannot be read; beside another file it may be anyone's.
    """
    if not is_artifact(file.parent):
        return None
    try:
        return next((manifest for manifest in read_manifests(file.parent) if file.name in manifest.onnx_files), None)
    except ServeError:
        if file.name == MODEL_FILE:
            raise
        return None
