"""What a browser asks for: the page for people with its files, the API in plain HTML, the metrics.

Scripts and styles come from this server alone, none stands inside a page, and nothing is fetched from elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zoo.serve import openapi
from zoo.serve.service import service

PAGE = Path(__file__).with_name("page")
# WebAssembly needs its own word; pictures that scripts made are blobs; workers of ONNX Runtime Web are blobs too.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' blob:; "
    "img-src 'self' blob: data:; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",  # with the next one: threads for WebAssembly
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}

router = APIRouter()


class Headers:
    """ASGI middleware: every answer says what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def extended(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._extra]}
            await send(message)

        await self._app(scope, receive, extended if scope["type"] == "http" else send)


@router.get("/", include_in_schema=False)
async def home() -> Response:
    """The page, or the API where the page is not installed."""
    index = PAGE / "index.html"
    return FileResponse(index) if index.is_file() else RedirectResponse("docs")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The API for people."""
    return HTMLResponse(openapi.page(request.app.openapi()))


@router.get("/metrics", response_class=Response, responses=openapi.content("text/plain", description="Prometheus"))
async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    running = service(request)
    running.metrics.models.set(len(running.repository.models))
    return Response(running.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
