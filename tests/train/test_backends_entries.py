"""Entries on several backends: equal weights, data and noise give equal losses.

Whole networks as they are shipped, on batches of four examples of noise. Only the first step is compared: in 32 bits
rounding grows to more than 1e-3 within ten steps of networks this deep. Dropout is off: its streams differ by backend.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from zoo.spec.read import read_spec, spec_file

STEPS = 1
SMALL = ("training.batch_size=4", "training.xla=false")
# A spec, and what is changed in it; a new entry joins by a line here.
ENTRIES: dict[str, tuple[str, ...]] = {
    "acgan": ("defaults.Dropout.rate=0",),
    "began": (),
    "feature_matching": (),
    "infogan": (),
    "letters": (),
    "minibatch": (),
    "pix2pix": (),
    "projection": (),
    "r3gan": (),
    "terrain": (),
}
BACKENDS = ("jax", "torch")


def losses(folder, backend):
    """The losses of the steps in a process of that backend, from the checkpoint that the first one leaves."""
    helper = Path(__file__).parents[1] / "helpers" / "backend_steps.py"
    command = [sys.executable, str(helper), str(folder), str(STEPS), "noise"]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = json.loads(done.stdout.splitlines()[-1])["losses"].values()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ENTRIES)
def test_losses_of_an_entry_agree(name, backend, tmp_path):
    """To 1e-4, of both players: G's is taken at the D that has moved."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    (tmp_path / f"{name}.yaml").write_text(read_spec(spec_file(name), (*SMALL, *ENTRIES[name])).to_yaml(), "utf-8")
    ours, theirs = losses(tmp_path, "tensorflow"), losses(tmp_path, backend)
    assert len(ours) == len(theirs) == STEPS and ours[0].keys() == theirs[0].keys()
    for loss, found in ours[0].items():
        assert found == pytest.approx(theirs[0][loss], abs=1e-4), loss
