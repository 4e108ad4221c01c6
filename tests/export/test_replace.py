"""An earlier artifact is never lost, and what killed exports left goes."""

import json
import os
import shutil
import time

import pytest
from filelock import FileLock

import zoo
from zoo.artifact.artifact_folders import find_artifacts
from zoo.export import exporter
from zoo.export.replace import LOCK, YOUNG_SECONDS, folder_aside, remove_leftovers, replace_folder


@pytest.fixture
def earlier(exported, tmp_path):
    """`earlier(images=N)`: the shared artifact as tmp_path/tiny, trained on N images."""

    def make(images):
        folder = shutil.copytree(exported.folder, tmp_path / "tiny", dirs_exist_ok=True)
        document = json.loads((folder / "manifest.json").read_text())
        document["weights"]["images"] = images
        (folder / "manifest.json").write_text(json.dumps(document))
        return folder

    return make


@pytest.fixture
def put(exported, tmp_path):
    """`put()`: the shared artifact takes the place of tmp_path/tiny. Returns where that is kept, or None."""

    def make():
        with folder_aside(tmp_path, "tiny") as folder:
            shutil.copytree(exported.folder, folder, dirs_exist_ok=True)
            return replace_folder(folder, tmp_path / "tiny")

    return make


@pytest.mark.parametrize(
    ("images", "file", "kept"),
    [(1, None, False), (32, None, False), (33, None, True), (1, "metrics.json", True), (1, "seeds.json", True),
     (1, "claims", True)],
)  # fmt: skip
def test_what_was_measured_or_trained_longer_is_kept(earlier, put, tmp_path, images, file, kept):
    folder = earlier(images)
    if file:
        (folder / file).mkdir()
    previous = put()
    assert previous == (tmp_path / "tiny.previous" if kept else None)
    assert find_artifacts(tmp_path) == [tmp_path / "tiny"]
    if kept:
        assert json.loads((previous / "manifest.json").read_text())["weights"]["images"] == images
        assert zoo.load(previous, verify=False)  # it is not listed, yet can be used


def test_a_second_one_gets_a_number(earlier, put, tiny_run, tmp_path):
    earlier(99)
    assert put() == tmp_path / "tiny.previous"
    earlier(99)
    assert exporter.export(tiny_run, out=tmp_path).previous == tmp_path / "tiny.previous-2"


def test_a_manifest_that_cannot_be_read_is_kept(earlier, put, tmp_path):
    (earlier(1) / "manifest.json").write_text("{")
    assert put() == tmp_path / "tiny.previous"


def dead(out, *, old):
    """What an export leaves that was killed between its two renames."""
    aside = out / ".tiny-abc"
    (aside / "tiny").mkdir(parents=True)
    (aside / LOCK).touch()
    if old:
        shutil.move(out / "tiny", aside / "tiny.old")
    return aside


def test_an_artifact_between_two_renames_is_found_again(earlier, tmp_path):
    folder = earlier(5)
    before = (folder / "manifest.json").read_bytes()
    aside = dead(tmp_path, old=True)
    remove_leftovers(tmp_path, "tiny")
    assert (folder / "manifest.json").read_bytes() == before and not aside.exists()


def test_folders_of_dead_exports_go_and_those_of_living_ones_stay(tmp_path):
    gone, alive, young = (tmp_path / f".tiny-{name}" for name in ("gone", "alive", "young"))
    for folder in (gone, alive, young):
        (folder / "tiny").mkdir(parents=True)
    (alive / LOCK).touch()
    os.utime(gone, (time.time() - 2 * YOUNG_SECONDS,) * 2)
    with FileLock(alive / LOCK):
        remove_leftovers(tmp_path, "tiny")
    assert [path.exists() for path in (gone, alive, young)] == [False, True, True]


def test_build_says_where_the_earlier_one_is_and_how_it_comes_back(zoo_says, tmp_path, monkeypatch):
    import tiny

    from zoo.cli import requirements

    monkeypatch.setattr(requirements, "silence", lambda: None)
    monkeypatch.chdir(tmp_path)
    path = str(tiny.read(tmp_path, tiny.DENSE).path)
    assert zoo_says("build", path, "--steps", "2")[0] == 0
    code, out, _ = zoo_says("build", path, "--steps", "1")
    assert code == 0
    assert out.splitlines()[-1] == (
        "the earlier dense is kept in exported/dense.previous; this brings it back: "
        "rm -r exported/dense && mv exported/dense.previous exported/dense"
    )
    code, out, _ = zoo_says("report", "--text")
    assert code == 0 and "previous" not in out
