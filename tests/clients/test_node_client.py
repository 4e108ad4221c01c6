"""tools/clients/node: onnxruntime-node draws what the zoo draws."""

import json
import shutil

import goldens
import numpy as np
import pytest
from PIL import Image

FOLDER = goldens.CLIENTS / "node"
REASON = (
    "Node.js is not installed"
    if shutil.which("node") is None
    else ""
    if (FOLDER / "node_modules").is_dir()
    else "onnxruntime-node is not installed: `npm ci` in tools/clients/node"
)
needs_node = pytest.mark.skipif(bool(REASON), reason=REASON)


@needs_node
def test_it_makes_the_golden_images(artifact, tmp_path, run, check):
    check(run("node", FOLDER / "draw.mjs", artifact, tmp_path), artifact)
    pictures = goldens.pictures(artifact)
    assert {file.stem for file in tmp_path.iterdir()} == set(pictures)
    for name, images in pictures.items():
        with Image.open(tmp_path / f"{name}.png") as file:
            drawn = np.asarray(file).astype(int)
        wanted = np.concatenate(list(images), axis=1)
        assert np.abs(drawn.reshape(*drawn.shape[:2], -1) - wanted).max() <= 1  # two halves round two ways


@needs_node
def test_it_fails_where_the_images_differ(disturbed, tmp_path, run):
    done = run("node", FOLDER / "draw.mjs", disturbed, tmp_path)
    assert done.returncode == 1 and "1.0e-3" in done.stdout


@needs_node
def test_it_fails_where_images_of_another_size_differ(tmp_path, run):
    done = run("node", FOLDER / "draw.mjs", goldens.disturbed_elsewhere(tmp_path / "photos"), tmp_path)
    assert done.returncode == 1 and "1.0e-3" in done.stdout


@pytest.mark.parametrize("client", ["node", "web"])
def test_its_packages_are_pinned(client):
    """Exact versions with their hashes; no address of a registry, so that any mirror will do."""
    stated = json.loads((goldens.CLIENTS / client / "package.json").read_text())["dependencies"]
    lock = json.loads((goldens.CLIENTS / client / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == stated
    assert {name: lock[f"node_modules/{name}"]["version"] for name in stated} == stated
    assert all("integrity" in entry and "resolved" not in entry for name, entry in lock.items() if name)
