"""Rows that can miss on either side, and results that come back from JSON as they were."""

import dataclasses
import json

import pytest

from zoo.artifact.claim_results import Result, Row, read_claims
from zoo.core.errors import ServeError, TrainingError
from zoo.report.card import claims_chapter


def row(ours, **bounds):
    return Row(quantity="radius", paper="2.33", ours=ours, **bounds)


@pytest.fixture
def result():
    return Result(
        name="saddle", title="A title", source="A paper, section 1", states="It holds.",
        rows=(row(2.3258, low=2.3, high=2.4), row(0.5, low=0.75, form=".1%"), row(7.0)),
        seeds=(0, 1), machine="2 CPU cores", seconds=301.0, scale="full", notes=("A note.",), about={"g.onnx": "ab"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "off"), [(0.9, -0.1), (1.0, 0), (1.5, 0), (2.0, 0), (2.25, 0.25)], ids=lambda value: f"{value:g}"
)
def test_how_far_outside_two_bounds(ours, off):
    assert row(ours, low=1.0, high=2.0).off == pytest.approx(off)


def test_one_bound_and_none():
    assert row(-99.0, high=1.0).off == 0 and row(3.0, high=1.0).off == 2
    assert row(99.0, low=1.0).off == 0 and row(0.0, low=1.0).off == -1
    assert row(99.0).off == 0 and not row(99.0).judged and row(0.0, low=0.0).judged


@pytest.mark.parametrize(
    ("one", "cells"),
    [
        (row(2.3258, low=2.3, high=2.4), ("radius", "2.33", "2.326", "2.3 to 2.4", "holds")),
        (row(0.5, low=0.75, form=".1%"), ("radius", "2.33", "50.0%", "at least 75.0%", "NO: 25.0% too low")),
        (row(3.0, high=1.0), ("radius", "2.33", "3", "at most 1", "NO: 2 too high")),
        (row(0.0, low=0.0, high=1.0), ("radius", "2.33", "0", "0 to 1", "holds")),
        (row(7.0), ("radius", "2.33", "7", "", "reported")),
    ],
)
def test_what_a_row_shows(one, cells):
    assert one.cells() == cells


@pytest.mark.parametrize("ours", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_no_measurement(ours):
    with pytest.raises(TrainingError, match="radius: measured"):
        row(ours, low=0.0)


def test_one_row_that_misses_is_a_claim_that_does_not_hold(result):
    assert not result.holds and result.verdict == "FAIL: 1 of 2 numbers does not hold: radius"
    held = dataclasses.replace(result, rows=result.rows[::2])
    assert held.holds and held.verdict == "PASS: 1 of 1 numbers hold"
    reported = dataclasses.replace(result, scale="quick", rows=(row(1.0),))
    assert reported.holds is None and reported.verdict.startswith("NOT JUDGED: the quick scale cannot show it")
    assert json.loads(reported.to_json())["holds"] is None
    assert Result.from_json(reported.to_json(), source="x") == reported


def test_text_names_seeds_scale_and_machine(result):
    lines = result.text().splitlines()
    assert lines[0] == "A title (A paper, section 1)"
    assert lines[3] == "radius  2.33   2.326  2.3 to 2.4      holds"
    assert lines[-1] == "full scale, seeds 0, 1, 5 minutes on 2 CPU cores"


def test_markdown_is_a_table_with_the_picture(result):
    text = dataclasses.replace(result, rows=(dataclasses.replace(row(1.0), quantity="|theta|"),)).markdown()
    assert "![A title](claims/saddle.png)" in text
    assert "| \\|theta\\| | 2.33 | 1 |  | reported |" in text
    assert claims_chapter([result]).startswith("## Claims of the paper, tried here\n\n### A title\n\n")


def test_json_and_back(result, tmp_path):
    assert json.loads(result.to_json())["holds"] is False
    assert Result.from_json(result.to_json(), source="x") == result
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "saddle.json").write_text(result.to_json())
    assert read_claims(tmp_path) == (result,) and read_claims(tmp_path / "claims") == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"holds": true}', '{"holds": true, "rows": [{"x": 1}]}'])
def test_what_is_no_result(text):
    with pytest.raises(ServeError, match=r"^place/x.json: not the result of a claim: "):
        Result.from_json(text, source="place/x.json")
