"""`zoo serve`: one process with uvicorn, which on SIGTERM stops listening and finishes the requests under way.

uvicorn itself limits neither the time nor the size of headers, nor the connections; `limited_protocol` does.
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

from zoo.artifact.artifact_folders import find_artifacts
from zoo.core.errors import ServeError, UsageError
from zoo.serve.app import create_app
from zoo.serve.repository import Repository
from zoo.serve.settings import Settings

MAX_HEAD_BYTES = 2**16  # of one request line with its headers
_TOO_MANY = json.dumps({"error": "the server has too many connections: try again in a moment"})
TOO_MANY = (
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    f"content-length: {len(_TOO_MANY)}\r\n\r\n{_TOO_MANY}"
).encode()


def serve(folder: Path, settings: Settings, *, host: str, port: int, quiet: bool = False) -> int:
    """Serve the exported generators of a folder until SIGTERM or Ctrl-C, and log to stderr.

    Args:
        folder: A folder of artifacts, or a single artifact.
        settings: Limits, timeouts and the API key.
        host: The address to listen on, such as "127.0.0.1", or "0.0.0.0" for every network.
        port: The TCP port; 0 picks a free one.
        quiet: Log no line for each request.

    Returns:
        The exit code: 0 after SIGTERM, 130 after Ctrl-C.

    Raises:
        UsageError: There is no artifact in the folder, or the address is not free.
        ServeError: None of the artifacts can be served.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    if not find_artifacts(folder):
        raise UsageError(f"{folder}: there is no exported generator in it; `zoo build dcgan` makes one")
    app = create_app(folder, settings)
    with listen(host, port) as listener:
        _log(quiet)  # only now: after an error before this, the log of the caller is as it was
        server = Server(app, settings, lambda models: _greet(models, listener, folder))
        server.run(sockets=[listener])
    if server.failed:
        raise ServeError(f"{folder}: none of its generators can be served: the lines above have the reasons")
    return 130 if signal.SIGINT in server.stopped_by else 0


class Server(uvicorn.Server):
    """uvicorn's server. Calls `ready` when all models are loaded, and stops where there are none (`failed`)."""

    def __init__(self, app: FastAPI, settings: Settings, ready: Callable[[list[str]], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app, http=limited_protocol(settings), ws="none", lifespan="on", log_config=None, access_log=False,
                server_header=False, proxy_headers=False, timeout_graceful_shutdown=settings.stop_seconds,
            )
        )  # fmt: skip
        self._app, self._ready, self._reported = app, ready, False
        self.failed = False
        self.stopped_by: list[int] = []

    async def on_tick(self, counter: int) -> bool:
        """Report once when the models are loaded. uvicorn calls this ten times a second."""
        repository: Repository = self._app.state.service.repository
        if repository.ready and not self._reported:
            self._reported = True
            if repository.models:
                self._ready([*repository.models])
            else:
                self.failed = self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish the requests under way at the first signal, and stop at once at the second."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self.stopped_by.append(sig)  # not in uvicorn's own list: it raises those signals again at the end


def limited_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol class (httptools, else h11) with limits of connections, headers and silence."""

    class LimitedProtocol(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._last_state: Any = None
            self._head_bytes = 0
            self._timer = self.loop.call_later(settings.header_seconds, self._close_if_silent)
            if len(self.connections) > settings.max_connections:
                transport.write(TOO_MANY)
                transport.close()

        def connection_lost(self, error: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            before, idle = self.cycle, self._idle()
            super().data_received(data)
            self._head_bytes = self._head_bytes + len(data) if idle and self.cycle is before else 0
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.abort()

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _close_if_silent(self) -> None:
            """Close a connection that waits for its client, for a request or to take an answer, and hears nothing."""
            waits = self._idle() or self.transport.is_closing()
            state = (waits, self.cycle, self.transport.get_write_buffer_size())
            if waits and state == self._last_state:
                self.transport.abort()
                return
            self._last_state = state
            self._timer = self.loop.call_later(settings.header_seconds, self._close_if_silent)

    return LimitedProtocol


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address. Raises UsageError."""
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
        hint = "; is another server running? Choose another port with --port" if port else ""
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen on {host}:{port}: {reason}{hint}") from error


def _greet(models: list[str], listener: socket.socket, folder: Path) -> None:
    host, port = listener.getsockname()[:2]
    home = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"{', '.join(models)} from {folder}: {home}\nnext:\n  curl {home}/models", flush=True)
    print(f"""  curl {home}/models/{models[0]}/sample -d '{{"n": 16}}' -o grid.png\nCtrl-C stops""", flush=True)


def _log(quiet: bool) -> None:
    """Log one line per event to stderr. Requests are events too, unless `quiet`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("zoo.serve", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    logging.getLogger("zoo.serve.access").setLevel(logging.WARNING if quiet else logging.INFO)
