"""Drawing: what a user loads is the network, applied to the latents of a seed, however many at a time."""

import tracemalloc

import numpy as np
import onnx_nets as nets
import pytest
from onnx import TensorProto, helper
from onnx_nets import fails

import zoo
from zoo.artifact.tensor import Tensor
from zoo.core.images import to_uint8
from zoo.runtime.generator import BATCH_SIZE, Generator


def test_sample_is_the_network_applied_to_the_latents(generator):
    raw = generator(**generator.latents(5, seed=3))
    assert raw.dtype == np.float32 and raw.shape == (5, 8, 8, 3) and 0.1 < np.abs(raw).max() < 1
    images = generator.sample(5, seed=3)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images, to_uint8(raw, (-1, 1)), atol=1)


def test_raw_output_is_what_numpy_computes(plane):
    z = np.float32([[0.5, -0.25], [0, 1]])
    np.testing.assert_allclose(plane(z=z), np.tanh(z * [2, 3]), atol=1e-6)


def test_points_come_as_they_are(plane):
    points = plane.sample(7)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, plane(**plane.latents(7)), atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 16, 17, 40])
def test_few_are_the_first_of_many(generator, conditional, n):
    for each in (generator, conditional):
        np.testing.assert_array_equal(each.sample(n, seed=1), each.sample(50, seed=1)[:n])


class MoodySession:
    """A runtime at its worst: each row's result depends on the batch size and on the row's place in the batch."""

    def __init__(self):
        self.sizes = []

    def run(self, names, feed):
        n = len(feed["z"])
        self.sizes.append(n)
        return [np.float32(feed["z"] + n / 7 + np.arange(n)[:, None] / 3)]


@pytest.mark.parametrize("batch_size", [1, 5, 16])
def test_few_are_the_first_of_many_whatever_the_kernels_do(batch_size):
    moody = Generator(nets.describe_points(), MoodySession())
    many = moody.sample(50, batch_size=batch_size)
    for n in range(1, 50):
        np.testing.assert_array_equal(moody.sample(n, batch_size=batch_size), many[:n])
    ends = moody.interpolate(20, stops=3)[[0, 19]]
    np.testing.assert_array_equal(ends, moody.sample(3)[[0, 2]])
    np.testing.assert_array_equal(moody.walk(20, stops=4)[::5], moody.sample(4))


@pytest.mark.parametrize("splits", [(4, 4), (3, 5), (1, 1, 1, 1, 1), (16, 1, 30, 2), (40,)])
def test_consecutive_draws_are_one_draw_whatever_the_kernels_do(splits):
    moody = Generator(nets.describe_points(), MoodySession())
    with moody.seeded(7) as draw:
        parts = [draw.sample(n) for n in splits]
        assert draw.drawn == sum(splits)
    np.testing.assert_array_equal(np.concatenate(parts), moody.sample(sum(splits), seed=7))


def test_small_draws_cost_little():
    session = MoodySession()
    moody = Generator(nets.describe_points(), session)
    cost = {}
    for n in (1, 4, 5, 16, 33):
        session.sizes.clear()
        moody.sample(n)
        cost[n] = sum(session.sizes)
    assert cost == {1: 1, 4: 4, 5: 8, 16: 16, 33: 48} and max(session.sizes) == BATCH_SIZE


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batch_size_moves_no_latent(generator, conditional, batch_size):
    for each in (generator, conditional):
        difference = each.sample(30, batch_size=batch_size).astype(int) - each.sample(30)
        assert np.abs(difference).max() <= 1  # one step of 256: the last bit of float32 may fall to the other side


def test_latents_are_prefix_stable_and_seeded(conditional):
    few, many = conditional.latents(3, seed=5), conditional.latents(9, seed=5)
    assert list(few) == ["z", "label"] and few["z"].dtype == np.float32 and few["label"].dtype == np.int64
    for name in few:
        np.testing.assert_array_equal(few[name], many[name][:3])
    assert not np.array_equal(conditional.latents(3, seed=6)["z"], few["z"])
    np.testing.assert_array_equal(conditional.latents(3, seed=np.int64(5))["z"], few["z"])


