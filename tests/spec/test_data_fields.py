"""Fields that follow from the source: one's own class folders, pairs, several labels, and class ids as latents."""

import shutil

import numpy as np
import pytest
import tiny
from PIL import Image

from zoo.core.errors import DataError, SpecError
from zoo.data.catalogue import DATASETS
from zoo.data.sources import load_dataset
from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec
from zoo.spec.sections import RESERVED

OWN = tiny.DENSE.replace("{source: digits}", "{source: {folder: {path: pets}}, size: 8, channels: 1}")
PAIRS = """
name: pairs
title: A translator
data: {source: {pairs: {a: maps, b: photos}}, size: 8}
networks:
  generator: {inputs: a, output: b, layers: [Conv2D: {filters: 3, kernel_size: 1}]}
  discriminator:
    inputs: [a, b]
    output: logits
    layers: [{Concatenate: null, from: [a, b]}, Flatten, Dense: {units: 1}]
"""


def paint(path, colour, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def pets(tmp_path):
    for number, (kind, grey) in enumerate([("dog", 10), ("cat", 20), ("cat", 30), ("emu", 40), ("dog", 50)]):
        paint(tmp_path / "pets" / kind / f"{number}.png", (grey, grey, grey))
    (tmp_path / "pets" / "notes").mkdir()
    (tmp_path / "pets" / "notes" / "readme.txt").write_text("not an image")
    return tmp_path


@pytest.mark.parametrize(
    ("stated", "classes", "greys"),
    [
        ("", ("cat", "dog", "emu"), {0: {20, 30}, 1: {10, 50}, 2: {40}}),
        (", classes: true", ("cat", "dog", "emu"), {0: {20, 30}, 1: {10, 50}, 2: {40}}),
        (", classes: [emu, dog]", ("emu", "dog"), {0: {40}, 1: {10, 50}}),
        (", classes: false", (), None),
    ],
)
def test_sub_folders_are_the_classes_of_the_spec(pets, stated, classes, greys):
    spec = tiny.read(pets, OWN.replace("path: pets", f"path: pets{stated}"), "training.batch_size=2")
    assert spec.classes == classes and ("label" in spec.fields) == bool(classes)
    assert spec.document["data"]["source"]["folder"].get("classes", []) == (list(classes) if classes else False)
    data = load_dataset("folder", spec.sections.data.source.args, size=8)
    assert data.classes == classes
    if greys is None:
        assert data.labels is None and len(data) == 5
    else:
        shown = {k: {int(image[0, 0, 0]) for image in data.images[data.labels == k]} for k in greys}
        assert shown == greys and data.reading.images == sum(map(len, greys.values()))


def test_the_resolved_spec_names_its_classes_without_the_folder(pets, tmp_path):
    (tmp_path / "alone.yaml").write_text(tiny.read(pets, OWN, "training.batch_size=2").to_yaml())
    shutil.rmtree(pets / "pets")
    assert read_spec(tmp_path / "alone.yaml").classes == ("cat", "dog", "emu")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("path: pets, classes: true", "there are no sub-folders with images"),
        ("path: pets", "images both in"),
    ],
)
def test_wrong_class_folders_are_located(tmp_path, stated, message):
    paint(tmp_path / "pets" / "1.png", (1, 1, 1))
    if "both" in message:
        paint(tmp_path / "pets" / "cat" / "2.png", (1, 1, 1))
    with pytest.raises(SpecError, match=rf"tested.yaml:\d+:\d+: data.source.folder.\w+: {message}"):
        tiny.read(tmp_path, OWN.replace("path: pets", stated), "training.batch_size=1")


def test_a_class_that_is_not_there_is_named(pets):
    with pytest.raises(DataError, match="no images of cow. It has cat, dog, emu"):
        load_dataset("folder", {"path": str(pets / "pets"), "classes": ["cat", "cow"]}, size=8)


@pytest.fixture
def pairs(tmp_path):
    for number in range(6):
        paint(tmp_path / "maps" / f"{number}.png", (number, 0, 0), (16, 8))
        paint(tmp_path / "photos" / f"{number}.jpg", (number + 100,) * 3, (32, 16))
        double = np.zeros((8, 16, 3), np.uint8)
        double[:, :8], double[:, 8:] = number, number + 100
        (tmp_path / "double").mkdir(exist_ok=True)
        Image.fromarray(double).save(tmp_path / "double" / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("source", [{"a": "maps", "b": "photos"}, {"path": "double"}])
def test_pairs_are_read_together(pairs, source):
    data = load_dataset("pairs", {key: str(pairs / value) for key, value in source.items()}, size=8)
    assert data.paired and data.together and len(data) == 6
    difference = data.b.images[:, 0, 0, 0].astype(int) - data.a.images[:, 0, 0, 0]
    assert np.abs(difference - 100).max() <= 2  # of JPEG
    spec = tiny.read(pairs, PAIRS)
    assert spec.fields == {"a": (8, 8, 3), "b": (8, 8, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda at: (at / "maps" / "9.png").write_bytes((at / "maps" / "1.png").read_bytes()),
            "1 of 7 images have no pa",
        ),
        (
            lambda at: (at / "photos" / "3.jpg").unlink(),
            "1 of 6 images have no partner .* in .*photos: 3.png. Sets that",
        ),
        (
            lambda at: (at / "maps" / "2.jpg").write_bytes((at / "photos" / "2.jpg").read_bytes()),
            "in their suffix alone",
        ),
    ],
)
def test_what_is_no_pair_is_located(pairs, change, message):
    change(pairs)
    with pytest.raises(SpecError, match=rf"tested.yaml:4:16: data.source.pairs: .*{message}"):
        tiny.read(pairs, PAIRS)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{a: maps}", "'b' is missing: two folders"),
        ("{}", "'a' is missing"),
        ("{path: double, a: maps}", "received both"),
    ],
)
def test_pairs_need_two_folders_or_one(pairs, source, message):
    with pytest.raises(SpecError, match=message):
        tiny.read(pairs, PAIRS.replace("{a: maps, b: photos}", source))


