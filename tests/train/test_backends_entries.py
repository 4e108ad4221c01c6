"""Every shipped entry on several backends: equal weights, data and noise give equal losses over ten steps.

Whole networks as they are shipped, on batches of four examples of noise, in 64 bits: in 32 bits rounding alone grows to
more than 1e-3 within ten steps of networks this deep. Dropout is off: its streams differ by backend. Adam's epsilon is
1e-3: with 1e-8 its first steps are those of the signs, also of gradients that are nothing but rounding.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from zoo.cli.new import shipped
from zoo.spec.read import read_spec

STEPS = 10
SMALL = ("training.batch_size=4", "training.xla=false", "training.ema_half_life_images=null")
HELPER = Path(__file__).parents[1] / "helpers" / "backend_steps.py"


def losses(folder, backend):
    """The losses of the steps in a process of that backend, from the checkpoint that the first one leaves."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"}
    command = [sys.executable, str(HELPER), str(folder), str(STEPS), "noise"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = json.loads(done.stdout.splitlines()[-1])["losses"].values()
    return {name: np.array([row[name] for row in found]) for name in found[0]}


@pytest.fixture(scope="module", params=sorted(shipped()))
def entry(request, tmp_path_factory):
    """A folder with the spec and its first checkpoint, and the losses under TensorFlow."""
    folder = tmp_path_factory.mktemp(request.param)
    text = re.sub(r"(?<!\w)rate: 0?\.\d+", "rate: 0.0", read_spec(shipped()[request.param], SMALL).to_yaml())
    text = re.sub(r"(?<!\w)epsilon: 1\.0?e-0?[78]", "epsilon: 0.001", text)
    assert not re.search(r"Dropout: \{?\s*rate: (?!0\.0)", text) and "epsilon: 1.0e-08" not in text
    (folder / f"{request.param}.yaml").write_text(text, "utf-8")
    return folder, losses(folder, "tensorflow")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_losses_of_an_entry_agree(entry, backend):
    """To 1e-6 over ten steps, of all players: one that moves last is taken at what has moved."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    folder, ours = entry
    theirs = losses(folder, backend)
    assert ours.keys() == theirs.keys()
    for name, found in theirs.items():
        assert len(found) == STEPS
        np.testing.assert_allclose(found, ours[name], atol=1e-6, rtol=1e-6, err_msg=name)
