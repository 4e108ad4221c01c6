"""State that the routes of one running application share, from its start to its stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request

from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.serve.errors import CLIENT_LEFT, RefusedError, busy, short_repr
from zoo.serve.prometheus import Metrics
from zoo.serve.repository import Model, Repository, Threads
from zoo.serve.settings import Settings

T = TypeVar("T")


class Service:
    """Models, threads, metrics, and the requests and memory under way."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings, self.metrics, self.threads = settings, Metrics(), Threads(settings)
        self.repository = Repository(folder, settings, self.threads, self.metrics.batch)
        self._requests = self._bytes = 0
        self._picture_slots = asyncio.Semaphore(self.threads.picture_workers)
        self.metrics.under_way.set_function(lambda: self._requests)
        self.metrics.memory.set_function(lambda: self._bytes)
        self.metrics.models.set_function(lambda: len(self.repository.models))

    @property
    def ready(self) -> bool:
        """True once all models are loaded, if there is at least one."""
        return self.repository.ready and bool(self.repository.models)

    def model(self, name: str) -> Model:
        """Return the model `name`. Raises RefusedError: 404 for an unknown name, 503 while models are being loaded."""
        models = self.repository.models
        if name in models:
            return models[name]
        if not self.repository.ready:
            raise RefusedError("the models are still being loaded", 503)
        raise RefusedError(f"there is no model {short_repr(name)}.{suggest(name[:64], models)}", 404)

    @contextlib.contextmanager
    def request_slot(self) -> Iterator[None]:
        """Hold one of the `max_requests` slots. Raises RefusedError when all are taken."""
        if self._requests >= self.settings.max_requests:
            raise busy()
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    @contextlib.contextmanager
    def memory_budget(self) -> Iterator[Callable[[int], None]]:
        """Yield `reserve(bytes)`, which may be called often; all is released at the end. It raises RefusedError."""
        held = 0

        def reserve(size: int) -> None:
            nonlocal held
            limit = self.settings.max_memory_bytes
            if size > limit:
                raise RefusedError(f"the answer needs {size:,} bytes, the limit is {limit:,}: ask for fewer rows", 413)
            if self._bytes + size > limit:
                raise busy()
            self._bytes += size
            held += size

        try:
            yield reserve
        finally:
            self._bytes -= held

    async def in_picture_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run `call` in one of the few threads for pictures. A cancelled caller that still waits for one never runs."""
        await self._picture_slots.acquire()
        future = asyncio.get_running_loop().run_in_executor(self.threads.pictures, call, *arguments)
        future.add_done_callback(self._release_picture_slot)
        return await asyncio.shield(future)  # a thread cannot be stopped: it keeps its slot until it is done

    def _release_picture_slot(self, future: asyncio.Future[Any]) -> None:
        self._picture_slots.release()
        if not future.cancelled():
            future.exception()  # marks it as retrieved, also where nobody waits any more

    async def finish_in_time(self, request: Request, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Return the result of `work`, which is cancelled when the client leaves or time is up. Raises RefusedError.

        The body must have been read before: the next message of the client is then that it has left.
        """
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
        limit = min(seconds or self.settings.request_seconds, self.settings.request_seconds)
        try:
            await asyncio.wait({task, gone}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if gone.done():
                raise RefusedError("the client has left", CLIENT_LEFT)
            raise RefusedError(f"the request took longer than {limit:g} seconds: ask for less, or try again later", 504)
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)


def current_service(app: Starlette) -> Service | None:
    """Return the service of a running application, and None before its start."""
    return getattr(app.state, "service", None)


def service_of(request: Request) -> Service:
    """Return the service of the application that received `request`. Raises RefusedError before its start."""
    if service := current_service(request.app):
        return service
    raise RefusedError("the server is starting", 503)


@contextlib.asynccontextmanager
async def run_service(folder: Path, settings: Settings) -> AsyncIterator[Service]:
    """Yield a service whose models follow the folder. Raises ServeError where there is no folder."""
    if not folder.is_dir():
        raise ServeError(f"{folder}: there is no such folder")
    service = Service(folder, settings)
    watcher = asyncio.create_task(service.repository.watch())
    try:
        yield service
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        service.threads.close()
