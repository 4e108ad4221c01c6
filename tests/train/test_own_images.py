"""Runs on the user's own images: what was read is printed and kept, and a run goes on with the same images alone."""

import numpy as np
import pytest
import tiny
from PIL import Image

from zoo.core.arrays import load_arrays, save_arrays
from zoo.core.errors import TrainingError
from zoo.export import exporter

OWN = tiny.DENSE.replace("{source: digits}", "{source: ./pictures, size: 8, channels: 1}") + (
    "export: {batch_norm_batches: 0}\n"
)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        Image.new("L", (8, 8), 40 * number).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_an_account_stands_on_screen_in_the_manifest_and_in_the_card(pictures, tmp_path, capsys):
    run = tiny.train(tmp_path, OWN, steps=1)
    lines = capsys.readouterr().err.splitlines()
    assert f"dense: {pictures}: 5 images; 1 file left out (.txt: 1)" in lines
    assert f"dense: warning: {pictures}: 5 images will be learnt by heart; use thousands" in lines
    exported = exporter.export(run, out=tmp_path / "exported")
    assert exported.manifest.data["counts"] == {"images": 5, "left_out": {".txt": 1}}
    assert "5 images; 1 file left out (.txt: 1)" in (exported.folder / "README.md").read_text()
    assert str(tmp_path) not in exported.manifest.to_json()


def test_a_run_goes_on_with_the_images_that_it_began_with(pictures, tmp_path):
    tiny.train(tmp_path, OWN, steps=1)
    pictures.rename(tmp_path / "moved")
    moved = ("data.source=" + str(tmp_path / "moved"),)
    assert tiny.train(tmp_path, OWN, *moved, steps=2, resume=True).step == 2
    Image.new("L", (8, 8), 1).save(tmp_path / "moved" / "0.png")
    with pytest.raises(TrainingError, match=r"checkpoint.npz: made with other images: the pixels differ. Bring them"):
        tiny.train(tmp_path, OWN, *moved, steps=3, resume=True)
    (tmp_path / "moved" / "0.png").unlink()
    with pytest.raises(TrainingError, match="made with other images: it had 5, there are 4 now"):
        tiny.train(tmp_path, OWN, *moved, steps=3, resume=True)
    finished = tiny.train(tmp_path, OWN, *moved, steps=2, resume=True)  # no step is left: only the export
    assert finished.step == 2 and finished.data == {"images": 5, "left_out": {".txt": 1}}


def test_a_checkpoint_without_an_account_is_accepted(pictures, tmp_path):
    path = tmp_path / "runs" / "dense" / "checkpoint.npz"
    tiny.train(tmp_path, OWN, steps=1)
    arrays, meta = load_arrays(path)
    assert meta["data"]["fingerprint"]["images"] == 5
    save_arrays(path, arrays, {key: value for key, value in meta.items() if key != "data"})
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(pictures / "more.png")
    assert tiny.train(tmp_path, OWN, steps=2, resume=True).step == 2
