"""What the routes of one running application share, made when it starts and gone when it stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request

from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.serve.errors import RefusedError, brief, busy
from zoo.serve.prometheus import Metrics
from zoo.serve.repository import Model, Repository, Threads
from zoo.serve.settings import Settings

T = TypeVar("T")
CLIENT_LEFT = 499  # nobody reads it but the access log


class Service:
    """Models, threads, counters, and how much of the machine is taken."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings, self.metrics, self.threads = settings, Metrics(), Threads(settings)
        self.repository = Repository(folder, settings, self.threads, self.metrics.batch)
        self._requests = self._bytes = 0
        self._chores = asyncio.Semaphore(max(2, settings.workers))

    @property
    def ready(self) -> bool:
        """Whether everything is loaded, and there is something to ask."""
        return self.repository.ready and bool(self.repository.models)

    def model(self, name: str) -> Model:
        """Raises RefusedError: 404 for a name that nobody has, 503 while models are still being loaded."""
        models = self.repository.models
        if name in models:
            return models[name]
        if not self.repository.ready:
            raise RefusedError("the models are still being loaded", 503, retry_seconds=1)
        raise RefusedError(f"there is no model {brief(name)}.{suggest(name[:64], models)}", 404)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One of the places for requests under way. Raises RefusedError when all are taken."""
        if self._requests >= self.settings.max_requests:
            raise busy()
        self._requests += 1
        self.metrics.under_way.set(self._requests)
        try:
            yield
        finally:
            self._requests -= 1
            self.metrics.under_way.set(self._requests)

    @contextlib.contextmanager
    def memory(self) -> Iterator[Callable[[int], None]]:
        """`take(bytes)`, as often as one likes; all is given back at the end. Raises RefusedError when it is full."""
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if size > self.settings.max_memory_bytes:
                raise RefusedError("the answer would be too large: ask for less at a time", 413)
            if self._bytes + size > self.settings.max_memory_bytes:
                raise busy()
            self._bytes += size
            held += size

        try:
            yield take
        finally:
            self._bytes -= held
            self.metrics.memory.set(self._bytes)

    async def chore(self, call: Callable[..., T], *arguments: Any) -> T:
        """`call` in a thread, when one of few is free. Who stops waiting for it leaves the queue."""
        await self._chores.acquire()
        future = asyncio.get_running_loop().run_in_executor(self.threads.chores, call, *arguments)
        future.add_done_callback(self._chore_done)
        return await asyncio.shield(future)  # a thread cannot be stopped: it keeps its place until it is done

    def _chore_done(self, future: asyncio.Future[Any]) -> None:
        self._chores.release()
        if not future.cancelled():
            future.exception()  # seen, also where nobody waits any more

    async def attend(self, request: Request, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """The result of `work`, which is cancelled when the client leaves or time is up. Raises RefusedError.

        The body must have been read: what the client sends next is that it has gone.
        """
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
        limit = min(seconds or self.settings.request_seconds, self.settings.request_seconds)
        try:
            await asyncio.wait({task, gone}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise RefusedError("the client has left", CLIENT_LEFT)
            raise RefusedError(f"it took longer than {limit:g} seconds: ask for less at a time, or later", 504)
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)


def service(request: Request) -> Service:
    """The service of the application that got `request`."""
    running = getattr(request.app.state, "service", None)
    if running is None:
        raise RefusedError("the server is starting", 503, retry_seconds=1)
    assert isinstance(running, Service)
    return running


@contextlib.asynccontextmanager
async def running(folder: Path, settings: Settings) -> AsyncIterator[Service]:
    """A service whose models follow the folder. Raises ServeError where there is no folder."""
    if not folder.is_dir():
        raise ServeError(f"{folder}: there is no such folder")
    made = Service(folder, settings)
    watcher = asyncio.create_task(made.repository.watch())
    try:
        yield made
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        made.threads.close()
