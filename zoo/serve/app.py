"""`create_app(folder)`: the ASGI application, for uvicorn, Ray Serve and every other server that speaks ASGI."""

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
from zoo.serve.errors import RefusedError, error_line, short_repr
from zoo.serve.middleware import Access, BodyLimits, SecurityHeaders, error_response
from zoo.serve.protocol import LENGTH_HEADER
from zoo.serve.service import run_service
from zoo.serve.settings import Settings

ABOUT = "Generative adversarial networks: the Open Inference Protocol v2 for programs, pictures for people."


def create_app(folder: Path, settings: Settings | None = None) -> FastAPI:
    """Return the ASGI application that serves the exported generators of a folder.

    Nothing is loaded here. When the application starts it loads the models in the background, and answers 503 to
    requests for them until then; GET /v2/health/ready reports when all are loaded. Changes of the folder are followed.
    An application cannot be pickled: for Ray Serve, give `serve.ingress` a function that makes one.

    Args:
        folder: A folder of artifacts, or a single artifact. It must exist when the application starts.
        settings: Limits, timeouts and the API key. None: the defaults of `Settings`.

    Returns:
        The application. Its start raises ServeError where `folder` is not a folder.

    Example:
        >>> app = create_app(Path("exported"), Settings(max_batch=32))
        >>> uvicorn.run(app, port=8000)
    """
    settings = settings or Settings()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with run_service(Path(folder), settings) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="gan-zoo", version=zoo.__version__, description=ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan,
        responses=routes_pages.ERRORS,
    )  # fmt: skip
    for router in (routes_v2.router, routes_pictures.router, routes_pages.router):
        app.include_router(router)
    if routes_pages.PAGE.is_dir():
        app.mount("/page", StaticFiles(directory=routes_pages.PAGE))
    app.add_exception_handler(ZooError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(BodyLimits)  # each one wraps those before it
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Access, api_key=settings.api_key)
    if settings.origin:  # outermost: a browser sends its preflight request without a key
        app.add_middleware(
            CORSMiddleware, allow_origins=[settings.origin], allow_headers=["*"], allow_methods=["GET", "POST"],
            expose_headers=[LENGTH_HEADER, "ETag", "Retry-After"],
        )  # fmt: skip
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a refusal, or the runtime's error about a wrong label or size. Errors of ONNX Runtime stay inside."""
    if isinstance(error, RefusedError):
        return error_response(error)
    if not isinstance(error.__cause__, ValueError | TypeError | None):
        raise error
    return error_response(RefusedError(str(error)))


async def _invalid(request: Request, error: Exception) -> Response:
    """Answer a query that the route does not take."""
    assert isinstance(error, RequestValidationError)
    return error_response(RefusedError(error_line(error.errors()), 422))


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer an error of the framework itself: no such path, no such method."""
    assert isinstance(error, HTTPException)
    headers = error.headers or {}
    text = str(error.detail)
    if error.status_code == 404:
        text = "there is no such page: GET /docs lists all routes"
    elif error.status_code == 405:
        allowed = f": use {headers['Allow']}" if "Allow" in headers else ""
        text = f"this path does not take the method {short_repr(request.method)}{allowed}"
    response = error_response(RefusedError(text, error.status_code))
    response.headers.update(headers)
    return response
