"""metrics.json: numbers with their protocol, or one clear line."""

import json

import pytest

from zoo.artifact import scores
from zoo.artifact.scores import Score, counted, read_scores, write_scores
from zoo.core.errors import ServeError


def test_there_and_back(tmp_path):
    kept = {"kid_10k": Score(0.002, {"seed": 0}), "fid_10k": Score(17.25, {"n_fake": 10_000})}
    write_scores(tmp_path, kept)
    assert read_scores(tmp_path) == kept
    assert list(json.loads((tmp_path / "metrics.json").read_text())) == ["fid_10k", "kid_10k"]


def test_none_where_nothing_was_measured(tmp_path):
    assert read_scores(tmp_path) == {}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"fid": 3}', '{"fid": {"value": 3}}', '{"fid": {"value": "3", "protocol": {}}}']
)
def test_another_file(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ServeError, match="score"):
        read_scores(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "3"])
def test_a_score_is_a_number(value):
    with pytest.raises(ServeError, match="a score must be a finite number"):
        Score(value, {})


def test_the_end_of_a_name():
    assert [counted(n) for n in (10_000, 2_500, 1_000, 999)] == ["10k", "2500", "1k", "999"]


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ({"file_sha256": "ff", "step": 7, "std": 0.3, "of_two_halves_of_the_real": 5.2}, True),
        ({"seed": 1}, False),
        ({"n_real": 5}, False),
        ({"weights": "lowest fid of 9"}, False),
    ],
)
def test_numbers_are_compared_where_the_rules_are_the_same(other, alike):
    rules = {"file_sha256": "00", "step": 5, "std": 0.1, "of_two_halves_of_the_real": 5.1, "seed": 0, "n_real": 9}
    assert scores.alike(Score(1, rules), Score(2, rules | other)) is alike
