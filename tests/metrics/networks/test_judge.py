"""The judge that comes with the zoo: whole, as good as it says, and blind to what surrounds the clothes."""

import json
import shutil

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.data.sources import load_dataset
from zoo.metrics.networks.judge import CLASSES, FEATURES, FILE, load_judge


@pytest.fixture(scope="module")
def expert():
    return load_judge()


def images(n, size=28, *, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, size, size, 1)).astype("uint8")


def test_the_border_that_the_zoo_pads_on_is_cut_off(expert):
    x = images(3)
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=77)
    np.testing.assert_array_equal(expert(padded).logits, expert(x).logits)


@pytest.mark.parametrize(
    "wrong",
    [
        *(images(2, side) for side in (26, 29, 56)),
        images(2)[..., 0],
        images(2) / 255,
        images(0),
        images(2).repeat(3, 3),
    ],
)
def test_what_it_cannot_judge(expert, wrong):
    with pytest.raises(DataError, match=r"the judge takes uint8 \[N, S, S, 1\] with an even S from 28 to 54, received"):
        expert(wrong)


def test_what_it_says_of_images(expert):
    verdict = expert(images(7), batch_size=3)
    assert verdict.features.shape == (7, FEATURES) and verdict.logits.shape == (7, CLASSES)
    np.testing.assert_allclose(verdict.features, expert(images(7)).features, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(verdict.classes, np.argmax(verdict.logits, axis=1))


def test_it_says_who_it_is(expert):
    stated = (
        f"a CNN that recognises {expert.test_accuracy:.2%} of the real test images (SHA-256 {expert.sha256[:12]}...)"
    )
    assert str(expert) == stated


@pytest.fixture
def copied(tmp_path):
    for suffix in (".onnx", ".json"):
        shutil.copy(FILE.with_suffix(suffix), tmp_path)
    return tmp_path / FILE.name


def test_another_file_than_the_one_that_was_measured(copied):
    assert load_judge(copied).sha256 == load_judge().sha256
    copied.write_bytes(copied.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"fashion_mnist.onnx: SHA-256 [0-9a-f]{12}\.\.\. instead of .*: install again"):
        load_judge(copied)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"sha256": "00", "test_accuracy": None})])
def test_nothing_said_of_it(copied, text):
    copied.with_suffix(".json").write_text(text)
    with pytest.raises(DataError, match="the judge is not whole"):
        load_judge(copied)


def test_a_judge_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="the judge is not whole"):
        load_judge(tmp_path / "fashion_mnist.onnx")


@pytest.mark.slow
def test_the_real_one(expert):
    """It recognises the share that it states, and its features tell real clothes apart from noise."""
    from zoo.metrics.fid import frechet_distance

    test = load_dataset("fashion_mnist", split="test")
    real, seen = test.images, expert(test.images).classes
    assert (seen == test.labels).mean() == pytest.approx(expert.test_accuracy, abs=2e-4)
    halves = [expert(part).features for part in (real[:5000], real[5000:])]
    assert frechet_distance(*halves) * 20 < frechet_distance(expert(images(5000)).features, halves[0])
