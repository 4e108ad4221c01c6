"""A generator that reads words, from its spec to pictures that are asked for in words; ids and vocabulary included."""

import json
import shutil
import warnings

import numpy as np
import pytest
import texts

import zoo
from zoo.artifact.manifest import read_manifest
from zoo.core.errors import ServeError
from zoo.core.files import sha256_file
from zoo.core.text import RULE
from zoo.data.captions import Captions
from zoo.runtime.texts import TextWarning

VOCABULARY = Captions("critters", 17).vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return texts.export(tmp_path_factory.mktemp("words"))


@pytest.fixture
def generator(folder):
    return zoo.load(folder)


def test_the_manifest_states_how_words_become_ids(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = next(one for one in manifest["inputs"] if one["name"] == "text")
    assert manifest["manifest_version"] == 6 and (entry["dtype"], entry["shape"]) == ("int32", ["batch", 17])
    assert entry["text"]["rule"] == RULE and entry["text"]["words"] == 105
    lines = (folder / "vocabulary.txt").read_text().splitlines()
    assert lines == list(VOCABULARY.words)
    assert manifest["files"]["vocabulary.txt"] == entry["text"]["sha256"] == sha256_file(folder / "vocabulary.txt")
    assert read_manifest(folder).kind == "images" and manifest["parity"]["max_abs_difference"] < 1e-4


def test_golden_vectors_start_from_words(folder, generator):
    with np.load(folder / "golden.npz") as golden:
        written = bytes(golden["text.words"]).decode().splitlines()
        assert len(written) == 4 and golden["text"].dtype == np.int32
        np.testing.assert_array_equal([generator.read(text).ids for text in written], golden["text"])
        made = generator(**generator.latents(4, seed=0, text=written))
        np.testing.assert_allclose(made, golden["image"], rtol=0, atol=1e-5)


def test_pictures_are_asked_for_in_words(generator):
    plain = generator.sample(3, seed=1, text="mint critter, horns")
    assert plain.shape == (3, 8, 8, 3) and plain.dtype == np.uint8
    for same in ("Critter! HORNS; mint", b"horns mint critter", generator.read("horns mint critter").ids):
        np.testing.assert_array_equal(generator.sample(3, seed=1, text=same), plain)
    assert (generator.sample(3, seed=1, text="lilac critter") != plain).any()
    several = generator.sample(3, seed=1, text=["lilac", "mint critter, horns", "lilac"])
    np.testing.assert_array_equal(several[1], plain[1])
    assert (several[0] != plain[0]).any()
    fed = generator.latents(3, seed=1, text="mint critter, horns")
    assert fed["text"].dtype == np.int32 and list(fed["text"][0]) == list(generator.read("mint critter horns").ids)


def test_without_a_text_an_example_is_drawn_for_each_row(generator):
    examples = read_examples(generator)
    drawn = generator.latents(40, seed=5)["text"]
    known = {generator.read(text).ids for text in examples}  # as words: the manifest also has the ids
    assert {tuple(row) for row in drawn} <= known and len({tuple(row) for row in drawn}) > 10
    np.testing.assert_array_equal(generator.latents(7, seed=5)["text"], drawn[:7])
    np.testing.assert_array_equal(generator.sample(16)[:4], generator.sample(4))


def read_examples(generator):
    return generator.inputs["text"].text["examples"]


def test_walks_hold_the_text(generator):
    frames = generator.walk(8, seed=2, stops=2, text="mint")
    np.testing.assert_array_equal(frames[[0, 4]], generator.sample(2, seed=2, text="mint"))
    assert generator.interpolate(3, seed=2).shape == generator.arithmetic([0], [1], [2], n=3, text="sky").shape
    with generator.seeded(2) as draw:
        np.testing.assert_array_equal(draw.sample(2, text="mint"), frames[[0, 4]])


def test_words_that_are_left_out_are_never_silent(generator):
    with pytest.warns(TextWarning, match=r"^words: text: skipped unknown words: wings$") as told:
        generator.sample(1, text="mint wings")
    assert told[0].filename == __file__
    with pytest.warns(TextWarning, match=r"cut after 17 words: mint, .* and 975 more"):
        generator.sample(1, text="mint " * 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator.sample(1, text="mint critter")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "text has no word in it"),
        ("xyzzy", "none of its words is in the vocabulary: xyzzy"),
        (b"\xff\xfe", "byte 0 of 2 is not UTF-8"),
        (["mint"] * 3, "text must be one text or 2 of them, received 3"),
        ([0.5] * 17, "text must be a text, 2 texts, or ids of words [17] or [2, 17], received float64 [17]"),
        ([106] * 17, "ids of words lie in 0..105 (0 fills up), received 106"),
        ([], "received float64 [0]"),
    ],
)
def test_bad_texts_are_one_line(generator, text, reason):
    with pytest.raises(ServeError) as error:
        generator.sample(2, text=text)
    assert reason in str(error.value) and "\n" not in str(error.value)
    assert generator.sample(2, text="mint").shape == (2, 8, 8, 3)


def test_a_damaged_vocabulary_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "vocabulary.txt").write_bytes((folder / "vocabulary.txt").read_bytes().replace(b"mint", b"tnim"))
    with pytest.raises(ServeError, match=r"vocabulary.txt: changed or damaged: its SHA-256"):
        zoo.load(copy)
    (copy / "vocabulary.txt").unlink()
    with pytest.raises(ServeError, match=r"vocabulary.txt: cannot be read: No such file"):
        zoo.load(copy)


def test_a_lone_file_takes_ids(folder, tmp_path):
    ids = np.array([[*zoo.load(folder).read("mint critter").ids]], np.int64)
    lone = zoo.load((folder / "generator.onnx").read_bytes())
    expected = zoo.load(folder).sample(1, text="mint critter")
    np.testing.assert_array_equal(lone.sample(1, text=ids), expected)
    np.testing.assert_array_equal(lone.latents(9)["text"], zoo.load(folder).latents(9)["text"])
    with pytest.raises(ServeError, match=r"vocabulary.txt is not beside the .onnx file: give 'text' as ids"):
        lone.sample(1, text="mint critter")
    shutil.copy(folder / "generator.onnx", tmp_path)
    shutil.copy(folder / "vocabulary.txt", tmp_path)
    beside = zoo.load(tmp_path / "generator.onnx")
    np.testing.assert_array_equal(beside.sample(1, text="mint critter"), expected)


def test_networks_without_words_say_so(exported):
    plain = zoo.load(exported.folder)
    with pytest.raises(ServeError, match="tiny takes no text. Its inputs: z"):
        plain.read("mint")
    with pytest.raises(ServeError, match="tiny has no input 'text'"):
        plain.sample(1, text="mint")


def test_the_card_says_how_to_ask(folder):
    card = (folder / "README.md").read_text()
    assert 'sample(16, seed=0, text="dome critter, horns small, smirk, on magenta")' in card
    assert "ids of 105 words, their lines in `vocabulary.txt`" in card and 'pipeline_tag: "text-to-image"' in card
