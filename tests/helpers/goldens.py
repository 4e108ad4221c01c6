"""Artifacts whose golden.npz a client must reproduce: those in exported/, and three whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_nets as nets

import zoo
from zoo.artifact.manifest import Manifest, read_manifests
from zoo.core.arrays import Array
from zoo.core.images import to_uint8

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tools" / "clients"
SHIPPED = sorted(path.parent for path in (ROOT / "exported").glob("*/manifest.json"))
NAMES = [*(folder.name for folder in SHIPPED), "photos", "points", "words"]


def gather(folder: Path) -> Path:
    """Fill a folder with the artifacts of all `NAMES`, fit to be served or deployed."""
    for shipped in SHIPPED:
        (folder / shipped.name).symlink_to(shipped)
    save_photos(folder / "photos")
    save_points(folder / "points")
    nets.save_words(folder / "words")
    return folder


def save_photos(folder: Path) -> Path:
    """Write an artifact of two networks for images of any size: b = -a."""
    manifests = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    nets.save_several(folder, [nets.negative(), nets.negative()], manifests)
    for one, shape in zip(manifests, [(2, 8, 12, 3), (3, 16, 16, 3)], strict=True):
        a = np.random.RandomState(0).uniform(0, 1, shape).astype(np.float32)
        small = a[:1, :8, :8]
        np.savez(folder / one.golden, **{"a": a, "b": -a, "a/8x8": small, "b/8x8": -small})
    return folder


def save_points(folder: Path) -> Path:
    """Write an artifact that makes points in the plane, not images: tanh(z A), A = diag(2, 3)."""
    nets.save(folder, nets.points(), nets.describe_points())
    z = np.random.RandomState(0).uniform(-1, 1, (5, 2)).astype(np.float32)
    np.savez(folder / "golden.npz", z=z, point=np.tanh(z * np.float32([2, 3])))
    return folder


def networks(folder: Path) -> Iterator[tuple[Manifest, dict[str, Array], Array]]:
    """Yield (manifest, golden inputs, raw output of `zoo.load` for them: float32 [n, ...]) of every network."""
    for manifest in read_manifests(folder):
        with np.load(folder / manifest.golden) as golden:
            inputs = {tensor.name: golden[tensor.name] for tensor in manifest.inputs}
        yield manifest, inputs, zoo.load(folder, network=manifest.network or None)(**inputs)


def pictures(folder: Path) -> dict[str, Array]:
    """Return name -> uint8 [n, H, W, C] for the networks that make images."""
    return {
        manifest.model: to_uint8(raw, manifest.outputs[0].range)
        for manifest, _, raw in networks(folder)
        if manifest.outputs[0].is_image
    }


def disturbed_elsewhere(folder: Path) -> Path:
    """Write an artifact of one network for images of any size, whose golden numbers of a further size are off."""
    manifest = nets.describe_negative()
    nets.save(folder, nets.negative(), manifest)
    a, small = np.zeros((1, 16, 16, 3), np.float32), np.zeros((1, 8, 12, 3), np.float32)
    np.savez(folder / manifest.golden, **{"a": a, "b": -a, "a/8x12": small, "b/8x12": small + np.float32(1e-3)})
    return folder


def disturbed(folder: Path, copy: Path) -> Path:
    """Copy an artifact of one network, with one golden number off by 0.001: ten times what clients allow."""
    copy.mkdir()
    for name in ("generator.onnx", "manifest.json"):
        (copy / name).write_bytes((folder / name).read_bytes())
    output = json.loads((copy / "manifest.json").read_text())["outputs"][0]["name"]
    with np.load(folder / "golden.npz") as golden:
        arrays = dict(golden)
    arrays[output].flat[7] += 1e-3
    np.savez(copy / "golden.npz", **arrays)
    return copy
