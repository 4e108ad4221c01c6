"""Merging, cutting and turns, with a network that waits for the test to go on, so that no clock decides."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from zoo.serve.batching import Batcher, CostEstimate
from zoo.serve.settings import Settings


class Net:
    """z -> 2 z + 1, one call at a time when `step` is set, every batch size remembered."""

    def __init__(self):
        self.sizes, self.started = [], threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, feed):
        z = feed["z"]
        self.sizes.append(len(z))
        self.started.release()
        assert self.gate.wait(30)
        if (z == 666.5).any():
            raise RuntimeError("the beast")
        return 2 * z + 1


class Steady(CostEstimate):
    """Never updated: how long a test takes changes no batch."""

    def update(self, numbers, seconds):
        pass


def rows(n, start=0, width=2):
    return np.arange(start, start + n * width, dtype=np.float32).reshape(n, width)


def batched(play, *, workers=1, max_batch=8, min_batch=1, cost=1e-9, **limits):
    """Run `play(batcher, net)` in a loop of its own. Returns the net."""
    net = Net()
    settings = Settings(**{"max_delay_seconds": 1e-6, **limits})

    async def main():
        with ThreadPoolExecutor(workers) as pool:
            batcher = Batcher(net, Steady(cost), settings, pool, workers, max_batch=max_batch, min_batch=min_batch)
            await asyncio.wait_for(play(batcher, net), 60)
            assert asyncio.all_tasks() == {asyncio.current_task()}  # no worker is left behind

    asyncio.run(main())
    return net


async def asked(batcher, *feeds):
    """Tasks that have put their requests into the queue."""
    tasks = [asyncio.create_task(batcher({"z": z})) for z in feeds]
    await asyncio.sleep(0)
    return tasks


async def busy(batcher, net):
    """A first request that computes until net.gate is set."""
    net.gate.clear()
    (first,) = await asked(batcher, rows(1))
    assert await asyncio.to_thread(net.started.acquire, timeout=30)
    return first


def test_requests_that_wait_together_run_together():
    async def play(batcher, net):
        first = await busy(batcher, net)
        feeds = [rows(n, start=10 * n) for n in (1, 2, 3, 1)]
        others = await asked(batcher, *feeds)
        net.gate.set()
        for z, answer in zip([rows(1), *feeds], await asyncio.gather(first, *others), strict=True):
            np.testing.assert_array_equal(answer, 2 * z + 1)

    assert batched(play).sizes == [1, 7]


def test_no_batch_is_larger_than_max_batch():
    async def play(batcher, net):
        first = await busy(batcher, net)
        feeds = [rows(3, start=i) for i in range(10)]
        others = await asked(batcher, *feeds)
        net.gate.set()
        for z, answer in zip(feeds, (await asyncio.gather(first, *others))[1:], strict=True):
            np.testing.assert_array_equal(answer, 2 * z + 1)

    assert batched(play, max_batch=8).sizes == [1, 8, 8, 8, 6]


def test_a_large_request_is_cut_and_put_together_again():
    async def play(batcher, net):
        z = rows(1000)
        np.testing.assert_array_equal(await batcher({"z": z}), 2 * z + 1)

    assert batched(play, max_batch=64).sizes == [64] * 15 + [40]


def test_a_large_request_gives_way():
    """20,000 rows are under way: a small request waits for one slice and runs with the next."""

    async def play(batcher, net):
        net.gate.clear()
        (large,) = await asked(batcher, rows(20_000))
        assert await asyncio.to_thread(net.started.acquire, timeout=30)
        (small,) = await asked(batcher, rows(3))
        net.gate.set()
        np.testing.assert_array_equal(await small, 2 * rows(3) + 1)
        small.sizes = len(net.sizes)
        assert not large.done()
        np.testing.assert_array_equal(await large, 2 * rows(20_000) + 1)
        assert small.sizes <= 4  # the slice under way, its own batch, and what began before this line was reached

    net = batched(play, max_batch=64)
    assert set(net.sizes[:-1]) == {64} and sum(net.sizes) == 20_003


def test_two_large_requests_take_turns():
    async def play(batcher, net):
        first = await busy(batcher, net)
        large = await asked(batcher, rows(24), rows(24, start=1000), rows(1))
        net.gate.set()
        order = []
        for task in large:
            task.add_done_callback(lambda task: order.append(large.index(task)))
        await asyncio.gather(first, *large)
        assert order == [2, 1, 0]  # the small one took a row from the turn of the first

    assert batched(play, max_batch=8).sizes == [1, 8, 8, 8, 8, 8, 8, 1]


def test_shapes_do_not_mix_and_take_turns():
    async def play(batcher, net):
        first = await busy(batcher, net)
        wide, tall = [rows(2, width=5)] * 3, [rows(2, width=3)] * 3
        others = await asked(batcher, *(z for pair in zip(wide, tall, strict=True) for z in pair))
        net.gate.set()
        answers = await asyncio.gather(first, *others)
        assert [a.shape for a in answers[1:]] == [(2, 5), (2, 3)] * 3

    assert batched(play, max_batch=4).sizes == [1, 4, 4, 2, 2]


def test_small_requests_run_by_themselves_where_they_would_differ():
    """min_batch=3: those of 1 and 2 rows are batches of their own; the others merge, whatever the estimate."""

    async def play(batcher, net):
        first = await busy(batcher, net)
        feeds = [rows(n, start=n) for n in (2, 3, 1, 4)]
        others = await asked(batcher, *feeds)
        net.gate.set()
        for z, answer in zip(feeds, (await asyncio.gather(first, *others))[1:], strict=True):
            np.testing.assert_array_equal(answer, 2 * z + 1)

    assert batched(play, min_batch=3).sizes == [1, 2, 7, 1]
    assert batched(play, min_batch=3, cost=1e6).sizes == [1, 2, 3, 1, 4]


@pytest.mark.parametrize(
    ("n", "sizes"), [(16, [8, 8]), (17, [8, 9]), (18, [8, 10]), (19, [8, 8, 3]), (9, [9]), (3, [3])]
)
def test_no_rest_is_too_small(n, sizes):
    async def play(batcher, net):
        np.testing.assert_array_equal(await batcher({"z": rows(n)}), 2 * rows(n) + 1)

    assert batched(play, min_batch=3).sizes == sizes


def test_nothing_is_merged_where_no_sizes_agree():
    """min_batch = max_batch + 1. Larger requests are cut into batches of at least that size."""

    async def play(batcher, net):
        first = await busy(batcher, net)
        others = await asked(batcher, rows(2), rows(3), rows(8), rows(20))
        net.gate.set()
        answers = await asyncio.gather(first, *others)
        np.testing.assert_array_equal(answers[4], 2 * rows(20) + 1)

    assert batched(play, max_batch=8, min_batch=9).sizes == [1, 2, 9, 3, 11, 8]


def test_a_request_that_leaves_the_queue_never_runs():
    async def play(batcher, net):
        first = await busy(batcher, net)
        leaver, stayer = await asked(batcher, rows(4), rows(2))
        leaver.cancel()
        net.gate.set()
        np.testing.assert_array_equal(await stayer, 2 * rows(2) + 1)
        await first
        assert leaver.cancelled()

    assert batched(play).sizes == [1, 2]


def test_a_request_that_leaves_in_the_middle_stops():
    async def play(batcher, net):
        net.gate.clear()
        leaver, stayer = await asked(batcher, rows(20_000), rows(2))
        assert await asyncio.to_thread(net.started.acquire, timeout=30)
        leaver.cancel()
        net.gate.set()
        np.testing.assert_array_equal(await stayer, 2 * rows(2) + 1)

    assert batched(play, max_batch=64).sizes == [64, 2]


def test_all_leave():
    async def play(batcher, net):
        first = await busy(batcher, net)
        others = await asked(batcher, rows(1), rows(1))
        for task in (first, *others):
            task.cancel()
        net.gate.set()
        await asyncio.gather(first, *others, return_exceptions=True)
        np.testing.assert_array_equal(await batcher({"z": rows(1)}), 2 * rows(1) + 1)

    assert batched(play).sizes == [1, 1]


def test_an_error_reaches_its_batch_and_no_other():
    async def play(batcher, net):
        with pytest.raises(RuntimeError, match="beast"):
            await batcher({"z": np.full((20, 2), 666.5, np.float32)})
        np.testing.assert_array_equal(await batcher({"z": rows(3)}), 2 * rows(3) + 1)

    assert batched(play).sizes == [8, 3]  # of the 20 rows, those after the error did not run


def test_waiting_for_company_only_while_another_batch_runs():
    async def play(batcher, net):
        await batcher({"z": rows(1)})  # alone: an hour's delay does not delay it
        assert net.started.acquire(timeout=30)
        first = await busy(batcher, net)
        second, *_ = await asked(batcher, rows(2))  # a worker is free, but waits
        await asyncio.sleep(0.05)
        assert net.sizes == [1, 1]
        third, *_ = await asked(batcher, rows(6))  # full: they go
        assert await asyncio.to_thread(net.started.acquire, timeout=30)
        assert net.sizes == [1, 1, 8]
        fourth, *_ = await asked(batcher, rows(3))
        net.gate.set()  # nothing runs any more: it goes too
        await asyncio.gather(first, second, third, fourth)

    assert batched(play, workers=2, max_batch=8, max_delay_seconds=3600.0).sizes == [1, 1, 8, 3]


def test_the_wait_ends_with_the_delay():
    async def play(batcher, net):
        first = await busy(batcher, net)
        (second,) = await asked(batcher, rows(2))
        assert await asyncio.to_thread(net.started.acquire, timeout=30)  # while the first still runs
        net.gate.set()
        await asyncio.gather(first, second)

    assert batched(play, workers=2, max_delay_seconds=0.01).sizes == [1, 2]


def test_workers_run_beside_each_other():
    async def play(batcher, net):
        together = threading.Barrier(2, timeout=30)
        batcher.run = lambda feed: (together.wait(), 2 * feed["z"] + 1)[1]
        await asyncio.gather(*await asked(batcher, rows(8), rows(8)))

    batched(play, workers=2, max_batch=8)


@pytest.mark.parametrize(("seconds_per_row", "size"), [(0.01, 4), (0.04, 1), (3.0, 1), (1e-6, 8)])
def test_batches_are_as_large_as_a_slice_allows(seconds_per_row, size):
    """Rows of 2 numbers, slices of 0.04 s."""

    async def play(batcher, net):
        z = rows(8)
        np.testing.assert_array_equal(await batcher({"z": z}), 2 * z + 1)

    net = batched(play, max_batch=8, cost=seconds_per_row / 2, slice_seconds=0.0401)
    assert net.sizes == [size] * (8 // size)


def test_the_estimate_is_a_moving_average():
    cost = CostEstimate(1.0)
    cost.update(10, 20.0)
    assert cost.seconds(1) == pytest.approx(1.2) and cost.seconds(5) == pytest.approx(6.0)


def test_no_request_is_forgotten():
    """Requests that come at every moment of a worker's life, also just as it ends."""

    async def play(batcher, net):
        async def client(index):
            random = np.random.RandomState(index)
            for _ in range(30):
                z = rows(random.randint(1, 12), start=index)
                np.testing.assert_array_equal(await batcher({"z": z}), 2 * z + 1)
                for _ in range(random.randint(4)):
                    await asyncio.sleep(0)

        await asyncio.gather(*map(client, range(12)))

    net = batched(play, workers=2)
    assert len(net.sizes) < 12 * 30  # and many of them ran together
