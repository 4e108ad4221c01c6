"""Sample sheets of a training: the same latents again and again, as the network would be exported."""

import keras
import numpy as np
import tiny
from png_files import read_png

from zoo.core.images import to_uint8
from zoo.data.dataset import Dataset, Domains
from zoo.spec.feeds import load_data
from zoo.train.monitor import PAIRS, SAMPLES, SampleSheets, pictured_inputs


def sheets_of(run, folder):
    """The sample sheets of a run, begun once more in `folder`."""
    return SampleSheets(run.spec, run.algorithm, folder, pictured_inputs(run.spec, load_data(run.spec)))


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_sheets_show_the_same_latents_again(tiny_run, tmp_path):
    first, second = (sheets_of(tiny_run, tmp_path / n) for n in "ab")
    np.random.seed(7)
    first(1)
    second(1)
    second(2)
    # and none of the discriminator
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"generator-0000001.png", "generator-0000001.npz"}
    for kind in ("png", "npz"):
        made = [(tmp_path / f"{path}.{kind}").read_bytes() for path in ("a/generator-0000001", "b/generator-0000001")]
        assert made[0] == made[1] == (tmp_path / f"b/generator-0000002.{kind}").read_bytes()
        assert made[0] == (tiny_run.folder / f"generator-0000004.{kind}").read_bytes()
        assert made[0] != (tiny_run.folder / f"generator-0000000.{kind}").read_bytes()


def test_the_picture_is_drawn_from_the_arrays_beside_it(tiny_run):
    kept = arrays(tiny_run.folder / "generator-0000004.npz")
    assert kept.keys() == {"made"} and kept["made"].shape == (64, 8, 8, 1) and kept["made"].dtype == np.uint8
    shown = read_png(tiny_run.folder / "generator-0000004.png")
    assert shown.shape == (8 * 66 - 2, 8 * 66 - 2, 1)
    np.testing.assert_array_equal(shown[66:130:8, :64:8], kept["made"][8])  # the second row, enlarged by 8


def test_sheets_show_the_average_with_batch_norm_measured(tiny_run, tmp_path):
    run = tiny_run
    sheets = sheets_of(run, tmp_path)
    z, average = sheets.shown["z"], run.algorithm.averages["generator"]
    measured = run.algorithm.as_exported("generator", [{"z": sheets.measuring["z"]}])
    expected = keras.ops.convert_to_numpy(measured({"z": z}, training=False)["image"])
    np.testing.assert_array_equal(arrays(run.folder / "generator-0000004.npz")["made"], to_uint8(expected, (-1.0, 1.0)))
    assert measured is not average
    for mine, its in zip(measured.weights, average.weights, strict=True):
        assert "moving" in mine.path or np.array_equal(mine, its)
    moving = keras.ops.convert_to_numpy(average({"z": z}, training=False)["image"])
    assert np.abs(moving - expected).max() > 0.01  # its statistics are those of other weights


def test_sheets_of_translators_show_originals_beside_translations(tmp_path):
    run = tiny.train(tmp_path, tiny.cycle(tmp_path))
    height, width, _ = run.spec.fields["a"]
    assert sheets_of(run, tmp_path).shown["a"].shape == (min(PAIRS, 10), height, width, 3)
    for name, field in (("a_to_b", "a"), ("b_to_a", "b")):
        kept = arrays(run.folder / f"{name}-{run.step:07d}.npz")
        np.testing.assert_array_equal(kept["given"], load_data(run.spec).parts[field].items[:, :height, :width])
        assert kept["made"].shape == kept["given"].shape and kept["made"].dtype == np.uint8
        shown = read_png(run.folder / f"{name}-{run.step:07d}.png")
        np.testing.assert_array_equal(shown[:64:8, :64:8], kept["given"][0])  # enlarged until a person can see it
        np.testing.assert_array_equal(shown[:64:8, 66:130:8], kept["made"][0])


def test_images_to_translate_come_from_all_of_the_data_each_from_its_middle(tmp_path):
    many = np.random.RandomState(0).randint(256, size=(31, 10, 12, 3)).astype(np.uint8)
    domains = Domains("two", a=Dataset("a", images=many), b=Dataset("b", images=many[:3]))
    found = pictured_inputs(tiny.read(tmp_path, tiny.cycle(tmp_path)), domains)
    np.testing.assert_array_equal(found["a"], many[::2, 1:9, 2:10])
    np.testing.assert_array_equal(found["b"], many[:3, 1:9, 2:10])


def test_sheets_of_classes_and_points(tmp_path):
    run = tiny.train(tmp_path, tiny.LABELLED)
    assert len(list(run.folder.glob("generator-000000[012].png"))) == 3
    labels = sheets_of(run, tmp_path).shown["label"]
    assert labels.shape == (SAMPLES,) and set(labels[:10]) == set(range(10))
    run = tiny.train(tmp_path, tiny.POINTS)
    assert read_png(run.folder / "generator-0000002.png").shape == (384, 384, 1)
    made = arrays(run.folder / "generator-0000002.npz")["made"]
    assert made.shape == (SAMPLES, 2) and made.dtype == np.float32
