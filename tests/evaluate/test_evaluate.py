"""`zoo evaluate` on real artifacts: numbers by hand, the protocol beside each, mistakes in a line."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny

import zoo
from zoo.artifact.scores import read_scores
from zoo.data.sources import load_dataset
from zoo.evaluate import measures, scoring
from zoo.evaluate.scoring import measured, timed
from zoo.evaluate.subject import Subject
from zoo.export import exporter
from zoo.metrics import modes, prdc, swd
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks import inception, network
from zoo.metrics.networks.network import FeatureNetwork

ROOT = Path(__file__).parents[2]
RING, IMAGES, TRANSLATOR = (ROOT / "exported" / name for name in ("unrolled", "vanilla", "cyclegan"))


def look(images):
    """Means of rows: features by which digits differ."""
    return images.astype("f4").mean(axis=(2, 3)) / 255


@pytest.fixture
def eye(monkeypatch, tmp_path):
    """A feature network for tests, in the place of Inception; the cache is the test's own."""
    monkeypatch.setattr(network, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(inception, "load", lambda threads=None: FeatureNetwork("eye", 8, "e" * 64, look, "none"))


@pytest.fixture
def artifact(exported, tmp_path):
    """A tiny GAN of digits, which may be changed."""
    return Path(shutil.copytree(exported.folder, tmp_path / "tiny"))


def test_points_by_the_protocol_of_their_paper(zoo_says, tmp_path):
    folder = Path(shutil.copytree(RING, tmp_path / "ring"))
    (folder / "metrics.json").unlink(missing_ok=True)
    code, out, err = zoo_says("evaluate", folder)
    assert code == 0 and "next:\n  zoo report" in err
    test = load_dataset("ring", split="test")
    expected = modes.coverage(zoo.load(folder).sample(2500, 0), test.centres, test.std)
    found = read_scores(folder)
    assert found["modes_2500"].value == expected.found and f"modes_2500 {'':13} {expected.found}" in out
    assert found["high_quality_2500"].value == pytest.approx(expected.high_quality, abs=1e-12)
    assert found["reverse_kl_2500"].value == pytest.approx(expected.reverse_kl, abs=1e-12)
    protocol = found["modes_2500"].protocol
    assert (protocol["n_fake"], protocol["seed"], protocol["of"], protocol["step"]) == (2500, 0, 8, 25_000)
    assert found["ms_per_image"].value > 0 and found["ms_per_image"].protocol["threads"] == 1


def test_a_second_run_gives_the_same_numbers(zoo_says, tmp_path):
    folder = Path(shutil.copytree(RING, tmp_path / "ring"))
    twice = []
    for _ in range(2):
        assert zoo_says("evaluate", folder, "--metrics", "high_quality", "--n", "400", "--seed", "3")[0] == 0
        twice.append(read_scores(folder)["high_quality_400"])
    assert twice[0] == twice[1] and twice[0].protocol["seed"] == 3
    assert "| `high_quality_400` |" in (folder / "README.md").read_text("utf-8")  # the card has it at once


def test_names_may_stand_in_one_word(zoo_says, tmp_path):
    folder = Path(shutil.copytree(RING, tmp_path / "ring"))
    code, out, _ = zoo_says("evaluate", folder, "--metrics", "modes,high_quality", "--n", "400", "--dry-run")
    assert code == 0 and "modes_400" in out and "high_quality_400" in out


def test_fid_and_kid_are_of_the_file_and_of_the_test_images(eye, artifact):
    one = Subject(artifact, n=1200, seed=0)
    assert one.kind == "images" and one.crop is None
    fakes, real = zoo.load(artifact).sample(1200, 0), load_dataset("digits", split="test").images
    ((name, score),) = measured(one, [measures.MEASURES["fid"]])
    assert name == "fid_1200" and [what for what, _ in timed(one)] == ["ms_per_image", "ms_per_image_of_64"]
    assert score.value == pytest.approx(frechet_distance(look(real), look(fakes)), rel=1e-6)
    assert {key: score.protocol[key] for key in ("n_real", "n_fake", "split", "network", "resize")} == {
        "n_real": len(real), "n_fake": 1200, "split": "test", "network": "eye", "resize": "none",
    }  # fmt: skip
    both = {name for name, _ in measured(one, scoring.chosen(one, ["coverage"]))}
    assert both >= {"precision_1200", "recall_1200", "density_1200", "coverage_1200"}


def test_fid_says_what_real_images_get(eye, artifact):
    """A distance has no scale of its own, and for so many samples its floor is not 0."""
    real = look(load_dataset("digits", split="test").images)
    (_, score), *_ = measured(Subject(artifact, n=60, seed=0), [measures.MEASURES["fid"]])
    half = len(real) // 2
    floor = frechet_distance(real[:half], real[half:])
    assert score.protocol["of_two_halves_of_the_real"] == pytest.approx(floor, rel=1e-6) and 0 < floor < score.value


def test_neighbours_and_patches_say_it_too(eye, artifact, monkeypatch):
    real = look(load_dataset("digits", split="test").images)
    half = len(real) // 2
    expected = prdc.prdc(real[:half], real[half:], k=3, k_density=5)._asdict()
    found = dict(measured(Subject(artifact, n=60, seed=0), [measures.MEASURES["precision"]]))
    floors = {name: score.protocol[measures.HALVES] for name, score in found.items()}
    assert floors == {f"{name}_60": value for name, value in expected.items()}
    one = Subject(ROOT / "exported" / "dcgan", n=8, seed=0)
    monkeypatch.setattr(swd, "sliced_wasserstein", lambda a, b: {32: float(np.abs(a.astype(int) - b).mean())})
    ((_, score),) = measured(one, [measures.MEASURES["swd"]])
    test = one.test.items.astype(int)
    assert score.protocol[measures.HALVES] == pytest.approx(np.abs(test[:8] - test[8:16]).mean())
    assert score.value == pytest.approx(np.abs(test[:8] - one.fakes).mean())


def test_who_asks_for_one_score_is_not_timed(zoo_says, tmp_path):
    folder = Path(shutil.copytree(RING, tmp_path / "ring"))
    before = read_scores(folder)["ms_per_image"]
    code, out, _ = zoo_says("evaluate", folder, "--metrics", "modes")
    assert code == 0 and "ms_per_image" not in out and read_scores(folder)["ms_per_image"] == before


def test_a_walk_states_the_images_that_it_is_made_of():
    one = Subject(ROOT / "exported" / "vanilla", n=10, seed=0)
    ((name, score),) = measured(one, [measures.MEASURES["walk_jump"]])
    about = {key: score.protocol[key] for key in ("walks", "frames", "n_fake", "seed")}
    assert name == "walk_jump" and about == {"walks": 16, "frames": 33, "n_fake": 528, "seed": 0}
    shipped = read_scores(one.folder)[name]
    assert one.manifest.has_weights_of(shipped.protocol["file_sha256"], one.manifest.file)
    assert {**score.protocol, "file_sha256": ""} == {**shipped.protocol, "file_sha256": ""}
    assert score.value == pytest.approx(shipped.value, rel=1e-4)


def test_what_applies_to_what():
    def names(folder, **how):
        one = Subject(ROOT / "exported" / folder, n=10_000, seed=0)
        return {name for chosen in scoring.chosen(one, None, **how) for name in chosen.names}

    assert names("unrolled") >= {"modes", "high_quality", "reverse_kl"}
    assert names("cyclegan") >= {"l1", "ssim", "cycle_l1", "lpips"}
    assert names("dcgan") >= {"fid", "kid", "precision", "coverage", "judge_frechet", "memorisation", "swd"}
    assert "conditional_accuracy" in names("cgan") and "conditional_accuracy" not in names("dcgan")
    assert "swd" not in names("vanilla")  # 28 pixels are no pyramid
    assert not names("dcgan", quick=True) & {"fid", "kid", "recall", "density"}
    assert names("cyclegan", quick=True) >= {"l1", "ssim", "cycle_l1"} and "lpips" not in names("cyclegan", quick=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere: is not an exported model: it has no manifest.json"),
        ([RING, "--metrics", "fdi"], "--metrics: there is no metric 'fdi'. Did you mean 'fid'?"),
        ([RING, "--metrics", "fid"], "--metrics: fid does not apply to"),
        ([RING, "--metrics", "modes_10k"], "--metrics: modes_10k and -n 2500 do not go together: use modes"),
        (
            [TRANSLATOR, "--metrics", "l1_a_to_c"],
            "--metrics: there is no metric 'l1_a_to_c'. Did you mean 'l1_a_to_b'?",
        ),
        (
            [IMAGES, "--metrics", "fid", "--n", "2000"],
            "--metrics: fid: needs 2,049 samples and as many test images; there are 2,000 and 10,000",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(zoo_says, arguments, told):
    code, out, err = zoo_says("evaluate", *arguments, "--dry-run")
    assert (code, out) == (2, "") and err.startswith(told) and err.count("\n") == 1


def test_a_dry_run_writes_nothing(zoo_says, tmp_path):
    folder = Path(shutil.copytree(RING, tmp_path / "ring"))
    before = (folder / "metrics.json").read_bytes()
    assert zoo_says("evaluate", folder, "--metrics", "modes", "--n", "77", "--dry-run")[0] == 0
    assert (folder / "metrics.json").read_bytes() == before


OVER_TRAINED = """
name: few
title: Over-trained on purpose
data: {source: digits, limit: 100}
latent: {z: {normal: {shape: [16]}}}
defaults: {Dense: {activation: relu}}
networks:
  generator:
    inputs: z
    output: image
    layers:
      - {repeat: 2, layers: [Dense: {units: 256}]}
      - Dense: {units: 64, activation: tanh}
      - Reshape: {target_shape: [8, 8, 1]}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, {repeat: 2, layers: [Dense: {units: 256}]}, Dense: {units: 1, activation: null}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {Adam: {learning_rate: 1e-3, beta_1: 0.5}}}
    discriminator: *player
training: {batch_size: 50, steps: STEPS, ema_half_life_images: 2000}
"""


def test_a_generator_that_learnt_100_images_by_heart_is_found(zoo_says, tmp_path, monkeypatch):
    """Its samples are nearer to those images than unseen ones are."""
    monkeypatch.chdir(tmp_path)
    found = {}
    for steps in (10, 1500):
        made = tiny.train(tmp_path / str(steps), OVER_TRAINED.replace("STEPS", str(steps)))
        folder = exporter.export(made, out=tmp_path / f"exported{steps}").folder
        code, _, err = zoo_says("evaluate", folder, "--copies", "-n", "300")
        assert code == 0 and (tmp_path / "copies.png").stat().st_size > 1000
        assert "copies.png: the samples that lie nearest to a training image" in err
        found[steps] = read_scores(folder)["pixel_copies_300"].value
    assert found[10] < 0.05 and found[1500] > 0.5


def test_copies_need_images_and_a_picture_to_draw(zoo_says, tmp_path):
    code, _, err = zoo_says("evaluate", RING, "--copies", tmp_path / "near.png")
    assert code == 2 and "pixel_memorisation does not apply" in err
    code, _, err = zoo_says("evaluate", IMAGES, "--copies", tmp_path / "near.jpg")
    assert code == 2 and "--copies: expected a .png file" in err
    code, _, err = zoo_says("evaluate", IMAGES, "--copies", "--check")
    assert code == 2 and "--copies chooses its own metrics" in err
