"""`zoo reproduce`: the list, exit codes, the files, and the card of an artifact."""

import json
import re
import shutil
from pathlib import Path

import pytest
from png_files import read_png

from zoo.artifact.claim_results import Row, read_claims
from zoo.claims import base
from zoo.claims.base import CLAIMS, Outcome, claim
from zoo.cli import reproduce, requirements
from zoo.core import host
from zoo.report.card import write_card
from zoo.spec.validate import specs_folder


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """stderr stays pytest's own, every path is in a folder of the test, and claims made here are gone afterwards."""
    monkeypatch.setattr(requirements, "silence", lambda: None)
    before = dict(CLAIMS)
    monkeypatch.chdir(tmp_path)
    yield
    CLAIMS.clear()
    CLAIMS.update(before)


@pytest.fixture
def answer():
    """`answer(42.0)` registers the claim that the answer is 42, which measures this number, or does not judge it."""

    def register(ours, bound=42.0):
        @claims_decorator
        def answer(options):
            seen.append(options)
            rows = (Row(quantity="answer", paper="42", ours=ours, low=bound, high=bound),)
            return Outcome(rows=rows, seeds=options.seeds or (0,), machine="this one", picture=PNG)

        return seen

    seen = []
    claims_decorator = claim(
        title="The answer", source="Adams 1979", states="It is 42.", spec="tiny", takes=("long", "short"), seeds=2
    )
    return register


PNG = bytes.fromhex("89504e470d0a1a0a") + b"picture"


def test_the_list_has_every_file_of_the_folder(zoo_says):
    code, out, _ = zoo_says("reproduce")
    listed = re.findall(r"^(\w+) ", out, re.MULTILINE)
    python = {path.stem for path in Path(base.__file__).parent.glob("*.py")}
    yaml = {path.stem for path in (specs_folder() / "claims").glob("*.yaml")}
    machinery = {"__init__", "base", "experiment", "measurements", "plots", "told_words", "trainings"}
    modules = {one.run.__module__.rpartition(".")[2] for one in CLAIMS.values()} - {"experiment"}
    assert code == 0 and sorted(listed) == sorted(CLAIMS) and modules == python - machinery and set(listed) > yaml


def test_a_claim_that_holds_is_code_0_one_that_does_not_3_and_one_that_is_not_judged_4(zoo_says, answer):
    answer(42.0)
    code, out, _ = zoo_says("reproduce", "answer")
    assert code == 0 and "PASS: 1 of 1 numbers hold\nfull scale, seed 0, 0 seconds on this one\n" in out
    assert Path("runs/claims/answer.png").read_bytes() == PNG
    assert json.loads(Path("runs/claims/answer.json").read_text())["holds"] is True

    del CLAIMS["answer"]
    answer(41.0)
    code, out, _ = zoo_says("reproduce", "answer", "--out", "elsewhere")
    assert code == 3 and "FAIL: 1 of 1 numbers does not hold: answer" in out and "NO: 1 too low" in out
    assert json.loads(Path("elsewhere/answer.json").read_text())["holds"] is False

    del CLAIMS["answer"]
    answer(41.0, bound=None)
    code, out, _ = zoo_says("reproduce", "answer", "--quick", "--out", "small")
    assert code == 4 and "NOT JUDGED: the quick scale cannot show it" in out
    assert json.loads(Path("small/answer.json").read_text())["holds"] is None


def test_flags_reach_the_claim(zoo_says, answer):
    seen = answer(42.0)
    code, out, _ = zoo_says("reproduce", "answer", "--quick", "--seeds", 3, 4, "--out", "x")
    assert code == 0 and "quick scale, seeds 3, 4," in out
    assert (seen[0].quick, seen[0].seeds, seen[0].folder) == (True, (3, 4), Path("x"))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("answer", [3, 3], "--seeds: a seed twice: 3, 3\n"),
        ("answer", [3, 4, 5], "--seeds: claim 'answer' takes at most 2\n"),
        ("saddle", [3], "--seeds: claim 'saddle' takes none, because nothing in it is random\n"),
        ("gradients", [3, 4], "--seeds: claim 'gradients' takes at most 1\n"),
        ("gradients", [-1], "argument --seeds: expected a whole number in 0..4294967295, received '-1'\n"),
    ],
)
def test_seeds_are_all_used_or_refused(zoo_says, answer, name, given, message):
    answer(42.0)
    code, out, err = zoo_says("reproduce", name, "--seeds", *given)
    assert (code, out) == (2, "") and err.endswith(message)


