"""A full disk: what the message states, and that a training goes on without its periodic files."""

import errno
import os
import shutil

import pytest
import tiny

from zoo.core.errors import DiskFullError, UsageError
from zoo.core.files import write_whole
from zoo.train import checkpoint

OFTEN = ("training.checkpoint_every_seconds=1e-6", "training.picture_every_steps=1")


@pytest.fixture
def disk(monkeypatch):
    """`disk(name, times)`: so many files of that name find no space when they are written."""
    sync = os.fsync

    def fill(name, times):
        left = [times]

        def fail(handle):
            if name in os.readlink(f"/proc/self/fd/{handle}") and left[0]:
                left[0] -= 1
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(handle)

        monkeypatch.setattr(os, "fsync", fail)

    return fill


def test_the_message_has_path_bytes_and_what_stands(tmp_path, disk):
    path = write_whole(tmp_path / "a.bin", b"old")
    disk("a.bin", 1)
    message = r"^\S+a\.bin: the disk is full: 2\.5 MB needed, .* free; the earlier file stands as it was$"
    with pytest.raises(DiskFullError, match=message):
        write_whole(path, b"x" * 2_500_000)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["checkpoint.npz", "generator-"])
def test_a_periodic_file_that_finds_no_space_does_not_end_the_training(tmp_path, disk, capsys, name):
    disk(name, 1)
    run = tiny.train(tmp_path, tiny.DENSE, *OFTEN)
    lines = [line for line in capsys.readouterr().err.splitlines() if "the disk is full" in line]
    assert run.step == 3 and checkpoint.reached(run.folder / checkpoint.FILE) == 3
    assert len(lines) == 1 and lines[0].endswith("training goes on and tries again later")


def test_the_last_checkpoint_that_finds_no_space_is_an_error_that_says_how_to_go_on(tmp_path, disk):
    tiny.train(tmp_path, tiny.DENSE, steps=2)
    disk("checkpoint.npz", 9)
    message = "the checkpoint of step 2 stands, this step is 3. Free some space, then go on with --resume"
    with pytest.raises(DiskFullError, match=message):
        tiny.train(tmp_path, tiny.DENSE, resume=True)


def test_space_is_tested_before_the_first_step(tmp_path, monkeypatch):
    run = tiny.train(tmp_path, tiny.DENSE)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(
        UsageError, match=r"the disk has 0\.1 kB free; the checkpoints of this training need 3\.9 kB\. Free"
    ):
        tiny.train(tmp_path, tiny.DENSE)
    assert (run.folder / checkpoint.FILE).exists()  # the earlier run is where it was


def test_leftovers_of_a_kill_are_deleted_and_files_of_the_user_are_not(tmp_path):
    run = tiny.train(tmp_path, tiny.DENSE, steps=1)
    ours = [".checkpoint.npz.0a1b2c3d", ".best.npz.1234", ".generator-0000002.png.0a1b2c3d"]
    theirs = [".mine", ".notes.txt.0a1b2c3d", "checkpoint.npz.0a1b2c3d"]
    for name in (*ours, *theirs):
        (run.folder / name).write_text("x")
    tiny.train(tmp_path, tiny.DENSE, resume=True)
    left = {path.name for path in run.folder.iterdir()}
    assert not left & set(ours) and left >= set(theirs)
