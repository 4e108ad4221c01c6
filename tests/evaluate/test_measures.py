"""What each measure hands to its arithmetic: which set is real, which is made, which was asked for."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.artifact.scores import read_scores, write_scores
from zoo.data.dataset import Dataset, Domains
from zoo.data.sources import load_dataset
from zoo.evaluate import measures, scoring
from zoo.evaluate.subject import Subject
from zoo.metrics import classifier, kid, prdc, ssim
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks import inception, lpips, network
from zoo.metrics.networks.judge import load_judge
from zoo.metrics.networks.network import FeatureNetwork
from zoo.report import gallery, score_table

ROOT = Path(__file__).parents[2]


def look(images):
    """Means of rows."""
    return images.astype("f4").mean(axis=(2, 3)) / 255


@pytest.fixture(autouse=True)
def kept_apart(monkeypatch, tmp_path):
    """Features that are cached here are nobody else's."""
    monkeypatch.setattr(network, "cache_folder", lambda: tmp_path)


@pytest.fixture
def clothes(monkeypatch):
    """{split: images} of few clothes, other ones in each."""
    images = load_dataset("fashion_mnist", split="test").images
    small = {"test": images[:150], "train": images[150:500]}
    monkeypatch.setattr(Subject, "real", lambda self, split="test": Dataset("clothes", images=small[split]))
    return small


def measured(name, folder, n):
    """{name: (value, what its protocol adds)}."""
    return dict(measures.MEASURES[name].run(Subject(ROOT / "exported" / folder, n=n, seed=0)))


def made(folder, n, **how):
    return zoo.load(ROOT / "exported" / folder).sample(n, 0, **how)


def test_kid(clothes, monkeypatch):
    """Its subsets are drawn from the real ones first: from the other set first, they would be others."""
    monkeypatch.setattr(inception, "load", lambda threads=None: FeatureNetwork("eye", 28, "e" * 64, look, "none"))
    monkeypatch.setattr(kid, "kid", lambda a, b, subsets, size: kid.Kid(float(len(a) * 1000 + len(b)), subsets))
    value, about = measured("kid", "vanilla", 70)["kid"]
    assert value == 150_070 and (about["subsets"], about["subset_size"], about["n_real"]) == (100, 1000, 150)


def test_judge_scores(clothes):
    found, expert = measured("judge_frechet", "vanilla", 90), load_judge()
    real, fake = expert(clothes["test"]), expert(made("vanilla", 90))
    assert found["judge_frechet"][0] == pytest.approx(frechet_distance(real.features, fake.features), rel=1e-6)
    value, about = found["judge_score"]
    assert value == pytest.approx(classifier.inception_score(fake.logits).mean, rel=1e-6)
    assert about["of_the_real"] == pytest.approx(classifier.inception_score(real.logits).mean, rel=1e-6) != value


def test_memorisation(clothes):
    found, expert = measured("memorisation", "vanilla", 60), load_judge()
    fake, train, test = (expert(x).features for x in (made("vanilla", 60), clothes["train"], clothes["test"]))
    expected = prdc.memorisation(fake, train, test)
    assert found["memorisation"][0] == pytest.approx(expected.ratio, rel=1e-6)
    assert found["copies"][0] == pytest.approx(expected.share_nearer, rel=1e-6)
    assert found["memorisation"][1]["n_train"] == 350
    swapped = prdc.memorisation(test, train, fake.repeat(2, 0))
    assert expected.ratio != pytest.approx(swapped.ratio, rel=0.01)


def test_conditional_accuracy(clothes):
    """As many of each class as of any other."""
    value, about = measured("conditional_accuracy", "cgan", 50)["conditional_accuracy"]
    asked = np.arange(50) % 10
    seen = load_judge()(made("cgan", 50, label=asked)).classes
    expected = classifier.agreement(asked, seen, classes=10)
    assert value == expected.overall > 0.5 and about["weakest_class"] == expected.by_class.min()


@pytest.fixture
def emoji(monkeypatch):
    """Four hidden pairs, as uint8 images of a and of b."""
    test = load_dataset("emoji", {"a": "noto", "b": "twemoji"}, split="test")
    a, b = (part.images[:4] for part in (test.a, test.b))
    few = Domains("emoji", Dataset("a", images=a), Dataset("b", images=b), paired=True)
    monkeypatch.setattr(Subject, "real", lambda self, split="test": few)
    return {"a": a, "b": b}


def translated(way, images):
    return zoo.load(ROOT / "exported" / "cyclegan", network=way).translate(images)


