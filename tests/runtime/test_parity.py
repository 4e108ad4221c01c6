"""Differences by hand, the same through a process of its own, and one line when there is nothing to compare."""

import json
import subprocess

import numpy as np
import onnx_nets as nets
import pytest

import zoo
from zoo.core.errors import ExportError, ServeError
from zoo.runtime import parity


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nets.save(tmp_path_factory.mktemp("artifact") / "points", nets.points(), nets.describe_points())


def reference(path, **changes):
    """Two cases computed with NumPy, the second 0.25 off in one number."""
    small, large = np.float32([[0.5, -0.5]]), np.float32([[10, -10], [0, 3], [-3, 0]])
    arrays = {
        "normal_1/input/z": small,
        "normal_1/output/point": np.tanh(small * [2, 3]).astype(np.float32),
        "extreme_3/input/z": large,
        "extreme_3/output/point": np.tanh(large * [2, 3]).astype(np.float32),
    }
    arrays["extreme_3/output/point"][1, 0] += 0.25
    arrays |= changes
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def test_differences_by_case(folder, tmp_path, capsys):
    assert parity.main([str(folder), str(reference(tmp_path / "a.npz"))]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert list(report) == ["max_abs_difference", "cases", "tensorflow_loaded", "onnxruntime"] and err == ""
    assert list(report["cases"]) == ["normal_1", "extreme_3"]
    assert report["cases"]["normal_1"] < 1e-6
    assert report["cases"]["extreme_3"] == report["max_abs_difference"] == pytest.approx(0.25, abs=1e-6)


def test_the_comparison_runs_in_a_fresh_process(folder, tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    reference(tmp_path / "a.npz")
    monkeypatch.chdir(tmp_path)
    report = parity.compare_in_fresh_process(folder, "a.npz", timeout=60)
    assert report["max_abs_difference"] == pytest.approx(0.25, abs=1e-6)
    assert report["tensorflow_loaded"] is False and report["onnxruntime"].count(".") >= 2


def test_the_tolerance_is_kept_or_all_differences_are_reported(folder, tmp_path):
    cases = parity.read_cases(reference(tmp_path / "a.npz"))
    figures = parity.check_parity(folder, cases, tolerance=0.3, name="points", to="NumPy")
    assert figures["max_abs_difference"] == pytest.approx(0.25, abs=1e-6) and figures["tolerance"] == 0.3
    message = r"^points: the ONNX file differs from NumPy by more than 0.2: normal_1 [0-9.e-]+, extreme_3 2.50e-01$"
    with pytest.raises(ExportError, match=message):
        parity.check_parity(folder, cases, tolerance=0.2, name="points", to="NumPy")


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"max_abs_difference": 0.0, "cases": {}, "tensorflow_loaded": True}, "had loaded TensorFlow"),
        ({"max_abs_difference": float("nan"), "cases": {}, "tensorflow_loaded": False}, "by more than 0.5"),
    ],
)
def test_figures_of_doubtful_origin_are_refused(monkeypatch, figures, message):
    monkeypatch.setattr(parity, "compare_in_fresh_process", lambda *args: figures)
    with pytest.raises(ExportError, match=message):
        parity.check_parity("artifact", {}, tolerance=0.5, name="points", to="NumPy")


def test_the_parity_check_reports_the_last_line_of_a_failure(folder, tmp_path):
    with pytest.raises(ExportError, match="points: the parity check failed: .*none.npz: not a readable .npz") as caught:
        parity.compare_in_fresh_process(folder, tmp_path / "none.npz", timeout=60)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("done", "message"),
    [
        (subprocess.TimeoutExpired("python", 3), "took more than 3 seconds"),
        (subprocess.CompletedProcess([], -11, "", ""), "the parity check failed: exit code -11"),
        (subprocess.CompletedProcess([], 1, "", "Traceback\n  line\nMemoryError: no\n"), "failed: MemoryError: no$"),
        (subprocess.CompletedProcess([], 0, "hello", ""), "printed no JSON object: 'hello'"),
        (subprocess.CompletedProcess([], 0, "3", ""), "printed no JSON object: '3'"),
    ],
)
def test_a_parity_check_whose_process_fails(monkeypatch, done, message):
    def run(*args, **kwargs):
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ExportError, match=message):
        parity.compare_in_fresh_process("artifact", "a.npz", timeout=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"odd": np.zeros(1)}, "keys are CASE/input/NAME or CASE/output/NAME, received 'odd'"),
        ({"a/inputs/z": np.zeros(1)}, "received 'a/inputs/z'"),
        ({"normal_1/output/point": None}, r"case normal_1: expected output \['point'\], received \[\]"),
        ({"normal_1/output/point": np.zeros((1, 1))}, r"case normal_1: the model returns \[1, 2\], expected \[1, 1\]"),
        ({"normal_1/output/point": np.full((1, 2), np.nan)}, "case normal_1: outputs hold NaN or infinity"),
        ({"normal_1/input/z": np.zeros((1, 2))}, "expected z float32"),
        ({"normal_1/input/z": None}, "points lacks its input z"),
        ({"normal_1/input/z": np.array([[None]])}, "not a readable .npz"),
    ],
)
def test_what_cannot_be_compared_is_one_line(folder, tmp_path, capsys, changes, message):
    assert parity.main([str(folder), str(reference(tmp_path / "a.npz", **changes))]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    with pytest.raises(ServeError, match=message):
        parity.compare(zoo.load(folder), parity.read_cases(tmp_path / "a.npz"))


@pytest.mark.parametrize("damage", ["empty", "text", "npy", "truncated", "flipped", "no case"])
def test_damaged_references(folder, tmp_path, capsys, damage):
    file = reference(tmp_path / "a.npz")
    whole = file.read_bytes()
    flipped = whole[:170] + bytes([whole[170] ^ 255]) + whole[171:]
    if damage == "npy":
        with file.open("wb") as stream:
            np.save(stream, np.zeros(3))
    elif damage == "no case":
        np.savez(file)
    else:
        file.write_bytes({"empty": b"", "text": b"hello", "truncated": whole[:200], "flipped": flipped}[damage])
    assert parity.main([str(folder), str(file)]) == 2
    assert capsys.readouterr().err.startswith(str(file))


def test_usage(capsys):
    assert parity.main([]) == 2
    assert capsys.readouterr().err == "usage: python -m zoo.runtime.parity ARTIFACT REFERENCE.npz\n"
