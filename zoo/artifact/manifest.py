"""What stands beside (manifest.json) and inside (metadata "gan.manifest") every exported .onnx. Stdlib only.

The commonest failure of an exported GAN is a consumer who guessed the value range, the layout or the latent prior:
a manifest states them, so that no program and no person has to guess. An artifact of several networks (a translator
and its way back) has one manifest.json with a manifest for each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from zoo.artifact.tensor import AXES, Tensor, is_size, need
from zoo.core.errors import ServeError, UsageError
from zoo.core.files import write_whole
from zoo.core.registry import suggest

# 2: several networks in a folder, or images of many sizes; 3: variants. What needs neither stays what it was.
MANIFEST_VERSIONS = (1, 2, 3)
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "generator.onnx"
OUTSIDE_CONTRACT = ("training", "parity", "files", "variants")  # seconds, differences and hashes vary from run to run
FLOAT32, PRECISIONS = "float32", ("fp16",)  # what a network is made in, and what `zoo convert` makes of it


@dataclass(frozen=True)
class Manifest:
    """Everything a consumer must know about one generator. `files` maps file names to SHA-256. Raises ServeError.

    `network` is empty where the folder holds no other one; the name of the network, and of its file, otherwise.
    `variants` maps a precision ("fp16") to the file that has it: {"file": name, "bytes": size, "parity": {...}}.
    """

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
    network: str = ""
    variants: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            if str(key.type).startswith("tuple"):
                good = isinstance(value, tuple) and all(isinstance(t, Tensor) for t in value)
                need(good and bool(value), key.name, "a list of one or more tensors", value)
            elif key.type == "str":
                need(isinstance(value, str), key.name, "a string", value)
            else:
                good = isinstance(value, dict) and all(isinstance(k, str) for k in value)
                need(good, key.name, "an object with string keys", value)
        need(bool(self.name), "name", "a non-empty string", self.name)
        need(all(isinstance(h, str) for h in self.files.values()), "files", "names with SHA-256 strings", self.files)
        need(len(self.outputs) == 1, "outputs", "exactly one tensor", [t.name for t in self.outputs])
        names = [t.name for t in self.inputs + self.outputs]
        need(len(set(names)) == len(names), "tensor names", "all different", names)
        labelled = [t.name for t in self.inputs if t.classes]
        need(len(labelled) < 2, "inputs", "at most one with classes", labelled)
        sizes = [t.sizes for t in self.inputs if AXES[0] in t.shape]
        stated = None not in sizes and all(one == sizes[0] for one in sizes)
        need(stated, "inputs", "images of one rule for their sizes", sizes)
        need(bool(sizes) or AXES[0] not in self.outputs[0].shape, "outputs", "of fixed sizes, as the inputs are",
              self.outputs[0].shape)  # fmt: skip
        need(_is_plain(self.network), "network", "a plain name", self.network)
        for one in self.variants.values():
            good = isinstance(one, dict) and one.keys() == {"file", "bytes", "parity"} and _is_plain(one["file"])
            good = good and is_size(one["bytes"]) and isinstance(one["parity"], dict)
            need(good, "variants", 'precisions with {"file": name, "bytes": size, "parity": {...}}', self.variants)

    @property
    def model(self) -> str:
        """One word for this network, wherever it goes: `dcgan`, `cyclegan_a_to_b`."""
        return f"{self.name}_{self.network}" if self.network else self.name

    @property
    def kind(self) -> str:
        """What it makes of what: "translation" of images, else "images" or "points" drawn from latents."""
        if any(tensor.is_image for tensor in self.inputs):
            return "translation"
        return "images" if self.outputs[0].is_image else "points"

    @property
    def file(self) -> str:
        """The name of its file in the artifact's folder."""
        return f"{self.network}.onnx" if self.network else MODEL_FILE

    @property
    def onnx_files(self) -> list[str]:
        """The names of its files of all precisions, float32 first."""
        return [self.file, *(one["file"] for one in self.variants.values())]

    def file_of(self, precision: str | None) -> str:
        """The name of the file that computes in `precision`; None is float32. Raises ServeError that lists them."""
        if precision is None or precision == FLOAT32:
            return self.file
        if precision not in self.variants:
            known = [FLOAT32, *self.variants]
            cure = f" `zoo convert FOLDER --precision {precision}` makes it." if precision in PRECISIONS else ""
            hint = cure or suggest(precision, [*known, *PRECISIONS])
            raise ServeError(f"{self.model}: there is no variant '{precision}'.{hint} It has {', '.join(known)}")
        return str(self.variants[precision]["file"])

    @property
    def golden(self) -> str:
        """The name of the file beside it that holds inputs and what Keras computed for them."""
        return f"golden_{self.network}.npz" if self.network else "golden.npz"

    @property
    def film(self) -> str:
        """The name of the film of its training, one picture; `files` states it where there is one."""
        return f"film_{self.network}.png" if self.network else "film.png"

    def to_json(self) -> str:
        """The text of manifest.json, ends with a newline. Raises ServeError for values that JSON does not have."""
        return _dumps(self._keys(), indent=2) + "\n"

    def contract(self) -> str:
        """The part that depends on nothing but spec, data, versions and weights: one line of JSON, keys sorted."""
        keys = replace(self, variants={})._keys()  # they raise the version
        kept = {key: value for key, value in keys.items() if key not in OUTSIDE_CONTRACT}
        return _dumps(kept, sort_keys=True, separators=(",", ":"))

    def _keys(self) -> dict[str, Any]:
        """What JSON holds. What only later versions know is left out where it says nothing: the rest stays readable."""
        keys = asdict(self)
        for tensor in (*keys["inputs"], *keys["outputs"]):
            if tensor["sizes"] is None:
                del tensor["sizes"]
        network, variants = ({key: value} if (value := keys.pop(key)) else {} for key in ("network", "variants"))
        later = bool(network) or any(tensor.sizes for tensor in self.inputs)
        version = MANIFEST_VERSIONS[2 if variants else later]
        return {"manifest_version": version, **network, **keys, **variants}

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = MANIFEST_FILE, contract: bool = False) -> Manifest:
        """Read what `to_json` (or, with `contract`, what `contract()`) wrote. `source` opens the message of errors.

        Raises ServeError: not JSON, another version, unknown or missing keys, wrong types.
        """
        (manifest,) = _parse(text, source=source, contract=contract, several=False)
        return manifest


