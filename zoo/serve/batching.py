"""Dynamic batching: requests that wait at the same time run as one batch, and long requests give way to short ones.

    batcher = Batcher(run, CostEstimate(...), settings, executor, workers=2, max_batch=64)
    output = await batcher(feed)               # when this task is cancelled, its rows that have not run never run

A batch takes rows from requests of one shape in the order of their arrival: about `max_batch` at most, and fewer where
the estimate says that they would take longer than `slice_seconds`. A request with rows left goes to the back of the
queue: a request of 20,000 rows delays another by the batches under way, not by its whole length.

A free worker takes what waits at once while nothing else runs; otherwise it waits up to `max_delay_seconds` for more
requests. Requests are checked before they come here, so that none can spoil the batch of others.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from zoo.core.arrays import Array
from zoo.serve.settings import Settings

Feed = Mapping[str, Array]
QueueKey = tuple[bool, tuple[tuple[int, ...], ...]]  # whether requests may be merged; the shape of a row of each input


class CostEstimate:
    """Estimate of the seconds of computing per number of input: a first measurement, then a moving average."""

    def __init__(self, seconds_per_number: float) -> None:
        self._seconds_per_number = seconds_per_number

    def seconds(self, numbers: int) -> float:
        """Return how long a batch of `numbers` input numbers takes."""
        return self._seconds_per_number * numbers

    def update(self, numbers: int, seconds: float) -> None:
        """Update the moving average (weight 0.2) with one measured batch."""
        self._seconds_per_number += 0.2 * (seconds / numbers - self._seconds_per_number)


def packed(outputs: Feed) -> Array:
    """Return one array [rows, ...] of all outputs, so that batches are merged and cut alike; that of a single one."""
    if len(outputs) == 1:
        return next(iter(outputs.values()))
    return np.concatenate([array.reshape(len(array), -1) for array in outputs.values()], axis=1)


@dataclass(eq=False)
class Job:
    """One request: its rows, how many have gone into batches, and how many of the output have come back."""

    feed: Feed
    rows: int
    arrived: float  # time of the event loop, in seconds
    answer: asyncio.Future[Array]
    taken: int = 0
    received: int = 0
    output: Array | None = None

    def receive(self, part: slice, rows: Array) -> None:
        """Store rows `part` of the output. The answer is complete with the last of them."""
        if self.answer.done():  # its client has left, or another part of it failed
            return
        if len(rows) == self.rows:
            self.answer.set_result(rows)
            return
        if self.output is None:
            self.output = np.empty((self.rows, *rows.shape[1:]), rows.dtype)
        self.output[part] = rows
        self.received += len(rows)
        if self.received == self.rows:
            self.answer.set_result(self.output)


@dataclass(frozen=True)
class Part:
    """Rows of a job that run in one batch with others."""

    job: Job
    rows: slice

    @property
    def feed(self) -> Feed:
        return {name: array[self.rows] for name, array in self.job.feed.items()}


@dataclass
class Batcher:
    """Awaitable `run`: feed -> output rows, merged and cut into batches. Workers exist only while there is work.

    A batch of merged or cut requests has at least `min_batch` rows, and a request of fewer rows runs by itself: below
    that, the last bits of a row may depend on the size of its batch (`zoo.serve.warm_up`). `observe` is called with
    the number of rows of each batch.
    """

    run: Callable[[Feed], Array]
    cost: CostEstimate
    settings: Settings
    executor: Executor
    workers: int
    max_batch: int  # rows
    min_batch: int = 1  # rows
    observe: Callable[[int], None] = lambda rows: None
    _queues: dict[QueueKey, deque[Job]] = field(default_factory=dict)  # the queue whose turn it is comes first
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _running: int = 0  # batches under way
    _changed: asyncio.Event = field(default_factory=asyncio.Event)  # a job came, or a batch ended

    async def __call__(self, feed: Feed) -> Array:
        """Return the output rows for `feed`. Raises what `run` raises."""
        loop = asyncio.get_running_loop()
        job = Job(feed, len(next(iter(feed.values()))), loop.time(), loop.create_future())
        key = (job.rows >= self.min_batch, tuple(array.shape[1:] for array in feed.values()))
        self._queues.setdefault(key, deque()).append(job)
        self._changed.set()
        if len(self._tasks) < self.workers:
            self._tasks.add(loop.create_task(self._work()))
        return await job.answer

    async def _work(self) -> None:
        """Run batch after batch, until no request waits."""
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        assert me is not None
        try:
            while self._queues:
                parts, wait_seconds = self._next_batch(loop.time())
                if parts:
                    await self._run_batch(parts)
                elif self._queues:
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wait_seconds):
                            await self._changed.wait()
        finally:  # here, not in a callback: a job that comes between the two would find no worker
            self._tasks.discard(me)

    def _next_batch(self, now: float) -> tuple[list[Part], float]:
        """Return the parts of the next batch; or none, and the seconds to wait for more requests to share one."""
        wait_seconds = self.settings.max_delay_seconds
        for key, queue in list(self._queues.items()):
            waiting = deque(job for job in queue if not job.answer.done())
            if not waiting:
                del self._queues[key]
                continue
            self._queues[key] = waiting
            may_merge, limit = key[0], self._row_limit(waiting[0])
            left = waiting[0].arrived + self.settings.max_delay_seconds - now
            rows_waiting = sum(job.rows - job.taken for job in waiting)
            if left > 0 and may_merge and self._running and rows_waiting < limit:
                wait_seconds = min(wait_seconds, left)
                continue
            del self._queues[key]  # the other queues have their turn first
            if may_merge:
                parts = list(self._cut(waiting, limit))
            else:
                job = waiting.popleft()
                parts = [Part(job, slice(0, job.rows))]
            if waiting:
                self._queues[key] = waiting
            return parts, 0.0
        return [], wait_seconds

    def _row_limit(self, job: Job) -> int:
        """Return the most rows of a batch of such jobs."""
        numbers_per_row = sum(array.size for array in job.feed.values()) // job.rows
        affordable = int(self.settings.slice_seconds / max(self.cost.seconds(numbers_per_row), 1e-9))
        return max(self.min_batch, min(self.max_batch, affordable))

    def _cut(self, queue: deque[Job], limit: int) -> Iterable[Part]:
        """Yield rows from the front of the queue; a job that has more goes to its back."""
        while limit > 0 and queue:
            job = queue.popleft()
            stop = min(job.rows, job.taken + limit)
            if job.rows - stop < self.min_batch:  # the rest would be too small a batch
                stop = job.rows
            yield Part(job, slice(job.taken, stop))
            limit -= stop - job.taken
            job.taken = stop
            if stop < job.rows:
                queue.append(job)

    async def _run_batch(self, parts: list[Part]) -> None:
        self._running += 1
        try:
            loop = asyncio.get_running_loop()
            output, numbers, seconds = await loop.run_in_executor(self.executor, self._compute, parts)
        except Exception as error:
            for part in parts:
                if not part.job.answer.done():
                    part.job.answer.set_exception(error)
        else:
            self.cost.update(numbers, seconds)
            self.observe(len(output))
            start = 0
            for part in parts:
                stop = start + part.rows.stop - part.rows.start
                part.job.receive(part.rows, output[start:stop])
                start = stop
        finally:
            self._running -= 1
            self._changed.set()

    def _compute(self, parts: list[Part]) -> tuple[Array, int, float]:
        """Return output rows, numbers of input and seconds of computing. Runs in a thread."""
        feeds = [part.feed for part in parts]
        feed = feeds[0]
        if len(feeds) > 1:
            feed = {name: np.concatenate([each[name] for each in feeds]) for name in feed}
        start = time.perf_counter()
        output = self.run(feed)
        return output, sum(array.size for array in feed.values()), time.perf_counter() - start
