"""What is shipped in exported/: whole, made by the specs that stand in specs/, and in agreement with its own card."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import card, manifest, spec

ROOT = Path(__file__).parents[1]
ARTIFACTS = sorted(path.parent for path in (ROOT / "exported").glob("*/manifest.json"))
MEGABYTE = 1_000_000


@pytest.fixture(params=ARTIFACTS, ids=lambda path: path.name)
def folder(request):
    return request.param


@pytest.fixture
def shipped(folder):
    """An artifact as the repository ships it: whoever ran the README's first command has one of their own."""
    command = ["git", "-C", str(ROOT), "status", "--porcelain", "--", f"exported/{folder.name}"]
    if shutil.which("git") and subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip():
        pytest.skip(f"exported/{folder.name} was built anew here")
    return folder


def test_the_first_two_are_there():
    assert {"dcgan", "vanilla"} <= {path.name for path in ARTIFACTS}


def test_every_file_is_the_one_that_the_manifest_states(folder):
    files = manifest.read(folder).files
    assert set(files) == {"generator.onnx", "spec.yaml", "golden.npz", "samples.png"}
    assert {name: manifest.sha256_file(folder / name) for name in files} == files


def test_it_was_made_by_the_spec_beside_it(folder):
    assert manifest.read(folder).spec_sha256 == spec.read(folder / "spec.yaml").sha256


def test_it_was_made_by_the_spec_of_its_name(shipped):
    facts = manifest.read(shipped)
    assert facts.spec_sha256 == spec.read(ROOT / "specs" / f"{facts.name}.yaml").sha256


def test_the_card_says_what_the_manifest_says(folder):
    text = card.markdown(manifest.read(folder), spec.read(folder / "spec.yaml"))
    assert (folder / "README.md").read_text("utf-8") == text


def test_golden_latents_give_the_golden_images(folder):
    facts, generator = manifest.read(folder), zoo.load(folder)
    output = facts.outputs[0].name
    with np.load(folder / "golden.npz") as golden:
        inputs = {name: golden[name] for name in golden.files if name != output}
        np.testing.assert_allclose(generator(**inputs), golden[output], rtol=0, atol=facts.parity["tolerance"])
    for name, array in generator.latents(len(next(iter(inputs.values()))), seed=0).items():
        np.testing.assert_allclose(array, inputs[name], rtol=1e-6, atol=0)


def test_it_varies_with_the_latent_and_uses_its_range(shipped):
    images = zoo.load(shipped).sample(64, seed=0)
    assert images.dtype == np.uint8 and images.shape[0] == 64
    assert images.min() < 16 and images.max() > 239  # black ground, white cloth
    assert images.astype(float).std(axis=0).mean() > 20  # a collapsed generator draws one image: 0


def test_sizes_are_within_what_git_should_hold():
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in ARTIFACTS}
    assert max(sizes.values()) <= 16 * MEGABYTE and sum(sizes.values()) <= 60 * MEGABYTE


def test_readme_states_the_figures_of_the_manifests(shipped):
    facts = manifest.read(shipped)
    row = next(
        line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith(f"| [{facts.name}]")
    )
    assert f"{facts.weights['images']:,} images" in row and f"{facts.weights['parameters']:,}" in row
    assert f"{facts.parity['max_abs_difference']:.1e}" in row
    assert f"{(shipped / 'generator.onnx').stat().st_size / MEGABYTE:.1f} MB" in row
