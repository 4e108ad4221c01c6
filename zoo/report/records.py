"""The records of an artifact for pages and tables: whatever is damaged in them becomes one located line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from zoo.artifact.manifest import MANIFEST_FILE, Manifest, read_manifests
from zoo.artifact.scores import SCORES_FILE, Score, read_scores
from zoo.core.errors import ServeError


class Record(dict[str, Any]):
    """An object of a JSON file. A missing key raises ServeError with the file and the name of the object."""

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        super().__init__(values)
        self._place = place

    def __missing__(self, key: str) -> Any:
        raise ServeError(f"{self._place} lacks '{key}'")


def networks_of(folder: Path) -> tuple[Manifest, ...]:
    """Read the manifests of an artifact; a key that a page needs and that is missing raises ServeError when it is read.

    Args:
        folder: The folder of the artifact.

    Returns:
        One manifest for each network.

    Raises:
        ServeError: manifest.json cannot be read, or is not a manifest.
    """
    file = folder / MANIFEST_FILE

    def recorded(manifest: Manifest) -> Manifest:
        values = {one.name: getattr(manifest, one.name) for one in fields(manifest)}
        objects: dict[str, Any] = {
            name: Record(value, f"{file}: {name}") for name, value in values.items() if isinstance(value, dict)
        }
        return replace(manifest, **objects)

    return tuple(recorded(manifest) for manifest in read_manifests(folder))


def scores_of(folder: Path) -> dict[str, Score]:
    """Read the scores of an artifact; a protocol that lacks a key raises ServeError when it is read.

    Args:
        folder: The folder of the artifact.

    Returns:
        Name -> score; empty where nothing was measured.

    Raises:
        ServeError: metrics.json cannot be read, or does not hold scores.
    """
    file = folder / SCORES_FILE
    return {
        name: Score(score.value, Record(score.protocol, f"{file}: the protocol of {name}"))
        for name, score in read_scores(folder).items()
    }


@contextmanager
def located(folder: Path) -> Iterator[None]:
    """Turn an error that a value of the wrong type causes into ServeError, with the folder whose records hold it.

    Args:
        folder: The folder of the artifact that is read in the block.

    Yields:
        Nothing.

    Raises:
        ServeError: Something in its records is not what it should be.
    """
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ServeError(f"{folder}: one of its JSON files holds something else than a page needs: {what}") from error
