"""Load test of `zoo serve`: images per second of many clients, and of ONNX Runtime called directly in the best way.

Both take turns in one run, as the speed of a machine changes from hour to hour. The clients run on the machine that
they measure and need some of its time, which can only make the ratio smaller.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import zoo
from zoo.core.errors import ServeError
from zoo.runtime.generator import Generator
from zoo.serve.protocol import DATATYPES, LENGTH_HEADER
from zoo.serve.settings import Settings
from zoo.serve.warm_up import noise

BATCHES = (8, 16, 32, 64, 128, 256)
SETTLE = 0.1  # share of each turn of the clients before counting begins


@dataclass(frozen=True)
class Direct:
    """A way to call ONNX Runtime: `callers` threads, each with batches of `batch` on `threads` cores (None: all)."""

    batch: int
    callers: int
    threads: int | None

    def __str__(self) -> str:
        cores = f"{self.threads} core{'s' * (self.threads > 1)} each" if self.threads else "all cores"
        return f"batches of {self.batch}, {self.callers} caller{'s' * (self.callers > 1)}, {cores}"


@dataclass
class Tally:
    """Results of the clients."""

    images: int = 0  # received before the end of the turn
    errors: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds, of requests sent before the end of the turn

    def text(self, clients: int, images: int) -> str:
        p50, p99 = (1e3 * float(np.percentile(self.latencies or [np.nan], p)) for p in (50, 99))
        return (
            f"{clients} clients, {images} images a request: {self.images / self.seconds:,.0f} images/s, "
            f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, {self.images // images:,} requests, {self.errors} errors"
        )


def compare(
    artifact: Path, *, clients: int = 200, images: int = 16, seconds: float = 60, rounds: int = 6
) -> Iterator[str]:
    """Measure an artifact and yield lines to print.

    Args:
        artifact: The folder of one exported generator.
        clients: Connections that send requests at the same time.
        images: Rows of each request.
        seconds: How long the clients send requests, in all turns together.
        rounds: Turns of the clients, and of the direct calls.

    Yields:
        One line for each result.

    Raises:
        ServeError: The artifact cannot be loaded, or the server does not start.
    """
    generators = {threads: zoo.load(artifact, threads=threads) for threads in (1, None)}
    ways = [Direct(batch, *how) for batch in BATCHES for how in ((1, None), (Settings().workers, 1))]
    turn = seconds / rounds
    tried = {way: _direct(generators[way.threads], way, max(0.2, turn / 10)) for way in ways}
    best = max(ways, key=lambda way: tried[way])
    yield f"directly: {best}"
    request, small = http_request(generators[1], images), http_request(generators[1], 1)
    rates, served = [], Tally()
    with _server(artifact) as port:
        for _ in range(rounds):
            rates.append(_direct(generators[best.threads], best, turn / 2))
            asyncio.run(run_clients(port, request, served, clients=clients, images=images, seconds=turn))
        direct = statistics.median(rates)
        yield f"directly: {direct:,.0f} images/s of {generators[1].name}"
        yield f"served: {served.text(clients, images)}"
        yield f"ratio: {served.images / served.seconds / direct:.2f}"
        for what, large in _large(generators[1]).items():
            yield f"beside {what}: {asyncio.run(_beside(port, large, small))}"


def _direct(generator: Generator, way: Direct, seconds: float) -> float:
    """Return images per second of one way to call ONNX Runtime."""
    feed = noise(generator, way.batch)
    start = time.perf_counter()

    def call(_: int) -> int:
        images = 0
        while time.perf_counter() - start < seconds:
            generator(**feed)
            images += way.batch
        return images

    with ThreadPoolExecutor(way.callers) as pool:
        return sum(pool.map(call, range(way.callers))) / (time.perf_counter() - start)


@contextmanager
def _server(artifact: Path) -> Iterator[int]:
    """Run `zoo serve` in a process of its own. Yields its port."""
    command = [sys.executable, "-m", "zoo.cli", "serve", str(artifact), "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise ServeError(f"the server did not start: exit code {process.wait()}")
        yield int(first.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


def _large(generator: Generator) -> dict[str, bytes]:
    """Return requests that could hold up others: as many images as are allowed, up to 20,000; and 5 MB of JSON."""
    row = sum(array.nbytes for array in noise(generator, 1).values())
    rows = min(20_000, Settings().max_rows, Settings().max_body_bytes * 9 // 10 // row)
    lines = max(1, 5_000_000 // (5 * row))  # about 20 characters for 4 bytes
    text = http_request(generator, lines, binary=False)
    return {f"{rows:,} images": http_request(generator, rows), f"{len(text) / 1e6:.1f} MB of JSON": text}


def http_request(generator: Generator, images: int, *, binary: bool = True) -> bytes:
    """Return a whole HTTP request, with tensors as binary data or as JSON. Its answer is binary."""
    feed = noise(generator, images)
    inputs = [
        {"name": name, "shape": array.shape, "datatype": DATATYPES[array.dtype.name]}
        | ({"parameters": {"binary_data_size": array.nbytes}} if binary else {"data": array.reshape(-1).tolist()})
        for name, array in feed.items()
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = head + (b"".join(array.tobytes() for array in feed.values()) if binary else b"")
    lines = (
        f"POST /v2/models/{generator.name}/infer HTTP/1.1", "Host: localhost", f"{LENGTH_HEADER}: {len(head)}",
        f"Content-Length: {len(body)}",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def run_clients(port: int, request: bytes, tally: Tally, *, clients: int, images: int, seconds: float) -> None:
    """Let `clients` connections ask, wait, and ask again for `seconds`; then wait for the last answers."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + SETTLE * seconds
    end = begin + seconds
    made = [
        await loop.create_connection(lambda: _Client(request, tally, images, begin, end), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    tally.seconds += seconds


async def _beside(port: int, large: bytes, small: bytes) -> str:
    """Measure how long a client with small requests, one after another, waits at most while a large one is answered."""
    loop, tally, other = asyncio.get_running_loop(), Tally(), Tally()
    start = loop.time()
    _, client = await loop.create_connection(lambda: _Client(small, tally, 1, start, float("inf")), "127.0.0.1", port)
    _, single = await loop.create_connection(lambda: _Client(large, other, 1, start, 0.0), "127.0.0.1", port)
    single.ask()
    await single.done
    seconds = loop.time() - start
    client.stop()
    await client.done
    slowest = f"the slowest of {len(tally.latencies):,} small requests waited {1e3 * max(tally.latencies):,.0f} ms"
    return f"{slowest}, the large one {seconds:.1f} s, {tally.errors + other.errors} errors"


class _Client(asyncio.Protocol):
    """One client: counts images received between `begin` and `end`, and the latencies of requests sent then."""

    def __init__(self, request: bytes, tally: Tally, images: int, begin: float, end: float) -> None:
        self._request, self._tally, self._images, self._begin, self._end = request, tally, images, begin, end
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._head, self._missing_bytes, self._succeeded, self._waiting = b"", 0, False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._loop.time() < self._end:
            self.ask()

    def ask(self) -> None:
        """Send the request once more."""
        self._asked, self._waiting = self._loop.time(), True
        self._transport.write(self._request)

    def stop(self) -> None:
        """Send no more requests after the next answer."""
        self._end = self._loop.time()

    def data_received(self, data: bytes) -> None:
        if self._missing_bytes:
            self._missing_bytes -= len(data)
        else:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._succeeded = head.startswith(b"HTTP/1.1 200 ")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self._missing_bytes, self._head = int(length.partition(b":")[2]) - len(rest), b""
        if not self._missing_bytes:
            now, self._waiting = self._loop.time(), False
            self._count(now)
            if now < self._end:
                self.ask()
            else:
                self._transport.close()

    def _count(self, now: float) -> None:
        if not self._succeeded:
            self._tally.errors += 1
            return
        if self._begin <= now < self._end:
            self._tally.images += self._images
        if self._begin <= self._asked < self._end:  # also answers after the end: a wait may be as long as the turn
            self._tally.latencies.append(now - self._asked)

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None or self._waiting:  # the server closed without an answer
            self._tally.errors += 1
        if not self.done.done():
            self.done.set_result(None)
