"""Connections that do not wait for ever: uvicorn itself bounds neither the time nor the size of headers.

`zoo serve`: one process with uvicorn, which stops listening when told to and finishes what is in flight.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from zoo.artifact.manifest import find_artifacts
from zoo.core.errors import ServeError, UsageError
from zoo.serve.app import create_app
from zoo.serve.repository import Repository
from zoo.serve.settings import Settings

LARGEST_HEAD = 2**16  # bytes of one request line with its headers
_FULL = json.dumps({"error": "too many connections: try again in a moment"})
FULL = (
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    f"content-length: {len(_FULL)}\r\n\r\n{_FULL}"
).encode()


def patient_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for `settings`: whichever uvicorn would take, httptools where it is installed or else h11."""

    class Patient(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._seen: Any = None
            self._head = 0
            self._clock = self.loop.call_later(settings.header_seconds, self._look)
            if len(self.connections) > settings.max_connections:
                transport.write(FULL)
                transport.close()

        def connection_lost(self, error: Exception | None) -> None:
            self._clock.cancel()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            before, idle = self.cycle, self._idle()
            super().data_received(data)
            self._head = self._head + len(data) if idle and self.cycle is before else 0
            if self._head > LARGEST_HEAD:
                self.transport.abort()

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _look(self) -> None:
            """End what waits for its client and got nothing from it between two looks: a request, or room to write."""
            waits = self._idle() or self.transport.is_closing()
            state = (waits, self.cycle, self.transport.get_write_buffer_size())
            if waits and state == self._seen:
                self.transport.abort()
                return
            self._seen = state
            self._clock = self.loop.call_later(settings.header_seconds, self._look)

    return Patient


def serve(folder: Path, settings: Settings, *, host: str, port: int, quiet: bool = False) -> int:
    """Serve until SIGTERM (returns 0) or Ctrl-C (returns 130). Raises ServeError, UsageError before that."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    if not find_artifacts(folder):
        raise UsageError(f"{folder}: there is no exported generator in it; `zoo build dcgan` makes one")
    app = create_app(folder, settings)
    with _listen(host, port) as listener:
        _log(quiet)  # only now: a caller whose wish cannot be met keeps the log that it has
        server = Server(app, settings, lambda models: _greet(models, listener, folder))
        server.run(sockets=[listener])
    if server.failed:
        raise ServeError(f"{folder}: none of its generators can be served: the lines above say why")
    return 130 if signal.SIGINT in server.stopped_by else 0


class Server(uvicorn.Server):
    """Says when all models are ready, stops where there are none, and leaves the exit code to its caller."""

    def __init__(self, app: FastAPI, settings: Settings, ready: Callable[[list[str]], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app, http=patient_protocol(settings), ws="none", lifespan="on", log_config=None, access_log=False,
                server_header=False, proxy_headers=False, timeout_graceful_shutdown=settings.stop_seconds,
            )
        )  # fmt: skip
        self._app, self._ready, self._told = app, ready, False
        self.failed = False
        self.stopped_by: list[int] = []

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        repository: Repository = self._app.state.service.repository
        if repository.ready and not self._told:
            self._told = True
            if repository.models:
                self._ready([*repository.models])
            else:
                self.failed = self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal lets what is in flight finish, the second does not."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self.stopped_by.append(sig)  # not uvicorn's own list, from which the signals would be raised once more


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except BaseException:
            listener.close()
            raise
        listener.set_inheritable(False)
        return listener
    except (OSError, OverflowError, UnicodeError) as error:
        cure = "; is another server running? Choose another port with --port" if port else ""
        raise UsageError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}{cure}"
        ) from error


def _greet(models: list[str], listener: socket.socket, folder: Path) -> None:
    host, port = listener.getsockname()[:2]
    home = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"{', '.join(models)} from {folder}: {home}\nnext:\n  curl {home}/models", flush=True)
    print(f"""  curl {home}/models/{models[0]}/sample -d '{{"n": 16}}' -o grid.png\nCtrl-C stops""", flush=True)


def _log(quiet: bool) -> None:
    """One line per event on stderr. Requests are events too, unless `quiet`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("zoo.serve", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    logging.getLogger("zoo.serve.access").setLevel(logging.WARNING if quiet else logging.INFO)
