"""Connections that do not wait for ever: uvicorn itself bounds neither the time nor the size of headers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from zoo.serve.settings import Settings

LARGEST_HEAD = 2**16  # bytes of one request line with its headers
_FULL = json.dumps({"error": "too many connections: try again in a moment"})
FULL = (
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    f"content-length: {len(_FULL)}\r\n\r\n{_FULL}"
).encode()


def patient(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for `settings`: whichever uvicorn would take, httptools where it is installed or else h11."""

    class Patient(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._seen: Any = None
            self._head = 0
            self._clock = self.loop.call_later(settings.header_seconds, self._look)
            if len(self.connections) > settings.max_connections:
                transport.write(FULL)
                transport.close()

        def connection_lost(self, error: Exception | None) -> None:
            self._clock.cancel()
            super().connection_lost(error)

        def data_received(self, data: bytes) -> None:
            before, idle = self.cycle, self._idle()
            super().data_received(data)
            self._head = self._head + len(data) if idle and self.cycle is before else 0
            if self._head > LARGEST_HEAD:
                self.transport.abort()

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _look(self) -> None:
            """End what waits for its client and got nothing from it between two looks: a request, or room to write."""
            waits = self._idle() or self.transport.is_closing()
            state = (waits, self.cycle, self.transport.get_write_buffer_size())
            if waits and state == self._seen:
                self.transport.abort()
                return
            self._seen = state
            self._clock = self.loop.call_later(settings.header_seconds, self._look)

    return Patient
