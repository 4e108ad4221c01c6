"""Shipped artifacts take the spec's hash of today: in every file that states it, and in nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from renew import renew

import zoo
from zoo.artifact.claim_results import read_claims
from zoo.artifact.manifest import read_manifests, write_manifests
from zoo.artifact.scores import read_scores
from zoo.core.errors import ServeError
from zoo.core.files import sha256_file
from zoo.export.precision import add_variant
from zoo.report.card import markdown
from zoo.spec.read import read_spec

EXPORTED = Path(__file__).parents[2] / "exported"
OLD = "0" * 64


def replace_text(folder: Path, old: str, new: str) -> None:
    """In all files, as bytes of the same length."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))


@pytest.fixture(params=["unrolled", "cyclegan"])
def aged(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A shipped artifact, and a copy at the path that its card names, with another hash of the spec everywhere."""
    shipped, folder = tmp_path / "shipped" / request.param, tmp_path / "exported" / request.param
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXPORTED / request.param, shipped)
    if request.param == "unrolled":
        add_variant(shipped, "fp16")
    shutil.copytree(shipped, folder)
    manifests = read_manifests(folder)
    current = manifests[0].spec_sha256
    replace_text(folder, current, OLD)
    replace_text(folder, current[:16], OLD[:16])
    for manifest in manifests:
        for name in manifest.onnx_files:
            replace_text(folder, manifest.files[name], sha256_file(folder / name))
    return shipped, folder


def test_renewed_files_are_those_of_the_hash_of_today(aged: tuple[Path, Path]) -> None:
    shipped, folder = aged
    line = renew(folder)
    assert line.startswith(f"{folder.name}: spec {OLD} -> {read_manifests(shipped)[0].spec_sha256} in README.md, ")
    assert line.endswith("; nothing else changed")
    for path in shipped.rglob("*"):
        assert not path.is_file() or (folder / path.relative_to(shipped)).read_bytes() == path.read_bytes(), path
    assert renew(folder) == f"{folder.name}: as it was"
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []


def test_every_file_agrees_with_the_manifest(aged: tuple[Path, Path]) -> None:
    _, folder = aged
    renew(folder)
    manifests, spec = read_manifests(folder), read_spec(folder / "spec.yaml")
    files = {name: sha256 for manifest in manifests for name, sha256 in manifest.files.items()}
    assert files == {name: sha256_file(folder / name) for name in files}
    for manifest in manifests:
        assert manifest.spec_sha256 == spec.sha256
        for name in manifest.onnx_files:
            props = {entry.key: entry.value for entry in onnx.load(folder / name).metadata_props}
            assert props["gan.spec_sha256"] == spec.sha256 and props["gan.manifest"] == manifest.contract()
    measured = [(score.protocol["file_sha256"], score.protocol["file"]) for score in read_scores(folder).values()]
    measured += [(sha256, name) for result in read_claims(folder) for name, sha256 in (result.about or {}).items()]
    assert all(any(manifest.has_weights_of(*one) for manifest in manifests) for one in measured)
    assert (folder / "README.md").read_text("utf-8") == markdown(manifests, spec, folder)


@pytest.mark.parametrize("aged", ["unrolled"], indirect=True)
def test_a_rewritten_file_keeps_the_hash_that_its_scores_were_measured_on(aged: tuple[Path, Path]) -> None:
    folder, _ = aged
    (manifest,), measured = read_manifests(folder), (folder / "metrics.json").read_bytes()
    old = onnx.load(folder / manifest.file)
    old.opset_import[0].version, old.graph.doc_string = 17, "of an earlier form"
    onnx.save(old, folder / manifest.file)
    hashes = {name: sha256_file(folder / name) for name in manifest.files}
    write_manifests(replace(manifest, files=hashes), folder)
    renew(folder)
    (after,) = read_manifests(folder)
    assert after.files[after.file] != hashes[after.file] and (folder / "metrics.json").read_bytes() == measured
    assert after.rewritten == {**manifest.rewritten, hashes[after.file]: "opset 17 to 13, doc strings"}
    assert after.has_weights_of(hashes[after.file], after.file) and not after.has_weights_of(OLD, after.file)
    assert (
        f"rewritten after it was measured as SHA-256 `{hashes[after.file][:16]}" in (folder / "README.md").read_text()
    )


def test_it_needs_neither_card_nor_scores(aged: tuple[Path, Path]) -> None:
    _, folder = aged
    for name in ("README.md", "metrics.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "claims")
    renew(folder)
    manifest = read_manifests(folder)[0]
    assert zoo.load(folder, network=manifest.network or None).manifest.spec_sha256 != OLD
    assert not (folder / "README.md").exists() and not (folder / "metrics.json").exists()


@pytest.mark.parametrize("aged", ["unrolled"], indirect=True)
@pytest.mark.parametrize("name", ["spec.yaml", "generator.onnx", "golden.npz"])
def test_a_changed_artifact_is_refused_and_stays(aged: tuple[Path, Path], name: str) -> None:
    """An edited spec did not make these weights: its hash must not stand beside them."""
    _, folder = aged
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ServeError, match=f"{name}: missing or changed"):
        renew(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
