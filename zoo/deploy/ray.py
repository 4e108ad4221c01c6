"""The server's app as one of many replicas: it takes part when its models are loaded, not before.

The server of `zoo serve` under Ray Serve: the same app in many replicas, which Ray starts, counts and replaces.

`zoo deploy ray` writes the config file that names `build`; `serve run FILE` (or `serve deploy FILE`) calls it. Ray is
imported here and nowhere else, and only when that happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.core.errors import ServeError
from zoo.deploy.notation import yaml
from zoo.runtime.load import find_networks
from zoo.serve.app import create_app
from zoo.serve.settings import Settings

if TYPE_CHECKING:
    from ray.serve import Application


def replica_app(folder: Path, *, workers: int, provider: str) -> Any:
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


UNDER_WAY = 64  # requests that one replica works on; a full batch, so that the app's own batching has what to join


@dataclass(frozen=True)
class Options:
    """How many replicas, from `min_replicas` up as requests come; each owns `cpus` cores."""

    min_replicas: int = 1
    max_replicas: int = 8
    cpus: int = 1
    gpu: bool = False
    host: str = "127.0.0.1"
    port: int = 8000


def text(folder: str | os.PathLike[str], options: Options) -> str:
    """The config file, YAML. `folder` must be at the same path on every machine. Raises ServeError."""
    find_networks(folder)
    place = str(Path(folder).resolve())
    head = f"# serve run THIS_FILE; every machine of the cluster needs gan-zoo{extras(options)} and {place}\n"
    return head + yaml(_config(place, options))


def extras(options: Options) -> str:
    """What pip installs beside gan-zoo itself, on every machine of the cluster."""
    return f"[{'gpu' if options.gpu else 'cpu'},serve,ray]"


def _config(place: str, options: Options) -> dict[str, Any]:
    replicas = {
        "name": "zoo",
        "max_ongoing_requests": UNDER_WAY,
        "graceful_shutdown_timeout_s": 30,
        "autoscaling_config": {
            "min_replicas": options.min_replicas,
            "max_replicas": options.max_replicas,
            "target_ongoing_requests": UNDER_WAY // 4,
        },
        "ray_actor_options": {"num_cpus": options.cpus, **({"num_gpus": 1} if options.gpu else {})},
    }
    application = {
        "name": "gan-zoo",
        "route_prefix": "/",
        "import_path": "zoo.deploy.ray:build",
        "args": {"folder": place, "cpus": options.cpus, "provider": "cuda" if options.gpu else "cpu"},
        "deployments": [replicas],
    }
    return {"http_options": {"host": options.host, "port": options.port}, "applications": [application]}


def build(args: Mapping[str, Any]) -> Application:
    """Ray's application builder: `args` of the config file -> the app, made anew in every replica."""
    from ray import serve

    def app() -> Any:

        return replica_app(Path(args["folder"]), workers=args["cpus"], provider=args["provider"])

    return serve.deployment(serve.ingress(app)(), name="zoo").bind()
