"""The load test counts right; how fast this machine is does not matter."""

import asyncio
import re

import pytest
from live import Live

import zoo
from zoo.cli import main
from zoo.serve import benchmark
from zoo.serve.settings import Settings


def test_the_command(folder, capsys):
    assert main(["bench", "--serve", str(folder / "tiny"), "--clients", "5", "--seconds", "1", "--images", "3"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("directly: batches of") and len(out) == 6
    assert re.fullmatch(r"directly: [\d,]+ images/s of tiny", out[1])
    number = r"([\d,]+)"
    line = (
        f"served: 5 clients, 3 images a request: {number} images/s, p50 {number} ms, p99 {number} ms, {number} requests"
    )
    served = re.fullmatch(f"{line}, 0 errors", out[2])
    images, p50, p99, requests = (int(text.replace(",", "")) for text in served.groups())
    assert requests > 0 and images == pytest.approx(3 * requests, abs=1) and p50 <= p99
    assert re.fullmatch(r"ratio: \d+\.\d\d", out[3])
    assert re.fullmatch(r"beside 20,000 images: the slowest of [\d,]+ small requests .* s, 0 errors", out[4])
    assert re.fullmatch(r"beside [\d.]+ MB of JSON: the slowest of [\d,]+ small requests .* s, 0 errors", out[5])


def test_refusals_are_errors(folder):
    """Requests for a model that is not there: each is counted, none as images."""
    with Live(folder / "tiny", Settings(workers=1)) as server:
        request = benchmark.http_request(zoo.load(folder / "tiny"), 2).replace(b"/tiny/", b"/tinx/")
        tally = benchmark.Tally()
        asyncio.run(benchmark.run_clients(server.port, request, tally, clients=3, images=2, seconds=0.2))
    assert tally.images == 0 and tally.errors >= 3 and not tally.latencies and tally.seconds == 0.2


def test_a_server_that_goes_away_is_an_error(folder):
    tally = benchmark.Tally()

    async def main():
        async def rude(reader, writer):
            await reader.read(10)
            writer.close()

        server = await asyncio.start_server(rude, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await benchmark.run_clients(port, b"x" * 20, tally, clients=4, images=1, seconds=5)

    asyncio.run(main())
    assert tally.errors == 4 and tally.images == 0


def test_a_wait_counts_that_is_longer_than_the_turn():
    """Otherwise only the short waits of the beginning, when the queue is empty, would count."""
    tally = benchmark.Tally()

    async def main():
        async def slow(reader, writer):
            while await reader.read(100):
                await asyncio.sleep(0.3)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

        async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await benchmark.run_clients(port, b"ask", tally, clients=3, images=2, seconds=0.4)

    asyncio.run(main())
    assert tally.images == 6 and tally.errors == 0  # the answers after 0.3 s; those after 0.6 s are too late
    assert len(tally.latencies) == 3 and min(tally.latencies) >= 0.29  # asked at 0.3 s; what began at 0 is not counted


@pytest.mark.parametrize("arguments", [[], ["dcgan", "--serve", "exported/dcgan"]])
def test_a_spec_or_an_artifact(arguments, capsys):
    assert main(["bench", *arguments]) == 2
    assert "name a spec" in capsys.readouterr().err
