"""What is shipped in exported/: whole, made by the specs that stand in specs/, and in agreement with its own card."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import card, manifest, spec
from zoo.claims.result import of_artifact
from zoo.runtime import to_uint8

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
    for facts in manifest.read_all(folder):
        assert set(facts.files) == {facts.file, "spec.yaml", facts.golden, "samples.png"}
        assert {name: manifest.sha256_file(folder / name) for name in facts.files} == facts.files


def test_it_was_made_by_the_spec_beside_it(folder):
    stated = spec.read(folder / "spec.yaml")
    assert {facts.spec_sha256 for facts in manifest.read_all(folder)} == {stated.sha256}
    networks = stated.sections.export.networks if stated.sections.export else ("generator",)
    assert [facts.network for facts in manifest.read_all(folder)] == ([""] if len(networks) == 1 else [*networks])


def test_it_was_made_by_the_spec_of_its_name(shipped):
    facts = manifest.read_all(shipped)[0]
    assert facts.spec_sha256 == spec.read(ROOT / "specs" / f"{facts.name}.yaml").sha256


def test_the_card_says_what_the_manifest_says(folder):
    text = card.markdown(manifest.read_all(folder), spec.read(folder / "spec.yaml"), of_artifact(folder))
    assert (folder / "README.md").read_text("utf-8") == text


def test_claims_are_about_these_files_and_stand_in_the_card(folder):
    """Numbers of an earlier generator must not stay in the card of a later one."""
    for result in of_artifact(folder):
        for name, sha256 in (result.about or {}).items():
            assert manifest.sha256_file(folder / name) == sha256, f"`zoo reproduce {result.name}` again"
        assert (folder / "claims" / f"{result.name}.png").is_file()
        assert result.verdict in (folder / "README.md").read_text("utf-8") and result.scale == "full"


def networks(folder):
    """(manifest, generator) of every network of an artifact."""
    for facts in manifest.read_all(folder):
        yield facts, zoo.load(folder, network=facts.network or None)


def test_golden_inputs_give_the_golden_outputs(folder):
    for facts, generator in networks(folder):
        output = facts.outputs[0].name
        with np.load(folder / facts.golden) as golden:
            inputs = {name: golden[name] for name in golden.files if name != output}
            np.testing.assert_allclose(generator(**inputs), golden[output], rtol=0, atol=facts.parity["tolerance"])
        if any(tensor.is_image for tensor in facts.inputs):
            continue  # images of the data, not of a seed
        for name, array in generator.latents(len(next(iter(inputs.values()))), seed=0).items():
            np.testing.assert_allclose(array, inputs[name], rtol=1e-6, atol=0)


def test_it_varies_with_the_latent_and_uses_its_range(shipped):
    for facts, generator in networks(shipped):
        if any(tensor.is_image for tensor in facts.inputs) or not facts.outputs[0].is_image:
            continue
        images = generator.sample(64, seed=0)
        assert images.dtype == np.uint8 and images.shape[0] == 64
        assert images.min() < 16 and images.max() > 239  # black ground, white cloth
        assert images.astype(float).std(axis=0).mean() > 20  # a collapsed generator draws one image: 0


def test_points_vary_with_the_latent(shipped):
    for facts, generator in networks(shipped):
        if facts.outputs[0].range is None:
            points = generator.sample(256, seed=0)
            assert points.dtype == np.float32 and np.isfinite(points).all() and points.std(axis=0).min() > 0.1


def test_translations_follow_their_images(shipped):
    for facts, generator in networks(shipped):
        source = next((tensor for tensor in facts.inputs if tensor.is_image), None)
        if source is None:
            continue
        with np.load(shipped / facts.golden) as golden:
            images = to_uint8(golden[source.name], source.range)
        translated = generator.translate(images)
        assert translated.shape[:3] == images.shape[:3]
        assert translated.astype(float).std(axis=0).mean() > 5  # not one picture for all
        if source.sizes:
            larger = np.repeat(np.repeat(images[:1], 2, axis=1), 3, axis=2)
            assert generator.translate(larger).shape[1:3] == larger.shape[1:3]


def test_sizes_are_within_what_git_should_hold():
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in ARTIFACTS}
    assert max(sizes.values()) <= 16 * MEGABYTE and sum(sizes.values()) <= 60 * MEGABYTE


def test_readme_states_the_figures_of_the_manifests(shipped):
    everything = manifest.read_all(shipped)
    facts = everything[0]
    row = next(
        line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith(f"| [{facts.name}]")
    )
    assert f"{facts.weights['images']:,} images" in row and f"{facts.weights['parameters']:,}" in row
    assert f"{max(one.parity['max_abs_difference'] for one in everything):.1e}" in row
    assert f"{sum((shipped / one.file).stat().st_size for one in everything) / MEGABYTE:.1f} MB" in row
