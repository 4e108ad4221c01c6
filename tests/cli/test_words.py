"""`zoo sample --text`: words in, pictures out; what is left out is printed, and bad texts are one line."""

import numpy as np
import onnx_nets as nets
import pytest

import zoo


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return nets.save_words(tmp_path_factory.mktemp("artifact") / "words")


@pytest.fixture
def zoo_says(zoo_says, tmp_path, monkeypatch):
    """As everywhere, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    return zoo_says


def test_pictures_of_words(zoo_says, words):
    code, out, err = zoo_says("sample", words, "-n", 3, "--seed", 2, "--text", "Mint critter!", "--out", "a.npy")
    assert (code, out, err) == (0, "a.npy: 3 from Tiny words, seed 2\n", "")
    expected = zoo.load(words).sample(3, seed=2, text="mint critter")
    np.testing.assert_array_equal(np.load("a.npy"), expected)
    assert zoo_says("sample", words, "-n", 3, "--seed", 2, "--fix", "text=mint critter", "--out", "b.npy")[0] == 0
    np.testing.assert_array_equal(np.load("b.npy"), expected)
    assert zoo_says("sample", words, "-n", 8, "--walk", "--text", "lilac", "--out", "walk.gif")[0] == 0
    assert zoo_says("sample", words, "-n", 4, "--out", "examples.png")[0] == 0


def test_words_that_are_left_out_are_printed(zoo_says, words):
    code, _, err = zoo_says("sample", words, "-n", 1, "--text", "mint wings " + "smile " * 6)
    assert code == 0 and err == "--text: skipped unknown words: wings; cut after 6 words: smile\n"


def test_words_of_an_input_by_name_are_reported_in_the_same_way(zoo_says, words):
    code, _, err = zoo_says("sample", words, "-n", 1, "--fix", "text=mint wings " + "smile " * 6)
    assert code == 0 and err == "--fix text: skipped unknown words: wings; cut after 6 words: smile\n"
    code, _, err = zoo_says("sample", words, "-n", 1, "--fix", "text=7")  # a text, though it is a number
    assert code == 2 and "none of its words is in the vocabulary: 7" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--text", "mint", "--fix", "text=lilac"], "--fix: the text is given twice, here and as --text\n"),
        (["--fix", "text=mint", "--fix", "text=lilac"], "--fix: the text is given twice\n"),
        (["--label", "3", "--fix", "label=4"], "--fix: the label is given twice, here and as --label\n"),
    ],
)
def test_nothing_is_given_twice(zoo_says, words, flags, message, tmp_path):
    assert zoo_says("sample", words, "-n", 1, *flags) == (2, "", message)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "text has no word in it, received ''"),
        ("mnit", "text: none of its words is in the vocabulary: mnit. Did you mean 'mint'?"),
        ("mint " * 5000, "text may have at most 20,000 characters, received 25,000"),
        ("mint \udcff", "text: byte 5 of 6 is not UTF-8"),  # as Python has a byte of the command line
    ],
)
def test_bad_texts_are_one_line(zoo_says, words, text, message, tmp_path):
    code, out, err = zoo_says("sample", words, "--text", text)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert not list(tmp_path.glob("*.png"))


def test_others_read_no_words(zoo_says, tmp_path):
    plain = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    code, _, err = zoo_says("sample", plain, "--text", "mint")
    assert code == 2 and "tiny takes no text. Its inputs: z" in err


def test_inspect_says_how_words_become_ids(zoo_says, words):
    code, out, _ = zoo_says("inspect", words)
    assert code == 0 and "5 in vocabulary.txt, by the rule words-1: NFKC; each code point" in out
