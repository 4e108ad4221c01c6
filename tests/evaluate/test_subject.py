"""What is held against what: the part of the images that is data, the real side, and why there may be none."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo.core.errors import UsageError
from zoo.evaluate import scoring
from zoo.evaluate.scoring import timed
from zoo.evaluate.subject import Subject

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def few_calls(monkeypatch):
    """Times are looked at here, not compared."""
    monkeypatch.setattr(scoring, "TIMED_CALLS", 1)


@pytest.fixture
def changed(tmp_path):
    """changed(name, (old, new), ...): a shipped model whose recipe is another, and what its manifest says, too."""

    def change(name, *replaced, source="", made=()):
        folder = Path(shutil.copytree(ROOT / "exported" / name, tmp_path / name))
        text = (folder / "spec.yaml").read_text()
        for old, new in replaced:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / "spec.yaml").write_text(text)
        one = Subject(folder, n=10, seed=0)
        (manifest, *others), source = one.networks, source or one.source
        output = dataclasses.replace(manifest.outputs[0], shape=tuple(made) or manifest.outputs[0].shape)
        one.networks, one.source = (dataclasses.replace(manifest, outputs=(output,)), *others), source
        return one

    return change


def test_the_padded_border_is_cut_off():
    """Fashion-MNIST has 28 x 28 pixels, and FID is published for these."""
    one = Subject(ROOT / "exported" / "dcgan", n=3, seed=0)
    assert one.crop == (28, 28) and one.fakes.shape == (3, 32, 32, 1)
    np.testing.assert_array_equal(one.cropped(one.fakes), one.fakes[:, 2:30, 2:30])
    other = Subject(ROOT / "exported" / "vanilla", n=3, seed=0)
    assert other.crop is None and other.cropped(other.fakes).shape == (3, 28, 28, 1)
    assert one.inception_input == other.inception_input == {"input": "28 x 28 pixels, grey repeated to RGB"}


def test_enlarged_images_are_seen_whole(changed):
    """8 x 8 pixels at 32 are 4 times as large and have no border; at 28 they are 3 times as large and have one of 2."""
    one = changed("dcgan", ("source: fashion_mnist", "source: digits"), source="digits")
    assert one.crop is None and not one.judged
    other = changed("vanilla", ("source: fashion_mnist", "source: digits\n  size: 28"), source="digits")
    assert other.crop == (24, 24)
    real = other.cropped(other.test.items)
    assert real.shape == (297, 24, 24, 1) and (real.reshape(297, 8, 3, 8, 3, 1).std(axis=(2, 4)) == 0).all()


def test_other_fits_have_no_border_and_no_judge(changed):
    one = changed("dcgan", ("size: 32", "size: 32\n  fit: resize"))
    assert one.crop is None and not one.judged
    chosen = scoring.chosen(one, None, quick=True)
    names = {name for measure in chosen for name in measure.names}
    assert "swd" in names and not names & {"judge_frechet", "judge_score"}


def test_a_training_that_has_not_grown_to_its_end_is_compared_with_nothing(changed):
    told = []
    one = changed("progressive", made=("batch", 16, 16, 1))
    assert scoring.chosen(one, None, tell=told.append) == [] and not one.judged
    assert told == ["nothing is compared with real data: it makes 16 x 16 pixels of 32 x 32: it has not grown so far"]
    with pytest.raises(UsageError, match="fid does not apply to .*: it makes 16 x 16 pixels of 32 x 32"):
        scoring.chosen(one, ["fid"])


def test_folders_of_the_user_have_no_test_split(changed):
    place = "source: {folder: {path: /nowhere}}\n  size: 28\n  channels: 1"
    one = changed("vanilla", ("source: fashion_mnist", place), source="folder")
    with pytest.raises(UsageError, match="folders of the trainer's own"):
        one.real()
    assert scoring.chosen(one, None) == []
    assert [name for name, score in timed(one) if score.value > 0] == ["ms_per_image", "ms_per_image_of_64"]


def test_a_translator_of_unpaired_data_is_timed_alone(changed):
    emoji = "source:\n    emoji:\n      a: noto\n      b: twemoji"
    pair = (emoji, "source: {cifar10_pair: {a: cat, b: dog}}\n  size: 64")
    one = changed("cyclegan", pair, source="cifar10_pair")
    assert scoring.chosen(one, None) == [] and "has no pairs to compare a translation with" in one.no_reference
    assert [name for name, score in timed(one) if score.value > 0] == ["ms_per_image", "ms_per_image_of_64"]


def test_what_there_is_too_little_of_is_left_out_and_told(changed):
    """Of digits there are 297 unseen ones: too few for the covariances of Inception's features, and for KID."""
    one, told = changed("dcgan", ("source: fashion_mnist", "source: digits"), source="digits"), []
    one.n = 10_000
    left = {name for chosen in scoring.chosen(one, None, tell=told.append) for name in chosen.names}
    assert left >= {"precision", "recall", "density", "coverage", "swd"} and not left & {"fid", "kid"}
    assert told == [
        "left out: fid: needs 2,049 samples and as many test images; there are 10,000 and 297",
        "left out: kid: needs 1,000 samples and as many test images; there are 10,000 and 297",
    ]
