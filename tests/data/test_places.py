"""The places that files come from: one try for each way to an address, and what people see of a download."""

import socket
from pathlib import Path

import pytest

from zoo.core.progress import download_bar
from zoo.data import places


def test_only_one_address_of_each_family_is_tried(monkeypatch):
    def many(host, port, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", port)) for number in range(1, 9)]

    tried = []

    def refuse(address, timeout):
        tried.append(address)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", many)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(OSError, match="timed out"):
        places._download("https://example.invalid/x", Path("unused"), False)
    assert tried == [("127.0.0.1", 443)]


def test_the_bar_is_silent_unless_a_terminal_watches(capsys):
    with download_bar("toy", 10, True) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")
