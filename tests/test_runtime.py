"""The road that users take: load, draw, walk; and one clear line for everything that can be wrong."""

import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_nets as nets
import pytest
from onnx import TensorProto, helper
from onnx_nets import fails

import zoo
from zoo.manifest import Tensor
from zoo.runtime import BATCH_SIZE, Generator, _plan, to_uint8

ROOT = Path(zoo.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nets.save(tmp_path_factory.mktemp("artifact") / "tiny", nets.images(), nets.describe())


@pytest.fixture(scope="module")
def generator(folder):
    return zoo.load(folder)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    facts = nets.describe(nets.Z, nets.LABEL, name="fashion")
    return zoo.load(nets.save(tmp_path_factory.mktemp("artifact") / "fashion", nets.images(label=True), facts))


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    return zoo.load(nets.save(tmp_path_factory.mktemp("artifact") / "points", nets.points(), nets.describe_points()))


# ---- drawing


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


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16])
def test_the_block_of_a_row_depends_on_its_number_alone(batch_size):
    everything = {row: (at, size) for at, size in _plan(0, 200, batch_size) for row in range(at, at + size)}
    assert list(everything) == list(range(len(everything)))  # all rows, none twice
    for start in range(0, 150, 7):
        for stop in (start + 1, start + 4, start + 50):
            plan = list(_plan(start, stop, batch_size))
            assert plan == sorted({everything[row] for row in range(start, stop)})


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
    facts = nets.describe(label, output=Tensor("point", "float32", ("batch", 1)))
    each = zoo.load(nets.save(tmp_path / "a", net, facts))
    assert each.sample(3, label=["c", "a", "b"]).tolist() == [[2], [0], [1]]
    assert each.latents(3)["label"].dtype == np.int32 and each.sample(3).shape == (3, 1)
    assert each.interpolate(3, label="b").tolist() == [[1]] * 3


def test_to_uint8_at_the_ends_and_between():
    raw = np.float32([-1, 1, 0, -7, 7, -1 + 2 * 2.4 / 255, -1 + 2 * 2.6 / 255])
    assert to_uint8(raw, (-1, 1)).tolist() == [0, 255, 128, 0, 255, 2, 3]
    assert to_uint8(np.float32([0.5, 1.5, 2.5, 3.5]), (0, 255)).tolist() == [0, 2, 2, 4]  # halves go to even
    assert to_uint8(np.float32([0, 0.5, 1]), (0, 1)).tolist() == [0, 128, 255]
    fails("not finite", to_uint8, np.float32([np.nan]), (-1, 1))


# ---- walking


@pytest.mark.parametrize(("n", "stops"), [(2, 2), (9, 2), (11, 3), (10, 4)])
def test_interpolate_passes_through_samples(generator, n, stops):
    frames, ends = generator.interpolate(n, seed=4, stops=stops), generator.sample(stops, seed=4)
    assert frames.dtype == np.uint8 and len(frames) == n
    np.testing.assert_array_equal(frames[np.linspace(0, n - 1, stops).round().astype(int)[[0, -1]]], ends[[0, -1]])
    if (n - 1) % (stops - 1) == 0:
        np.testing.assert_array_equal(frames[:: (n - 1) // (stops - 1)], ends)


def test_interpolate_walks_straight_through_a_box(plane):
    (a, b), t = plane.latents(2, seed=1)["z"], np.linspace(0, 1, 5)[:, None]
    np.testing.assert_allclose(plane.interpolate(5, seed=1), np.tanh((a + t * (b - a)) * [2, 3]), atol=1e-6)


def test_interpolate_walks_round_the_shell(generator):
    (a, b) = generator.latents(2, seed=1)["z"].astype(np.float64)
    omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    middle = (a + b) * np.sin(omega / 2) / np.sin(omega)
    expected = to_uint8(generator(z=np.float32([middle])), (-1, 1))[0]
    np.testing.assert_allclose(generator.interpolate(3, seed=1)[1], expected, atol=1)


def test_interpolate_holds_the_class(conditional):
    coat = conditional.interpolate(5, seed=2, stops=3, label="coat")
    np.testing.assert_array_equal(coat[::2], conditional.sample(3, seed=2, label="coat"))
    first = int(conditional.latents(1, seed=2)["label"][0])
    np.testing.assert_array_equal(conditional.interpolate(5, seed=2, stops=3),
                                  conditional.interpolate(5, seed=2, stops=3, label=first))  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 1}, r"n must be a whole number in 2\.\.1000000000, received 1"),
        ({"n": 2, "stops": 3}, "n must be a whole number in 3.*, received 2"),
        ({"n": 5, "stops": 1}, "stops must be a whole number from 2 up"),
        ({"n": 5, "label": "bag"}, "takes no label"),
    ],
)
def test_wrong_walks(generator, wrong, message):
    fails(message, generator.interpolate, **wrong)


