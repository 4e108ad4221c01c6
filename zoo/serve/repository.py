"""What the server tells about a generator, and the files of its artifact that it hands out. JSON values only.

The served models: loaded from a folder of artifacts, warmed up, exchanged when the folder changes.

A model is immutable. A new version takes its place in one assignment, requests that hold the old one finish with it,
and it goes when the last of them does: no request is dropped. A broken new version changes nothing but the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zoo
from zoo.artifact.manifest import MANIFEST_FILE, Manifest, find_artifacts, read_manifests
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.runtime.generator import Generator
from zoo.serve import warm_up
from zoo.serve.batching import Batcher, Feed, Pace
from zoo.serve.settings import Settings


@dataclass(frozen=True)
class File:
    """Bytes as they were when the artifact was loaded, and the quoted hash that names them."""

    data: bytes
    media_type: str
    sha256: str

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'


def model_card(manifest: Manifest, files: Mapping[str, File]) -> dict[str, Any]:
    """One entry of GET /models."""
    keys, home = json.loads(manifest.to_json()), f"/models/{manifest.model}"
    model = files["model.onnx"]
    return {
        "name": manifest.model,
        "title": manifest.title,
        "kind": manifest.kind,
        "paper": manifest.paper,
        "licence": manifest.licence,
        "data": manifest.data,
        "parameters": manifest.weights.get("parameters"),
        "inputs": keys["inputs"],
        "outputs": keys["outputs"],
        "file": {"url": f"{home}/model.onnx", "bytes": len(model.data), "sha256": model.sha256},
        "samples": f"{home}/samples.png" if "samples.png" in files else None,
        "card": f"{home}/card" if "card" in files else None,
        "parity": manifest.parity.get("max_abs_difference"),
    }


LOG = logging.getLogger("zoo.serve")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # fits into a URL as it is
BESIDE = {"samples.png": ("samples.png", "image/png"), "card": ("README.md", "text/markdown; charset=utf-8")}
LARGEST = 32 * 2**20  # bytes of a file beside the model
SLOW_SLICES = 3  # a row of images that takes longer than so many slices leaves the quick lane
State = tuple[tuple[str, int, int, int], ...]  # of a folder: name, time, size and inode of every file


@dataclass
class Threads:
    """Where work runs while the event loop goes on listening. Large images do not stand in the way of small work."""

    settings: Settings
    quick: ThreadPoolExecutor = field(init=False)
    slow: ThreadPoolExecutor = field(init=False)
    chores: ThreadPoolExecutor = field(init=False)  # whole samples, walks and translations, pictures, long JSON

    def __post_init__(self) -> None:
        self.quick = ThreadPoolExecutor(self.settings.workers, "quick")
        self.slow = ThreadPoolExecutor(1, "slow")
        self.chores = ThreadPoolExecutor(max(2, self.settings.workers), "chores")

    def close(self) -> None:
        """Let go of the threads; what they still compute ends by itself."""
        for pool in (self.quick, self.slow, self.chores):
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class Model:
    """One network, ready to answer."""

    manifest: Manifest
    generator: Generator
    files: Mapping[str, File]
    card: Mapping[str, Any]
    quick: Batcher
    slow: Batcher
    slow_seconds: float

    async def infer(self, feed: Feed) -> Array:
        """The raw output for checked inputs, batched with what others ask for."""
        numbers = sum(array.size // len(array) for array in feed.values())
        lane = self.slow if self.quick.pace.seconds(numbers) > self.slow_seconds else self.quick
        return await lane(feed)


def load_models(folder: Path, settings: Settings, threads: Threads, observe: Callable[[str, int], None]) -> list[Model]:
    """Every network of an artifact, warmed up. Raises ServeError, for one of them as for all."""
    return [_load(folder, manifest, settings, threads, observe) for manifest in read_manifests(folder)]


def _load(
    folder: Path, manifest: Manifest, settings: Settings, threads: Threads, observe: Callable[[str, int], None]
) -> Model:
    name = manifest.model
    if not NAME.fullmatch(name):
        raise ServeError(f"{folder}: the name {name!r} does not fit into a URL")
    network = Path(manifest.file).stem if manifest.network else None
    how: dict[str, Any] = {"precision": settings.precision, "provider": settings.provider, "threads": settings.threads}
    generator = zoo.load(folder, network=network, **how)
    files = _files(folder, generator.manifest)
    found = warm_up.examine(generator, settings)
    if found.least > 1:
        LOG.warning(
            "%s: requests of fewer than %d rows run by themselves: merged, they would differ", name, found.least
        )
    pace = Pace(found.seconds_per_number)

    def lane(pool: ThreadPoolExecutor, workers: int) -> Batcher:
        return Batcher(
            lambda feed: generator(**feed), pace, settings, pool, workers,
            most=found.most, least=found.least, observe=lambda rows: observe(name, rows),
        )  # fmt: skip

    quick, slow = lane(threads.quick, settings.workers), lane(threads.slow, 1)
    card = model_card(generator.manifest, files)
    return Model(generator.manifest, generator, files, card, quick, slow, SLOW_SLICES * settings.slice_seconds)


def _files(folder: Path, manifest: Manifest) -> dict[str, File]:
    """The .onnx file that was loaded, the samples and the model card."""
    files = {"model.onnx": _file(folder / manifest.file, "application/octet-stream")}
    for name, (beside, media_type) in BESIDE.items():
        path = folder / beside
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
            files[name] = _file(path, media_type)
    stated = {"model.onnx": manifest.files[manifest.file], "samples.png": manifest.files.get("samples.png")}
    for name, expected in stated.items():
        if name in files and files[name].sha256 != expected:
            raise ServeError(f"{folder}: the SHA-256 of {name} is not the one in {MANIFEST_FILE}")
    return files


def _file(path: Path, media_type: str) -> File:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ServeError(f"{path}: cannot be read: {error.strerror}") from error
    return File(data, media_type, hashlib.sha256(data).hexdigest())


class Repository:
    """The models of a folder by name, as they are now. `watch` keeps them so."""

    def __init__(self, folder: Path, settings: Settings, threads: Threads, observe: Callable[[str, int], None]) -> None:
        self.models: Mapping[str, Model] = {}
        self.ready = False  # once everything that was there at the start is loaded, or refused
        self._folder, self._settings, self._threads, self._observe = folder, settings, threads, observe
        self._served: dict[Path, list[Model]] = {}
        self._tried: dict[Path, State] = {}  # the state that was last loaded, or refused
        self._seen: dict[Path, State] = {}  # the state at the last look

    async def watch(self) -> None:
        """Load what is there, then follow every change, for ever."""
        await self.look(settled=True)
        self.ready = True
        while True:
            await asyncio.sleep(self._settings.reload_seconds)
            try:
                await self.look()
            except OSError as error:
                LOG.warning("the folder cannot be read: %s", error)

    async def look(self, *, settled: bool = False) -> None:
        """One look at the folder. A change counts once two looks agree on it: files are not written in one moment."""
        states = await asyncio.to_thread(_states, self._folder)
        for folder in [*self._tried]:
            if folder not in states and (settled or folder not in self._seen):
                LOG.info("%s: gone", folder.name)
                del self._tried[folder]
                self._served.pop(folder, None)
                self._publish()
        for folder, state in states.items():
            if self._tried.get(folder) != state and (settled or self._seen.get(folder) == state):
                self._tried[folder] = state
                await self._exchange(folder)
        self._seen = states

    async def _exchange(self, folder: Path) -> None:
        """Serve what stands in `folder` now, or keep what was served before."""
        try:
            loop = asyncio.get_running_loop()
            models = await loop.run_in_executor(
                None, load_models, folder, self._settings, self._threads, self._observe
            )  # not among the chores: a busy server reloads too
            taken = {name for other, served in self._served.items() if other != folder for name in map(_name, served)}
            if clash := taken & set(map(_name, models)):
                raise ServeError(f"{folder}: another folder serves {', '.join(sorted(clash))} already")
        except Exception as error:
            line = str(error) if isinstance(error, ServeError) else f"{folder}: {type(error).__name__}: {error}"
            kept = "the version before it goes on serving" if folder in self._served else "not served"
            LOG.warning("%s (%s)", line, kept)
            return
        word = "exchanged" if folder in self._served else "ready"
        self._served[folder] = models
        self._publish()
        LOG.info("%s: %s", ", ".join(map(_name, models)), word)

    def _publish(self) -> None:
        models = [model for folder in sorted(self._served) for model in self._served[folder]]
        self.models = {model.manifest.model: model for model in models}


def _name(model: Model) -> str:
    return model.manifest.model


def _states(folder: Path) -> dict[Path, State]:
    return {path: _state(path) for path in find_artifacts(folder)}


def _state(folder: Path) -> State:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                manifest = entry.stat()
            except FileNotFoundError:  # it went between two steps: the next look sees what became of it
                continue
            found.append((entry.name, manifest.st_mtime_ns, manifest.st_size, manifest.st_ino))
    return tuple(sorted(found))