def onnx_metadata(manifest: Manifest) -> dict[str, str]:
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


def read_manifests(path: str | os.PathLike[str]) -> tuple[Manifest, ...]:
    """The manifests of all networks of an artifact folder, or in a file. Raises ServeError."""
    file = Path(path) / MANIFEST_FILE if Path(path).is_dir() else Path(path)
    try:
        return _parse(file.read_bytes(), source=str(file))
    except OSError as error:
        raise ServeError(f"{file}: cannot be read: {error.strerror}") from error


def read_manifest(path: str | os.PathLike[str], network: str | None = None) -> Manifest:
    """The manifest of the one network of an artifact folder, or of the one that is named. Raises ServeError."""
    return choose_manifest(read_manifests(path), network, source=str(path))


def choose_manifest(manifests: Sequence[Manifest], network: str | None, *, source: str) -> Manifest:
    """The manifest of `network`; None stands for the only one. Raises ServeError that lists them."""
    names = [Path(manifest.file).stem for manifest in manifests]
    if network is None and len(names) == 1:
        return manifests[0]
    if network is None:
        raise ServeError(
            f'{source}: holds the networks {", ".join(names)}; name one: network="{names[0]}" (or --network {names[0]})'
        )
    if network not in names:
        hint = suggest(network, names)
        raise ServeError(f"{source}: there is no network '{network}' in it.{hint} It holds {', '.join(names)}")
    return manifests[names.index(network)]


def write_manifests(manifests: Manifest | Sequence[Manifest], folder: str | os.PathLike[str]) -> Path:
    """Write `folder`/manifest.json for its networks, whole or not at all. Returns its path."""
    if isinstance(manifests, Manifest):
        text = manifests.to_json()
    else:
        networks = [manifest._keys() for manifest in manifests]
        version = max([MANIFEST_VERSIONS[1], *(keys["manifest_version"] for keys in networks)])
        text = _dumps({"manifest_version": version, "networks": networks}, indent=2) + "\n"
    return write_whole(Path(folder) / MANIFEST_FILE, text.encode())