@pytest.mark.parametrize(("n", "stops"), [(2, 2), (3, 3), (8, 2), (12, 4), (10, 4)])
def test_a_walk_is_closed(generator, n, stops):
    frames, ends = generator.walk(n, seed=4, stops=stops), generator.sample(stops, seed=4)
    assert frames.dtype == np.uint8 and len(frames) == n
    np.testing.assert_array_equal(frames[0], ends[0])
    if n % stops == 0:
        np.testing.assert_array_equal(frames[:: n // stops], ends)


def test_a_walk_goes_round_at_one_pace_without_a_repeat(plane):
    """Between uniform latents the way is straight: each leg has equal steps, the last leads back to the first frame."""
    frames = np.arctanh(plane.walk(12, seed=3, stops=3)) / [2, 3]  # the latents again
    a, b, c = plane.latents(3, seed=3)["z"]
    t = np.arange(4)[:, None] / 4
    expected = np.concatenate([a + t * (b - a), b + t * (c - b), c + t * (a - c)])
    np.testing.assert_allclose(frames, expected, atol=1e-4)


def test_a_walk_keeps_the_norm_of_the_sphere(tmp_path):
    facts = nets.describe(replace(nets.Z, prior={"sphere": {}}))
    each = zoo.load(nets.save(tmp_path / "a", nets.images(), facts))
    places = np.arange(30) / 10
    latents = each._inputs.between(each.latents(3, seed=1), places, None)["z"]
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), np.sqrt(8), rtol=1e-5)
    assert each.walk(30, seed=1, stops=3).shape == (30, 8, 8, 3)


def test_a_walk_holds_the_class(conditional):
    np.testing.assert_array_equal(
        conditional.walk(6, seed=2, stops=3, label="coat")[::2], conditional.sample(3, seed=2, label="coat")
    )
    first = int(conditional.latents(1, seed=2)["label"][0])
    np.testing.assert_array_equal(conditional.walk(6, seed=2), conditional.walk(6, seed=2, label=first))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 3}, r"n must be a whole number in 4\.\."),
        ({"n": 5, "stops": 1}, "stops must be a whole number from 2 up"),
    ],
)
def test_wrong_closed_walks(generator, wrong, message):
    fails(message, generator.walk, **wrong)


# ---- sums


def test_arithmetic_is_the_network_applied_to_the_sum(plane):
    z = plane.latents(6, seed=1)["z"].astype(np.float64)
    total = z[[0, 3]].mean(axis=0) - z[5] + z[[1, 2]].mean(axis=0)
    points = plane.arithmetic([0, 3], [5], [1, 2], seed=1, noise=0)
    np.testing.assert_allclose(points, np.tanh([total * [2, 3]] * 9), atol=1e-6)


def test_noise_stays_within_its_limit(plane):
    z = np.arctanh(plane.arithmetic([0], [0], [1], seed=1, n=200, noise=0.1).astype(np.float64)) / [2, 3]
    np.testing.assert_allclose(z[0], plane.latents(2, seed=1)["z"][1], atol=1e-4)
    off = z[1:] - z[0]
    assert 0.09 < np.abs(off).max() < 0.1001 and np.abs(off.mean(axis=0)).max() < 0.02


