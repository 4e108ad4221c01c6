"""A damaged artifact is one located line of `report`, `compare` and `list`, and hides none of the others."""

import json
import shutil
from pathlib import Path

import pytest
from png_files import read_png

from zoo.report import gallery

ROOT = Path(__file__).parents[2]
GOOD, BAD = "vanilla", "dcgan"
NO_VALUE = object()


@pytest.fixture
def folder(tmp_path):
    for name in (GOOD, BAD):
        shutil.copytree(ROOT / "exported" / name, tmp_path / "zoo" / name)
        (tmp_path / "zoo" / name / "README.md").unlink()
    return tmp_path / "zoo"


def change(file, *path, value=NO_VALUE):
    """Remove a key of a JSON file, or give it another value."""
    keys = json.loads(file.read_text())
    place = keys
    for key in path[:-1]:
        place = place[key]
    if value is NO_VALUE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    file.write_text(json.dumps(keys))


DAMAGES = [
    ("manifest.json", b"{", "manifest.json: not JSON"),
    ("manifest.json", ("inputs",), "manifest.json: manifest lacks the key 'inputs'"),
    ("manifest.json", ("weights", "step"), "manifest.json: weights lacks 'step'"),
    ("manifest.json", ("data", "title"), "manifest.json: data lacks 'title'"),
    ("manifest.json", ("training", "seconds"), "manifest.json: training lacks 'seconds'"),
    ("manifest.json", ("paper", "authors"), "manifest.json: paper lacks 'authors'"),
    ("manifest.json", ("weights", "parameters", "many"), "one of its JSON files holds something else"),
    ("metrics.json", b"{", "metrics.json: not the scores of an artifact"),
    ("metrics.json", b"[" * 100_000, "metrics.json: not the scores of an artifact"),
    ("metrics.json", b"\xff", "metrics.json: not the scores of an artifact"),
    ("metrics.json", ("fid_10k", "value"), "metrics.json: not the scores of an artifact"),
    ("metrics.json", ("fid_10k", "value", "low"), "a score must be a finite number, received 'low'"),
    ("metrics.json", ("fid_10k", "protocol", None), "the protocol of a score must be an object, received None"),
    ("metrics.json", ("fid_10k", "protocol", "step"), "metrics.json: the protocol of fid_10k lacks 'step'"),
    ("seeds.json", b"{", "seeds.json: not the seeds of an artifact"),
    ("seeds.json", (0, "scores", None), "seeds.json: not the seeds of an artifact"),
    ("claims/x.json", b"{}", "x.json: not the result of a claim"),
    ("spec.yaml", b"name: [", "spec.yaml:"),
]


def damage(home, name, how):
    if isinstance(how, bytes):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_bytes(how)
    elif how[-1] in (None, "many", "low"):
        change(home / name, *how[:-1], value=how[-1])
    else:
        change(home / name, *how)


@pytest.mark.parametrize(("name", "how", "message"), DAMAGES)
def test_report_goes_on_with_the_others(zoo_says, folder, tmp_path, name, how, message):
    damage(folder / BAD, name, how)
    page = tmp_path / "page.md"
    page.write_text("<!-- zoo: models -->\n<!-- zoo -->\n")
    code, out, err = zoo_says("report", folder, "--text", "--into", page)
    assert code == 2 and err.count("\n") == 1 and err.startswith(str(folder / BAD)) and message in err
    assert out.splitlines()[-3:] == [str(folder / GOOD / "README.md"), str(folder / "README.md"), str(page)]
    for text in ((folder / "README.md").read_text(), page.read_text()):
        assert f"[{GOOD}]" in text and f"[{BAD}]" not in text


def test_every_damaged_artifact_is_reported(zoo_says, folder):
    shutil.copytree(folder / GOOD, folder / "third")
    change(folder / BAD / "metrics.json", "fid_10k", "value")
    change(folder / "third" / "manifest.json", "data", "title")
    code, out, err = zoo_says("report", folder, "--text")
    first, second = err.splitlines()
    assert code == 2 and f"{BAD}/metrics.json: " in first and "third/manifest.json: data lacks 'title'" in second
    assert str(folder / GOOD / "README.md") in out


def test_pictures_of_the_others_are_drawn(zoo_says, tmp_path):
    """A damaged network leaves its own pictures as they are; its card is written, and the others are drawn."""
    for name in ("unrolled", "unrolled_fashion", "vanilla"):
        shutil.copytree(ROOT / "exported" / name, tmp_path / "zoo" / name)
    for name in ("curves.png", "README.md"):
        (tmp_path / "zoo" / "vanilla" / name).unlink()
    (tmp_path / "zoo" / "unrolled" / "curves.json").write_text("{}")
    (tmp_path / "zoo" / "vanilla" / "generator.onnx").write_bytes(b"damaged")
    code, _, err = zoo_says("report", tmp_path / "zoo")
    lines = err.splitlines()
    assert code == 2 and "unrolled/curves.json: not the curves of a training" in lines[0]
    assert len([line for line in lines if "vanilla/generator.onnx: changed or damaged" in line]) == 1
    assert (tmp_path / "zoo" / "vanilla" / "curves.png").exists() and (tmp_path / "zoo/vanilla/README.md").exists()
    assert read_png(tmp_path / "zoo" / "gallery.png").shape[0] == gallery.SIDE + 4  # the one that can be drawn


@pytest.mark.parametrize(
    ("name", "how", "message"), [one for one in DAMAGES if one[0] in ("manifest.json", "metrics.json")]
)
def test_compare_names_the_damaged_one(zoo_says, folder, name, how, message):
    damage(folder / BAD, name, how)
    code, out, err = zoo_says("compare", folder / GOOD, folder / BAD)
    if code == 0:  # it does not need that key
        assert err == "" and "parameters" in out
    else:
        assert (code, out) == (2, "") and err.count("\n") == 1 and err.startswith(str(folder / BAD)) and message in err


def test_compare_names_both(zoo_says, folder):
    for name in (GOOD, BAD):
        (folder / name / "metrics.json").write_text("{")
    code, out, err = zoo_says("compare", folder / GOOD, folder / BAD)
    assert (code, out) == (2, "") and [line.split("/metrics")[0] for line in err.splitlines()] == [
        str(folder / GOOD), str(folder / BAD)
    ]  # fmt: skip


def test_list_goes_on_with_the_others(zoo_says, folder):
    (folder / BAD / "manifest.json").write_text("{")
    code, out, err = zoo_says("list", "--out", folder)
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 2 and err.count("\n") == 1 and f"{BAD}/manifest.json: not JSON" in err
    assert lines[BAD].endswith(f"{folder / BAD}, damaged") and lines[GOOD].endswith(" images of training")
    change(folder / GOOD / "manifest.json", "weights", "images", value="many")
    code, out, err = zoo_says("list", "--out", folder)
    assert code == 2 and f"{folder / GOOD}\n" in out
