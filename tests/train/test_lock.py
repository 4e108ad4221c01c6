"""One process trains a run; once it has ended, killed or not, the next one may."""

import os
import signal
import subprocess
import sys

import pytest
import tiny
from filelock import FileLock

from zoo.core.errors import UsageError
from zoo.train import checkpoint, loop

HOLD = """
import pathlib, sys
from zoo.train import checkpoint
with checkpoint.lock_run(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process, which trains runs/tiny until it is ended."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "tiny")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_refusal_names_the_process_that_trains(other, tmp_path):
    with pytest.raises(UsageError) as error, checkpoint.lock_run(tmp_path / "tiny"):
        pytest.fail("two processes in one run")
    assert str(error.value) == (
        f"{tmp_path / 'tiny'}: being trained by process {other.pid}; "
        "wait for it, stop it, or choose another folder with --runs"
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, None])
def test_the_lock_ends_with_its_process(other, tmp_path, how):
    if how:
        other.send_signal(how)
    else:
        other.stdin.close()
    other.wait(10)
    with checkpoint.lock_run(tmp_path / "tiny"):
        assert (tmp_path / ".tiny.pid").read_text() == str(os.getpid())
        with pytest.raises(UsageError, match=f"process {os.getpid()};"), checkpoint.lock_run(tmp_path / "tiny"):
            pytest.fail("twice in one process")
    with checkpoint.lock_run(tmp_path / "tiny"):
        pass


def test_runs_beside_each_other_do_not_meet(other, tmp_path):
    with checkpoint.lock_run(tmp_path / "tiny2"), checkpoint.lock_run(tmp_path / "deep" / "tiny"):
        assert not (tmp_path / "tiny").exists()


def test_where_a_file_system_has_no_locks_training_goes_on(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    entered = False
    with checkpoint.lock_run(tmp_path / "tiny"):
        entered = True
    assert entered


def test_what_training_raises_is_not_taken_for_a_lock(tmp_path):
    """Disk full is an OSError too."""
    with pytest.raises(OSError, match="No space left"), checkpoint.lock_run(tmp_path / "tiny"):
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == [".tiny.lock"]


@pytest.mark.parametrize("resume", [False, True])
def test_training_leaves_a_run_of_another_process_as_it_is(spec_of, tmp_path, resume):
    spec, runs = spec_of(tiny.DENSE), tmp_path / "runs"
    loop.train(spec, runs=runs, steps=1)
    before = (runs / "dense" / checkpoint.FILE).read_bytes()
    with checkpoint.lock_run(runs / "dense"), pytest.raises(UsageError, match="being trained by process"):
        loop.train(spec, runs=runs, resume=resume, steps=2)
    assert (runs / "dense" / checkpoint.FILE).read_bytes() == before
    assert sorted(path.name for path in runs.iterdir()) == [".dense.lock", "dense"]
    assert loop.train(spec, runs=runs, resume=True, steps=2).step == 2
