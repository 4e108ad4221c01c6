"""What one recipe became with several seeds: gathered only from what can be compared, told with mean and deviation."""

import json
import shutil
from pathlib import Path

import pytest

from zoo.artifact.scores import SEEDS_FILE, Score, read_seeds, write_scores
from zoo.core.errors import ServeError, UsageError
from zoo.report import gallery
from zoo.report.score_table import seeds_chapter
from zoo.report.seeds import gather

ROOT = Path(__file__).parents[2]
PROTOCOL = {"n_fake": 10_000, "n_real": 10_000, "split": "test", "seed": 0, "step": 5661, "resize": "none",
            "network": "eye", "network_sha256": "e" * 64}  # fmt: skip


def artifact(folder, seed, fid, *, change=("", ""), **protocol):
    """dcgan as if it had been trained with another seed."""
    shutil.copytree(ROOT / "exported" / "dcgan", folder, ignore=shutil.ignore_patterns(SEEDS_FILE))
    spec, facts = folder / "spec.yaml", json.loads((folder / "manifest.json").read_text())
    text = spec.read_text().replace(*change)
    spec.write_text(text.replace("training:\n", f"training:\n  seed: {seed}\n"))
    facts["weights"]["seed"] = seed
    (folder / "manifest.json").write_text(json.dumps(facts))
    write_scores(folder, {"fid_10k": Score(fid, PROTOCOL | protocol), "ms_per_image": Score(1, {})})
    return folder


@pytest.fixture
def three(tmp_path):
    return [artifact(tmp_path / str(seed) / "dcgan", seed, fid) for seed, fid in ((0, 16.0), (2, 20.0), (1, 18.0))]


def test_three_seeds(three, zoo_says):
    first, *others = three
    code, out, err = zoo_says("report", first, "--text", "--seeds", *others)
    assert code == 0 and out.splitlines() == [str(first / "seeds.json"), str(first / "README.md")], err
    assert [(trial.seed, trial.scores) for trial in read_seeds(first)] == [
        (0, {"fid_10k": 16.0}), (1, {"fid_10k": 18.0}), (2, {"fid_10k": 20.0})
    ]  # fmt: skip
    text = (first / "README.md").read_text("utf-8")
    assert "| metric | mean | sd | seed 0 | seed 1 | seed 2 |" in text
    assert "| `fid_10k` | 18.0 | 2.0 | 16.0 | 18.0 | 20.0 |" in text
    assert "trained once for each seed (steps: 5,661, 5,661, 5,661)" in text
    assert "**16.0** (18.0 +- 2.0 over 3 seeds)" in gallery.table(first.parent, "scores")


def test_no_other_seed_no_chapter(three):
    assert read_seeds(three[0]) == [] and seeds_chapter("dcgan", []) == ""
    gather(three[0], [])
    assert len(read_seeds(three[0])) == 1 and seeds_chapter("dcgan", read_seeds(three[0])) == ""
    assert "**16.0** |" in gallery.table(three[0].parent, "scores")


def test_what_cannot_be_compared(three, tmp_path):
    first = three[0]
    more = artifact(tmp_path / "more", 5, 17.0, change=("beta_1: 0.5", "beta_1: 0.0"))
    fewer = artifact(tmp_path / "fewer", 6, 17.0, n_fake=5000)
    bare = artifact(tmp_path / "bare", 7, 17.0)
    write_scores(bare, {})
    for others, told in (
        ([more], "was trained by another recipe than .*, not just another seed: algorithm changed"),
        ([fewer], "fid_10k was measured by other protocols"),
        ([bare], "no score that all of them have: run `zoo evaluate` on"),
        ([three[1], three[1]], "a seed twice: 0, 2, 2"),
        ([tmp_path], "is not an exported model"),
    ):
        with pytest.raises(UsageError, match=told):
            gather(first, others)
    assert not (first / SEEDS_FILE).exists()


def test_other_words_are_the_same_recipe(three, tmp_path):
    told = artifact(tmp_path / "told", 5, 17.0, change=("deviations:", "deviations:\n- A typo less."))
    assert "A typo less" in (told / "spec.yaml").read_text()
    assert [trial.seed for trial in read_seeds(gather(three[0], [told]).parent)] == [0, 5]


def test_seeds_go_with_one_model(three, zoo_says):
    code, _, err = zoo_says("report", three[0].parent, "--text", "--seeds", three[1])
    assert code == 2 and "--seeds: name one model" in err


@pytest.mark.parametrize("text", ["", "{}x", '[{"seed": 0}]', '[{"sed": 0}]', "3"])
def test_another_file(tmp_path, text):
    (tmp_path / SEEDS_FILE).write_text(text)
    with pytest.raises(ServeError, match=r"seeds\.json: not the seeds of an artifact"):
        read_seeds(tmp_path)
