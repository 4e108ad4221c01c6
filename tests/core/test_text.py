"""Words as ids: the rule on odd texts, what is reported, and what is refused."""

import unicodedata

import pytest

from zoo.core.errors import ServeError
from zoo.core.text import MOST_CHARACTERS, Vocabulary, shown, split

WORDS = Vocabulary(("critter", "horns", "mint", "ni\u00f1o", "\u96ea", "\u03c3"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mint critter, horns!", ["mint", "critter", "horns"]),
        ("", []),
        (" \t\n\u00a0\u3000...", []),
        ("\u201cmint\u201d\u2014critter\u2026horns", ["mint", "critter", "horns"]),
        ("mint\U0001f600critter \U0001f468\u200d\U0001f469", ["mint", "critter"]),  # pictures are no letters
        ("\u96ea\u304c\u964d\u308b, mint", ["\u96ea\u304c\u964d\u308b", "mint"]),  # no blanks in between: one word
        ("nin\u0303o NIN\u0303O", ["ni\u00f1o", "ni\u00f1o"]),  # a mark that follows is joined
        ("a\u0301\u0327 \u0301b", [unicodedata.normalize("NFKC", "a\u0327\u0301"), "\u0301b"]),
        ("\uff2d\uff29\uff2e\uff34 \ufb01n x\u00b2", ["mint", "fin", "x2"]),  # full width, ligature, superscript
        ("\u0130stanbul", ["i\u0307stanbul"]),
        ("\u03a3 \u0391\u03a3", ["\u03c3", "\u03b1\u03c3"]),  # never a final sigma: each code point by itself
        ("t-shirt snake_case 3d", ["t", "shirt", "snake", "case", "3d"]),
        ("\ud800mint", ["mint"]),  # half a pair, as JSON may have it
    ],
)
def test_words_are_runs_of_letters_marks_and_numbers(text, words):
    assert split(text) == words


def test_what_is_left_out_is_reported():
    read = WORDS.read("Mint wings critter wings, horns mint critter", 4)
    assert read.ids == (3, 1, 2, 3) and read.words == ("mint", "critter", "horns", "mint")
    assert read.unknown == ("wings",) and read.cut == ("critter",)
    assert read.complaint == "skipped unknown words: wings; cut after 4 words: critter"
    assert WORDS.read("mint", 3).ids == (3, 0, 0) and WORDS.read("mint", 3).complaint == ""
    assert WORDS.read(b"ni\xc3\xb1o", 1).ids == (4,)


def test_a_thousand_words_are_cut():
    read = WORDS.read("mint critter " * 500, 24)
    assert len(read.ids) == 24 and 0 not in read.ids and len(read.cut) == 976
    assert read.complaint.endswith("mint, critter, mint, critter, mint, critter, mint, critter and 968 more")
    assert shown(["x" * 50]) == "x" * 29 + "\u2026"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "text has no word in it, received ''"),
        ("\U0001f600 ...", "text has no word in it"),
        ("mnit", "none of its words is in the vocabulary: mnit. Did you mean 'mint'?"),
        (b"mint \xff", "text: byte 5 of 6 is not UTF-8"),
        ("mint " * (MOST_CHARACTERS // 5) + "!", "text may have at most 20,000 characters, received 20,001"),
        (7, "text must be words such as 'mint critter', received 7"),
    ],
)
def test_bad_texts_are_refused_in_one_line(text, reason):
    with pytest.raises(ServeError) as error:
        WORDS.read(text, 4)
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_a_vocabulary_is_a_file_of_words():
    data = WORDS.to_bytes()
    assert data == "critter\nhorns\nmint\nni\u00f1o\n\u96ea\n\u03c3\n".encode()
    assert Vocabulary.from_bytes(data, source="v", sha256=WORDS.sha256) == WORDS
    assert Vocabulary.of(["mint critter", "Critter, HORNS"]).words == ("critter", "horns", "mint")
    for wrong, reason in {
        data + b"wings\n": "v: changed or damaged: its SHA-256 is not the one in the manifest",
    }.items():
        with pytest.raises(ServeError, match=reason):
            Vocabulary.from_bytes(wrong, source="v", sha256=WORDS.sha256)
    for wrong, reason in {
        b"mint\nmint\n": "v: a vocabulary has one or more words, each once",
        b"Mint\n": "received 'Mint'",
        b"mint\n\ncritter\n": "received ''",
        b"mint\r\n": "received",
        b"\xff\n": "v: byte 0 is not UTF-8",
    }.items():
        with pytest.raises(ServeError, match=reason):
            Vocabulary.from_bytes(wrong, source="v")
