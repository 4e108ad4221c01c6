"""`zoo sample` and `zoo translate`: files in, files out, and one line for each mistake."""

from pathlib import Path

import numpy as np
import onnx_nets as nets
import pytest
from PIL import Image
from png_files import read_png

import zoo
from zoo.core import pictures


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    facts = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    return nets.save_several(tmp_path_factory.mktemp("artifact") / "photos", [nets.negative(), nets.negative()], facts)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return nets.save(tmp_path_factory.mktemp("artifact") / "tiny", nets.images(), nets.describe())


@pytest.fixture
def zoo_says(zoo_says, tmp_path, monkeypatch):
    """As everywhere, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    return zoo_says


def picture(path, height, width, channels=3):
    pixels = np.random.RandomState(height).randint(256, size=(height, width, channels)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)
    return pixels


def test_one_image(zoo_says, photos, tmp_path):
    pixels = picture(tmp_path / "face.png", 16, 24)
    code, out, err = zoo_says("translate", photos, "face.png", "--network", "a_to_b", "--out", "deep/other.png")
    assert (code, out, err) == (0, "deep/other.png: 24 x 16 pixels from face.png\n", "")
    np.testing.assert_array_equal(read_png("deep/other.png"), 255 - pixels)


def test_many_images_of_many_sizes_and_kinds(zoo_says, photos, tmp_path):
    first, grey = picture(tmp_path / "in/one.png", 8, 12), picture(tmp_path / "in/grey.png", 16, 16, channels=1)
    Image.fromarray(first).save(tmp_path / "in/lossy.jpg", quality=95)
    code, out, _ = zoo_says("translate", photos, *sorted(Path("in").iterdir()), "--network", "b_to_a")
    assert code == 0 and len(out.splitlines()) == 3
    np.testing.assert_array_equal(read_png("translated/one.png"), 255 - first)
    np.testing.assert_array_equal(read_png("translated/grey.png"), 255 - grey.repeat(3, axis=-1))
    with Image.open("in/lossy.jpg") as lossy:
        np.testing.assert_array_equal(read_png("translated/lossy.png"), 255 - np.asarray(lossy))


@pytest.mark.parametrize(("fit", "corner"), [("crop", None), ("resize", None), ("pad", 255)])
def test_fit_brings_an_image_to_the_nearest_size(zoo_says, photos, tmp_path, fit, corner):
    picture(tmp_path / "odd.png", 17, 30)
    code, out, _ = zoo_says("translate", photos, "odd.png", "--network", "a_to_b", "--fit", fit, "--out", "even.png")
    assert code == 0 and out == "even.png: 28 x 16 pixels from odd.png\n"
    made = read_png("even.png")
    assert made.shape == (16, 28, 3) and (corner is None or made[0, 0].tolist() != [0, 0, 0])


def test_a_folder_may_have_a_dot_in_its_name(zoo_says, photos, tmp_path):
    picture(tmp_path / "a.png", 16, 16)
    (tmp_path / "made.today").mkdir()
    code, out, _ = zoo_says("translate", photos, "a.png", "--network", "a_to_b", "--out", "made.today")
    assert code == 0 and out == "made.today/a.png: 16 x 16 pixels from a.png\n"


def test_a_picture_of_any_size_keeps_it_unless_it_is_too_small(zoo_says, photos, tmp_path):
    odd = picture(tmp_path / "odd.png", 17, 31)
    code, out, _ = zoo_says("translate", photos, "odd.png", "--network", "a_to_b", "--out", "made.png")
    assert (code, out) == (0, "made.png: 31 x 17 pixels from odd.png\n")
    np.testing.assert_array_equal(read_png("made.png"), 255 - odd)
    picture(tmp_path / "dot.png", 1, 1)
    code, out, err = zoo_says("translate", photos, "dot.png", "--network", "a_to_b")
    assert (code, out) == (2, "") and not Path("translated").exists()
    assert err.startswith("dot.png: input 'a': expected images of 8 x 8 or more, received 1 x 1. --fit crop or")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["in/a.png"], "photos: holds the networks a_to_b, b_to_a; name one"),
        (["in/a.png", "--network", "c"], "there is no network 'c' in it"),
        (["none.png", "--network", "a_to_b"], "none.png is not a readable image"),
        (["in/text.png", "--network", "a_to_b"], "in/text.png is not a readable image"),
        (["in/a.png", "more/a.png"], "several images would become translated/a.png"),
        (["in/a.png", "--out", "in"], "--out: in/a.png would overwrite the image itself"),
        (["in/a.png", "--out", "b.jpg"], "--out names a folder, or for a single image a .png file; received 'b.jpg'"),
        (["in/a.png", "--fit", "stretch"], "invalid choice: 'stretch'"),
        ([], "the following arguments are required: IMAGE"),
    ],
)
def test_translate_mistakes(zoo_says, photos, tmp_path, flags, message):
    for name in ("in/a.png", "in/b.png", "more/a.png"):
        picture(tmp_path / name, 8, 8)
    (tmp_path / "in/text.png").write_text("no picture")
    before = (tmp_path / "in/a.png").read_bytes()
    code, out, err = zoo_says("translate", photos, *flags)
    assert (code, out) == (2, "") and message in err and (tmp_path / "in/a.png").read_bytes() == before


def test_what_is_translated_has_at_most_so_many_pixels(zoo_says, photos, tmp_path):
    picture(tmp_path / "large.png", 40, 80)
    command = ("translate", photos, "large.png", "--network", "a_to_b", "--out", "small.png")
    code, out, err = zoo_says(*command, "--max-pixels", 800)
    assert (code, out) == (2, "") and err == (
        "large.png: at most 800 pixels are translated, received 80 x 40. Let --fit crop or --fit resize shrink it, or "
        "allow more with --max-pixels\n"
    )
    code, out, _ = zoo_says(*command, "--max-pixels", 800, "--fit", "crop")
    assert code == 0 and out == "small.png: 40 x 20 pixels from large.png\n"
    assert zoo_says(*command, "--max-pixels", 3200)[0] == 0


def test_dark_16_bit_files_are_noticed(zoo_says, photos, tmp_path):
    Image.fromarray(np.full((8, 8), 4095, np.uint16)).save(tmp_path / "scan.png")
    code, _, err = zoo_says("translate", photos, "scan.png", "--network", "a_to_b")
    assert code == 0 and err.startswith("warning: scan.png: the 16-bit numbers end at 4,095 of 65,535")


def test_a_generator_does_not_translate_and_a_translator_does_not_draw(zoo_says, photos, tiny, tmp_path):
    picture(tmp_path / "a.png", 8, 8)
    code, _, err = zoo_says("translate", tiny, "a.png")
    assert code == 2 and err == f"tiny does not take images, it makes them: zoo sample {tiny}\n"
    code, _, err = zoo_says("sample", photos, "--network", "b_to_a")
    assert code == 2 and err == f"photos_b_to_a translates images: zoo translate {photos} IMAGE... --network b_to_a\n"


def test_sample_of_a_named_network(zoo_says, tmp_path):
    facts = [nets.describe(network=name) for name in ("first", "second")]
    folder = nets.save_several(tmp_path / "two", [nets.images(), nets.images(seed=1)], facts)
    assert zoo_says("sample", folder, "-n", 3, "--network", "second", "--out", "a.npy")[0] == 0
    np.testing.assert_array_equal(np.load("a.npy"), zoo.load(folder, network="second").sample(3))
    assert (np.load("a.npy") != zoo.load(folder, network="first").sample(3)).any()
    assert "holds the networks first, second" in zoo_says("sample", folder)[2]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_walk_as_an_animation(zoo_says, tiny, kind):
    code, out, err = zoo_says("sample", tiny, "-n", 12, "--seed", 2, "--walk", "--out", f"deep/walk.{kind}")
    assert (code, out, err) == (0, f"deep/walk.{kind}: 12 from Tiny GAN, seed 2\n", "")
    with Image.open(f"deep/walk.{kind}") as film:
        assert film.n_frames == 12 and film.info["loop"] == 0 and film.size == (64, 64)  # 8 x 8 pixels can be seen
    assert zoo_says("sample", tiny, "-n", 12, "--seed", 2, "--walk", "--out", "walk.npy")[0] == 0
    np.testing.assert_array_equal(np.load("walk.npy"), zoo.load(tiny).walk(12, seed=2))
    assert zoo_says("sample", tiny, "-n", 5, "--interpolate", "--out", "way.gif")[0] == 0


def test_points_walk_as_numbers_not_as_an_animation(zoo_says, tmp_path):
    points = nets.save(tmp_path / "points", nets.points(), nets.describe_points())
    code, _, err = zoo_says("sample", points, "--walk", "--out", "walk.gif")
    assert code == 2 and err == "--out: points makes points, not images that could move; end it in .npy or .png\n"
    assert zoo_says("sample", points, "-n", 8, "--walk", "--out", "walk.npy")[0] == 0
    np.testing.assert_array_equal(np.load("walk.npy"), zoo.load(points).walk(8))
    assert not Path("walk.gif").exists()


def test_arithmetic_shows_the_images_and_their_sum_in_a_row(zoo_says, tiny):
    flags = ["--seed", 2, "--arithmetic", 3, "-", 5, "+", 8]
    assert zoo_says("sample", tiny, *flags, "--out", "deep/a.png") == (
        0,
        "deep/a.png: 3 - 5 + 8 from Tiny GAN, seed 2\n",
        "",
    )
    generator = zoo.load(tiny)
    total = generator.arithmetic([3], [5], [8], seed=2, n=1)
    expected = np.concatenate([generator.sample(9, seed=2)[[3, 5, 8]], total])
    np.testing.assert_array_equal(read_png("deep/a.png"), pictures.grid(pictures.scale(expected), columns=4))
    assert zoo_says("sample", *flags, tiny, "--out", "a.npy")[0] == 0  # the artifact behind the flags
    np.testing.assert_array_equal(np.load("a.npy"), expected)


def test_arithmetic_of_means_with_neighbours(zoo_says, tiny):
    assert zoo_says("sample", tiny, "--arithmetic", "3,9", "-", "5", "+", "8,0", "-n", 4, "--out", "a.npy")[0] == 0
    made, generator = np.load("a.npy"), zoo.load(tiny)
    np.testing.assert_array_equal(made[:5], generator.sample(10)[[3, 9, 5, 8, 0]])
    np.testing.assert_array_equal(made[5:], generator.arithmetic([3, 9], [5], [8, 0], n=4))


def test_arithmetic_of_a_class_and_of_points(zoo_says, tmp_path):
    clothes = nets.save(tmp_path / "clothes", nets.images(label=True), nets.describe(nets.Z, nets.LABEL))
    sum_of = ["--arithmetic", 0, "-", 1, "+", 2]
    assert zoo_says("sample", clothes, *sum_of, "--label", "bag", "--out", "a.npy")[0] == 0
    np.testing.assert_array_equal(np.load("a.npy")[3:], zoo.load(clothes).arithmetic([0], [1], [2], n=1, label="bag"))
    assert zoo_says("sample", clothes, "-n", 3, "--fix", "label=bag", "--fix", "z=-0.5", "--out", "a.npy")[0] == 0
    np.testing.assert_array_equal(np.load("a.npy"), zoo.load(clothes).sample(3, label=1, z=-0.5))
    for wrong, message in (("label", "such as body=dome"), ("n=3", "such as body=dome"), ("lable=bag", "'label'")):
        code, _, errors = zoo_says("sample", clothes, "--fix", wrong)
        assert code == 2 and message in errors and errors.count("\n") == 1
    points = nets.save(tmp_path / "points", nets.points(), nets.describe_points())
    assert zoo_says("sample", points, *sum_of, "--out", "points.png")[0] == 0
    assert read_png("points.png").shape == (384, 384, 1)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("3 + 5 - 8", "--arithmetic: expected numbers of images such as 3 - 5 + 8, or 3,9 - 5 + 8 where"),
        ("3 - 5 + 100000", "received '3 - 5 + 100000'"),
        ("3 - 5 +", "argument --arithmetic: expected 5 arguments"),
        ("3 - 5 + 8 --walk", "argument --walk: not allowed with argument --arithmetic"),
        ("3 - 5 + 8 --out a.gif", "--out: a .gif shows a walk: add --walk (in a loop) or --interpolate"),
        ("3 - 5 + 8 -n 0", "n must be a whole number in 1.."),
        ("3 - 5 + 8 --label 1", "takes no label"),
    ],
)
def test_arithmetic_mistakes(zoo_says, tiny, terms, message):
    code, out, err = zoo_says("sample", tiny, "--arithmetic", *terms.split())
    assert (code, out) == (2, "") and message in err and not list(Path().iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out", "a.gif"], "--out: a .gif shows a walk: add --walk (in a loop) or --interpolate"),
        (["--walk", "--interpolate"], "not allowed with argument"),
        (["--walk", "-n", "3"], "n must be a whole number in 4..1000000000, received 3"),
        (["--walk", "--out", "a.mp4"], ".gif or .webp (an animation), received 'a.mp4'"),
        (["--device", "tpu"], "argument --device: expected cpu, gpu or gpu:1, received 'tpu'"),
        (["--precision", "fp16"], "there is no variant 'fp16'. `zoo convert FOLDER --precision fp16` makes it."),
    ],
)
def test_walk_and_loading_mistakes(zoo_says, tiny, flags, message):
    code, out, err = zoo_says("sample", tiny, *flags)
    assert (code, out) == (2, "") and message in err and not list(Path().iterdir())
