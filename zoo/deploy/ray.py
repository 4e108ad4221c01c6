"""The server of `zoo serve` under Ray Serve: the same app in many replicas, which Ray starts, counts and replaces.

`zoo deploy ray` writes the config file that `text` returns. It names `build`, which `serve run FILE` (or `serve deploy
FILE`) calls; every replica then makes its own `replica_app`. Ray is imported here and nowhere else, and the server only
in a replica: the config file is written without either.
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
from zoo.runtime.load import find_networks

if TYPE_CHECKING:
    from ray.serve import Application

MAX_ONGOING = 64  # requests in one replica: a full batch, so that the app's own batching has requests to join


@dataclass(frozen=True)
class Options:
    """Options of the deployment: more requests start more replicas, within the limits; each has `cpus` cores."""

    min_replicas: int = 1
    max_replicas: int = 8
    cpus: int = 1
    gpu: bool = False
    host: str = "127.0.0.1"
    port: int = 8000


def text(folder: str | os.PathLike[str], options: Options) -> str:
    """Return the YAML of a config file for Ray Serve.

    Args:
        folder: A folder of artifacts, or a single one, at the same path on every machine; its networks are verified.
        options: Options of the deployment.

    Returns:
        The file, with what every machine needs as a comment at its top.

    Raises:
        ServeError: There is no network, or one that cannot be trusted or served.
    """
    import yaml

    find_networks(folder)
    place = str(Path(folder).resolve())
    head = f"# serve run THIS_FILE; every machine of the cluster needs gan-zoo{extras(options)} and {place}\n"
    return head + yaml.safe_dump(_config(place, options), sort_keys=False, allow_unicode=True)


def extras(options: Options) -> str:
    """Return the extras of gan-zoo that every machine of the cluster needs.

    Args:
        options: Options of the deployment.

    Returns:
        Such as "[cpu,serve,ray]", to be put behind `gan-zoo`.
    """
    return f"[{'gpu' if options.gpu else 'cpu'},serve,ray]"


def _config(place: str, options: Options) -> dict[str, Any]:
    replicas = {
        "name": "zoo",
        "max_ongoing_requests": MAX_ONGOING,
        "graceful_shutdown_timeout_s": 30,
        "autoscaling_config": {
            "min_replicas": options.min_replicas,
            "max_replicas": options.max_replicas,
            "target_ongoing_requests": MAX_ONGOING // 4,
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
    """Build the application of `args` in the config file, as Ray calls it; every replica makes an app of its own."""
    from ray import serve

    def app() -> Any:
        return replica_app(Path(args["folder"]), workers=args["cpus"], provider=args["provider"])

    return serve.deployment(serve.ingress(app)(), name="zoo").bind()


def replica_app(folder: Path, *, workers: int, provider: str) -> Any:
    """Make the ASGI app of one replica, which takes part once its models are loaded.

    Args:
        folder: The folder of artifacts.
        workers: Cores of this replica; the machine's others belong to other replicas.
        provider: "cpu" or "cuda".

    Returns:
        The app. Clients must send the key in the variable ZOO_API_KEY, where the cluster was started with one. Its
        start raises ServeError where no model can be served.
    """
    from zoo.serve.app import create_app
    from zoo.serve.settings import Settings

    settings = Settings(workers=workers, provider=provider, api_key=os.environ.get("ZOO_API_KEY", ""))
    app = create_app(folder, settings)
    start = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def loaded(app: Any) -> AsyncIterator[None]:
        """Wait for the models: until then the app would answer 503 to requests that other replicas can serve."""
        async with start(app):
            repository = app.state.service.repository
            while not repository.ready:
                await asyncio.sleep(0.05)
            if not repository.models:
                raise ServeError(f"{folder}: none of its generators can be served")
            yield

    app.router.lifespan_context = loaded
    return app
