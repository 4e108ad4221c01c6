"""Pictures pixel by pixel."""

import io

import numpy as np
import pytest
from PIL import Image, features
from png_files import read_png

from zoo.core.errors import DataError
from zoo.core.pictures import (
    animation,
    grid,
    pairs,
    picture,
    png,
    points_picture,
    scale,
    stack,
    text,
    write_png,
)


def flat(*values, side=2, channels=1):
    return np.stack([np.full((side, side, channels), v, np.uint8) for v in values])


def test_grid_places_row_by_row_with_gaps_between_only():
    picture = grid(flat(1, 2, 3), columns=2, gap=1)
    np.testing.assert_array_equal(
        picture[:, :, 0],
        [[1, 1, 255, 2, 2], [1, 1, 255, 2, 2], [255] * 5, [3, 3, 255, 255, 255], [3, 3, 255, 255, 255]],
    )


@pytest.mark.parametrize(("n", "shape"), [(1, (2, 2)), (2, (2, 6)), (5, (6, 10)), (16, (14, 14))])
def test_grid_is_nearly_square(n, shape):
    assert grid(flat(*range(n), channels=3)).shape == (*shape, 3)


def test_pairs_stand_beside_each_other():
    picture = pairs(flat(10, 20, 30, side=64), flat(11, 21, 31, side=64), columns=2)
    assert picture.shape == (64 + 2 + 64, 4 * 64 + 3 * 2, 1)
    np.testing.assert_array_equal(picture[0, 32::66, 0], [10, 11, 20, 21])
    np.testing.assert_array_equal(picture[66, 32::66, 0], [30, 31, 255, 255])


def test_stack_on_white():
    grey, colour = np.zeros((2, 3, 1), np.uint8), np.full((1, 5, 3), 9, np.uint8)
    picture = stack([grey, colour], gap=4)
    assert picture.shape == (2 + 4 + 1, 5, 3)
    np.testing.assert_array_equal(picture[:, 4, 1], [255] * 6 + [9])
    np.testing.assert_array_equal(picture[:, 0, 2], [0, 0, 255, 255, 255, 255, 9])
    with pytest.raises(DataError, match="expected uint8"):
        stack([grey[0]])


def test_grid_without_gap():
    np.testing.assert_array_equal(grid(flat(1, 2, side=1), gap=0)[:, :, 0], [[1, 2]])


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4, 3)), np.zeros((0, 4, 4, 3), np.uint8), flat(1, channels=2)],
)
def test_grid_refuses_what_is_no_image(images):
    with pytest.raises(DataError, match=r"expected uint8 \[N, H, W, C\] with C = 1, 3 or 4, received"):
        grid(images)


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"gap": -1}])
def test_grid_refuses_wrong_numbers(wrong):
    with pytest.raises(DataError, match="at least 1 column"):
        grid(flat(1), **wrong)


def test_scale_repeats_pixels_by_whole_factors():
    image = np.array([[[1], [2]], [[3], [4]]], np.uint8)
    np.testing.assert_array_equal(
        scale(image, at_least=3)[:, :, 0], [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    )
    assert scale(flat(1, 2, side=28)).shape == (2, 84, 84, 1)
    np.testing.assert_array_equal(scale(image, at_least=1), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_round_trip(tmp_path, channels):
    image = np.random.RandomState(0).randint(256, size=(5, 7, channels)).astype(np.uint8)
    assert write_png(tmp_path / "a.png", image) == tmp_path / "a.png"
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), image)
    first = (tmp_path / "a.png").read_bytes()
    write_png(tmp_path / "a.png", image)
    assert (tmp_path / "a.png").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_wrong_png(tmp_path):
    with pytest.raises(DataError, match=r"expected uint8 \[H, W, C\]"):
        write_png(tmp_path / "a.png", flat(1))
    assert not list(tmp_path.iterdir())


