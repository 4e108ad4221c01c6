"""`zoo report` and `zoo compare`: pages from files, pictures from models."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zoo.artifact.manifest import read_manifests
from zoo.artifact.scores import Score, write_scores
from zoo.core import pictures
from zoo.report import figures, gallery
from zoo.report.card import markdown
from zoo.spec.read import read_spec

ROOT = Path(__file__).parents[2]
PROTOCOL = {"file": "generator.onnx", "file_sha256": "0" * 64, "step": 4, "data": "Fashion-MNIST", "n_fake": 10_000,
            "seed": 0, "n_real": 10_000, "split": "test", "network": "eye", "network_sha256": "e" * 64,
            "resize": "none"}  # fmt: skip


@pytest.fixture
def folder(exported, tmp_path):
    """Two artifacts: a GAN of tiny digits and the ring."""
    shutil.copytree(exported.folder, tmp_path / "zoo" / "tiny")
    shutil.copytree(ROOT / "exported" / "unrolled", tmp_path / "zoo" / "unrolled")
    return tmp_path / "zoo"


def test_cards_and_gallery_are_written_anew(zoo_says, folder):
    tiny = folder / "tiny"
    write_scores(tiny, {"swd": Score(7.25, PROTOCOL)})
    code, out, _ = zoo_says("report", folder)
    assert code == 0 and out.splitlines()[-1] == str(folder / "README.md")
    text = (tiny / "README.md").read_text("utf-8")
    assert text == markdown(read_manifests(tiny), read_spec(tiny / "spec.yaml"), tiny)
    assert "| `swd` | sliced Wasserstein distance x 1000 | lower | 7.2 |" in text
    assert "10,000 samples of seed 0; 10,000 real images of the test split; features of eye" in text
    assert "![On the left a sample, beside it the training images that are nearest to it](neighbours.png)" in text
    page = (folder / "README.md").read_text("utf-8")
    assert page == gallery.markdown(folder) and "| [unrolled](unrolled/README.md) | Metz et al. 2016 |" in page
    height, width, _ = pictures.read_png(folder / "gallery.png").shape
    assert (height, width) == (gallery.SIDE + 4, gallery.LABEL + gallery.COLUMNS * (gallery.SIDE + 2))  # one has images
    assert not (folder / "unrolled" / "walk.webp").exists() and (tiny / "walk.webp").read_bytes()[8:12] == b"WEBP"


def test_a_folder_of_points_has_no_picture(zoo_says, folder):
    shutil.rmtree(folder / "tiny")
    assert zoo_says("report", folder)[0] == 0 and not (folder / "gallery.png").exists()
    assert "gallery.png" not in (folder / "README.md").read_text("utf-8")


def test_the_gallery_cuts_pairs_of_any_shape_and_number(folder):
    """Five pairs of 16 x 48 pixels, those of the other way below them: six places show those of the first."""
    numbers = np.arange(10, dtype=np.uint8)
    cells = np.broadcast_to(numbers[:, None, None, None], (10, 16, 48, 3))
    sheet = pictures.stack([pictures.pairs(cells[::2], cells[1::2]), pictures.pairs(255 - cells[::2], cells[1::2])])
    shutil.copytree(ROOT / "exported" / "cyclegan", folder / "both")
    pictures.write_png(folder / "both" / "samples.png", sheet)

    def small(tensor):
        trained = dict(zip(tensor.sizes, (16, 48), strict=True))
        return replace(tensor, sizes={axis: {**size, "trained": trained[axis]} for axis, size in tensor.sizes.items()})

    networks = [replace(one, inputs=tuple(map(small, one.inputs))) for one in read_manifests(folder / "both")]
    shown = gallery._translations(sheet, networks)
    assert shown.shape == (12, 16, 48, 3)
    assert shown[:, 0, 0, 0].tolist() == [0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_nearest_training_images_are_the_nearest(folder, monkeypatch):
    from zoo.evaluate.subject import Subject

    one = Subject(folder / "tiny", n=4, seed=0)
    train = one.real("train").items
    one.fakes = train[[3, 50, 700, 9]]  # copies: each is its own nearest neighbour
    sheet = figures.nearest(one)
    cells = pictures.cells(sheet, height=8, width=8, columns=2 * (figures.NEAREST + 2) + 1)
    np.testing.assert_array_equal(cells[0], train[3])
    np.testing.assert_array_equal(cells[2], train[3])


def test_curves_are_drawn_or_refused(folder):
    watched = {"name": "fid", "kimg": [1], "values": [3]}
    history = {"kimg": [1, 2, 3], "losses": {"discriminator": [1, 0.5, 0.4]}, "metric": watched}
    (folder / "tiny" / "curves.json").write_text(json.dumps(history))
    assert figures.curves(folder / "tiny").startswith(b"\x89PNG")
    (folder / "tiny" / "curves.json").write_text("{}")
    with pytest.raises(Exception, match=r"curves\.json: not the curves of a training"):
        figures.curves(folder / "tiny")


def test_two_side_by_side(zoo_says, folder, tmp_path):
    write_scores(folder / "tiny", {"swd": Score(7.25, PROTOCOL), "fid_10k": Score(3.5, PROTOCOL)})
    shutil.copytree(folder / "tiny", folder / "other")
    write_scores(folder / "other", {"swd": Score(9, {**PROTOCOL, "n_fake": 5})})
    code, out, _ = zoo_says("compare", folder / "tiny", folder / "other", "--out", tmp_path / "both.png")
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines()}
    assert code == 0 and rows["fid_10k"][1:] == ["3.5", "-"]
    assert rows["swd (other protocols)"][-2:] == ["7.2", "9.0"]
    assert rows["parameters"][1] == rows["parameters"][2]
    sheet = pictures.read_png(tmp_path / "both.png")
    half = (sheet.shape[1] - 20) // 2
    np.testing.assert_array_equal(sheet[:, :half], sheet[:, -half:])  # the same model, the same seed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report", "nowhere"], "nowhere: there is no exported model in it"),
        (["compare", "nowhere", "there"], "nowhere: is not an exported model"),
        (
            ["compare", ROOT / "exported/dcgan", ROOT / "exported/vanilla", "--out", "x.jpg"],
            "--out: the picture is a PNG file",
        ),
        (["report", ROOT / "exported", "--text", "--into", "nowhere.md"], "--into: there is no file nowhere.md"),
    ],
)
def test_mistakes_are_told_in_a_line(zoo_says, arguments, told):
    code, out, err = zoo_says(*arguments)
    assert (code, out) == (2, "") and err.count("\n") == 1 and told in err
