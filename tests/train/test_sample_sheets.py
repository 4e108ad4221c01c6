"""Pictures of a training: the same latents again and again, as the network would leave."""

import keras
import numpy as np
import tiny

from zoo.core import pictures
from zoo.core.images import to_uint8
from zoo.data.dataset import Dataset, Domains
from zoo.spec.feeds import load_data
from zoo.train.monitor import PAIRS, SAMPLES, SampleSheets, pictured_inputs


def picture_of(run, folder):
    """The film of a run, begun once more in `folder`."""
    return SampleSheets(run.spec, run.algorithm, folder, pictured_inputs(run.spec, load_data(run.spec)))


def test_pictures_show_the_same_latents_again(tiny_run, tmp_path):
    first, second = (picture_of(tiny_run, tmp_path / n) for n in "ab")
    np.random.seed(7)
    first(1)
    second(1)
    second(2)
    made = [(tmp_path / path).read_bytes() for path in ("a/generator-0000001.png", "b/generator-0000001.png")]
    assert made[0] == made[1] == (tmp_path / "b/generator-0000002.png").read_bytes()
    assert made[0] == (tiny_run.folder / "generator-0000004.png").read_bytes()
    assert made[0] != (tiny_run.folder / "generator-0000000.png").read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["generator-0000001.png"]  # and none of the discriminator
    assert pictures.read_png(tmp_path / "a/generator-0000001.png").shape == (8 * 66 - 2, 8 * 66 - 2, 1)


def test_pictures_show_the_average_with_batch_norm_measured(tiny_run, tmp_path):
    run = tiny_run
    film = picture_of(run, tmp_path)
    z, average = film.shown["z"], run.algorithm.averages["generator"]
    leaves = run.algorithm.as_exported("generator", [{"z": film.measuring["z"]}])
    expected = keras.ops.convert_to_numpy(leaves({"z": z}, training=False)["image"])
    shown = pictures.read_png(run.folder / "generator-0000004.png")[:64:8, :64:8, 0]  # the first image, enlarged by 8
    np.testing.assert_array_equal(shown, to_uint8(expected, (-1.0, 1.0))[0, :, :, 0])
    assert leaves is not average
    for mine, its in zip(leaves.weights, average.weights, strict=True):
        assert "moving" in mine.path or np.array_equal(mine, its)
    moving = keras.ops.convert_to_numpy(average({"z": z}, training=False)["image"])
    assert np.abs(moving - expected).max() > 0.01  # its statistics are those of other weights


def test_pictures_of_translators_show_originals_beside_translations(tmp_path):
    run = tiny.train(tmp_path, tiny.cycle(tmp_path))
    height, width, _ = run.spec.fields["a"]
    assert picture_of(run, tmp_path).shown["a"].shape == (min(PAIRS, 10), height, width, 3)
    for name, field in (("a_to_b", "a"), ("b_to_a", "b")):
        made = pictures.read_png(run.folder / f"{name}-{run.step:07d}.png")
        first = load_data(run.spec).parts[field].items[:1, :height, :width]
        shown = pictures.scale(first)[0]  # enlarged until a person can see it
        np.testing.assert_array_equal(made[: len(shown), : shown.shape[1]], shown)


def test_images_to_translate_come_from_all_of_the_data_each_from_its_middle(tmp_path):
    many = np.random.RandomState(0).randint(256, size=(31, 10, 12, 3)).astype(np.uint8)
    domains = Domains("two", a=Dataset("a", images=many), b=Dataset("b", images=many[:3]))
    found = pictured_inputs(tiny.read(tmp_path, tiny.cycle(tmp_path)), domains)
    np.testing.assert_array_equal(found["a"], many[::2, 1:9, 2:10])
    np.testing.assert_array_equal(found["b"], many[:3, 1:9, 2:10])


def test_pictures_of_classes_and_points(tmp_path):
    run = tiny.train(tmp_path, tiny.LABELLED)
    assert len(list(run.folder.glob("generator-000000[012].png"))) == 3
    labels = picture_of(run, tmp_path).shown["label"]
    assert labels.shape == (SAMPLES,) and set(labels[:10]) == set(range(10))
    run = tiny.train(tmp_path, tiny.POINTS)
    assert pictures.read_png(run.folder / "generator-0000002.png").shape == (384, 384, 1)
