"""The history of a run in its artifact: curves without gaps or repetitions, films of the right samples."""

import json

import numpy as np
import pytest
from png_files import read_png
from tensorboard.summary import Writer

from zoo.core import pictures
from zoo.core.errors import DataError
from zoo.export import history


def events(folder, name, lines):
    """An event file called `name` with {tag: {step: value}}."""
    aside = folder / "aside"
    writer = Writer(str(aside))
    for tag, line in lines.items():
        for step, value in line.items():
            writer.add_scalar(tag, value, step)
    writer.close()
    (file,) = aside.iterdir()
    file.rename(folder / f"events.out.tfevents.{name}")
    aside.rmdir()


def curves(folder, *, until=10**9, images=10, phases=("generator", "critic")):
    return history.curves(folder, phases=phases, images_per_step=images, until=until)


def test_a_curve_is_over_thousands_of_images(tmp_path):
    line = {20: 1.0, 40: 0.123456789, 60: -3e-7}
    speed = {20: 99.0}
    events(
        tmp_path,
        "10.host.1.0",
        {"generator_loss": line, "critic_loss": dict.fromkeys(line, 2), "images_per_second": speed},
    )
    found = curves(tmp_path, images=128)
    assert found == {
        "kimg": [2.56, 5.12, 7.68],
        "losses": {"generator": [1.0, 0.12346, -3e-7], "critic": [2.0, 2.0, 2.0]},
    }


def test_many_steps_are_averaged_into_few_bins(tmp_path):
    """No scalar is dropped on the way: each bin is the mean of all of its steps."""
    steps = [20 * (i + 1) for i in range(1001)]
    events(tmp_path, "10.host.1.0", {"generator_loss": {step: step % 100 for step in steps}})
    found = curves(tmp_path)
    assert len(found["kimg"]) == len(found["losses"]["generator"]) == 200
    for ours, values in (
        (found["kimg"], [s / 100 for s in steps]),
        (found["losses"]["generator"], [s % 100 for s in steps]),
    ):
        expected = [part.mean() for part in np.array_split(values, 200)]
        np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_the_later_file_wins_from_its_first_step_on(tmp_path):
    """Files are in the order of their times, not of their names; what was lost at an interruption is not shown."""
    events(tmp_path, "100.host.1.0", {"generator_loss": {60: 5.0, 80: 6.0}, "metric/m": {80: 9.0}})
    events(
        tmp_path,
        "99.host.7.0",
        {"generator_loss": {20: 1.0, 40: 2.0, 60: 3.0, 100: 4.0}, "metric/m": {40: 1.0, 100: 2.0}},
    )
    found = curves(tmp_path)
    assert found["kimg"] == [0.2, 0.4, 0.6, 0.8] and found["losses"] == {"generator": [1.0, 2.0, 5.0, 6.0]}
    assert found["metric"] == {"name": "m", "kimg": [0.4, 0.8], "values": [1.0, 9.0]}
    assert curves(tmp_path, until=60)["kimg"] == [0.2, 0.4, 0.6]
    assert curves(tmp_path, until=60)["metric"]["kimg"] == [0.4]


def test_losses_are_those_of_the_same_steps(tmp_path):
    events(tmp_path, "1.host.1.0", {"a_loss": {20: 1.0, 40: 2.0}, "b_loss": {40: 3.0, 60: 4.0}})
    assert curves(tmp_path, phases="ab") == {"kimg": [0.4], "losses": {"a": [2.0], "b": [3.0]}}


def test_values_have_their_own_names_and_what_was_not_known_yet_is_none(tmp_path):
    line = {20: 1.0, 40: 2.0}
    lines = {"generator_loss": line, "g_loss": line, "k": {20: np.nan, 40: 3.0}, "late_loss": {20: np.nan, 40: 5.0}}
    events(tmp_path, "1.host.1.0", {**lines, "images_per_second": line, "old": {20: 1.0}})
    assert curves(tmp_path, phases=("generator", "late")) == {
        "kimg": [0.2, 0.4],
        "losses": {"generator": [1.0, 2.0], "late": [None, 5.0]},
        "values": {"g_loss": [1.0, 2.0], "k": [None, 3.0]},
    }


