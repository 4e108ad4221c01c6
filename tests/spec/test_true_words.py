"""Words of a spec that a change made untrue: with `--set`, and in a spec that extends another."""

import pytest

from zoo.spec.read import read_spec, spec_file

GEOMETRY, KERNELS, AVERAGE = range(3)  # the deviations of dcgan, of which the first is about Fashion-MNIST


def read(name, *overrides):
    return read_spec(spec_file(name), overrides).sections


@pytest.mark.parametrize(
    ("name", "change", "title"),
    [
        ("dcgan", "data.source=digits", "DCGAN, on optical digits (scikit-learn)"),
        ("dcgan", "data.source=mnist", "DCGAN, on MNIST"),
        ("unrolled_fashion", "data.source=mnist", "Unrolled GAN, on MNIST"),
        ("unrolled", "data.source={grid: {}}", "Unrolled GAN, on grid of Gaussians"),
        ("_template", "data.source=mnist", "DCGAN, on MNIST"),
        ("cyclegan", "data.source={emoji: {a: twemoji, b: fluent}}", "CycleGAN, Twemoji to Fluent Emoji 3D"),
        ("cyclegan", "data.source={folders: {a: some/photos, b: labels/}}", "CycleGAN, photos to labels"),
        ("dcgan", "data.size=32", "DCGAN"),
    ],
)
def test_the_title_names_the_data(name, change, title):
    assert read(name, change).title == title


def test_deviations_about_the_former_data_go_and_the_others_stay():
    own = read("dcgan")
    changed = read("dcgan", "data.source=digits")
    assert changed.deviations == (own.deviations[KERNELS], own.deviations[AVERAGE])
    assert changed.about == own.about and changed.paper == own.paper
    assert "Gaussians" in read("unrolled").about and "Gaussians" not in read("unrolled", "data.source={grid: {}}").about


@pytest.mark.parametrize("change", ["training.seed=4", "training.xla=true", "data.source=fashion_mnist", "name=other"])
def test_what_no_word_is_about_changes_no_word(change):
    own, changed = read("dcgan"), read("dcgan", change)
    assert (changed.title, changed.about, changed.deviations) == (own.title, own.about, own.deviations)
    assert changed.export.licence == "Apache-2.0"


def test_another_recipe_states_its_changes_instead_of_deviations():
    changes = ["algorithm.alternating.loss=minimax", "training.batch_size=32", "training.picture_every_steps=9"]
    assert read("cgan", *changes).deviations == (
        "Built with algorithm.alternating.loss=minimax, training.batch_size=32, training.picture_every_steps=9 instead "
        "of what its spec states.",
    )


def test_another_length_leaves_no_word_about_the_length():
    kept, gone = read("vanilla").deviations
    assert "Half an hour" in gone and read("vanilla", "training.steps=5").deviations == (kept,)


def test_no_licence_for_other_data_unless_it_is_stated():
    assert read("dcgan", "data.source=digits").export.licence == "unknown"
    assert read("cyclegan", "data.source={folders: {a: x, b: y}}").export.licence == "unknown"
    assert read("dcgan", "data.source=digits", "export.licence=MIT").export.licence == "MIT"


def test_words_that_the_change_states_stay_as_stated():
    stated = read("dcgan", "data.source=mnist", "title=Mine", "deviations=[On Fashion-MNIST]", "about=Fashion-MNIST")
    assert (stated.title, stated.deviations, stated.about) == ("Mine", ("On Fashion-MNIST",), "Fashion-MNIST")


def test_a_spec_that_extends_another_inherits_true_words_alone(tmp_path):
    (tmp_path / "dcgan.yaml").write_text(spec_file("dcgan").read_text("utf-8"))
    (tmp_path / "mine.yaml").write_text(
        "extends: dcgan.yaml\nname: mine\ndata: {source: {folder: {path: x}}, channels: 1}\n"
    )
    (tmp_path / "wide.yaml").write_text("extends: dcgan.yaml\nname: wide\nalgorithm: {alternating: {loss: hinge}}\n")
    own, mine = read("dcgan"), read_spec(tmp_path / "mine.yaml").sections
    assert mine.title == "DCGAN, on a folder of images" and mine.export.licence == "unknown"
    assert mine.deviations == own.deviations[KERNELS:]
    wide = read_spec(tmp_path / "wide.yaml").sections
    assert wide.deviations == () and wide.export.licence == "Apache-2.0"
