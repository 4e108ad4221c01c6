"""`zoo report` and `zoo compare`: pages from files, pictures from models."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from png_files import read_png

import zoo
from zoo.artifact.manifest import read_manifests
from zoo.artifact.scores import Score, write_scores
from zoo.core.errors import DataError
from zoo.core.images import to_uint8
from zoo.data.dataset import Dataset, Domains
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
    height, width, _ = read_png(folder / "gallery.png").shape
    assert (height, width) == (gallery.SIDE + 4, gallery.LABEL + gallery.COLUMNS * (gallery.SIDE + 2))  # one has images
    assert not (folder / "unrolled" / "walk.webp").exists() and (tiny / "walk.webp").read_bytes()[8:12] == b"WEBP"


def test_a_folder_of_points_has_no_picture(zoo_says, folder):
    shutil.rmtree(folder / "tiny")
    assert zoo_says("report", folder)[0] == 0 and not (folder / "gallery.png").exists()
    assert "gallery.png" not in (folder / "README.md").read_text("utf-8")


@pytest.fixture
def translator(tmp_path):
    """A folder with the shipped translator alone."""
    return shutil.copytree(ROOT / "exported" / "cyclegan", tmp_path / "zoo" / "cyclegan").parent


def drawn(folder):
    """The images of the only row of a gallery, enlarged to 64 x 64, [12, 64, 64, 3]."""
    row = gallery.picture(folder)[2:66, gallery.LABEL :]
    return np.stack([row[:, i * 66 : i * 66 + 64] for i in range(12)])


def enlarged(images):
    return np.stack([np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.NEAREST)) for image in images])


@pytest.mark.parametrize("only", ["test", "train"])
def test_the_gallery_shows_originals_beside_their_translations(translator, monkeypatch, only):
    """Six from all over the split that samples.png shows."""
    images = np.random.RandomState(0).randint(0, 256, (31, 48, 48, 3)).astype("uint8")

    def load_data(spec, split):
        if split != only:
            raise DataError(f"there is no split {split}")
        return Domains("emoji", Dataset("a", images=images), Dataset("b", images=images), paired=True)

    monkeypatch.setattr(gallery, "load_data", load_data)
    shown, some = drawn(translator), images[[0, 6, 12, 18, 24, 30]]
    np.testing.assert_array_equal(shown[::2], enlarged(some))
    np.testing.assert_array_equal(
        shown[1::2], enlarged(zoo.load(translator / "cyclegan", network="a_to_b").translate(some))
    )


def test_the_gallery_shows_golden_inputs_where_there_are_no_data(translator, monkeypatch):
    def no_data(spec, split):
        raise DataError("no network")

    monkeypatch.setattr(gallery, "load_data", no_data)
    with np.load(translator / "cyclegan" / "golden_a_to_b.npz") as golden:
        pairs = [to_uint8(golden[name], (-1, 1)) for name in "ab"]
    shown = drawn(translator)
    np.testing.assert_array_equal(shown[:8:2], enlarged(pairs[0]))
    assert np.abs(shown[1:8:2].astype(int) - enlarged(pairs[1])).max() <= 1 and (shown[8:] == 255).all()


def test_the_nearest_training_images_are_the_nearest(folder, monkeypatch):
    from zoo.evaluate.subject import Subject

    one = Subject(folder / "tiny", n=4, seed=0)
    train = one.real("train").items
    one.fakes = train[[3, 50, 700, 9]]  # copies: each is its own nearest neighbour
    sheet = figures.nearest(one)
    for i in (0, 2):  # pixels of 8 x 8, 2 between the images; a sample, a gap, the nearest
        left = i * (8 * 8 + 2)
        np.testing.assert_array_equal(sheet[:64:8, left : left + 64 : 8], train[3])


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
    sheet = read_png(tmp_path / "both.png")
    half = (sheet.shape[1] - 20) // 2
    np.testing.assert_array_equal(sheet[:, :half], sheet[:, -half:])  # the same model, the same seed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report", "nowhere"], "nowhere: there is no exported model here"),
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
