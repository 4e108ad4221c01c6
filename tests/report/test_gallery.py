"""Tables of all artifacts: what a cell says, and how a page's marked tables are made anew."""

import json
import shutil
from pathlib import Path

import pytest

from zoo.artifact.scores import SCORES_FILE, Score, write_scores
from zoo.core.errors import UsageError
from zoo.report import gallery

ROOT = Path(__file__).parents[2]
PROTOCOL = {"data": "Fashion-MNIST", "n_fake": 10_000, "seed": 0, "step": 4, "file_sha256": "0" * 64}
MARKED = "before\n<!-- zoo: scores -->\n{}<!-- zoo -->\nbetween\n<!-- zoo: models -->\n<!-- zoo -->\nafter\n"


@pytest.fixture
def folder(tmp_path):
    """dcgan and the ring, with no scores but those that a test gives."""
    for name in ("dcgan", "unrolled"):
        shutil.copytree(ROOT / "exported" / name, tmp_path / "zoo" / name, ignore=shutil.ignore_patterns("seeds.json"))
        (tmp_path / "zoo" / name / SCORES_FILE).unlink()
    return tmp_path / "zoo"


def cells(text, model):
    """{column: cell} of a row."""
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return dict(zip(head, next(row for row in rows if any(cell.startswith(f"[{model}]") for cell in row)), strict=True))


@pytest.mark.parametrize(
    ("value", "verdict"), [(16.14, "18, reached"), (18.0, "18, reached"), (21.5, "18, missed by 3.5")]
)
def test_a_score_beside_what_others_report_and_what_is_aimed_at(folder, value, verdict):
    measured = {"fid_10k": Score(value, PROTOCOL), "recall_10k": Score(0.5, PROTOCOL), "swd": Score(7.0, PROTOCOL)}
    write_scores(folder / "dcgan", {**measured, "precision_10k": Score(0.25, PROTOCOL)})
    row = cells(gallery.table(folder, "scores"), "dcgan")
    assert row == {
        "model": "[dcgan](dcgan/README.md)", "paper": "Radford et al. 2015", "FID": f"**{value:.1f}**",
        "published": "26.5 +- 1.6 (non-saturating loss)", "aimed at": verdict,
        "besides": "precision 0.250, recall 0.500",
    }  # fmt: skip


def test_what_was_not_measured_is_left_open(folder):
    row = cells(gallery.table(folder, "scores"), "dcgan")
    assert [row[name] for name in ("FID", "published", "aimed at", "besides")] == [""] * 4


def test_a_number_of_other_data_is_not_put_beside(folder):
    file = folder / "dcgan" / "manifest.json"
    facts = json.loads(file.read_text())
    facts["data"]["title"] = "CIFAR-10"
    file.write_text(json.dumps(facts))
    write_scores(folder / "dcgan", {"fid_10k": Score(40.0, PROTOCOL)})
    row = cells(gallery.table(folder, "scores"), "dcgan")
    assert (row["FID"], row["published"], row["aimed at"]) == ("**40.0**", "", "")


def test_the_scores_of_points(folder):
    write_scores(folder / "unrolled", {"modes": Score(8, PROTOCOL), "high_quality": Score(0.857, PROTOCOL)})
    assert cells(gallery.table(folder, "scores"), "unrolled")["besides"] == "modes found 8, high quality 85.7%"


def test_marked_tables_are_made_anew_and_nothing_else(folder):
    text = gallery.renew_tables(MARKED.format("old\nlines\n"), folder, way="there/")
    assert (
        text
        == gallery.renew_tables(MARKED.format(""), folder, way="there/")
        == gallery.renew_tables(text, folder, way="there/")
    )
    scored, models = (gallery.table(folder, name, way="there/") for name in ("scores", "models"))
    assert "[dcgan](there/dcgan/README.md)" in scored and "old" not in text
    assert text.split("\n<!-- zoo -->\n") == [
        f"before\n<!-- zoo: scores -->\n{scored}", f"between\n<!-- zoo: models -->\n{models}", "after\n"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# a page\n", "no table to renew: put <!-- zoo: gallery --> and <!-- zoo --> on two lines"),
        ("<!-- zoo: scorse -->\n<!-- zoo -->\n", "there is no such table. Known: gallery, scores, models"),
        ("<!-- zoo: scores -->\nnever ended\n", "no table to renew"),
    ],
)
def test_pages_without_a_table(folder, zoo_says, tmp_path, text, told):
    with pytest.raises(UsageError, match=told):
        gallery.renew_tables(text, folder, way="")
    page = tmp_path / "page.md"
    page.write_text(text)
    code, _, err = zoo_says("report", folder, "--text", "--into", page)
    assert code == 2 and told in err and str(page) in err and page.read_text() == text


def test_report_leads_from_the_page_to_the_models(folder, zoo_says, tmp_path):
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text(MARKED.format(""))
    code, out, err = zoo_says("report", folder, "--text", "--into", page)
    assert code == 0 and out.splitlines()[-1] == str(page), err
    assert "| [dcgan](../zoo/dcgan/README.md) |" in page.read_text()
    assert zoo_says("report", folder / "dcgan", "--into", page)[0] == 2
    assert zoo_says("report", folder, "--text", "--into", tmp_path / "none.md")[0] == 2
