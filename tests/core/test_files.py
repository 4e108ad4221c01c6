"""Files are written whole or not at all, and hashed."""

import hashlib
import os

import pytest

from zoo.core.files import sha256_file, write_whole


def test_write_whole_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", b"old")

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}


def test_sha256_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()
