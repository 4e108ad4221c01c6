"""Between the network and the app: a body arrives whole, in time, within the limits, or its request is answered here.

Large answers leave in pieces, each of which the client must take in time: one that reads slowly holds memory only so
long.

The outermost layer: who may ask, one line in the log for each request, counters, and an answer whatever breaks.
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

from zoo.serve.errors import RefusedError
from zoo.serve.service import CLIENT_LEFT, Service
from zoo.serve.settings import Settings

PIECE = 2**18
WINDOW_BITS = {b"gzip": zlib.MAX_WBITS | 16, b"x-gzip": zlib.MAX_WBITS | 16, b"deflate": zlib.MAX_WBITS}


def answer(refusal: RefusedError) -> JSONResponse:
    """The response that a refusal becomes."""
    headers = {}
    if refusal.retry_seconds is not None:
        headers["Retry-After"] = str(max(1, round(refusal.retry_seconds)))
    if refusal.status == 408:
        headers["Connection"] = "close"
    return JSONResponse({"error": str(refusal)}, refusal.status, headers)


class Bodies:
    """ASGI middleware: reads the body before the app runs, and gives the request one of the places under way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service: Service | None = getattr(scope["app"].state, "service", None) if scope["type"] == "http" else None
        if service is None:
            await self._app(scope, receive, send)
            return
        patient = _patient(send, service.settings.send_seconds)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, patient)
            return
        with service.memory() as take:
            try:
                body = await _body(scope, receive, service.settings, take)
                with service.place():
                    scope["zoo.take"] = take
                    await self._app(scope, _replay(body, receive), patient)
            except RefusedError as refusal:
                await answer(refusal)(scope, receive, send)


async def _body(scope: Scope, receive: Receive, settings: Settings, take: Callable[[int], None]) -> bytes:
    """The whole body, unpacked. Raises RefusedError."""
    headers = dict(scope["headers"])
    limit, stated = settings.max_body_bytes, headers.get(b"content-length", b"0")
    if stated.isdigit() and int(stated) > limit:
        raise _too_large(limit)  # before a byte of it is read
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", *WINDOW_BITS):
        raise RefusedError("Content-Encoding must be gzip, deflate or identity", 415)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for piece in _pieces(receive):
                take(len(piece))
                body += piece
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError as error:
        raise RefusedError(f"the body did not arrive within {settings.body_seconds:g} seconds", 408) from error
    if encoding == b"identity" or not body:
        return bytes(body)
    take(limit)
    return await asyncio.to_thread(_unpacked, bytes(body), WINDOW_BITS[encoding], limit)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError("the client has left", CLIENT_LEFT)
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _unpacked(body: bytes, window_bits: int, limit: int) -> bytes:
    """A bomb is noticed one byte above the limit. Raises RefusedError."""
    state = zlib.decompressobj(window_bits)
    try:
        unpacked = state.decompress(body, limit + 1)
    except zlib.error as error:
        raise RefusedError("the body is not what its Content-Encoding says") from error
    if len(unpacked) > limit:
        raise _too_large(limit)
    if not state.eof or state.unused_data:
        raise RefusedError("the compressed body ends too early, or something follows it")
    return unpacked


def _too_large(limit: int) -> RefusedError:
    return RefusedError(f"the body may have at most {limit:,} bytes, also when unpacked", 413)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` for an app that has not seen the body, which is here; what follows it comes from the network."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _patient(send: Send, seconds: float) -> Send:
    """`send` that cuts large bodies into pieces and gives the client `seconds` to take each."""

    async def pieces(message: Message) -> None:
        body = message.get("body", b"")
        if len(body) <= PIECE:
            await send(message)
            return
        for start in range(0, len(body), PIECE):
            more = message.get("more_body", False) or start + PIECE < len(body)
            async with asyncio.timeout(seconds):
                await send({**message, "body": bytes(body[start : start + PIECE]), "more_body": more})

    return pieces


LOG = logging.getLogger("zoo.serve")
ACCESS = logging.getLogger("zoo.serve.access")
OPEN = ("/", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json")  # that need no key, and /page/


class Access:
    """ASGI middleware. A request that fails in a way that nobody thought of gets a 500 without a word of why."""

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
            if self._may(scope):
                await self._app(scope, receive, counted)
            else:
                refusal = answer(RefusedError("this server wants a key: the header Authorization: Bearer KEY", 401))
                refusal.headers["WWW-Authenticate"] = "Bearer"
                await refusal(scope, receive, counted)
        except TimeoutError:  # the client did not take the answer; the server closes what is left of the connection
            status = CLIENT_LEFT
        except Exception:
            LOG.exception("%s failed", _path(scope))
            if not status:
                await answer(RefusedError("the server failed; its log says why", 500))(scope, receive, counted)
        finally:
            self._tell(scope, status or CLIENT_LEFT, size, time.perf_counter() - start)

    def _may(self, scope: Scope) -> bool:
        path = scope["path"]
        if not self._key or path in OPEN or path.startswith("/page/"):
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, key = given.partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(_digest(key.strip()), _digest(self._key.encode()))

    def _tell(self, scope: Scope, status: int, size: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        service: Service | None = getattr(scope["app"].state, "service", None)
        if service is not None:
            service.metrics.answered(_method(scope), route, status, seconds)
        client = (scope.get("client") or ("-",))[0]
        ACCESS.info('%s "%s %s" %d %d %.1fms', client, _method(scope), _path(scope), status, size, seconds * 1e3)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()  # of one length: the time of the comparison says nothing


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _path(scope: Scope) -> str:
    """As it came over the wire, still encoded: no character of it can end the line."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    return ascii(raw[:200].decode("latin-1"))[1:-1]
