"""What stands beside (manifest.json) and inside (metadata "gan.manifest") every exported .onnx. Stdlib only.

The commonest failure of an exported GAN is a consumer who guessed the value range, the layout or the latent prior:
a manifest states them, so that no program and no person has to guess.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from zoo.errors import ServeError
from zoo.registry import suggest

MANIFEST_VERSION = 1
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "generator.onnx"
DTYPES = ("float32", "int32", "int64")
LAYOUTS = ("NHWC", "NC")
OUTSIDE_CONTRACT = ("training", "parity", "files")  # seconds, differences and hashes vary from run to run


@dataclass(frozen=True)
class Tensor:
    """One input or output: `Tensor("z", "float32", ("batch", 100), prior={"normal": {}})`. Raises ServeError."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    prior: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    layout: str | None = None

    def __post_init__(self) -> None:
        for key in ("shape", "classes", "range"):  # JSON has lists only
            if isinstance(getattr(self, key), list):
                object.__setattr__(self, key, tuple(getattr(self, key)))
        _need(isinstance(self.name, str) and bool(self.name), "tensor name", "a non-empty string", self.name)
        where = f"tensor '{self.name}'"
        _need(self.dtype in DTYPES, f"{where} dtype", f"one of {', '.join(DTYPES)}", self.dtype)
        sizes = self.shape[1:] if isinstance(self.shape, tuple) and self.shape[:1] == ("batch",) else (0,)
        _need(all(_is_size(d) for d in sizes), f"{where} shape", "'batch', then sizes above 0", self.shape)
        prior = self.prior
        named = isinstance(prior, Mapping) and len(prior) == 1 and all(isinstance(a, Mapping) for a in prior.values())
        _need(prior is None or named, f"{where} prior", 'null or {"name": {arguments}}', prior)
        names = isinstance(self.classes, tuple) and all(isinstance(c, str) for c in self.classes)
        _need(names and len(set(self.classes)) == len(self.classes), f"{where} classes", "distinct names", self.classes)
        _need(bool(self.classes) == (self.dtype != "float32"), f"{where} dtype",
              "float32, or an integer type for an input with classes", self.dtype)  # fmt: skip
        _need(not (self.classes and prior), f"{where} prior", "null for an input with classes", prior)
        _need(self.range is None or _is_range(self.range), f"{where} range", "null or [low, high]", self.range)
        rank = {"NHWC": 4, "NC": 2, None: len(self.shape)}
        _need(self.layout is None or self.layout in LAYOUTS, f"{where} layout", "null, NHWC or NC", self.layout)
        _need(rank[self.layout] == len(self.shape), f"{where} shape", f"one that fits {self.layout}", self.shape)

    def __str__(self) -> str:
        """`image float32 [batch, 32, 32, 3] in [-1, 1]`."""
        limits = f" in [{self.range[0]:g}, {self.range[1]:g}]" if self.range else ""
        limits += f" in 0..{len(self.classes) - 1}" if self.classes else ""
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]{limits}"


@dataclass(frozen=True)
class Manifest:
    """Everything a consumer must know about one generator. `files` maps file names to SHA-256. Raises ServeError."""

    name: str
    title: str
    paper: dict[str, Any]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: dict[str, Any]
    data: dict[str, Any]
    licence: str
    spec_sha256: str
    versions: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            if str(key.type).startswith("tuple"):
                good = isinstance(value, tuple) and all(isinstance(t, Tensor) for t in value)
                _need(good and bool(value), key.name, "a list of one or more tensors", value)
            elif key.type == "str":
                _need(isinstance(value, str), key.name, "a string", value)
            else:
                good = isinstance(value, dict) and all(isinstance(k, str) for k in value)
                _need(good, key.name, "an object with string keys", value)
        _need(bool(self.name), "name", "a non-empty string", self.name)
        _need(all(isinstance(h, str) for h in self.files.values()), "files", "names with SHA-256 strings", self.files)
        _need(len(self.outputs) == 1, "outputs", "exactly one tensor", [t.name for t in self.outputs])
        names = [t.name for t in self.inputs + self.outputs]
        _need(len(set(names)) == len(names), "tensor names", "all different", names)
        labelled = [t.name for t in self.inputs if t.classes]
        _need(len(labelled) < 2, "inputs", "at most one with classes", labelled)

    def to_json(self) -> str:
        """The text of manifest.json, ends with a newline. Raises ServeError for values that JSON does not have."""
        return _dumps({"manifest_version": MANIFEST_VERSION, **asdict(self)}, indent=2) + "\n"

    def contract(self) -> str:
        """The part that depends on nothing but spec, data, versions and weights: one line of JSON, keys sorted."""
        kept = {key: value for key, value in asdict(self).items() if key not in OUTSIDE_CONTRACT}
        return _dumps({"manifest_version": MANIFEST_VERSION, **kept}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = MANIFEST_FILE, contract: bool = False) -> Manifest:
        """Read what `to_json` (or, with `contract`, what `contract()`) wrote. `source` opens the message of errors.

        Raises ServeError: not JSON, another version, unknown or missing keys, wrong types.
        """
        try:
            keys = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ServeError(f"{source}: not JSON: {error}") from error
        try:
            _need(isinstance(keys, dict), "manifest", "a JSON object", keys)
            version = keys.pop("manifest_version", None)
            later = "; a later gan-zoo wrote it: upgrade" if _is_size(version) else ""
            known = _is_size(version) and version == MANIFEST_VERSION
            _need(known, "manifest_version", f"{MANIFEST_VERSION}{later}", version)
            _same_keys(keys, [f.name for f in fields(cls) if not (contract and f.name in OUTSIDE_CONTRACT)], "manifest")
            for side in ("inputs", "outputs"):
                _need(isinstance(keys[side], list), side, "a list of tensors", keys[side])
                keys[side] = tuple(_tensor(entry, side) for entry in keys[side])
            return cls(**keys)
        except ServeError as error:
            raise ServeError(f"{source}: {error}") from error


