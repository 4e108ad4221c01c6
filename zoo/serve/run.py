"""`zoo serve`: one process with uvicorn, which stops listening when told to and finishes what is in flight."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from zoo.errors import ServeError, UsageError
from zoo.loading import artifacts
from zoo.serve.app import create_app
from zoo.serve.connections import patient
from zoo.serve.models import Repository
from zoo.serve.settings import Settings


def serve(folder: Path, settings: Settings, *, host: str, port: int, quiet: bool = False) -> int:
    """Serve until SIGTERM (returns 0) or Ctrl-C (returns 130). Raises ServeError, UsageError before that."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    if not artifacts(folder):
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
                app, http=patient(settings), ws="none", lifespan="on", log_config=None, access_log=False,
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
