"""The outermost layer: who may ask, one line in the log for each request, counters, and an answer whatever breaks."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zoo.serve.bodies import answer
from zoo.serve.refusal import RefusedError
from zoo.serve.service import CLIENT_LEFT, Service

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
