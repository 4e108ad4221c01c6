"""The manifest: all that a consumer must know about an exported network. Standard library only.

The commonest failure of an exported GAN is a consumer who guessed the value range, the layout or the latent prior: a
manifest states them, beside every .onnx file (manifest.json) and, as far as it does not vary from run to run, inside it
(metadata "gan.manifest", the contract). An artifact of several networks has one manifest.json with a manifest for each.

The lowest version that can hold it is written: 1; 2: several networks or many sizes; 3: variants; 4: channels,
rewritten files; 5: several inputs with classes; 6: texts;
7: maps of latents;
8: several outputs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from zoo.artifact.tensor import (
    OPTIONAL_KEYS,
    Tensor,
    check_keys,
    check_together,
    check_variants,
    is_plain,
    is_size,
    json_text,
    need,
)
from zoo.core.errors import ServeError
from zoo.core.files import write_whole
from zoo.core.registry import suggest

MANIFEST_VERSIONS = (1, 2, 3, 4, 5, 6, 7, 8)
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "generator.onnx"
TRAINABLE = "trainable.npz"  # weights before batch norm is folded, for trainings that begin with them
OUTSIDE_CONTRACT = ("training", "parity", "files", "variants", "rewritten")  # they vary from run to run
OPTIONAL = ("network", "variants", "rewritten")  # left out where they are empty
FLOAT32, PRECISIONS = "float32", ("fp16",)  # what a network is made in, and what `zoo convert` makes of it


@dataclass(frozen=True)
class Manifest:
    """Everything a consumer must know about one exported network.

    Attributes:
        name: The name of the spec, and of the artifact's folder.
        title: The name of the model for people.
        paper: `title`, `authors`, `year` and so on of the paper, as far as the spec states them.
        inputs: One or more tensors: latents with their priors, labels with their classes, or an image.
        outputs: One or more tensors, with the range and the layout of their values; the first is the one that is shown.
        weights: Kind ("ema" or "last"), step, images, seed, batch norm statistics, number of parameters.
        data: Name, title, licence, homepage and citation of the training data.
        licence: The licence of the weights.
        spec_sha256: SHA-256 of the resolved spec's content.
        versions: Versions of gan-zoo and of the libraries that made the file.
        training: Seconds, machine, the reason why it ended; how the weights were selected.
        parity: The figures of the comparison with Keras: `max_abs_difference`, `cases`, `tolerance`.
        files: File name -> SHA-256.
        network: The name of the network where the folder holds several, else an empty string.
        rewritten: SHA-256 of an earlier, measured ONNX file with these weights -> what was rewritten since.
        variants: Precision ("fp16") -> {"file": name, "bytes": size, "parity": {...}}.

    Raises:
        ServeError: A value has the wrong type, or the tensors contradict each other.
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
    rewritten: dict[str, str] = field(default_factory=dict)

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
        need(all(isinstance(w, str) for w in self.rewritten.values()), "rewritten", "words by SHA-256", self.rewritten)
        check_together(self.inputs, self.outputs)
        need(is_plain(self.network), "network", "a plain name", self.network)
        check_variants(self.variants)

    @property
    def model(self) -> str:
        """One word for this network, wherever it goes: `dcgan`, `cyclegan_a_to_b`."""
        return f"{self.name}_{self.network}" if self.network else self.name

    @property
    def kind(self) -> str:
        """The kind of model: "translation" of images, else "images" or "points" drawn from latents."""
        if any(tensor.is_image for tensor in self.inputs):
            return "translation"
        return "images" if self.outputs[0].is_image else "points"

    @property
    def file(self) -> str:
        """The name of its ONNX file in the artifact's folder."""
        return f"{self.network}.onnx" if self.network else MODEL_FILE

    @property
    def onnx_files(self) -> list[str]:
        """The names of its ONNX files of all precisions, float32 first."""
        return [self.file, *(one["file"] for one in self.variants.values())]

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The names of the vocabulary files of its inputs of words."""
        return tuple(tensor.text["vocabulary"] for tensor in self.inputs if tensor.text)

    def has_weights_of(self, sha256: str, file: str) -> bool:
        """Return True if a file has the weights of one that was measured.

        Args:
            sha256: The hash of the measured file.
            file: Its name.

        Returns:
            True for the hash in `files`, or one of `rewritten`.
        """
        return sha256 == self.files.get(file) or (file in self.onnx_files and sha256 in self.rewritten)

    def file_of(self, precision: str | None) -> str:
        """Return the name of the file that computes in a precision.

        Args:
            precision: "float32" or a variant such as "fp16"; None stands for "float32".

        Returns:
            The name of a file in the artifact's folder.

        Raises:
            ServeError: There is no such variant; the message lists those that there are.
        """
        if precision is None or precision == FLOAT32:
            return self.file
        if precision not in self.variants:
            known = [FLOAT32, *self.variants]
            command = f" `zoo convert FOLDER --precision {precision}` makes it." if precision in PRECISIONS else ""
            hint = command or suggest(precision, [*known, *PRECISIONS])
            raise ServeError(f"{self.model}: there is no variant '{precision}'.{hint} It has {', '.join(known)}")
        return str(self.variants[precision]["file"])

    @property
    def golden(self) -> str:
        """The name of the file of golden vectors: inputs, and what Keras computed for them."""
        return f"golden_{self.network}.npz" if self.network else "golden.npz"

    @property
    def film(self) -> str:
        """The name of the film of its training, one picture; it is in `files` if the artifact has one."""
        return f"film_{self.network}.png" if self.network else "film.png"

    def to_json(self) -> str:
        """Return the text of manifest.json.

        Returns:
            Indented JSON that ends with a newline. Values that JSON does not have, such as NaN, are a ServeError.
        """
        return json_text(self._keys(), indent=2) + "\n"

    def contract(self) -> str:
        """Return the part that depends on nothing but spec, data, versions and weights: what the ONNX file carries.

        Returns:
            One line of JSON with sorted keys, without what varies from run to run: the same bytes for the same weights.
        """
        keys = replace(self, variants={}, rewritten={})._keys()  # they raise the version
        kept = {key: value for key, value in keys.items() if key not in OUTSIDE_CONTRACT}
        return json_text(kept, sort_keys=True, separators=(",", ":"))

    def _keys(self) -> dict[str, Any]:
        """The JSON object. Empty keys of later versions are left out, so that earlier versions can read the rest."""
        keys = asdict(self)
        for tensor in (*keys["inputs"], *keys["outputs"]):
            for key in OPTIONAL_KEYS:
                if tensor[key] is None:
                    del tensor[key]
        network, variants, rewritten = ({key: value} if (value := keys.pop(key)) else {} for key in OPTIONAL)
        latest = bool(rewritten) or any(tensor.channels for tensor in (*self.inputs, *self.outputs))
        later = 3 if latest else 2 if variants else bool(network) or any(tensor.sizes for tensor in self.inputs)
        later = 4 if sum(bool(tensor.classes) for tensor in self.inputs) > 1 else later
        later = 5 if any(tensor.text for tensor in self.inputs) else later
        later = 6 if self.outputs[0].grid else later
        later = 7 if len(self.outputs) > 1 else later
        return {"manifest_version": MANIFEST_VERSIONS[later], **network, **keys, **rewritten, **variants}

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = MANIFEST_FILE, contract: bool = False) -> Manifest:
        """Read the manifest of one network.

        Args:
            text: What `to_json` returned.
            source: Where the text comes from; it opens the message of errors.
            contract: The text is what `contract()` returned.

        Returns:
            The manifest; after a contract, with empty training, parity, files and variants.

        Raises:
            ServeError: It is not JSON, of an unknown version, has unknown keys, lacks keys, or a type is wrong.
        """
        (manifest,) = _parse(text, source=source, contract=contract, several=False)
        return manifest


def read_manifests(path: str | os.PathLike[str]) -> tuple[Manifest, ...]:
    """Read the manifests of all networks of an artifact.

    Args:
        path: The folder of the artifact, or a manifest.json.

    Returns:
        One manifest or more, in the order of the file.

    Raises:
        ServeError: The file cannot be read, or is not a manifest.
    """
    file = Path(path) / MANIFEST_FILE if Path(path).is_dir() else Path(path)
    try:
        return _parse(file.read_bytes(), source=str(file))
    except OSError as error:
        raise ServeError(f"{file}: cannot be read: {error.strerror}") from error


def read_manifest(path: str | os.PathLike[str], network: str | None = None) -> Manifest:
    """Read the manifest of one network of an artifact.

    Args:
        path: The folder of the artifact, or a manifest.json.
        network: The name of the network; None stands for the only one.

    Returns:
        Its manifest. Errors are those of `read_manifests` and `choose_manifest`.
    """
    return choose_manifest(read_manifests(path), network, source=str(path))


def choose_manifest(manifests: Sequence[Manifest], network: str | None, *, source: str) -> Manifest:
    """Choose one of the manifests of an artifact.

    Args:
        manifests: The manifests of all its networks.
        network: A network, by the name of its file without .onnx; None stands for the only one.
        source: Where the manifests come from; it opens the message of errors.

    Returns:
        The manifest of `network`.

    Raises:
        ServeError: There is no such network, or there are several and none is named; the message lists them.
    """
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
    """Write manifest.json, whole or not at all.

    Args:
        manifests: The manifest of the only network, or those of all networks.
        folder: The folder of the artifact.

    Returns:
        The path of the file.
    """
    manifests = [manifests] if isinstance(manifests, Manifest) else manifests
    if len(manifests) == 1 and not manifests[0].network:
        text = manifests[0].to_json()
    else:
        networks = [manifest._keys() for manifest in manifests]
        version = max([MANIFEST_VERSIONS[1], *(keys["manifest_version"] for keys in networks)])
        text = json_text({"manifest_version": version, "networks": networks}, indent=2) + "\n"
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
        check_keys(keys, ["networks"], "manifest")
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
    check_keys(keys, names, "manifest", optional=OPTIONAL)
    for side in ("inputs", "outputs"):
        need(isinstance(keys[side], list), side, "a list of tensors", keys[side])
        keys[side] = tuple(Tensor.from_json(entry, f"{side} entry") for entry in keys[side])
    return Manifest(**keys)


def _versioned(keys: Any) -> dict[str, Any]:
    """Check the version of a JSON object, and return its other keys."""
    need(isinstance(keys, dict), "manifest", "a JSON object", keys)
    version = keys.get("manifest_version")
    later = "; a later gan-zoo wrote it: upgrade" if is_size(version) else ""
    known = is_size(version) and version in MANIFEST_VERSIONS
    *earlier, last = map(str, MANIFEST_VERSIONS)
    need(known, "manifest_version", f"{', '.join(earlier)} or {last}{later}", version)
    return {key: value for key, value in keys.items() if key != "manifest_version"}
