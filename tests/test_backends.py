"""One algorithm, several backends: equal weights, data and noise give equal losses, and checkpoints change hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny
from backend_steps import losses, second_derivative

from zoo import checkpoint, export, training

STEPS = 10
SAME_GAME = [  # chance differs between backends, large steps drive rounding apart
    "networks.generator.layers.4.Dropout.rate=0",
    "networks.discriminator.layers.3.Dropout.rate=0",
    "algorithm.alternating.generator.optimizer.Adam.learning_rate=1e-3",
    "algorithm.alternating.discriminator.optimizer.Adam.learning_rate=1e-3",
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The spec, its first checkpoint, and the losses of TensorFlow."""
    folder = tmp_path_factory.mktemp("backends")
    spec = tiny.read(folder, tiny.GAN, *SAME_GAME)
    (folder / "game.yaml").write_text(spec.to_yaml(), "utf-8")
    algorithm = training.make(spec)
    checkpoint.save(folder / "start.npz", algorithm, checkpoint.Progress(0, 0.0, ""), spec.document)
    algorithm.compile()
    batches = training.make_batches(spec, algorithm, training.load_data(spec))
    return spec, folder, losses(algorithm, batches, STEPS)


@pytest.fixture(scope="module", params=["jax", "torch"])
def other(request, reference):
    """What the same steps give under another backend, and the checkpoint that it left."""
    backend = request.param
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    _, folder, _ = reference
    end = folder / f"{backend}.npz"
    script = Path(__file__).with_name("backend_steps.py")
    command = [sys.executable, str(script), str(folder / "game.yaml"), str(folder / "start.npz"), str(end), str(STEPS)]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return backend, json.loads(done.stdout.splitlines()[-1]), end


def test_losses_agree(reference, other):
    _, _, ours = reference
    _, result, _ = other
    for name in ("discriminator_loss", "generator_loss"):
        a, b = (np.array([row[name] for row in rows]) for rows in (ours, result["losses"]))
        assert a[0] == pytest.approx(b[0], abs=1e-4)
        np.testing.assert_allclose(a, b, atol=1e-3, rtol=0)
    assert len(result["losses"]) == STEPS


def test_nested_calls_give_second_derivatives(other):
    assert second_derivative() == pytest.approx(12.0, abs=1e-5)  # TensorFlow
    assert other[1]["second_derivative"] == pytest.approx(12.0, abs=1e-5)


def test_the_checkpoint_goes_on_and_is_exported_under_tensorflow(reference, other, tmp_path):
    spec, _, _ = reference
    backend, result, end = other
    algorithm = training.make(spec)
    progress = checkpoint.load(end, algorithm, spec.document)
    assert (
        progress.step == STEPS
        and progress.machine.endswith(f"Keras on {backend}")
        and progress.machine == result["machine"]
    )
    run = training.Run(spec, algorithm, progress.step, progress.seconds, "", progress.machine, tmp_path)
    facts = export.export(run, out=tmp_path).manifest
    assert facts.parity["max_abs_difference"] <= 1e-4
    assert facts.training["machine"] == result["machine"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_build_tool_trains_there_and_exports_here(backend, tmp_path):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny.GAN, "utf-8")
    command = [sys.executable, "-m", "zoo.cli", "build", str(path), "--steps", "3", "--set", "training.batch_size=16"]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    manifest = json.loads((tmp_path / "exported" / "tiny" / "manifest.json").read_text("utf-8"))
    assert manifest["weights"]["step"] == 3 and manifest["training"]["machine"].endswith(f"Keras on {backend}")