def test_arithmetic_of_a_class(conditional):
    images = conditional.arithmetic([4, 1], [2], [3], seed=2, n=2)
    assert images.shape == (2, 8, 8, 3) and images.dtype == np.uint8
    first = int(conditional.latents(5, seed=2)["label"][4])
    np.testing.assert_array_equal(images, conditional.arithmetic([4, 1], [2], [3], seed=2, n=2, label=first))
    other = conditional.arithmetic([4, 1], [2], [3], seed=2, n=2, label=(first + 1) % 3)
    assert (other != images).any()
    np.testing.assert_array_equal(conditional.arithmetic([4, 1], [2], [3], 2, n=1), images[:1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": []}, "each of a, b and c is a list of one or more rows"),
        ({"b": [-1]}, r"a row must be a whole number in 0\.\.99999, received -1"),
        ({"c": [10**6]}, "a row must be"),
        ({"a": [0.5]}, "a row must be"),
        ({"noise": -1}, "noise must be a number from 0 up, received -1"),
        ({"noise": float("nan")}, "noise must be"),
        ({"n": 0}, "n must be"),
        ({"label": 0}, "takes no label"),
    ],
)
def test_wrong_sums(generator, wrong, message):
    fails(message, generator.arithmetic, **{"a": [0], "b": [1], "c": [2], **wrong})


# ---- warming up


def test_warm_up_runs_every_size_of_block_once(tmp_path):
    session = MoodySession()
    moody = Generator(nets.describe_points(), session)
    moody.warm_up()
    assert session.sizes == [1, 2, 4, 8, 16]
    session.sizes.clear()
    moody.warm_up(6)
    assert session.sizes == [1, 2, 4, 6]
    fails("batch_size must be a whole number from 1 up", moody.warm_up, 0)


def test_warm_up_of_all_kinds_of_inputs(conditional, tmp_path):
    conditional.warm_up(2)
    translator = zoo.load(nets.save(tmp_path / "a", nets.negative(), nets.describe_negative()))
    translator.warm_up(1)
    assert translator._inputs.zeros(2)["a"].shape == (2, 16, 16, 3)  # the size that it was trained with


# ---- wrong calls


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n must be a whole number in 1\.\.1000000000, received 0"),
        ({"n": -3}, "n must be"),
        ({"n": 2.0}, r"n must be .*, received 2\.0"),
        ({"n": True}, "n must be"),
        ({"n": "4"}, "n must be .*, received '4'"),
        ({"n": None}, "n must be"),
        ({"n": 10**30}, "n must be"),
        ({"n": 1, "seed": -1}, r"seed must be a whole number in 0\.\.4294967295, received -1"),
        ({"n": 1, "seed": 2**32}, "seed must be"),
        ({"n": 1, "seed": None}, "seed must be"),
        ({"n": 1, "batch_size": 0}, "batch_size must be a whole number from 1 up"),
        ({"n": 1, "label": 0}, "tiny takes no label: it is not conditional"),
    ],
)
def test_wrong_samples(generator, wrong, message):
    fails(message, generator.sample, **wrong)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, r"input 'label': class ids lie in 0\.\.2 \(ankle boot\.\.coat\), received 3"),
        (-1, "received -1"),
        (True, "class ids are whole numbers, received bool"),
        (1.0, r"class ids are whole numbers, received float64; convert them with \.astype"),
        ("bagg", r"fashion has no class 'bagg'\. Did you mean 'bag'\? Its classes: ankle boot, bag, coat"),
        ([0, 1, 2], r"label must be one class or 2 of them, received shape \[3\]"),
        ([[0, 1]], r"received shape \[1, 2\]"),
        ([[0], [0, 1]], "'label' is not an array"),
    ],
)
def test_wrong_labels(conditional, label, message):
    fails(message, conditional.sample, 2, label=label)