def test_a_result_goes_into_the_card_and_a_quick_one_only_if_asked(zoo_says, answer, exported, monkeypatch):
    answer(42.0)
    shutil.copytree(exported.folder, "exported/tiny")
    before = write_card(Path("exported/tiny")).read_text()  # it names the place where the artifact is now
    assert zoo_says("reproduce", "answer", "--quick")[0] == 0
    assert Path("exported/tiny/README.md").read_text() == before and not Path("exported/tiny/claims").exists()
    code, out, _ = zoo_says("reproduce", "answer")
    assert code == 0 and "exported/tiny/README.md: the result is in the card\n" in out
    after = Path("exported/tiny/README.md").read_text()
    assert (
        before.split("## Data and licence")[0] == after.split("## Claims")[0]
        and "| answer | 42 | 42 | 42 to 42 | holds |" in after
    )
    assert "**PASS: 1 of 1 numbers hold** (`zoo reproduce answer`: full scale, seed 0," in after
    assert Path("exported/tiny/claims/answer.png").read_bytes() == PNG
    (kept,) = read_claims(Path("exported/tiny"))
    assert kept.name == "answer" and kept.holds
    shutil.copytree(exported.folder, "mine")
    assert zoo_says("reproduce", "answer", "--quick", "--artifact", "mine")[0] == 0
    assert "quick scale" in Path("mine/README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sadle"], "there is no claim 'sadle'. Did you mean 'saddle'? There are: "),
        (["saddle", "--quick"], "claim 'saddle' has one scale only: leave --quick out"),
        (["saddle", "--artifact", "nowhere"], "--artifact: nowhere is not an exported model"),
        (["--quick"], "name a claim: critic_loss, "),
        (["labels"], "this claim is about an exported model, and exported/cgan is not one: zoo build cgan"),
        (["translation"], "this claim is about an exported model, and exported/cyclegan is not one"),
        (["saddle", "--seeds", "x"], "expected a whole number in 0..4294967295, received 'x'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_a_line_with_code_2(zoo_says, arguments, message):
    code, out, err = zoo_says("reproduce", *arguments)
    assert (code, out) == (2, "") and message in err and "Traceback" not in err


def test_matplotlib_is_asked_for_kindly(zoo_says, monkeypatch):
    there = reproduce.find_spec
    monkeypatch.setattr(reproduce, "find_spec", lambda name: None if name == "matplotlib" else there(name))
    code, _, err = zoo_says("reproduce", "saddle")
    assert code == 2 and err == "`zoo reproduce` draws with matplotlib: pip install 'gan-zoo[claims]'\n"


def test_the_list_says_what_is_not_installed(zoo_says, monkeypatch):
    """Before the claims are imported, which need it."""
    there = host.find_spec
    monkeypatch.setattr(host, "find_spec", lambda name: None if name == "tensorflow" else there(name))
    code, _, err = zoo_says("reproduce")
    assert code == 2 and err.startswith("`zoo reproduce` needs tensorflow: pip install 'gan-zoo[train]'")


def test_a_claim_is_registered_once(answer):
    answer(1.0)
    with pytest.raises(ValueError, match="'answer' is registered twice"):
        answer(1.0)


def test_figures_are_the_same_for_the_same_numbers(tmp_path):
    pytest.importorskip("matplotlib")
    from zoo.claims.base import figure_png, new_figure

    def draw():
        figure, axes = new_figure(1, 2)
        axes[0, 0].plot([1, 2], [3, 4])
        return figure_png(figure)

    (tmp_path / "x.png").write_bytes(draw())
    assert draw() == draw() and read_png(tmp_path / "x.png").shape == (336, 768, 3)
