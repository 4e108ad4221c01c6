"""Every spec of specs/ goes the whole road: two steps of its own game, an artifact, agreement with Keras.

The pictures are noise of the right shape, so that nothing is fetched; all else is the spec's own, in small batches.
"""

from pathlib import Path

import pytest
from games import images

from zoo.artifact.manifest import read_manifests
from zoo.data.dataset import Domains
from zoo.export import exporter
from zoo.spec import feeds
from zoo.spec.read import read_spec
from zoo.train import loop

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("[!_]*.yaml"))
SMALL = ("training.batch_size=4", "training.xla=false", "training.checkpoint_every_seconds=1e9")


def noise(read, *, split=None):
    """A data set of noise in the shape of the spec's own."""
    if "a" in read.fields:
        a, b = (images(read, 64, field=field, seed=seed) for seed, field in enumerate("ab"))
        return Domains("noise", a, b, paired=True)
    return images(read, 64)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_it_trains_exports_and_agrees(path, tmp_path, monkeypatch):
    read = read_spec(path, SMALL)
    assert read.name == path.stem
    if "image" in read.fields or "a" in read.fields:
        monkeypatch.setattr(feeds, "load_data", noise)
    run = loop.train(read, runs=tmp_path / "runs", steps=2)
    assert run.step == 2
    made = exporter.export(run, out=tmp_path / "out")
    for facts in read_manifests(made.folder):
        assert 0 < facts.parity["max_abs_difference"] <= facts.parity["tolerance"] == 1e-4
        assert facts.spec_sha256 == read.sha256
    assert (made.folder / "samples.png").stat().st_size > 0


def test_there_are_specs():
    assert len(SPECS) >= 11
