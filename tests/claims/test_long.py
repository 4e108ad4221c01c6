"""The claims that take long: their arithmetic on invented trainings; a quick run of each is marked slow."""

from types import SimpleNamespace

import numpy as np
import pytest

import zoo
from zoo.claims import critic_loss, growing, ring
from zoo.claims.base import Options, reproduce
from zoo.core.errors import UsageError
from zoo.data import dataset, sources
from zoo.data.dataset import Dataset
from zoo.metrics.networks import judge
from zoo.metrics.networks.judge import Prediction
from zoo.spec import feeds
from zoo.spec.read import read_spec, spec_file
from zoo.train.algorithms.progressive import schedule

pytest.importorskip("matplotlib")
CLASSES = ("coat", "bag", "boot")
FACTS = SimpleNamespace(weights={"step": 1234, "seed": 5}, training={"machine": "a machine"})


def missed(rows):
    return [row.quantity for row in rows if row.off]


# ring


@pytest.fixture
def ring_of(tmp_path, monkeypatch):
    """`ring_of(modes)`: the claim `ring` with an averaged G that makes points on so many of the 8 modes of its K."""
    centres = sources.load_dataset("ring", {"samples": 1}).centres

    def run(modes):
        def train(options, label, name, overrides, *, at, take):
            k = int(overrides[0].partition("=")[2])
            points = centres[np.arange(2500) % modes[k]]
            return {step: {"point": points, "seconds": np.array(1.0), "machine": np.array("here")} for step in at}

        monkeypatch.setattr(ring, "train_with_snapshots", train)
        return reproduce("ring", Options(folder=tmp_path, quick=True))

    return run


def test_ring_wants_all_modes_of_the_unrolled_and_few_of_the_ordinary_one(ring_of):
    result = ring_of({0: 2, 10: 7})
    assert result.holds and result.machine == "here" and result.seconds == 2.0
    assert [row.ours for row in result.rows[:2]] == [2.0, 1.0]  # modes of K = 0, all points of high quality
    assert missed(ring_of({0: 3, 10: 6}).rows) == ["modes of 8, K = 0", "modes of 8, K = 10"]


# growing


def test_equal_quality_is_the_best_that_both_reach():
    curves = {"grown": ([10.0, 20.0, 30.0], [9.0, 4.0, 3.0]), "full": ([50.0, 100.0, 150.0], [8.0, 5.0, 6.0])}
    quality, times = growing.equal_quality(curves)
    assert quality == 5.0 and times == {"grown": 20.0, "full": 100.0}


def test_seconds_are_steps_times_the_pace_of_their_stage():
    stages = schedule([4, 8], stabilise_images=160, fade_images=80, step_images=16)  # 10 steps, 5, and the rest
    rates = {"4 px": 160.0, "8 px, fading": 80.0, "8 px": 40.0}
    snapshots = {step: {"frechet": np.array(100.0 - step)} for step in (5, 12, 20)}
    seconds, distances = growing.curve(snapshots, stages, rates, 16)
    assert seconds == pytest.approx([0.5, 1.0 + 0.4, 1.0 + 1.0 + 2.0]) and distances == [95.0, 88.0, 80.0]


def test_the_last_stage_is_as_long_as_the_others():
    spec = read_spec(spec_file("progressive"))
    assert growing.length(spec) == 7 * 40_000 // 16  # 4, 8, 16, 32 pixels, and three fades
    assert growing.length(read_spec(spec_file("progressive"), ["algorithm.progressive.fade_kimg=20"])) == 13_750


# labels


class Artist:
    """A generator of 28 x 28 images that paints the class id into every pixel."""

    name, inputs = "artist", {"label": SimpleNamespace(classes=CLASSES)}
    manifest = FACTS

    def sample(self, n, seed, *, label):
        return np.broadcast_to(np.asarray(label).astype("uint8")[:, None, None, None], (n, 28, 28, 1)).copy()


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """`gallery(eye)`: the claim `labels` with a judge that sees the class eye(class id, number of the image)."""
    (tmp_path / "generator.onnx").write_bytes(b"model")
    (tmp_path / "manifest.json").write_text("{}")

    def visit(eye, generator=None):
        def look(self, images):
            asked = images[:, 0, 0, 0].astype(int)
            seen = np.array([eye(k, i) for i, k in enumerate(asked)])
            features = np.random.RandomState(len(images)).standard_normal((len(images), 4))
            return Prediction(features, np.eye(len(CLASSES))[seen])

        made = type("Judge", (), {"__call__": look, "test_accuracy": 0.92})()
        monkeypatch.setattr(zoo, "load", lambda path: generator or Artist())
        monkeypatch.setattr(judge, "load_judge", lambda: made)
        monkeypatch.setattr(
            sources, "load_dataset", lambda *a, **k: Dataset("x", images=np.zeros((20, 28, 28, 1), "uint8"))
        )
        return reproduce("labels", Options(folder=tmp_path, artifact=tmp_path))

    return visit


