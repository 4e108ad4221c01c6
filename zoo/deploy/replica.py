"""The server's app as one of many replicas: it takes part when its models are loaded, not before."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from zoo.errors import ServeError
from zoo.serve.app import create_app
from zoo.serve.settings import Settings


def app(folder: Path, *, workers: int, provider: str) -> Any:
    """The ASGI app for `workers` cores, which are fewer than the machine has: its other replicas have the others.

    Clients must send the key that the variable ZOO_API_KEY holds, where the cluster was started with one.
    """
    settings = Settings(workers=workers, provider=provider, api_key=os.environ.get("ZOO_API_KEY", ""))
    made = create_app(folder, settings)
    start = made.router.lifespan_context

    @contextlib.asynccontextmanager
    async def loaded(app: Any) -> AsyncIterator[None]:
        """By itself the app answers 503 while it loads; requests shall go to other replicas meanwhile."""
        async with start(app):
            repository = app.state.service.repository
            while not repository.ready:
                await asyncio.sleep(0.05)
            if not repository.models:
                raise ServeError(f"{folder}: none of its generators can be served")
            yield

    made.router.lifespan_context = loaded
    return made