def test_pictures_of_other_proportions_are_no_pair(pairs):
    paint(pairs / "photos" / "3.jpg", (1, 1, 1), (20, 16))
    paint(pairs / "double" / "3.png", (1, 1, 1), (15, 8))
    for source, message in (({"a": "maps", "b": "photos"}, "8 x 16 and 16 x 20"), ({"path": "double"}, "equal width")):
        with pytest.raises(DataError, match=message):
            load_dataset("pairs", {key: str(pairs / value) for key, value in source.items()}, size=8)


def test_a_network_that_sees_unpaired_domains_side_by_side_is_refused(pairs):
    with pytest.raises(SpecError, match="networks.discriminator.inputs: 'a' and 'b' are drawn apart.* source 'pairs'"):
        tiny.read(pairs, PAIRS.replace("pairs: {", "folders: {"))


def test_several_labels_are_fields_with_classes_of_their_own(tmp_path):
    text = tiny.DENSE.replace("{source: digits}", "{source: critters, size: 8}").replace("units: 64", "units: 192")
    text = text.replace("[8, 8, 1]", "[8, 8, 3]")
    spec = tiny.read(tmp_path, text)
    labels = DATASETS["critters"].labels
    assert len(labels) == 9 and spec.labels == labels and spec.classes == ()
    assert spec.fields == {"image": (8, 8, 3), **dict.fromkeys(labels, ())}
    assert not {*labels} & {*RESERVED}


CODES = tiny.DENSE.replace("latent: {", "latent: {digit: {categorical: {classes: CLASSES}}, ")


@pytest.mark.parametrize(("classes", "names"), [("3", ("0", "1", "2")), ("[small, large]", ("small", "large"))])
def test_a_categorical_latent_is_class_ids(tmp_path, classes, names):
    text = CODES.replace("CLASSES", classes).replace("inputs: z", "inputs: [z, digit]", 1)
    text = text.replace("    layers:\n", GATE.replace("N", str(len(names))), 1)
    spec = tiny.read(tmp_path, text)
    assert spec.latents["digit"] == () and spec.labels["digit"] == names
    with pytest.raises(SpecError, match=rf"input_dim 1 is too few: 'digit' has {len(names)} classes"):
        tiny.read(tmp_path, text.replace(f"input_dim: {len(names)}", "input_dim: 1"))


GATE = """    layers:
      - from: digit
      - Embedding: {input_dim: N, output_dim: 2}
        as: code
      - Concatenate:
        from: [z, code]
"""


@pytest.mark.parametrize(("classes", "message"), [("1", "expected"), ("[a, a]", "names a class twice")])
def test_wrong_classes_of_a_latent(tmp_path, classes, message):
    with pytest.raises(SpecError, match=message):
        tiny.read(tmp_path, CODES.replace("CLASSES", classes))


def test_a_limit_keeps_the_first_examples_of_training_and_all_of_the_test(tmp_path):
    (tmp_path / "few.yaml").write_text(tiny.DENSE.replace("{source: digits}", "{source: digits, limit: 100}"))
    spec = read_spec(tmp_path / "few.yaml")
    few, whole = load_data(spec), load_dataset("digits")
    assert len(few) == 100 < len(whole)
    np.testing.assert_array_equal(few.items, whole.items[:100])
    np.testing.assert_array_equal(few.labels, whole.labels[:100])
    np.testing.assert_array_equal(load_data(spec, split="train").items, few.items)
    np.testing.assert_array_equal(load_data(spec, split="test").items, load_dataset("digits", split="test").items)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("20000", r"few.yaml:4:31: data.limit: there are 1,\d+ examples of 'digits', received 20,000"),
        ("3", r"training.batch_size: .*set training.batch_size=3 or less"),
        ("0", "data.limit: expected an integer at least 1, received 0"),
    ],
)
def test_limits_that_cannot_be_are_located(tmp_path, limit, message):
    (tmp_path / "few.yaml").write_text(tiny.DENSE.replace("{source: digits}", f"{{source: digits, limit: {limit}}}"))
    with pytest.raises(SpecError, match=message):
        read_spec(tmp_path / "few.yaml")


def test_a_limit_of_a_folder_keeps_every_class(tmp_path):
    """Its images are sorted by class; the account says how many are used."""
    for name, count in (("cats", 20), ("dogs", 10)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "pets" / name / f"{number}.png")
    own = OWN.replace("channels: 1", "channels: 1, limit: LIMIT")

    def load(limit):
        (tmp_path / "few.yaml").write_text(own.replace("LIMIT", str(limit)))
        return load_data(read_spec(tmp_path / "few.yaml"))

    few = load(9)
    assert np.bincount(few.labels).tolist() == [6, 3] and few.counts == {"images": 9, "classes": 2}
    assert few.reading.warnings and few.fingerprint["images"] == 9
    with pytest.raises(DataError, match="data.limit is 1, which leaves a class of 2 without an example"):
        load(9).limited(1)


def test_a_limit_above_the_images_of_a_folder_is_said_as_they_are_read(pets):
    (pets / "few.yaml").write_text(OWN.replace("channels: 1", "channels: 1, limit: 6"))
    with pytest.raises(DataError, match="data.limit is 6, and the data .* are 5 examples"):
        load_data(read_spec(pets / "few.yaml"))
