"""`create_app(folder)`: the ASGI application, for uvicorn, Ray Serve and every other server that speaks ASGI.

Nothing is loaded before the application starts, and then while it answers already; /v2/health/ready says when all is
there. Applications with routers cannot be pickled: for Ray Serve, `serve.ingress` takes a function that makes one.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

import zoo
from zoo.core.errors import ZooError
from zoo.serve import routes_pages, routes_pictures, routes_v2
from zoo.serve.errors import RefusedError, error_line
from zoo.serve.middleware import Access, Bodies, answer
from zoo.serve.protocol import LENGTH_HEADER
from zoo.serve.routes_pages import ERRORS
from zoo.serve.service import running
from zoo.serve.settings import Settings

ABOUT = "Generative adversarial networks: the Open Inference Protocol v2 for programs, pictures for people."


def create_app(folder: Path, settings: Settings | None = None) -> FastAPI:
    """The application that serves every artifact in `folder`, or the one that `folder` is."""
    settings = settings or Settings()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(Path(folder), settings) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="gan-zoo", version=zoo.__version__, description=ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan,
        responses=ERRORS,
    )  # fmt: skip
    for router in (routes_v2.router, routes_pictures.router, routes_pages.router):
        app.include_router(router)
    if routes_pages.PAGE.is_dir():
        app.mount("/page", StaticFiles(directory=routes_pages.PAGE))
    app.add_exception_handler(ZooError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_middleware(Bodies)  # each one stands around those before it
    app.add_middleware(routes_pages.Headers)
    app.add_middleware(Access, api_key=settings.api_key)
    if settings.origin:  # outermost: the question that a browser asks first carries no key
        app.add_middleware(
            CORSMiddleware, allow_origins=[settings.origin], allow_headers=["*"], allow_methods=["GET", "POST"],
            expose_headers=[LENGTH_HEADER, "ETag", "Retry-After"],
        )  # fmt: skip
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """A refusal, or what the runtime says of a wrong label or size. What ONNX Runtime says of itself stays inside."""
    if isinstance(error, RefusedError):
        return answer(error)
    if not isinstance(error.__cause__, ValueError | TypeError | None):
        raise error
    return answer(RefusedError(str(error)))


async def _plain(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such path, no such method, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    texts = {404: "there is no such page: GET /docs lists what there is", 405: "this path has no such method"}
    response = answer(RefusedError(texts.get(error.status_code, str(error.detail)), error.status_code))
    response.headers.update(error.headers or {})
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    """A query that is not what the route takes."""
    assert isinstance(error, RequestValidationError)
    return answer(RefusedError(error_line(error.errors()), 422))
