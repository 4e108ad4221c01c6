"""Entries on several backends: equal weights, data and noise give equal losses.

Whole networks as they are shipped, on batches of four examples of noise, in 64 bits: rounding to 32 grows to more than
1e-3 within ten steps of networks this deep. Dropout is off: its streams differ by backend.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from zoo.spec.read import read_spec, spec_file

STEPS = 10
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
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = json.loads(done.stdout.splitlines()[-1])["losses"].values()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ENTRIES)
def test_losses_of_an_entry_agree(name, backend, tmp_path):
    """To 1e-4 after the first step, and to 1e-3 after ten."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    (tmp_path / f"{name}.yaml").write_text(read_spec(spec_file(name), (*SMALL, *ENTRIES[name])).to_yaml(), "utf-8")
    ours, theirs = losses(tmp_path, "tensorflow"), losses(tmp_path, backend)
    assert len(ours) == len(theirs) == STEPS and ours[0].keys() == theirs[0].keys()
    for loss in ours[0]:
        a, b = (np.array([row[loss] for row in rows]) for rows in (ours, theirs))
        assert a[0] == pytest.approx(b[0], abs=1e-4), loss
        np.testing.assert_allclose(a, b, atol=1e-3, rtol=0, err_msg=loss)
    assert any(np.ptp([row[loss] for row in ours]) > 1e-3 for loss in ours[0])  # ten equal losses would agree, too