def test_draws_follow_each_other(conditional):
    with conditional.seeded(5) as draw:
        first, images, last = draw.latents(2), draw.sample(4, label=["bag", "coat", "bag", "bag"]), draw.latents(3)
    everything = conditional.latents(9, seed=5)
    for name in everything:
        np.testing.assert_array_equal(first[name], everything[name][:2])
        np.testing.assert_array_equal(last[name], everything[name][6:])
    labels = [0, 0, 1, 2, 1, 1]
    np.testing.assert_array_equal(images, conditional.sample(6, seed=5, label=labels)[2:])
    np.testing.assert_array_equal(conditional.latents(6, 5, label=labels)["label"], labels)


def test_a_wrong_draw_moves_nothing(conditional):
    with conditional.seeded(5) as draw:
        draw.sample(1)
        fails("has no class 'hat'", draw.sample, 2, label="hat")
        fails("n must be", draw.sample, 0)
        fails("label must be one class or 2", draw.latents, 2, label=[0, 1, 2])
        np.testing.assert_array_equal(draw.sample(2), conditional.sample(3, seed=5)[1:])
    fails("seed must be a whole number", conditional.seeded(-1).__enter__)


def test_batches_are_the_blocks_of_a_sample(conditional):
    blocks = list(conditional.batches(40, seed=2, label="bag"))
    assert [len(block) for block in blocks] == [1, 1, 2, 4, 8, 16, 8]
    np.testing.assert_array_equal(np.concatenate(blocks), conditional.sample(40, seed=2, label="bag"))
    fails("n must be", conditional.batches, 0)  # said at once, not at the first block
    fails("has no class", conditional.batches, 2, label="hat")
    fails("batch_size must be", conditional.batches, 2, batch_size=0)


def test_batches_cost_a_block_when_asked(generator):
    session = MoodySession()
    blocks = Generator(nets.describe_points(), session).batches(10**9)
    assert session.sizes == []
    for _ in range(6):
        next(blocks)
    assert session.sizes == [1, 1, 2, 4, 8, 16]


def test_large_n_needs_the_result_and_little_more(generator):
    generator.sample(64)
    tracemalloc.start()
    images = generator.sample(20_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert images.nbytes == 20_000 * 8 * 8 * 3
    assert images.nbytes < peak < images.nbytes + 500_000  # float32 latents alone would add 640 000 bytes


def test_labels_by_id_name_and_array(conditional):
    images = conditional.sample(4, seed=2, label=1)
    for same in ("bag", [1, 1, 1, 1], np.full(4, 1, np.uint8), ["bag"] * 4, np.int32(1)):
        np.testing.assert_array_equal(conditional.sample(4, seed=2, label=same), images)
    mixed = conditional.sample(4, seed=2, label=["bag", "coat", "bag", "ankle boot"])
    assert [np.array_equal(a, b) for a, b in zip(mixed, images, strict=True)] == [True, False, True, False]
    drawn = conditional.latents(4, seed=2)["label"]
    np.testing.assert_array_equal(conditional.sample(4, seed=2, label=drawn), conditional.sample(4, seed=2))


def test_int32_labels_with_a_column(tmp_path):
    label = Tensor("label", "int32", ("batch", 1), classes=("a", "b", "c"))
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Cast", ["label"], ["point"], to=TensorProto.FLOAT)]
    net = nets.model(nodes, [value("label", TensorProto.INT32, ["batch", 1])],
                     value("point", TensorProto.FLOAT, ["batch", 1]), [])  # fmt: skip
    manifest = nets.describe(label, output=Tensor("point", "float32", ("batch", 1)))
    each = zoo.load(nets.save(tmp_path / "a", net, manifest))
    assert each.sample(3, label=["c", "a", "b"]).tolist() == [[2], [0], [1]]
    assert each.latents(3)["label"].dtype == np.int32 and each.sample(3).shape == (3, 1)
    assert each.interpolate(3, label="b").tolist() == [[1]] * 3