def metadata(manifest: Manifest) -> dict[str, str]:
    """ONNX metadata_props: the contract whole, and its main facts once more for those who read by eye.

    Lists and objects are JSON; `gan.value_range`, `gan.layout` and `gan.classes` are absent where there is none.
    """
    output = manifest.outputs[0]
    latent = {t.name: {"shape": t.shape[1:], "prior": t.prior} for t in manifest.inputs if t.prior}
    classes = next((t.classes for t in manifest.inputs if t.classes), None)
    return {
        "gan.manifest": manifest.contract(),
        "gan.name": manifest.name,
        "gan.title": manifest.title,
        "gan.spec_sha256": manifest.spec_sha256,
        "gan.license": manifest.licence,
        "gan.framework_versions": _dumps(manifest.versions, sort_keys=True),
        **({"gan.latent": _dumps(latent, sort_keys=True)} if latent else {}),
        **({"gan.value_range": f"{output.range[0]:g},{output.range[1]:g}"} if output.range else {}),
        **({"gan.layout": output.layout} if output.layout else {}),
        **({"gan.classes": _dumps(classes)} if classes else {}),
    }


def read(path: str | os.PathLike[str]) -> Manifest:
    """The manifest of an artifact folder, or in a file. Raises ServeError."""
    file = Path(path) / MANIFEST_FILE if Path(path).is_dir() else Path(path)
    try:
        return Manifest.from_json(file.read_bytes(), source=str(file))
    except OSError as error:
        raise ServeError(f"{file}: cannot be read: {error.strerror}") from error


def write(manifest: Manifest, folder: str | os.PathLike[str]) -> Path:
    """Write `folder`/manifest.json, whole or not at all. Returns its path."""
    return write_whole(Path(folder) / MANIFEST_FILE, manifest.to_json().encode())


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write aside, then rename: a reader sees the old file or the new one, never half of one."""
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        aside.write_bytes(data)  # not tempfile: its mode 0600 would lock out a server that runs as another user
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensor(entry: Any, side: str) -> Tensor:
    _need(isinstance(entry, dict), side, "a list of objects", entry)
    _same_keys(entry, [f.name for f in fields(Tensor)], f"{side} entry")
    return Tensor(**entry)


def _same_keys(received: Mapping[str, Any], expected: list[str], what: str) -> None:
    for key in received:
        if key not in expected:
            raise ServeError(f"{what} has an unknown key '{key}'.{suggest(key, expected)}")
    for key in expected:
        if key not in received:
            raise ServeError(f"{what} lacks the key '{key}'")


def _need(holds: bool, what: str, expected: str, received: object) -> None:
    if not holds:
        raise ServeError(f"{what} must be {expected}, received {received!r}")


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_range(value: object) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2):
        return False
    return all(type(v) in (int, float) and math.isfinite(v) for v in value) and value[0] < value[1]


def _dumps(value: object, **style: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, **style)
    except (TypeError, ValueError) as error:
        raise ServeError(f"manifest: JSON cannot hold it: {error}") from error
