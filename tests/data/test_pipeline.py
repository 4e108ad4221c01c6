import itertools

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.data.dataset import Dataset, Domains
from zoo.data.pipeline import Batches, batch_indices

IMAGES = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1).repeat(2, axis=1).repeat(3, axis=2)
IMAGES[:, :, 0] += 100  # the left column is marked
TOY = Dataset("toy", images=IMAGES, labels=np.arange(10), classes=tuple("abcdefghij"))


def epoch(number, *, count=12, size=4, seed=0):
    per_epoch = count // size
    steps = range(number * per_epoch, (number + 1) * per_epoch)
    return np.concatenate([batch_indices(count, size, seed=seed, step=step) for step in steps])


def test_an_epoch_holds_every_item_once_and_epochs_differ():
    epochs = [epoch(number) for number in range(4)]
    for order in epochs:
        assert sorted(order) == list(range(12))
    for one, other in itertools.combinations(epochs, 2):
        assert not np.array_equal(one, other)


def test_the_remainder_is_dropped():
    order = epoch(0, count=11, size=4)
    assert len(order) == 8 and len(set(order)) == 8


def test_order_is_a_pure_function_of_seed_and_step():
    forward = [batch_indices(100, 7, seed=3, step=step).copy() for step in range(60)]
    for step in reversed(range(60)):
        np.testing.assert_array_equal(batch_indices(100, 7, seed=3, step=step), forward[step])
    assert not np.array_equal(forward[0], batch_indices(100, 7, seed=4, step=0))


def test_order_is_the_same_for_all_time():
    indices = batch_indices(10, 10, seed=0, step=0)
    assert indices.dtype == np.int64
    assert indices.tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]


def test_every_item_is_first_equally_often():
    first = [batch_indices(4, 2, seed=0, step=2 * number)[0] for number in range(2000)]
    counts = np.bincount(first, minlength=4)
    assert counts.min() > 420 and counts.max() < 580  # 500 each, standard deviation 19


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_larger_than_the_data_is_refused(batch_size):
    with pytest.raises(DataError, match=f"within 1..10, .* Received: {batch_size}"):
        Batches(TOY, batch_size=batch_size)


def test_batches_stack_consecutive_draws():
    batches = Batches(TOY, batch_size=2, draws=3, seed=5)
    batch = batches[4]
    assert batch["image"].shape == (3, 2, 2, 3, 1) and batch["image"].dtype == np.float32
    for draw in range(3):
        indices = batch_indices(10, 2, seed=5, step=12 + draw)
        np.testing.assert_array_equal(batch["label"][draw], indices)
        expected = IMAGES[indices].astype(np.float64) / 127.5 - 1
        np.testing.assert_allclose(batch["image"][draw], expected, atol=1e-6)


def test_flip_mirrors_about_half_and_is_pure():
    plain, flipped = Batches(TOY, batch_size=5), Batches(TOY, batch_size=5, flip=True)
    mirrored = []
    for step in range(200):
        one, other = plain[step]["image"], flipped[step]["image"]
        np.testing.assert_array_equal(other, flipped[step]["image"])
        for a, b in zip(one[0], other[0], strict=True):
            mirrored.append(np.array_equal(b, a[:, ::-1]))
            assert mirrored[-1] or np.array_equal(a, b)
    assert 430 < sum(mirrored) < 570  # of 1000
    assert IMAGES[0, 0, 0, 0] == 100  # the data itself is untouched


def test_points_keep_their_units_and_name():
    points = np.array([[3.0, -7.0], [0.0, 2.0]], np.float32)
    batch = Batches(Dataset("ring", points=points), batch_size=2)[0]
    assert set(batch) == {"point"} and batch["point"].shape == (1, 2, 2)
    assert sorted(batch["point"][0].tolist()) == sorted(points.tolist())
    with pytest.raises(DataError, match="points"):
        Batches(Dataset("ring", points=points), batch_size=2, flip=True)


def test_extra_arrays_join_by_step():
    batches = Batches(TOY, batch_size=2, extra=lambda step: {"z": np.full(3, step)})
    assert batches[7]["z"].tolist() == [7, 7, 7]
    with pytest.raises(ValueError, match="label"):
        Batches(TOY, batch_size=2, extra=lambda step: {"label": np.zeros(1)})[0]


OTHER = Dataset("other", images=np.arange(100, 107, dtype=np.uint8).reshape(7, 1, 1, 1).repeat(3, axis=2))
PAIR = Domains("pair", TOY, OTHER)


def seen(batches, field, steps):
    """The first pixel of every item, in the order in which it came."""
    return [round((x + 1) * 127.5) for step in range(steps) for x in batches[step][field][..., 0, -1, 0].ravel()]


def test_two_domains_come_in_orders_of_their_own():
    batches = Batches(PAIR, batch_size=1, seed=1)
    batch = batches[3]
    assert set(batch) == {"a", "b"}  # no labels
    assert batch["a"].shape == (1, 1, 2, 3, 1) and batch["b"].shape == (1, 1, 1, 3, 1)
    assert batch["a"].dtype == batch["b"].dtype == np.float32
    a, b = seen(batches, "a", 70), seen(batches, "b", 70)
    for start in range(0, 70, 10):
        assert sorted(a[start : start + 10]) == list(range(10))
    for start in range(0, 70, 7):
        assert sorted(b[start : start + 7]) == list(range(100, 107))  # the smaller one begins again earlier
    assert len(PAIR) == 10
    same_size = Batches(Domains("pair", OTHER, OTHER), batch_size=1, seed=1)
    assert seen(same_size, "a", 7) != seen(same_size, "b", 7)


