"""An export that fails: what is told, and that the artifact that stood there still stands."""

import errno
import os
import shutil
import signal
from pathlib import Path

import keras
import pytest

from zoo.core.errors import DiskFullError, ExportError, UsageError
from zoo.export import exporter
from zoo.nn import batch_norm
from zoo.runtime import parity


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "broken", ["runtime.parity.check_parity", "export.exporter.markdown", "core.pictures.write_png"]
)
def test_a_failure_leaves_what_was_there(exported, tiny_run, tmp_path, monkeypatch, broken):
    shutil.copytree(exported.folder, tmp_path / "tiny")
    before = contents(tmp_path / "tiny")

    def fail(*args, **kwargs):
        raise ExportError("no")

    monkeypatch.setattr(f"zoo.{broken}", fail)
    with pytest.raises(ExportError, match=r"^no$"):
        exporter.export(tiny_run, out=tmp_path)
    assert contents(tmp_path / "tiny") == before and [p.name for p in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.parametrize("error", [OSError(18, "no"), KeyboardInterrupt()], ids=["OSError", "Ctrl-C"])
def test_the_old_artifact_returns_when_the_new_one_cannot_move(exported, tiny_run, tmp_path, monkeypatch, error):
    target, rename, failed = shutil.copytree(exported.folder, tmp_path / "tiny"), Path.rename, []
    (target / "generator.onnx").write_text("of the earlier export")
    before = contents(target)

    def fail(self, other):
        if other == target and not failed:  # the earlier one was moved away by now
            failed.append(self)
            raise error
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(type(error)):
        exporter.export(tiny_run, out=tmp_path)
    assert failed and contents(target) == before and [p.name for p in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", ["generator.onnx", "golden.npz"])
def test_a_full_disk_leaves_what_was_there_and_says_how_to_go_on(exported, tiny_run, tmp_path, monkeypatch, name):
    shutil.copytree(exported.folder, tmp_path / "tiny")
    before, sync = contents(tmp_path / "tiny"), os.fsync

    def fail(handle):
        if name in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    told = (
        rf"^\S+{name}: the disk is full: .+; the run in {tiny_run.folder} stands at step 4; "
        rf"{tmp_path / 'tiny'} is as it was\. Free some space, then export it with --resume$"
    )
    with pytest.raises(DiskFullError, match=told) as caught:
        exporter.export(tiny_run, out=tmp_path)
    assert caught.value.exit_code == 1
    assert contents(tmp_path / "tiny") == before and [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_ctrl_c_while_exporting(exported, tiny_run, tmp_path, monkeypatch):
    shutil.copytree(exported.folder, tmp_path / "tiny")
    before = contents(tmp_path / "tiny")
    monkeypatch.setattr(parity, "compare_in_fresh_process", lambda *args: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        exporter.export(tiny_run, out=tmp_path)
    assert contents(tmp_path / "tiny") == before and [p.name for p in tmp_path.iterdir()] == ["tiny"]


def test_a_difference_to_keras_is_told_in_figures(tiny_run, tmp_path, monkeypatch):
    folded = batch_norm.folded

    def wrong(plan, network, layers):
        result = folded(plan, network, layers)
        result.set_weights([w * 1.01 for w in result.get_weights()])
        return result

    monkeypatch.setattr(exporter, "folded", wrong)
    figures = r"batch_1 [0-9.]+e-0[1-3], batch_3 .*, all_-10 .*e"
    told = rf"^tiny: the ONNX file differs from Keras by more than 0\.0001: {figures}"
    with pytest.raises(ExportError, match=told) as caught:
        exporter.export(tiny_run, out=tmp_path)
    assert caught.value.exit_code == 1 and list(tmp_path.iterdir()) == []


def test_a_parity_check_that_saw_tensorflow_does_not_count(tiny_run, tmp_path, monkeypatch):
    figures = {"max_abs_difference": 0.0, "cases": {}, "tensorflow_loaded": True, "onnxruntime": "1"}
    monkeypatch.setattr(parity, "compare_in_fresh_process", lambda *args: figures)
    with pytest.raises(ExportError, match="had loaded TensorFlow"):
        exporter.export(tiny_run, out=tmp_path)


def test_another_backend_is_refused(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="export runs on the TensorFlow backend, received KERAS_BACKEND=torch"):
        exporter.export(tiny_run, out=tmp_path / "out")