def _parse(text: str | bytes, *, source: str, contract: bool = False, several: bool = True) -> tuple[Manifest, ...]:
    """The manifest, or with `several` the manifests, of a JSON text. Raises ServeError."""
    try:
        keys = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ServeError(f"{source}: not JSON: {error}") from error
    try:
        if not (several and isinstance(keys, dict) and "networks" in keys):
            return (_manifest(keys, contract=contract),)
        keys = _versioned(keys)
        _same_keys(keys, ["networks"], "manifest")
        entries = keys["networks"]
        need(isinstance(entries, list) and bool(entries), "networks", "a list of manifests", entries)
        manifests = tuple(_manifest(entry, contract=contract) for entry in entries)
        names = [manifest.network for manifest in manifests]
        need(all(names) and len(set(names)) == len(names), "networks", "manifests of different networks", names)
        return manifests
    except ServeError as error:
        raise ServeError(f"{source}: {error}") from error


def _manifest(keys: Any, *, contract: bool) -> Manifest:
    names = [f.name for f in fields(Manifest) if not (contract and f.name in OUTSIDE_CONTRACT)]
    keys = _versioned(keys)
    _same_keys(keys, names, "manifest", optional=("network", "variants"))
    for side in ("inputs", "outputs"):
        need(isinstance(keys[side], list), side, "a list of tensors", keys[side])
        keys[side] = tuple(_tensor(entry, side) for entry in keys[side])
    return Manifest(**keys)


def _versioned(keys: Any) -> dict[str, Any]:
    """`keys` without the version, which is one that this zoo knows."""
    need(isinstance(keys, dict), "manifest", "a JSON object", keys)
    version = keys.get("manifest_version")
    later = "; a later gan-zoo wrote it: upgrade" if is_size(version) else ""
    known = is_size(version) and version in MANIFEST_VERSIONS
    need(
        known,
        "manifest_version",
        f"{', '.join(map(str, MANIFEST_VERSIONS[:-1]))} or {MANIFEST_VERSIONS[-1]}{later}",
        version,
    )
    return {key: value for key, value in keys.items() if key != "manifest_version"}


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and not {"/", "\\"} & {*name}


def _tensor(entry: Any, side: str) -> Tensor:
    need(isinstance(entry, dict), side, "a list of objects", entry)
    _same_keys(entry, [f.name for f in fields(Tensor)], f"{side} entry", optional=("sizes",))
    return Tensor(**entry)


def _same_keys(
    received: Mapping[str, Any], expected: Sequence[str], what: str, *, optional: Sequence[str] = ()
) -> None:
    for key in received:
        if key not in expected:
            raise ServeError(f"{what} has an unknown key '{key}'.{suggest(key, expected)}")
    for key in expected:
        if key not in received and key not in optional:
            raise ServeError(f"{what} lacks the key '{key}'")


def _dumps(value: object, **style: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, **style)
    except (TypeError, ValueError) as error:
        raise ServeError(f"manifest: JSON cannot hold it: {error}") from error


def is_artifact(folder: Path) -> bool:
    """True for a folder that `zoo build` made: it has a manifest.json."""
    return (folder / MANIFEST_FILE).is_file()


def require_artifact(folder: Path, flag: str = "") -> Path:
    """Check that a folder is an exported model.

    Args:
        folder: What a user named.
        flag: How the user named it, such as "--artifact"; it opens the message.

    Returns:
        `folder`.

    Raises:
        UsageError: It has no manifest.json.
    """
    if not is_artifact(folder):
        place = f"{flag}: {folder}" if flag else f"{folder}:"
        raise UsageError(f"{place} is not an exported model: it has no {MANIFEST_FILE}")
    return folder


def find_artifacts(folder: Path) -> list[Path]:
    """The artifact folders in `folder`, or `folder` itself where it is one. Raises OSError."""
    if is_artifact(folder):
        return [folder]
    return [path for path in sorted(folder.iterdir()) if path.name[0] != "." and is_artifact(path)]


def manifest_beside(file: Path) -> Manifest | None:
    """The manifest in the folder of `file` that speaks of it. It may be anyone's, unless the file is generator.onnx."""
    if not file.with_name(MANIFEST_FILE).is_file():
        return None
    try:
        return next((manifest for manifest in read_manifests(file.parent) if file.name in manifest.onnx_files), None)
    except ServeError:
        if file.name == MODEL_FILE:
            raise
        return None
