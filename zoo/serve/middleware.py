"""ASGI middleware around the routes: the API key, the access log, headers for browsers, limits of bodies and answers.

`Access` is the outermost layer: it checks the key, logs and counts every request, and answers 500 to whatever breaks.
`SecurityHeaders` allows a page scripts and styles of this server alone, and none inside its HTML.
`BodyLimits` reads each body whole, in time and within its limits, or answers the request itself. It sends large
answers in pieces, each of which the client must take in time: a client that reads slowly holds memory only so long.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
import zlib
from collections.abc import AsyncIterator, Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zoo.serve.errors import CLIENT_LEFT, RefusedError, short_repr
from zoo.serve.service import current_service
from zoo.serve.settings import Settings

LOG = logging.getLogger("zoo.serve")
ACCESS = logging.getLogger("zoo.serve.access")
OPEN = ("/", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json")  # need no key; nor does /page/
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PIECE_BYTES = 2**18
WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}

# WebAssembly needs 'wasm-unsafe-eval'; pictures drawn by scripts and the workers of ONNX Runtime Web are blobs.
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


def error_response(refusal: RefusedError) -> JSONResponse:
    """Return the HTTP response to a refused request."""
    headers = {503: {"Retry-After": "1"}, 408: {"Connection": "close"}}  # seconds
    return JSONResponse({"error": str(refusal)}, refusal.status, headers.get(refusal.status))


class Access:
    """ASGI middleware: API key, access log, metrics, and a 500 without details for every unexpected error."""

    def __init__(self, app: ASGIApp, *, api_key: str) -> None:
        self._app, self._key = app, api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, size, start = 0, 0, time.perf_counter()

        async def counted(message: Message) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        try:
            if self._allowed(scope):
                await self._app(scope, receive, counted)
            else:
                line = "this server requires a key: send the header Authorization: Bearer KEY"
                response = error_response(RefusedError(line, 401))
                response.headers["WWW-Authenticate"] = "Bearer"
                await response(scope, receive, counted)
        except TimeoutError:  # the client did not take the answer; the server closes what is left of the connection
            status = CLIENT_LEFT
        except Exception:
            LOG.exception("%s: the request failed", _printable_path(scope))
            if not status:
                response = error_response(RefusedError("the server failed: its log has the reason", 500))
                await response(scope, receive, counted)
        finally:
            self._record(scope, status or CLIENT_LEFT, size, time.perf_counter() - start)

    def _allowed(self, scope: Scope) -> bool:
        path = scope["path"]
        if not self._key or path in OPEN or path.startswith("/page/"):
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, key = given.partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(_digest(key.strip()), _digest(self._key.encode()))

    def _record(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in METHODS else "other"
        if service := current_service(scope["app"]):
            service.metrics.answered(method, route, status, seconds)
        client = (scope.get("client") or ("-",))[0]
        ACCESS.info('%s "%s %s" %d %d %.1fms', client, method, _printable_path(scope), status, size, seconds * 1e3)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()  # of equal length: the time of the comparison reveals nothing


def _printable_path(scope: Scope) -> str:
    """Return the path as it was sent, still encoded: no character of it can end a line of the log."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    return ascii(raw[:200].decode("latin-1"))[1:-1]


class SecurityHeaders:
    """ASGI middleware: adds the headers that limit what a browser may do with an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def extended(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._extra]}
            await send(message)

        await self._app(scope, receive, extended if scope["type"] == "http" else send)


class BodyLimits:
    """ASGI middleware: reads the body before the app runs, and holds a request slot and its memory meanwhile."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = current_service(scope["app"]) if scope["type"] == "http" else None
        if service is None:
            await self._app(scope, receive, send)
            return
        timed_send = _in_pieces(send, service.settings.send_seconds)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, timed_send)
            return
        with service.memory_budget() as reserve:
            try:
                body = await _read_body(scope, receive, service.settings, reserve)
                with service.request_slot():
                    scope["zoo.reserve"] = reserve
                    await self._app(scope, _replay(body, receive), timed_send)
            except RefusedError as refusal:
                await error_response(refusal)(scope, receive, send)


async def _read_body(scope: Scope, receive: Receive, settings: Settings, reserve: Callable[[int], None]) -> bytes:
    """Return the whole body, unpacked. Raises RefusedError."""
    headers = dict(scope["headers"])
    limit, stated = settings.max_body_bytes, headers.get(b"content-length", b"0")
    if stated.isdigit() and int(stated) > limit:
        raise _too_large(limit)  # before a byte of it is read
    encoding = headers.get(b"content-encoding", b"identity").strip().lower().decode("latin-1")
    if encoding not in ("identity", *WINDOW_BITS):
        raise RefusedError(f"Content-Encoding must be gzip, deflate or identity, received {short_repr(encoding)}", 415)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in _chunks(receive):
                reserve(len(chunk))
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError as error:
        raise RefusedError(f"the body did not arrive within {settings.body_seconds:g} seconds", 408) from error
    if encoding == "identity" or not body:
        return bytes(body)
    reserve(limit)
    return await asyncio.to_thread(_unpacked, bytes(body), encoding, limit)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError("the client has left", CLIENT_LEFT)
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Unpack at most one byte more than `limit`, so that a bomb is never unpacked. Raises RefusedError."""
    state = zlib.decompressobj(WINDOW_BITS[encoding])
    try:
        unpacked = state.decompress(body, limit + 1)
    except zlib.error as error:
        raise RefusedError(f"the body is not {encoding}, which its Content-Encoding states") from error
    if len(unpacked) > limit:
        raise _too_large(limit)
    if not state.eof or state.unused_data:
        raise RefusedError(f"the {encoding} body ends too early, or has bytes after its end")
    return unpacked


def _too_large(limit: int) -> RefusedError:
    return RefusedError(f"the body may have at most {limit:,} bytes, also after unpacking", 413)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the app the body read before, and then what comes from the network."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


def _in_pieces(send: Send, seconds: float) -> Send:
    """Return a `send` that cuts large bodies into pieces and raises TimeoutError after `seconds` for one of them."""

    async def send_pieces(message: Message) -> None:
        body = message.get("body", b"")
        if len(body) <= PIECE_BYTES:
            await send(message)
            return
        for start in range(0, len(body), PIECE_BYTES):
            more = message.get("more_body", False) or start + PIECE_BYTES < len(body)
            async with asyncio.timeout(seconds):
                await send({**message, "body": bytes(body[start : start + PIECE_BYTES]), "more_body": more})

    return send_pieces
