"""Dynamic batching: requests that wait at the same time run as one batch, and long requests give way to short ones.

    batcher = Batcher(run, Pace(...), settings, executor, workers=2, most=64)
    output = await batcher(feed)               # cancel the awaiting task, and what has not run yet never will

A batch takes rows from the requests of one shape in the order of their arrival, about `most` at most, and fewer where
the pace measured so far says that they would take longer than `slice_seconds`. A request with rows left goes to the
back of the queue: one of 20,000 rows delays another by the slices under way, not by itself.

A free worker takes what is there at once while nothing else runs; otherwise it waits up to `max_delay_seconds` for
company. Requests are checked before they come here, so that no request can spoil the batch of its neighbours.
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
Group = tuple[bool, tuple[tuple[int, ...], ...]]  # whether its requests merge, and the shapes of their rows


class Pace:
    """Seconds of computing per number of input: a first measurement, then a moving average of the real work."""

    def __init__(self, seconds_per_number: float) -> None:
        self._each = seconds_per_number

    def seconds(self, numbers: int) -> float:
        """How long a batch of so many input numbers takes."""
        return self._each * numbers

    def learn(self, numbers: int, seconds: float) -> None:
        """One batch more; a single slow one, on a machine with other work, moves the average by a fifth."""
        self._each += 0.2 * (seconds / numbers - self._each)


@dataclass(eq=False)
class Job:
    """One request: its rows, how many have gone into batches, how many have come back."""

    feed: Feed
    rows: int
    arrived: float
    answer: asyncio.Future[Array]
    taken: int = 0
    back: int = 0
    output: Array | None = None

    def receive(self, part: slice, rows: Array) -> None:
        """Rows `part` of the output. The answer is complete with the last of them."""
        if self.answer.done():  # its client has left, or another part of it failed
            return
        if len(rows) == self.rows:
            self.answer.set_result(rows)
            return
        if self.output is None:
            self.output = np.empty((self.rows, *rows.shape[1:]), rows.dtype)
        self.output[part] = rows
        self.back += len(rows)
        if self.back == self.rows:
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
    """Awaitable `run`: feed -> output rows, merged and sliced. Workers exist only while there is work.

    No batch that is merged or cut has fewer than `least` rows, and a request of fewer runs by itself: below that the
    bits of a row may depend on the size of its batch (`zoo.serve.warm_up`). `observe` is told the rows of each batch.
    """

    run: Callable[[Feed], Array]
    pace: Pace
    settings: Settings
    executor: Executor
    workers: int
    most: int  # rows of a batch
    least: int = 1
    observe: Callable[[int], None] = lambda rows: None
    _queues: dict[Group, deque[Job]] = field(default_factory=dict)  # the group whose turn it is comes first
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _running: int = 0  # batches under way
    _news: asyncio.Event = field(default_factory=asyncio.Event)  # a job came, or a batch ended

    async def __call__(self, feed: Feed) -> Array:
        """The output rows for `feed`. Raises what `run` raises."""
        loop = asyncio.get_running_loop()
        job = Job(feed, len(next(iter(feed.values()))), loop.time(), loop.create_future())
        group = (job.rows >= self.least, tuple(array.shape[1:] for array in feed.values()))
        self._queues.setdefault(group, deque()).append(job)
        self._news.set()
        if len(self._tasks) < self.workers:
            self._tasks.add(loop.create_task(self._work()))
        return await job.answer

    async def _work(self) -> None:
        """One worker: batch after batch, until nothing waits."""
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        assert me is not None
        try:
            while self._queues:
                parts, patience = self._take(loop.time())
                if parts:
                    await self._batch(parts)
                elif self._queues:
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(patience):
                            await self._news.wait()
        finally:  # here, not in a callback: a job that comes between the two would find no worker
            self._tasks.discard(me)

    async def _batch(self, parts: list[Part]) -> None:
        self._running += 1
        try:
            loop = asyncio.get_running_loop()
            output, numbers, seconds = await loop.run_in_executor(self.executor, self._compute, parts)
        except Exception as error:
            for part in parts:
                if not part.job.answer.done():
                    part.job.answer.set_exception(error)
        else:
            self.pace.learn(numbers, seconds)
            self.observe(len(output))
            start = 0
            for part in parts:
                stop = start + part.rows.stop - part.rows.start
                part.job.receive(part.rows, output[start:stop])
                start = stop
        finally:
            self._running -= 1
            self._news.set()

    def _compute(self, parts: list[Part]) -> tuple[Array, int, float]:
        """In a thread: output rows, numbers of input, seconds."""
        feeds = [part.feed for part in parts]
        feed = feeds[0]
        if len(feeds) > 1:
            feed = {name: np.concatenate([each[name] for each in feeds]) for name in feed}
        start = time.perf_counter()
        output = self.run(feed)
        return output, sum(array.size for array in feed.values()), time.perf_counter() - start

    def _take(self, now: float) -> tuple[list[Part], float]:
        """The parts of the next batch; none, and the seconds until one is due, while waiting for company pays."""
        patience = self.settings.max_delay_seconds
        for group, queue in list(self._queues.items()):
            living = deque(job for job in queue if not job.answer.done())
            if not living:
                del self._queues[group]
                continue
            self._queues[group] = living
            merges, most = group[0], self._most(living[0])
            left = living[0].arrived + self.settings.max_delay_seconds - now
            if left > 0 and merges and self._running and _waiting(living) < most:
                patience = min(patience, left)
                continue
            del self._queues[group]  # the others have their turn first
            parts = list(self._parts(living, most)) if merges else [Part(job := living.popleft(), slice(0, job.rows))]
            if living:
                self._queues[group] = living
            return parts, 0.0
        return [], patience

    def _parts(self, queue: deque[Job], most: int) -> Iterable[Part]:
        """Rows from the front of the queue; a job that has more goes to its back."""
        while most > 0 and queue:
            job = queue.popleft()
            stop = min(job.rows, job.taken + most)
            if job.rows - stop < self.least:  # the rest would be too small a batch
                stop = job.rows
            yield Part(job, slice(job.taken, stop))
            most -= stop - job.taken
            job.taken = stop
            if stop < job.rows:
                queue.append(job)

    def _most(self, job: Job) -> int:
        """Rows of a batch of such jobs."""
        numbers = sum(array.size for array in job.feed.values()) // job.rows
        affordable = int(self.settings.slice_seconds / max(self.pace.seconds(numbers), 1e-9))
        return max(self.least, min(self.most, affordable))


def _waiting(queue: Iterable[Job]) -> int:
    return sum(job.rows - job.taken for job in queue)
