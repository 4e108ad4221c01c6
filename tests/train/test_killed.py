"""A run that is killed at any moment and resumed leaves what an undisturbed run leaves."""

import json
import multiprocessing
import signal

import killed
import numpy as np
import pytest
from watched import WATCHED

from zoo.artifact.manifest import OUTSIDE_CONTRACT

STEPS, EVERY = 44, 11
TEXT = WATCHED.replace("steps: 3", f"steps: {STEPS}\n  picture_every_steps: {EVERY}\n  checkpoint_every_seconds: 1e-6")
TEXT = TEXT.replace("every: 1", f"every: {EVERY}")
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["killed"])


def start(folder, where="", count=0, when=""):
    """The exit code of a training that goes on in `folder`; without `where` nothing kills it, and it exports."""
    folder.mkdir(exist_ok=True)
    (folder / "watched.yaml").write_text(TEXT)
    process = CONTEXT.Process(target=killed.train, args=(folder, where, count, when))
    process.start()
    process.join()
    return process.exitcode


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
    assert start(folder) == 0
    return left(folder)


def check(folder, undisturbed, kills):
    for where, count, when in kills:
        assert start(folder, where, count, when) == -signal.SIGKILL
        if when == "before" and where.endswith("npz"):
            assert list((folder / "runs" / "watched").glob(".*.npz.*"))
    assert start(folder) == 0
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
