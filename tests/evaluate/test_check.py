"""`zoo evaluate --check`: a card is believed because anyone can measure it again."""

import shutil
from pathlib import Path

import pytest

from zoo.artifact.scores import Score, read_scores, write_scores
from zoo.evaluate.measures import rounding

ROOT = Path(__file__).parents[2]
RING = ROOT / "exported" / "unrolled"


@pytest.fixture
def ring(tmp_path):
    """A copy of a model that is measured within a second."""
    return Path(shutil.copytree(RING, tmp_path / "ring"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_file_gives_the_same_numbers_and_stays_as_it_is(zoo_says, ring):
    before = contents(ring)
    code, out, err = zoo_says("evaluate", ring, "--check")
    assert code == 0 and err.endswith(f"{ring}: all 3 numbers agree with metrics.json, to the digits of the card\n")
    assert [line.split()[0] for line in out.splitlines()] == ["modes_2500", "high_quality_2500", "reverse_kl_2500"]
    assert out.count("agrees") == 3 and contents(ring) == before


def test_a_number_that_is_not_the_file_s_own_is_found(zoo_says, ring):
    kept = read_scores(ring)
    quality = kept["high_quality_2500"]
    write_scores(ring, {**kept, "high_quality_2500": Score(quality.value + 0.0006, quality.protocol)})
    code, out, err = zoo_says("evaluate", ring, "--check")
    assert code == 1 and "1 of 3 numbers differ" in err
    assert [line.split()[0] for line in out.splitlines() if "DIFFERS" in line] == ["high_quality_2500"]


def test_samples_and_seed_are_those_of_the_protocol(zoo_says, ring):
    zoo_says("evaluate", ring, "--metrics", "high_quality", "--n", "400", "--seed", "3")
    code, out, _ = zoo_says("evaluate", ring, "--check", "--metrics", "high_quality_400")
    value = read_scores(ring)["high_quality_400"].value
    assert code == 0 and out.split() == ["high_quality_400", f"{value:.5g}", "metrics.json:", f"{value:.5g}", "agrees"]
    assert zoo_says("evaluate", ring, "--check")[1].count("agrees") == 6  # the other two of 400 came with it


def test_both_ways_of_a_translator(zoo_says, monkeypatch, tmp_path):
    """Each number names its own file."""
    folder = Path(shutil.copytree(ROOT / "exported" / "cyclegan", tmp_path / "both"))
    kept = read_scores(folder)
    files = {name: kept[name].protocol["file_sha256"] for name in ("l1_a_to_b", "l1_b_to_a")}
    assert files["l1_a_to_b"] != files["l1_b_to_a"]
    write_scores(folder, {**kept, "l1_b_to_a": Score(0.1, kept["l1_a_to_b"].protocol | {"file": "b_to_a.onnx"})})
    code, _, err = zoo_says("evaluate", folder, "--check", "--quick")
    assert code == 2 and "metrics.json: l1_b_to_a was measured on another file. Drop --check to replace it" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-n", "400"], "--check: writes nothing, and takes samples and seed from metrics.json; leave out --dry-run,"),
        (["--n", "400"], "--check: writes nothing, and takes samples and seed from metrics.json; leave out --dry-run,"),
        (["--metrics", "mode"], "--metrics: 'mode' is not in "),
        (["--metrics", "high_qualty"], "Did you mean 'high_quality'?"),
    ],
)
def test_mistakes_are_told_in_a_line(zoo_says, arguments, told):
    code, out, err = zoo_says("evaluate", RING, "--check", *arguments)
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1


def test_without_scores_there_is_nothing_to_check(zoo_says, ring):
    (ring / "metrics.json").unlink()
    code, _, err = zoo_says("evaluate", ring, "--check")
    assert code == 2 and err == f"{ring}: nothing to check: it has no scores yet. Drop --check to measure them\n"


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("fid_10k", 0.05),
        ("kid_10k", 5e-5),
        ("recall_10k", 5e-4),
        ("conditional_accuracy_10k", 5e-4),
        ("modes_2500", 0.5),
    ],
)
def test_rounding_is_that_of_the_card(name, hidden):
    assert rounding(name) == pytest.approx(hidden)