def played(data):
    """(frames, milliseconds of each, how often) of an animation."""
    with Image.open(io.BytesIO(data)) as film:
        frames, times = [], []
        for number in range(film.n_frames):
            film.seek(number)
            film.load()
            frames.append(np.asarray(film.convert("RGB")))
            times.append(film.info["duration"])
        return np.stack(frames), times, film.info["loop"]


@pytest.mark.parametrize(("kind", "channels"), [(".gif", 1), (".webp", 1), (".webp", 3)])
def test_an_animation_keeps_every_pixel_and_never_ends(kind, channels):
    frames = np.random.RandomState(0).randint(256, size=(5, 9, 7, channels)).astype(np.uint8)
    shown, times, loops = played(animation(frames, 25, kind))
    np.testing.assert_array_equal(shown, np.broadcast_to(frames, (5, 9, 7, 3)))
    assert times == [40] * 5 and loops == 0


def test_a_gif_of_few_colours_keeps_them():
    frames = np.random.RandomState(0).choice(np.uint8([0, 80, 255]), size=(4, 8, 8, 3))  # 27 colours
    np.testing.assert_array_equal(played(animation(frames))[0], frames)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": ".mp4"}, "an animation is a .gif or .webp file, received '.mp4'"),
        ({"fps": 0}, "more than 0 and at most 50 frames a second, received 0"),
        ({"fps": float("nan")}, "received nan"),
        ({"frames": np.zeros((2, 8, 8), np.uint8)}, r"expected uint8 \[N, H, W, C\]"),
        ({"frames": np.zeros((2, 8, 8, 1), np.float32)}, "received float32"),
    ],
)
def test_wrong_animations(wrong, message):
    with pytest.raises(DataError, match=message):
        animation(**{"frames": flat(1, 2), **wrong})


def test_a_pillow_without_webp(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(DataError, match="this Pillow was built without WebP"):
        animation(flat(1, 2), kind=".webp")


def test_points_stand_where_they_are():
    points = np.array([[-0.75, 0.75], [0.75, -0.25], [0.75, -0.25], [5, 5]])
    picture = points_picture(points, extent=1, size=4)
    assert picture.dtype == np.uint8 and picture.shape == (4, 4, 1)
    assert picture[2, 3, 0] == 0  # the crowd is black; x to the right, y upwards
    assert 0 < picture[0, 0, 0] < 200  # the lone point is seen
    assert (picture == 255).sum() == 14
    assert (points_picture(np.zeros((0, 2)), extent=1, size=4) == 255).all()


def test_a_dot_is_large_enough_to_be_seen():
    shown = picture(np.array([[1.0, 1.0], [-1.0, -1.0]]))
    assert shown.shape == (384, 384, 1) and (shown < 128).sum() == 2 * 9


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.array([[np.nan, 0]]), np.zeros(2)])
def test_wrong_points(points):
    with pytest.raises(DataError, match=r"finite points \[N, 2\]"):
        points_picture(points, extent=1)


@pytest.mark.parametrize("wrong", [{"extent": 0}, {"extent": float("nan")}, {"extent": 1, "size": 0}])
def test_wrong_extent(wrong):
    with pytest.raises(DataError, match="positive extent and size"):
        points_picture(np.zeros((1, 2)), **wrong)


def test_a_text_is_black_on_white_and_words_are_of_one_height():
    short, long = text("0"), text("step 10,000")
    assert short.shape[0] == long.shape[0] and 3 * short.shape[1] < long.shape[1]
    assert long.dtype == np.uint8 and long.shape[2] == 1 and long.min() < 50 and (long == 255).mean() > 0.5
    assert text("0", size=28).shape[0] > 1.5 * short.shape[0]


def test_a_png_can_be_held_small():
    noise = np.random.RandomState(0).randint(256, size=(100, 100, 3)).astype(np.uint8)
    assert len(png(noise)) > 30_000 >= len(png(noise, at_most=30_000))
    plain = np.zeros((50, 50, 3), np.uint8)
    assert png(plain, at_most=30_000) == png(plain)
