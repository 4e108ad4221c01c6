"""Captions of critters: all lengths, true words alone, wrong ones with a word that is not true; by seed and step."""

import numpy as np
import pytest
import texts

from zoo.core.text import split
from zoo.data.caption_draws import CaptionDraws
from zoo.data.captions import Captions
from zoo.data.catalogue import DATASETS
from zoo.data.dataset import Dataset
from zoo.data.pipeline import Batches

CAPTIONS = Captions("critters", longest=20)
LABELS = DATASETS["critters"].labels
IMAGES, IDS = texts.few(2, "train")


def drawn(step=0, captions=CAPTIONS, **options):
    data = Dataset("critters", images=IMAGES, attributes=IDS, captions=captions)
    return Batches(data, batch_size=64, seed=3, **options)[step]


def sets(ids):
    return [set(row) - {0} for row in ids.reshape(-1, ids.shape[-1])]


def test_a_caption_has_the_words_of_its_labels():
    classes = {"body": "dome", "eyes": "three row", "mouth": "smile", "top": "horns small", "pattern": "none"}
    classes |= {"cheeks": "none", "color": "mint", "accent": "pink", "ground": "purple"}
    text = CAPTIONS.describe(classes)
    assert text == "mint dome critter, horns small, three row eyes, smile, on purple"
    assert CAPTIONS.longest_possible == 17 and len(CAPTIONS.vocabulary.words) == 105
    index = CAPTIONS.vocabulary.index
    ids = {name: np.array([LABELS[name].index(word)] * 2) for name, word in classes.items()}
    ids["color"][1] = LABELS["color"].index("pink")
    bits = np.random.RandomState(0).randint(0, 2**64, size=(1, CaptionDraws(CAPTIONS).bits), dtype=np.uint64)
    made = CaptionDraws(CAPTIONS).draw(ids, np.array([0]), bits)
    assert list(made["full_text"][0][:11]) == [index[word] for word in split(text)]
    assert set(made["text"][0]) <= set(made["full_text"][0])
    assert index["pink"] in made["wrong_text"][0]  # the only word in which they differ


def test_captions_are_true_and_wrong_ones_are_not():
    batch = drawn(draws=4)
    assert {name: (batch[name].dtype, batch[name].shape) for name in ("text", "full_text", "wrong_text")} == {
        name: (np.dtype("int32"), (4, 64, 20)) for name in ("text", "full_text", "wrong_text")
    }
    told, full, wrong = (sets(batch[name]) for name in ("text", "full_text", "wrong_text"))
    assert all(some and some <= whole for some, whole in zip(told, full, strict=True))
    assert all(some - whole for some, whole in zip(wrong, full, strict=True))
    lengths = [len(some) for some in told]
    assert min(lengths) == 1 and max(lengths) > 12 and 4 < np.mean(lengths) < 9
    assert (np.diff(batch["text"] == 0, axis=-1).astype(int) >= 0).all()  # zeros at the end alone


def test_phrases_come_in_any_order_and_captions_are_as_short_as_stated():
    few, several = drawn()["text"][0], drawn(captions=Captions("critters", 20, fewest=5))["text"][0]
    critter = CAPTIONS.vocabulary.index["critter"]
    places = {int(np.argmax(row == critter)) for row in few if critter in row}
    assert len(places) > 4
    assert min((row > 0).sum() for row in several) >= 5 > min((row > 0).sum() for row in few)


def test_a_step_has_its_captions_and_the_next_one_others():
    first, again, later = drawn(2), drawn(2), drawn(3)
    for name in ("text", "wrong_text"):
        np.testing.assert_array_equal(first[name], again[name])
        assert (first[name] != later[name]).any()
    plain = Batches(Dataset("critters", images=IMAGES, attributes=IDS), batch_size=64, seed=3)[2]
    np.testing.assert_array_equal(plain["image"], first["image"])  # captions shift no other numbers
    assert "text" not in plain


def test_examples_are_always_the_same_and_known():
    examples = CaptionDraws(CAPTIONS).examples()
    assert examples == CaptionDraws(Captions("critters", 30)).examples() and len(set(examples)) == len(examples) == 32
    for text in examples:
        assert not CAPTIONS.vocabulary.read(text, 20).complaint
    assert CaptionDraws(CAPTIONS).drawn(np.random.RandomState(0), 5).shape == (5, 20)


@pytest.mark.parametrize("count", [1, 2])
def test_examples_without_a_difference_do_not_hang(count):
    ids = {name: np.zeros(count, np.int64) for name in LABELS}
    bits = np.ones((count, CaptionDraws(CAPTIONS).bits), np.uint64)
    assert CaptionDraws(CAPTIONS).draw(ids, np.arange(count), bits)["wrong_text"].shape == (count, 20)