def z(shape=(2, 8), dtype=np.float32):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"labels": [0, 1]}, "has no input 'labels'. Did you mean 'label'. Its inputs: z, label"),
        (
            {"z": z(dtype=np.float64)},
            r'expected z float32 \[batch, 8\], received float64 \[2, 8\]; convert it .*"float32"',
        ),
        ({"z": z(dtype=np.float16)}, "received float16"),
        ({"z": z(dtype=np.int64)}, "received int64"),
        ({"z": z(dtype=">f4")}, "received >f4"),
        ({"z": "zz"}, "input 'z': expected z float32"),
        ({"z": z((8,))}, r"expected z float32 \[batch, 8\], received float32 \[8\]"),
        ({"z": z((2, 7))}, r"received float32 \[2, 7\]"),
        ({"z": z((2, 8, 1))}, r"received float32 \[2, 8, 1\]"),
        ({"z": z((0, 8)), "label": z((0,), np.int64)}, "the batch is empty"),
        ({"z": [[1.0], [1.0, 2.0]]}, "'z' is not an array"),
        ({"z": np.full((2, 8), np.nan, np.float32)}, "input 'z': every number must be finite"),
        ({"z": np.full((2, 8), -np.inf, np.float32)}, "must be finite"),
        ({"label": [0]}, "the inputs differ in batch size: z has 2, label has 1"),
        ({"label": 0}, "input 'label': expected label int64"),
        ({"label": [0.0, 1.0]}, "class ids are whole numbers"),
        ({"label": [0, 3]}, "received 3"),
        ({"label": np.array([0, 2**64 - 1], np.uint64)}, "received 18446744073709551615"),
    ],
)
def test_wrong_calls(conditional, inputs, message):
    fails(message, lambda: conditional(**{"z": z(), "label": [0, 1], **inputs}))


def test_missing_inputs(conditional):
    fails(r"fashion lacks its input z float32 \[batch, 8\]", conditional)
    fails("fashion lacks its input label int64", conditional, z=z())


def test_every_integer_type_and_memory_order_is_a_label_or_a_latent(conditional):
    latent = np.random.RandomState(0).standard_normal((8, 2)).astype(np.float32).T  # not contiguous
    expected = conditional(z=latent.copy(), label=np.int64([0, 2]))
    for dtype in "bBhHiIlLqQ":
        np.testing.assert_array_equal(conditional(z=latent, label=np.array([0, 2], dtype)), expected)


def test_an_input_without_prior_is_called_not_drawn(tmp_path):
    photo = replace(nets.Z, prior=None)
    each = zoo.load(nets.save(tmp_path / "a", nets.images(), nets.describe(photo)))
    assert each(z=z()).shape == (2, 8, 8, 3)
    for call in (each.sample, each.latents):
        fails(r"tiny cannot draw its input 'z', it has no prior: call it with z float32 \[batch, 8\]", call, 2)


def test_more_than_memory(generator, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    fails("n=1000 asks for more memory than there is; draw fewer at a time", generator.sample, 1000)


def test_a_session_that_fails_or_returns_another_shape():
    class Broken:
        def run(self, names, feed):
            raise RuntimeError("first line\nsecond line")

    class Odd:
        def run(self, names, feed):
            return [np.zeros((1, 2), np.float32)]

    fails("points: ONNX Runtime failed: first line$", Generator(nets.describe_points(), Broken()).sample, 3)
    fails(r"returned \[1, 2\] where \[2, 2\]", Generator(nets.describe_points(), Odd()), z=z((2, 2)))


def test_threads_share_a_generator(generator):
    expected, wrong = [generator.sample(20, seed=s) for s in range(8)], []

    def work(seed):
        for _ in range(5):
            if not np.array_equal(generator.sample(20, seed=seed), expected[seed]):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(s,)) for s in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