def test_labels_counts_what_the_judge_sees(gallery):
    result = gallery(lambda asked, i: asked if i % 20 else 0)
    assert result.holds and result.about == {"generator.onnx": result.about["generator.onnx"]}
    assert result.rows[0].ours == pytest.approx(1 - 100 / 3000) and result.rows[1].ours == pytest.approx(0.95)


def test_labels_fails_for_one_bad_class_among_good_ones(gallery):
    result = gallery(lambda asked, i: asked if asked != 2 or i % 10 < 7 else 0)
    assert missed(result.rows) == ["the same, of the weakest class (boot)"]
    assert result.rows[0].ours == pytest.approx(0.9) and result.rows[1].ours == pytest.approx(0.7)


def test_labels_fails_for_a_generator_that_ignores_them(gallery):
    assert len(missed(gallery(lambda asked, i: i % 3).rows)) == 2


def test_labels_needs_a_generator_with_labels(gallery):
    with pytest.raises(UsageError, match="artist does not take a label"):
        gallery(lambda asked, i: asked, SimpleNamespace(name="artist", inputs={}))


# translation


class Translator:
    manifest = FACTS

    def __init__(self, change):
        self.translate = change


@pytest.fixture
def street(tmp_path, monkeypatch):
    """`street(a_to_b, b_to_a)`: the claim `translation` where b is a, 60 levels brighter."""
    from zoo.spec import read

    (tmp_path / "manifest.json").write_text("{}")
    for way in ("a_to_b", "b_to_a"):
        (tmp_path / f"{way}.onnx").write_bytes(way.encode())
    a = np.random.RandomState(0).randint(0, 180, (10, 16, 16, 3)).astype("uint8")
    test = dataset.Domains("pairs", Dataset("a", images=a), Dataset("b", images=a + np.uint8(60)), paired=True)

    def walk(a_to_b, b_to_a, test=test):
        ways = {"a_to_b": Translator(a_to_b), "b_to_a": Translator(b_to_a)}
        monkeypatch.setattr(read, "read_spec", lambda path: None)
        monkeypatch.setattr(feeds, "load_data", lambda spec, split: test)
        monkeypatch.setattr(zoo, "load", lambda path, network: ways[network])
        return reproduce("translation", Options(folder=tmp_path, artifact=tmp_path))

    walk.test = test
    return walk


def test_translation_that_is_right_holds(street):
    result = street(lambda x: x + np.uint8(58), lambda x: x - np.uint8(58))
    assert result.holds and set(result.about) == {"a_to_b.onnx", "b_to_a.onnx"}
    assert result.seeds == (5,) and "Weights of step 1,234, trained with seed 5 on a machine." in result.notes
    untouched, translated = result.rows[0].ours, result.rows[1].ours
    assert untouched == pytest.approx(60 / 255) and translated == pytest.approx(2 / 255)


def test_a_translation_that_changes_nothing_does_not_get_nearer_but_comes_back(street):
    nearer = [row.ours for row in street(lambda x: x, lambda x: x).rows if "came nearer" in row.quantity]
    assert nearer == [0.0, 0.0]


def test_a_translation_that_forgets_does_not_hold(street):
    result = street(lambda x: np.full_like(x, 150), lambda x: np.full_like(x, 90))
    assert {"a_to_b: L1 of there and back", "b_to_a: L1 of there and back"} <= set(missed(result.rows))
    assert {"a_to_b: SSIM to it of the translation", "b_to_a: SSIM to it of the translation"} <= set(
        missed(result.rows)
    )


def test_translation_needs_pairs(street):
    import dataclasses

    with pytest.raises(UsageError, match="has no pairs to compare a translation with"):
        street(lambda x: x, lambda x: x, dataclasses.replace(street.test, paired=False))


# one small run of each that trains


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ring", "critic_loss", "growing"])
def test_a_quick_run(name, tmp_path):
    """Whatever it finds at this scale: all numbers are there, the picture too, and it goes on where it was."""
    options = Options(folder=tmp_path, quick=True)
    result = reproduce(name, options)
    assert result.scale == "quick" and result.rows and (tmp_path / f"{name}.png").stat().st_size > 5000
    again = reproduce(name, options)
    assert [row.ours for row in again.rows] == [row.ours for row in result.rows] and again.seconds == result.seconds


def test_the_two_games_of_critic_loss_differ_in_loss_and_penalty_alone():
    """The ordinary GAN has the same networks and optimizers, another loss, no penalty."""
    found = {name: read_spec(spec_file(critic_loss.SPEC), changes) for name, changes in critic_loss.OVERRIDES.items()}
    critic, ordinary = found[critic_loss.CRITIC], found[critic_loss.ORDINARY]
    args = [dict(one.sections.algorithm.args) for one in (critic, ordinary)]
    assert (args[0].pop("loss"), args[1].pop("loss")) == ("wasserstein", {"non_saturating": {}})
    assert args[0].pop("penalties") and not args[1].pop("penalties")
    assert args[0] == args[1] and critic.document["networks"] == ordinary.document["networks"]
