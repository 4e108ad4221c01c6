"""The first ten losses of every shipped spec are those that were written down: a change that moves them says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.cli.new import shipped

HELPER = Path(__file__).parents[1] / "helpers" / "first_losses.py"
EXPECTED = json.loads(Path(__file__).with_name("first_losses.json").read_text("utf-8"))
QUICK = ("vanilla", "unrolled")


def check(*names):
    """In a process of its own, because its numbers have 64 bits throughout."""
    command = [sys.executable, str(HELPER), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == set(names)
    for name in names:
        assert found[name].keys() >= EXPECTED[name].keys()  # terms and states may be logged besides
        for loss, values in EXPECTED[name].items():
            np.testing.assert_allclose(found[name][loss], values, rtol=1e-9, atol=0, err_msg=f"{name}: {loss}")


def test_every_shipped_spec_has_its_losses():
    assert EXPECTED.keys() == shipped().keys()
    assert {len(values) for losses in EXPECTED.values() for values in losses.values()} == {10}


def test_first_losses_of_two():
    check(*QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - set(QUICK)))
def test_first_losses_of_another(name):
    check(name)
