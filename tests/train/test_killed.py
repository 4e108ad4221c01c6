"""A run that is killed at any moment and resumed leaves what an undisturbed run leaves."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from watched import WATCHED

from zoo.artifact.manifest import OUTSIDE_CONTRACT

STEPS, EVERY = 44, 11
TEXT = WATCHED.replace("steps: 3", f"steps: {STEPS}\n  picture_every_steps: {EVERY}\n  checkpoint_every_seconds: 1e-6")
TEXT = TEXT.replace("every: 1", f"every: {EVERY}")
# Trains and exports with the judge and the data of tests/helpers/watched.py, and kills itself at the `count`-th call of
# `where`, which gets the arguments of the call: "before" it or "after" it.
CHILD = """
import os, signal, sys
sys.path[:0] = [HELPERS]
from pathlib import Path
import watched
from zoo.data.dataset import Dataset
from zoo.metrics.networks import judge
from zoo.spec import feeds
from zoo.spec.read import read_spec

folder, where, count, when = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
import numpy as np
data = Dataset("fashion_mnist", images=watched.real(), labels=np.arange(300) % 10, classes=tuple("0123456789"))
judge.load_judge = watched.Features
feeds.load_data = lambda spec, split=None: data
if where:
    replace, seen = os.replace, []
    def killing(source, target):
        hit = where in str(target)
        seen.extend([target] if hit else [])
        last = hit and len(seen) == count
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
    os.replace = killing
from zoo.export import exporter
from zoo.train import loop
run = loop.train(read_spec(folder / "watched.yaml"), runs=folder / "runs", resume=True)
if not where:
    exporter.export(loop.best_of(run), out=folder / "best")
    exporter.export(run, out=folder / "last")
""".replace("HELPERS", repr(str(Path(__file__).parents[1] / "helpers")))


def start(folder, where="", count=0, when=""):
    folder.mkdir(exist_ok=True)
    (folder / "watched.yaml").write_text(TEXT)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, "-c", CHILD, str(folder), where, str(count), when]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def left(folder):
    """All that counts of a run and its artifacts, times aside."""
    found = {}
    for artifact in ("best", "last"):
        home = folder / artifact / "watched"
        manifest = json.loads((home / "manifest.json").read_text())
        training = {key: value for key, value in manifest["training"].items() if key != "seconds"}
        found |= {f"{artifact}/{key}": value for key, value in manifest.items() if key not in OUTSIDE_CONTRACT}
        found |= {f"{artifact}/training": training}
        found |= {f"{artifact}/{name}": (home / name).read_bytes() for name in manifest["files"] if "." in name}
    for name in ("best.npz", "checkpoint.npz"):
        with np.load(folder / "runs" / "watched" / name) as file:
            found |= {f"{name}/{key}": file[key].tobytes() for key in file.files if key != "meta"}
            facts = json.loads(str(file["meta"]))
            found[name] = {key: value for key, value in facts.items() if key != "seconds"}
    names = {path.name for path in (folder / "runs" / "watched").iterdir()}
    return {**found, "names": names}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    result = start(folder)
    assert result.returncode == 0, result.stderr
    return left(folder)


def check(folder, undisturbed, kills):
    for where, count, when in kills:
        killed = start(folder, where, count, when)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        if when == "before" and where.endswith("npz"):
            assert list((folder / "runs" / "watched").glob(".*.npz.*"))
    result = start(folder)
    assert result.returncode == 0, result.stderr
    assert left(folder) == undisturbed


def test_killed_while_the_best_weights_and_then_the_last_checkpoint_are_written(tmp_path, undisturbed):
    check(tmp_path, undisturbed, [("best.npz", 1, "before"), ("checkpoint.npz", STEPS - EVERY - 2, "before")])


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("where", "count"),
    [("best.npz", 1), ("best.npz", 2), ("best.npz", 4), ("checkpoint.npz", 1), ("checkpoint.npz", 11),
     ("checkpoint.npz", 12), ("checkpoint.npz", 25), ("-0000000.", 1), ("-0000011.", 2), ("-0000022.", 1),
     (f"-00000{STEPS}.", 1)],
)  # fmt: skip
def test_killed_anywhere(tmp_path, undisturbed, where, count, when):
    check(tmp_path, undisturbed, [(where, count, when)])
