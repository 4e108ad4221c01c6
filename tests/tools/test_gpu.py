"""The script for a machine with a card, in its shortest form: two logical devices of the CPU, one entry, a second."""

import json
from pathlib import Path

import gpu
import pytest
import tiny

ROOT = Path(__file__).parents[2]

ROW = {
    "entry": "dcgan", "backend": "jax", "precision": "float32", "device": "NVIDIA T4", "machine": "8 cores of X",
    "python": "3.11.7", "versions": {"jax": "0.10.2"}, "images_per_second": 12345.6, "of_peak": 0.125,
    "memory_bytes": 2_000_000, "difference": 2e-5,
}  # fmt: skip


def test_the_shortest_form(tmp_path, capsys):
    tiny.read(tmp_path, tiny.DENSE)
    arguments = [
        "--device",
        "cpu",
        "--out",
        str(tmp_path),
        "--seconds",
        "1",
        "--entries",
        str(tmp_path / "tested.yaml"),
    ]
    arguments += ["--backends", "tensorflow", "--precisions", "float32"]
    assert gpu.main(arguments) == 0, capsys.readouterr().out
    (row,) = json.loads((tmp_path / "GPU.json").read_text("utf-8"))
    assert row["device"] == "CPU, 2 logical devices" and row["steps"] >= 1 and row["images_per_second"] > 0
    assert 0 < row["of_peak"] < 1 and row["memory_bytes"] > 1e8
    assert row["difference"] <= gpu.AGREEMENT and row["parity"] <= 1e-4 and row["provider_difference"] == 0.0
    page = (tmp_path / "GPU.md").read_text("utf-8")
    assert "Device: CPU, 2 logical devices." in page and "**PASS**" in page and "| tensorflow | float32 |" in page
    before = (tmp_path / "GPU.json").read_bytes()
    assert gpu.main(arguments) == 0 and (tmp_path / "GPU.json").read_bytes() == before  # nothing is measured twice


def test_the_page_states_machine_versions_and_numbers():
    page = gpu.page([ROW])
    assert "Device: NVIDIA T4. Machine: 8 cores of X, Python 3.11.7; jax 0.10.2." in page and "**PASS**" in page
    assert "| dcgan | jax | float32 | 12,346 | 12.5% | 2 MB | 2.0e-05 |" in page


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"difference": 2e-3}, "losses differ from the CPU's by 2.0e-03, more than 1e-03"),
        ({"difference": float("nan")}, "losses differ from the CPU's by nan"),
        ({"error": "out of memory"}, "out of memory"),
        ({"provider": "cuda", "provider_error": "no kernel"}, "cuda: no kernel"),
        ({"parity": 0.0, "provider": "cuda", "provider_difference": 0.5}, "draws images that differ by 5.0e-01"),
    ],
)
def test_what_does_not_hold_is_named(change, reason):
    rows = [{**ROW, **change}]
    assert [line for line in gpu.failures(rows) if reason in line] and "**FAIL**" in gpu.page(rows)


def test_halves_may_differ():
    assert gpu.failures([{**ROW, "precision": "mixed_float16", "difference": 0.1}]) == []


def test_a_process_that_ends_early_is_a_row_with_its_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "__file__", str(tmp_path / "missing.py"))
    (row,) = gpu.run(["dcgan"], "tensorflow", "float32", 1.0, "cpu")
    assert row["entry"] == "dcgan" and "No such file" in row["error"]


def test_the_readme_states_whether_a_card_was_measured():
    page = ROOT / "GPU.md"
    measured = page.is_file() and "Device: CPU" not in page.read_text("utf-8")
    assert ("GPU: not measured" in (ROOT / "README.md").read_text("utf-8")) is not measured