def test_a_file_whose_end_is_missing_is_read_as_far_as_it_goes(tmp_path):
    events(tmp_path, "1.host.1.0", {"generator_loss": {20: 1.0, 40: 2.0}})
    file = tmp_path / "events.out.tfevents.1.host.1.0"
    file.write_bytes(file.read_bytes()[:-5])
    assert curves(tmp_path)["losses"] == {"generator": [1.0]}


def test_no_events_no_file(tmp_path):
    assert not history.write_curves(tmp_path, tmp_path, phases=["generator"], images_per_step=1, until=9)
    (tmp_path / "tensorboard").mkdir()
    events(tmp_path / "tensorboard", "1.host.1.0", {"images_per_second": {20: 1.0}, "generator_loss": {20: 1.0}})
    assert not history.write_curves(tmp_path, tmp_path, phases=["generator"], images_per_step=1, until=19)
    assert not (tmp_path / "curves.json").exists()
    assert history.write_curves(tmp_path, tmp_path, phases=["generator"], images_per_step=1, until=20)
    assert json.loads((tmp_path / "curves.json").read_text()) == {"kimg": [0.02], "losses": {"generator": [1.0]}}


@pytest.mark.parametrize(
    ("steps", "chosen"),
    [
        ([], []),
        ([0, 7], [0, 7]),
        (range(0, 20001, 500), [0, 500, 1500, 3500, 6500, 10000, 14500, 20000]),
        (range(9), [0, 1, 2, 3, 4, 5, 6, 8]),
        ([0, *range(9000, 9009)], [0, 9000, 9001, 9002, 9003, 9004, 9005, 9008]),
    ],
)
def test_moments_are_first_last_and_denser_at_the_beginning(steps, chosen):
    assert history.moments(list(steps)) == chosen


def sample(step, number):
    """An 8 x 8 image that nothing else shows."""
    return np.random.RandomState([step, number]).randint(200, size=(8, 8, 1)).astype(np.uint8)


def keep(folder, step, made=None, *, network="generator", **given):
    """A sample sheet as a run keeps it."""
    made = np.stack([sample(step, number) for number in range(64)]) if made is None else made
    np.savez_compressed(folder / f"{network}-{step:07d}.npz", made=made, **given)


def cells_of(film, rows):
    """The cells of a film's table, reduced to 8 x 8: from its right end, where they stand."""
    inner = film[6:-6, 6:-6]
    table = inner[:, inner.shape[1] - (8 * 66 - 2) :]
    begin = table.shape[0] - rows * 66 + 2
    return [
        [table[y : y + 64 : 8, x : x + 64 : 8] for x in range(0, 8 * 66, 66)]
        for y in range(begin, begin + rows * 66, 66)
    ]


def test_a_film_shows_the_first_samples_moment_by_moment(tmp_path):
    for step in (0, 30, 500, 700):
        keep(tmp_path, step)
    keep(tmp_path, 10, network="other")
    for name in ("generator-x.npz", "generator-12.npz", "mine.npz"):
        (tmp_path / name).write_text("not a sample sheet of the run")
    film = history.film(tmp_path, "generator", until=500)
    for step, row in zip((0, 30, 500), cells_of(film, 3), strict=True):
        for number, cell in enumerate(row):
            np.testing.assert_array_equal(cell, sample(step, number), err_msg=f"{step} {number}")
    words = pictures.text("step", size=history.LETTERS).shape[0]
    assert film.shape[0] == 6 + words + 2 + (3 * 66 - 2) + 6  # a line of words, three rows
    words = film[:, : film.shape[1] - 8 * 66 - 6]
    assert [
        (words[row : row + 64] < 100).any() for row in range(film.shape[0] - 3 * 66 - 4, film.shape[0] - 6, 66)
    ] == [True] * 3


