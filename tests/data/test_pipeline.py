import itertools

import numpy as np
import pytest

from zoo.data import Batches
from zoo.data.dataset import Dataset
from zoo.data.pipeline import _permutation, batch_indices
from zoo.errors import DataError

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
    _permutation.cache_clear()
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
    assert [batch["z"][0] for batch in itertools.islice(batches, 3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="label"):
        Batches(TOY, batch_size=2, extra=lambda step: {"label": np.zeros(1)})[0]


def test_steps_per_epoch():
    assert Batches(TOY, batch_size=3).steps_per_epoch == 3
    assert Batches(TOY, batch_size=2, draws=2).steps_per_epoch == 2
    assert Batches(TOY, batch_size=9, draws=5).steps_per_epoch == 1
