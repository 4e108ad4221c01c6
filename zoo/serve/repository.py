"""The served models: loaded from a folder of artifacts, warmed up, replaced when the folder changes.

A model is immutable. A new version takes its place in one assignment; requests that hold the old one finish with it,
and its memory is freed with the last of them: no request is dropped. A broken new version changes nothing but the log.
`model_card` is the JSON that the routes show of a model.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import logging
import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.artifact.artifact_folders import find_artifacts
from zoo.artifact.manifest import MANIFEST_FILE, Manifest, read_manifests
from zoo.core.errors import ServeError
from zoo.runtime.generator import Generator
from zoo.runtime.inputs import row_shape
from zoo.runtime.load import check_name
from zoo.serve import warm_up
from zoo.serve.batching import Batcher, CostEstimate, Feed, packed
from zoo.serve.settings import Settings

LOG = logging.getLogger("zoo.serve")
EXTRA_FILES = {
    "samples.png": ("samples.png", "image/png"),
    "game.svg": ("game.svg", "image/svg+xml"),
    "card": ("README.md", "text/markdown; charset=utf-8"),
}
MAX_EXTRA_BYTES = 32 * 2**20  # of a file beside the model
SLOW_SLICES = 3  # a row (a large image) that takes longer goes to the slow batcher
FolderState = tuple[tuple[str, int, int, int], ...]  # name, time, size and inode of every file


class Threads:
    """Thread pools beside the event loop. Large images have one of their own and do not hold up small work."""

    def __init__(self, settings: Settings) -> None:
        self.picture_workers = max(2, settings.workers)
        self.quick = ThreadPoolExecutor(settings.workers, "quick")
        self.slow = ThreadPoolExecutor(1, "slow")
        self.pictures = ThreadPoolExecutor(self.picture_workers, "pictures")  # samples, walks and translations

    def close(self) -> None:
        """Release the threads; calls under way still end."""
        for pool in (self.quick, self.slow, self.pictures):
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class File:
    """Content of a file when the artifact was loaded."""

    data: bytes
    media_type: str
    sha256: str  # hex

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'


@dataclass(frozen=True)
class Model:
    """One network, ready to answer."""

    manifest: Manifest
    generator: Generator
    files: Mapping[str, File]
    card: Mapping[str, Any]
    quick: Batcher
    slow: Batcher  # for rows that take longer than SLOW_SLICES slices

    async def infer(self, feed: Feed) -> Feed:
        """Return the raw outputs by name for checked inputs, batched with other requests."""
        numbers_per_row = sum(array.size // len(array) for array in feed.values())
        slow = self.quick.cost.seconds(numbers_per_row) > SLOW_SLICES * self.quick.settings.slice_seconds
        made = await (self.slow if slow else self.quick)(feed)
        if len(self.manifest.outputs) == 1:
            return {self.manifest.outputs[0].name: made}
        shapes = {tensor.name: row_shape(tensor) for tensor in self.manifest.outputs}
        ends = itertools.accumulate(math.prod(shape) for shape in shapes.values())
        rows = np.split(made, list(ends)[:-1], axis=1)
        return {name: part.reshape(-1, *shapes[name]) for name, part in zip(shapes, rows, strict=True)}


class Repository:
    """The models of a folder by name. `watch` keeps them up to date."""

    def __init__(self, folder: Path, settings: Settings, threads: Threads, observe: Callable[[str, int], None]) -> None:
        self.models: Mapping[str, Model] = {}
        self.ready = False  # once everything that was there at the start is loaded, or refused
        self._folder, self._settings, self._threads, self._observe = folder, settings, threads, observe
        self._served: dict[Path, list[Model]] = {}
        self._tried: dict[Path, FolderState] = {}  # the state that was last loaded, or refused
        self._seen: dict[Path, FolderState] = {}  # the state at the last check

    async def watch(self) -> None:
        """Load what is there, then follow every change. Never returns."""
        await self.check(settled=True)
        self.ready = True
        while True:
            await asyncio.sleep(self._settings.reload_seconds)
            try:
                await self.check()
            except OSError as error:
                LOG.warning("%s: the folder cannot be read: %s", self._folder, error)

    async def check(self, *, settled: bool = False) -> None:
        """Compare the folder with what is served, and load changes.

        A change counts once two checks agree on it, or at once if `settled`: files are written one by one.
        """
        states = await asyncio.to_thread(_states, self._folder)
        for folder in [*self._tried]:
            if folder not in states and (settled or folder not in self._seen):
                LOG.info("%s: removed", folder.name)
                del self._tried[folder]
                self._served.pop(folder, None)
                self._publish()
        for folder, state in states.items():
            if self._tried.get(folder) != state and (settled or self._seen.get(folder) == state):
                self._tried[folder] = state
                await self._reload(folder)
        self._seen = states

    async def _reload(self, folder: Path) -> None:
        """Serve the artifact in `folder` as it is now, or keep what was served before."""
        try:
            loop = asyncio.get_running_loop()
            models = await loop.run_in_executor(
                None, load_models, folder, self._settings, self._threads, self._observe
            )  # in the default pool: a busy server reloads too
            taken = {name for other, served in self._served.items() if other != folder for name in map(_name, served)}
            if clash := taken & set(map(_name, models)):
                raise ServeError(f"{folder}: another folder already serves {', '.join(sorted(clash))}")
        except Exception as error:
            line = str(error) if isinstance(error, ServeError) else f"{folder}: {type(error).__name__}: {error}"
            kept = "the previous version stays" if folder in self._served else "not served"
            LOG.warning("%s (%s)", line, kept)
            return
        word = "replaced" if folder in self._served else "ready"
        self._served[folder] = models
        self._publish()
        LOG.info("%s: %s", ", ".join(map(_name, models)), word)

    def _publish(self) -> None:
        models = [model for folder in sorted(self._served) for model in self._served[folder]]
        self.models = {_name(model): model for model in models}


def _name(model: Model) -> str:
    return model.manifest.model


def _states(folder: Path) -> dict[Path, FolderState]:
    return {path: _state(path) for path in find_artifacts(folder)}


def _state(folder: Path) -> FolderState:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                stat = entry.stat()
            except FileNotFoundError:  # removed in between: the next check sees the result
                continue
            found.append((entry.name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(sorted(found))


def load_models(folder: Path, settings: Settings, threads: Threads, observe: Callable[[str, int], None]) -> list[Model]:
    """Return every network of an artifact, warmed up. Raises ServeError if one of them cannot be served."""
    return [_load(folder, manifest, settings, threads, observe) for manifest in read_manifests(folder)]


def _load(
    folder: Path, manifest: Manifest, settings: Settings, threads: Threads, observe: Callable[[str, int], None]
) -> Model:
    name = manifest.model
    check_name(name, source=folder)
    generator = zoo.load(
        folder, network=Path(manifest.file).stem if manifest.network else None,
        precision=settings.precision, provider=settings.provider, threads=settings.threads,
    )  # fmt: skip
    manifest = generator.manifest
    files = _files(folder, manifest)
    measured = warm_up.remembered(generator, settings)
    if measured.min_batch > 1:
        LOG.warning(
            "%s: requests of fewer than %d rows are not merged: the last bits of their results would change",
            name, measured.min_batch,
        )  # fmt: skip
    cost = CostEstimate(measured.seconds_per_number)

    def batcher(pool: ThreadPoolExecutor, workers: int) -> Batcher:
        return Batcher(
            lambda feed: packed(generator.all(**feed)), cost, settings, pool, workers,
            max_batch=measured.max_batch, min_batch=measured.min_batch, observe=lambda rows: observe(name, rows),
        )  # fmt: skip

    quick, slow = batcher(threads.quick, settings.workers), batcher(threads.slow, 1)
    return Model(manifest, generator, files, model_card(manifest, files), quick, slow)


def _files(folder: Path, manifest: Manifest) -> dict[str, File]:
    """Return the .onnx file that was loaded, the samples, the drawing of the game and the model card."""
    files = {"model.onnx": _file(folder / manifest.file, "application/octet-stream")}
    for name, (file, media_type) in EXTRA_FILES.items():
        path = folder / file
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_EXTRA_BYTES:
            files[name] = _file(path, media_type)
    for own_name in manifest.vocabularies[:1]:
        files["vocabulary.txt"] = _file(folder / own_name, "text/plain; charset=utf-8")
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


def model_card(manifest: Manifest, files: Mapping[str, File]) -> dict[str, Any]:
    """Return one entry of GET /models: JSON values only."""
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
        "game": f"{home}/game.svg" if "game.svg" in files else None,
        "card": f"{home}/card" if "card" in files else None,
        "parity": manifest.parity.get("max_abs_difference"),
    }