def test_translations(emoji):
    found = measured("l1", "cyclegan", 1) | measured("cycle_l1", "cyclegan", 1)
    for here, there in (("a", "b"), ("b", "a")):
        way, made = f"{here}_to_{there}", translated(f"{here}_to_{there}", emoji[here])
        for name, compare in (("l1", ssim.l1), ("ssim", ssim.ssim)):
            value, about = found[f"{name}_{way}"]
            assert value == pytest.approx(compare(made, emoji[there]).mean()) != about["of_the_input"]
            assert about["of_the_input"] == pytest.approx(compare(emoji[here], emoji[there]).mean())
            assert (about["n_real"], about["file"]) == (4, f"{way}.onnx")
        back = translated(f"{there}_to_{here}", made)
        assert found[f"cycle_l1_{way}"][0] == pytest.approx(ssim.l1(back, emoji[here]).mean())


def test_lpips(emoji, monkeypatch):
    """By a comparison that is not the same both ways."""

    class Compare:
        def __init__(self):
            self.protocol = {"network": "uneven"}

        def __call__(self, a, b):
            return a.mean(axis=(1, 2, 3)) + 2 * b.mean(axis=(1, 2, 3))

    monkeypatch.setattr(lpips, "load", lambda threads: Compare())
    found = measured("lpips", "cyclegan", 1)
    made = translated("a_to_b", emoji["a"])
    value, about = found["lpips_a_to_b"]
    assert value == pytest.approx(made.mean() + 2 * emoji["b"].mean())
    assert about["of_the_input"] == pytest.approx(emoji["a"].mean() + 2 * emoji["b"].mean())
    assert (about["network"], about["file"]) == ("uneven", "a_to_b.onnx")


def test_a_protocol_says_that_weights_were_chosen():
    one = Subject(ROOT / "exported" / "unrolled", n=50, seed=0)
    (manifest,) = one.networks
    chosen = {**manifest.training, "kept": "lowest judge_frechet_2000 of 12"}
    one.networks = (dataclasses.replace(manifest, training=chosen),)
    found = dict(scoring.measured(one, [measures.MEASURES["modes"]]))
    assert {score.protocol["weights"] for score in found.values()} == {"lowest judge_frechet_2000 of 12"}
    assert "weights of step 25,000, the lowest judge_frechet_2000 of 12." in score_table.scores_chapter("ring", found)
    assert "weights" not in read_scores(one.folder)["modes_2500"].protocol


def test_a_metric_is_added_by_its_registration_alone(monkeypatch, tmp_path):
    """`--metrics`, card, gallery and rounding follow."""
    for registry in (measures.METRICS, measures.MEASURES):
        monkeypatch.setitem(registry, "brightness", None)  # is taken out again at the end
        del registry["brightness"]
    bright = measures.Metric("brightness", "mean brightness", "0.5", ".1%", gallery="bright")

    def run(one):
        return {"brightness": (float(one.fakes.mean()) / 255, {"of_the_real": 0.25})}

    measures.measure(bright, applies=lambda one: one.kind == "images")(run)
    one = Subject(shutil.copytree(ROOT / "exported" / "vanilla", tmp_path / "vanilla"), n=4, seed=0)
    found = dict(scoring.measured(one, scoring.chosen(one, ["brightness"])))
    shown = f"{one.fakes.mean() / 255:.1%}"
    row = f"| `brightness_4` | mean brightness | 0.5 | {shown} | 25.0% for real images |"
    assert list(found) == ["brightness_4"] and row in score_table.scores_chapter("vanilla", found)
    write_scores(one.folder, found)
    assert f"| bright {shown} |" in gallery.table(tmp_path, "scores")
    assert measures.ordered(["brightness_4", "fid_4"])[-1] == "brightness_4"
    assert measures.rounding("brightness_4") == pytest.approx(0.0005)
    with pytest.raises(ValueError, match="metric 'brightness' is registered twice"):
        measures.measure(bright, applies=lambda one: True)(run)


def test_copies_in_pixels(clothes):
    found = measured("pixel_memorisation", "vanilla", 60)
    fake, train, test = map(measures.thumbnails, (made("vanilla", 60), clothes["train"], clothes["test"]))
    assert fake.shape == (60, 64)
    expected = prdc.memorisation(fake, train, test)
    assert found["pixel_memorisation"][0] == pytest.approx(expected.ratio, rel=1e-6)
    assert found["pixel_copies"][0] == pytest.approx(expected.share_nearer, rel=1e-6)
    assert found["pixel_copies"][1]["n_train"] == 350