def test_a_film_of_a_translator_shows_the_originals_once(tmp_path):
    for step in (0, 5):
        given, made = (np.stack([sample(number, i) for i in range(10)]) for number in (100, step))
        keep(tmp_path, step, made, network="a_to_b", given=given)
    film = history.film(tmp_path, "a_to_b", until=9)
    for step, row in zip((100, 0, 5), cells_of(film, 3), strict=True):
        for number, cell in enumerate(row):
            np.testing.assert_array_equal(cell, sample(step, number))


def test_large_images_are_made_smaller(tmp_path):
    grey = np.arange(0, 64, dtype=np.uint8)[:, None, None, None] * np.ones((1, 80, 160, 3), np.uint8)
    keep(tmp_path, 0, grey)
    film = history.film(tmp_path, "generator", until=0)
    assert film.shape[2] == 3
    line = film[-6 - 32, -6 - (8 * 130 - 2) : -6, 0]
    assert [int(line[130 * i + 64]) for i in range(8)] == list(range(8))


def test_plots_of_points_stand_side_by_side(tmp_path):
    for step in range(5):
        keep(tmp_path, step, np.float32([[-1, -1], [1, 1], [1 - step / 2, -1]]))
    film = history.film(tmp_path, "generator", until=9)
    assert film.shape[1] == 12 + 4 * (192 + 2) + 3 * 8 and film.shape[0] > 2 * 192
    plot = film[-6 - 193 : -7, 7 : 7 + 192]
    dots = np.argwhere(plot[:, :, 0] < 170)  # the fifth, in the second row
    assert {(y > 96, x > 96) for y, x in dots} == {(False, True), (True, False)}


def test_no_sheets_no_film(tmp_path):
    keep(tmp_path, 7)
    assert not history.write_film(tmp_path, tmp_path / "film.png", "generator", until=6)
    assert not history.write_film(tmp_path / "nowhere", tmp_path / "film.png", "generator", until=9)
    assert not (tmp_path / "film.png").exists()
    assert history.write_film(tmp_path, tmp_path / "film.png", "generator", until=7)


def test_a_film_is_never_large(tmp_path):
    """Nothing compresses less than noise."""
    random = np.random.RandomState(0)
    for step in range(8):
        keep(tmp_path, step, random.randint(256, size=(8, 64, 64, 3)).astype(np.uint8))
    history.write_film(tmp_path, tmp_path / "film.png", "generator", until=9)
    size = (tmp_path / "film.png").stat().st_size
    assert size <= 300_000 and read_png(tmp_path / "film.png").shape[2] == 3


def write_text(path):
    path.write_text("x")


def write_cut(path):
    np.savez_compressed(path, made=np.zeros((4, 8, 8, 1), np.uint8))
    path.write_bytes(path.read_bytes()[:-40])


UNREADABLE = "not readable as a sample sheet: .*; take it out of the folder"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_text, UNREADABLE),
        (write_cut, UNREADABLE),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), UNREADABLE),
        (lambda path: np.savez(path, other=np.zeros(3)), "not a sample sheet: it holds no array 'made'"),
        (
            lambda path: np.savez(path, made=np.zeros((4, 9, 8, 1), np.uint8)),
            r"examples of {'made': \[9, 8, 1\]}, generator-0000000.npz of {'made': \[8, 8, 1\]}: it is of another run",
        ),
    ],
)
def test_a_sheet_of_something_else_is_named(tmp_path, write, message):
    keep(tmp_path, 0)
    write(tmp_path / "generator-0000005.npz")
    with pytest.raises(DataError, match=rf"^.*generator-0000005\.npz: .*{message}") as caught:
        history.film(tmp_path, "generator", until=9)
    assert "\n" not in str(caught.value)
