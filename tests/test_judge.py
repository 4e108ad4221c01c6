"""The judge: an ONNX file that answers what Keras would, kept whole, and never one that cannot judge."""

import json

import numpy as np
import pytest

from zoo import data, judge
from zoo.data import Dataset
from zoo.errors import DataError, TrainingError


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(0)
    return judge._network()


@pytest.fixture(scope="module")
def model(network):
    return judge._onnx(network)


def images(n, size=28, *, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, size, size, 1)).astype("uint8")


@pytest.fixture
def easy(monkeypatch):
    """Real data in which the answer is a bright row: a small judge can learn it. 280 to train on, 140 to test."""

    def load(source, split="train"):
        assert source == "fashion_mnist"
        count = 280 if split == "train" else 140
        labels = np.arange(count) % 7
        made = images(count, seed=len(split)) // 8
        made[np.arange(count), 4 * labels] = 255
        return Dataset(source, images=made, labels=labels)

    monkeypatch.setattr(data, "load", load)
    monkeypatch.setattr(judge, "BATCH", 28)


def test_onnx_agrees_with_keras(network, model):
    session = judge.open_session(model, source="model")
    x = images(7)
    verdict = judge.Judge(session, "", 1.0)(x, batch_size=3)
    expected = network(x.astype("float32") / 255, training=False)
    assert verdict.features.shape == (7, judge.FEATURES) and verdict.logits.shape == (7, judge.CLASSES)
    np.testing.assert_allclose(verdict.features, expected["features"], atol=1e-5)
    np.testing.assert_allclose(verdict.logits, expected["logits"], atol=1e-5)
    np.testing.assert_array_equal(verdict.classes, np.argmax(expected["logits"], axis=1))


def test_the_border_that_the_zoo_pads_on_is_cut_off(model):
    expert = judge.Judge(judge.open_session(model, source="model"), "", 1.0)
    x = images(3)
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=77)
    np.testing.assert_array_equal(expert(padded).logits, expert(x).logits)


@pytest.mark.parametrize(
    "wrong", [images(2, 26), images(2, 29), images(2)[..., 0], images(2) / 255, images(0), images(2).repeat(3, axis=3)]
)
def test_what_it_cannot_judge(model, wrong):
    with pytest.raises(DataError, match=r"the judge takes uint8 \[N, S, S, 1\], received"):
        judge.Judge(judge.open_session(model, source="model"), "", 1.0)(wrong)


def test_trained_once_and_kept_with_hash_and_accuracy(easy, tmp_path, capsys, monkeypatch):
    first = judge.load(tmp_path)
    told = capsys.readouterr().err
    assert "training the judge of Fashion-MNIST, once" in told and f"{first.test_accuracy:.2%}" in told
    facts = json.loads((tmp_path / "fashion_mnist-judge.json").read_text())
    assert facts == {"sha256": first.sha256, "recipe": judge.RECIPE, "test_accuracy": first.test_accuracy}
    test = data.load("fashion_mnist", split="test")
    assert first.test_accuracy == (first(test.images).classes == test.labels).mean() >= judge.FLOOR
    assert (
        str(first)
        == f"a CNN that recognises {first.test_accuracy:.2%} of the real test images (SHA-256 {first.sha256[:12]}...)"
    )
    monkeypatch.setattr(judge, "_train", None)
    assert judge.load(tmp_path).sha256 == first.sha256 and capsys.readouterr().err == ""


def test_a_damaged_one_or_one_of_another_recipe_is_made_anew(model, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "FLOOR", 0.0)
    monkeypatch.setattr(data, "load", lambda *a, **k: Dataset("x", images=images(20), labels=np.zeros(20, int)))
    place, made = tmp_path / "fashion_mnist-judge.onnx", []
    monkeypatch.setattr(judge, "_train", lambda: made.append(1) or model)
    judge.load(tmp_path)
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    assert judge.load(tmp_path) and len(made) == 2
    facts = json.loads(place.with_suffix(".json").read_text())
    place.with_suffix(".json").write_text(json.dumps(facts | {"recipe": 0}))
    assert judge.load(tmp_path) and len(made) == 3
    assert judge.load(tmp_path) and len(made) == 3


def test_one_that_guesses_is_not_kept(model, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *a, **k: Dataset("x", images=images(20), labels=np.arange(20) % 10))
    monkeypatch.setattr(judge, "_train", lambda: model)
    with pytest.raises(TrainingError, match="of the real test images, below 91%"):
        judge.load(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_one():
    """On the machine's own data cache: at least 91 %, features that tell real clothes apart from noise."""
    from zoo.metrics import frechet

    expert = judge.load()
    assert expert.test_accuracy >= 0.91
    real = data.load("fashion_mnist", split="test").images
    halves = [expert(part).features for part in (real[:5000], real[5000:])]
    assert frechet.distance(*halves) * 20 < frechet.distance(expert(images(5000)).features, halves[0])
