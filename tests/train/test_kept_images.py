"""Folders of photos that vanish during a training: the export needs them no more."""

import json
import shutil

import numpy as np
import pytest
import tiny

from zoo.core.errors import DataError
from zoo.export import exporter
from zoo.train import loop
from zoo.train.kept import KEPT_FILE

NORM = "- BatchNormalization: {momentum: 0.9, epsilon: 1e-5}\n"


def files(folder):
    """The files of an artifact that pictures could change, and the manifests without what varies from run to run."""
    kept = [p for p in folder.iterdir() if p.suffix in (".npz", ".png", ".onnx")]
    return {path.name: path.read_bytes() for path in kept if path.suffix != ".onnx"} | {
        "shown": [one["training"]["shown"] for one in json.loads((folder / "manifest.json").read_text())["networks"]]
    }


def test_export_without_the_folders(tmp_path):
    text = tiny.cycle(tmp_path).replace("- GroupNormalization\n", NORM)
    run = tiny.train(tmp_path, text, "export.batch_norm_batches=3")
    with_folders = files(exporter.export(run, out=tmp_path / "out").folder)
    for domain in ("a", "b"):
        shutil.move(tmp_path / domain, tmp_path / f"gone_{domain}")
    again = loop.train(run.spec, runs=tmp_path / "runs", resume=True)  # another process, after a kill
    assert again.step == run.step and files(exporter.export(again, out=tmp_path / "out").folder) == with_folders
    (run.folder / KEPT_FILE).write_bytes(b"damaged")
    with pytest.raises(DataError, match=f"{KEPT_FILE}: not readable as images for an export: .* Delete it"):
        exporter.export(run, out=tmp_path / "out")
    with pytest.raises(DataError):
        loop.train(run.spec, runs=tmp_path / "runs", resume=True, steps=9)
    for domain in ("a", "b"):
        shutil.move(tmp_path / f"gone_{domain}", tmp_path / domain)
    (run.folder / KEPT_FILE).unlink()  # a run of an earlier version: its data are asked
    assert files(exporter.export(run, out=tmp_path / "out").folder) == with_folders


def test_nothing_is_kept_where_no_network_takes_images(tiny_run):
    assert not (tiny_run.folder / KEPT_FILE).exists() and np.isfinite(tiny_run.seconds)
