"""Inputs of words: the vocabularies of a network, and texts as rows of ids. NumPy only."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.core.files import sha256_file
from zoo.core.text import RULE, Reading, Vocabulary

PACKAGE = __name__.partition(".")[0]


class TextWarning(UserWarning):
    """Words of a text were skipped, because the network does not know them, or cut, because it is too long."""


class Texts:
    """Reads the texts of one network.

    Args:
        model: The name of the network, with which messages begin.
        vocabularies: The vocabulary of each input of words, by its name; one that is missing can be fed ids alone.
    """

    def __init__(self, model: str, vocabularies: Mapping[str, Vocabulary]) -> None:
        self.model, self.vocabularies = model, vocabularies

    @classmethod
    def beside(cls, manifest: Manifest, file: Path | None, *, verify: bool = True) -> Texts:
        """Read the vocabularies that lie beside an .onnx file.

        Args:
            manifest: The manifest of the network.
            file: The .onnx file; None for bytes, beside which nothing lies.
            verify: Check the hash that the manifest states.

        Returns:
            What reads texts. A lone .onnx file without its vocabulary takes ids alone; what lies there under its name
            but is another file is not its vocabulary.

        Raises:
            ServeError: A vocabulary cannot be read, is another one, or its rule is unknown.
        """
        found = {}
        for tensor in manifest.inputs if file is not None else ():
            if tensor.text is None:
                continue
            path = Path(file or "").with_name(tensor.text["vocabulary"])
            if path.name not in manifest.files and not _is_own(path, tensor.text["sha256"]):
                continue
            found[tensor.name] = _vocabulary(tensor, path, verify=verify)
        return cls(manifest.model, found)

    def read(self, tensor: Tensor, text: str | bytes) -> Reading:
        """Read one text.

        Args:
            tensor: An input of words.
            text: The text, or its bytes in UTF-8.

        Returns:
            The ids of its words, and what was left out.

        Raises:
            ServeError: The text cannot be read, or there is no vocabulary.
        """
        if (vocabulary := self.vocabularies.get(tensor.name)) is None:
            file = (tensor.text or {}).get("vocabulary")
            raise ServeError(f"{self.model}: {file} is not beside the .onnx file: give '{tensor.name}' as ids")
        return vocabulary.read(text, int(tensor.shape[1]))

    def rows(self, tensor: Tensor, texts: Sequence[str | bytes]) -> Array:
        """Return texts as rows of ids, with a `TextWarning` where words were left out.

        Args:
            tensor: The input of words.
            texts: The texts.

        Returns:
            Ids in the type of the input, [number of texts, longest].

        Raises:
            ServeError: A text cannot be read.
        """
        readings = [self.read(tensor, text) for text in texts]
        for complaint in dict.fromkeys(reading.complaint for reading in readings if reading.complaint):
            warnings.warn(f"{self.model}: {tensor.name}: {complaint}", TextWarning, stacklevel=_caller())
        return np.array([reading.ids for reading in readings], tensor.dtype)

    def examples(self, tensor: Tensor) -> Array:
        """Return the captions that the manifest states as examples, as ids [number, longest]."""
        longest = int(tensor.shape[1])
        ids = [(list(one) + [0] * longest)[:longest] for one in (tensor.text or {})["example_ids"]]
        return np.array(ids, tensor.dtype)


def _caller() -> int:
    """Return the `stacklevel`, for the function that asks, of the first caller outside this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    return level


def _is_own(path: Path, sha256: str) -> bool:
    """Return True for a file with this hash, or one whose hash cannot be had and of which one should hear."""
    try:
        return path.exists() and sha256_file(path) == sha256
    except OSError:
        return True


def _vocabulary(tensor: Tensor, path: Path, *, verify: bool) -> Vocabulary:
    """Read the vocabulary of an input. Raises ServeError."""
    facts = tensor.text or {}
    if facts["rule"] != RULE:
        raise ServeError(f"{path}: its words follow the rule '{facts['rule']}', this gan-zoo knows '{RULE}': upgrade")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ServeError(f"{path}: cannot be read: {error.strerror}") from error
    vocabulary = Vocabulary.from_bytes(data, source=str(path), sha256=facts["sha256"] if verify else None)
    if len(vocabulary.words) != facts["words"]:
        raise ServeError(f"{path}: has {len(vocabulary.words):,} words, the manifest states {facts['words']:,}")
    return vocabulary