def test_domains_are_pure_functions_of_seed_and_step():
    options = {"batch_size": 2, "draws": 2, "flip": True}
    forward = [Batches(PAIR, seed=4, **options)[step] for step in range(6)]
    for step in reversed(range(6)):
        again = Batches(PAIR, seed=4, **options)[step]
        assert again["a"].shape == (2, 2, 2, 3, 1)
        for field in ("a", "b"):
            np.testing.assert_array_equal(again[field], forward[step][field])
    assert seen(Batches(PAIR, batch_size=2, seed=5), "b", 3) != seen(Batches(PAIR, batch_size=2, seed=4), "b", 3)


def test_domains_are_mirrored_independently():
    lines = Dataset("lines", images=np.array([0, 255], np.uint8).reshape(1, 1, 2, 1).repeat(9, axis=0))
    batches = Batches(Domains("pair", lines, lines), batch_size=1, flip=True)
    turned = np.array([[batches[step][field][0, 0, 0, 0, 0] > 0 for field in "ab"] for step in range(400)])
    counts = np.bincount(2 * turned[:, 0] + turned[:, 1], minlength=4)
    assert counts.min() > 65 and counts.max() < 135  # of 400 over four combinations: 100 each, standard deviation 9


def test_a_batch_larger_than_the_smaller_domain_is_refused():
    with pytest.raises(DataError, match=r"within 1..7, .* Received: 8"):
        Batches(PAIR, batch_size=8)


PLACES = Dataset("places", images=np.arange(20, dtype=np.uint8).reshape(1, 4, 5, 1).repeat(6, axis=0))


def test_windows_fall_everywhere_equally_often_and_are_pure():
    batches = Batches(PLACES, batch_size=6, window=(3, 3))
    found = []
    for step in range(200):
        batch = batches[step]["image"]
        assert batch.shape == (1, 6, 3, 3, 1)
        np.testing.assert_array_equal(batch, batches[step]["image"])
        for image in np.rint((batch[0, ..., 0] + 1) * 127.5).astype(int):
            found.append(image[0, 0])
            np.testing.assert_array_equal(image, image[0, 0] + np.arange(3)[:, None] * 5 + np.arange(3))
    counts = np.bincount(found, minlength=20)
    assert set(np.flatnonzero(counts)) == {0, 1, 2, 5, 6, 7}
    assert counts[counts > 0].min() > 150 and counts.max() < 250  # of 1200: 200 each, standard deviation 13


def test_a_window_of_the_whole_image_changes_nothing():
    whole, plain = Batches(PLACES, batch_size=6, window=(4, 5), flip=True), Batches(PLACES, batch_size=6, flip=True)
    np.testing.assert_array_equal(whole[5]["image"], plain[5]["image"])


@pytest.mark.parametrize("data", [PLACES, Dataset("points", points=np.zeros((9, 2), np.float32))])
def test_a_window_that_does_not_fit_is_refused(data):
    with pytest.raises(DataError, match="window of 5 x 5 does not fit"):
        Batches(data, batch_size=1, window=(5, 5))


def test_pairs_share_order_window_and_mirroring_and_domains_do_not():
    coded = np.arange(20 * 6 * 6, dtype=np.int64).reshape(20, 6, 6, 1)
    images = [(coded % 256).astype(np.uint8), (coded // 256).astype(np.uint8)]
    parts = [Dataset(name, images=one) for name, one in zip("ab", images, strict=True)]
    shown = {}
    for together in (True, False):
        data = Domains("two", *parts, together=together)
        batches = Batches(data, batch_size=8, seed=1, range=(0.0, 255.0), flip=True, window=(4, 4))
        batch = batches[3]
        shown[together] = (batch["b"] * 256 + batch["a"]).astype(np.int64)[0]  # [8, 4, 4, 1]
    whole = {tuple(np.roll(one, 0)) for one in shown[True].reshape(8, -1)}
    for image in shown[True][..., 0]:
        number, place = divmod(int(image.min()), 36)
        top, left = divmod(place, 6)
        window = coded[number, top : top + 4, left : left + 4, 0]
        assert np.array_equal(image, window) or np.array_equal(image[:, ::-1], window)
    assert len(whole) == 8
    apart = [image for image in shown[False][..., 0] if np.ptp(image) == 21]  # (4 - 1) * 6 + 3: of one image
    assert len(apart) < 8
    np.testing.assert_array_equal(  # the order of a is the same either way
        Batches(Domains("two", *parts), batch_size=8, seed=1)[3]["a"],
        Batches(Domains("two", *parts, together=True), batch_size=8, seed=1)[3]["a"],
    )


def test_pairs_of_different_numbers_are_refused():
    with pytest.raises(ValueError, match="10 images of a and 9 of b are no pairs"):
        Domains("two", TOY, Dataset("nine", images=IMAGES[:9]), together=True)


def test_all_labels_of_a_batch_are_those_of_its_images():
    attributes = {"body": np.arange(10) % 3, "mouth": np.arange(10) % 4}
    batch = Batches(Dataset("toy", images=IMAGES, attributes=attributes), batch_size=5, range=(0.0, 255.0))[1]
    number = batch["image"][..., 0, 1, 0].astype(int)
    assert {*batch} == {"image", "body", "mouth"}
    np.testing.assert_array_equal(batch["body"], number % 3)
    np.testing.assert_array_equal(batch["mouth"], number % 4)
