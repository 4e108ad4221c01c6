"""What the server tells about a generator, and the files of its artifact that it hands out. JSON values only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.manifest import Manifest


@dataclass(frozen=True)
class File:
    """Bytes as they were when the artifact was loaded, and the quoted hash that names them."""

    data: bytes
    media_type: str
    sha256: str

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'


def kind(facts: Manifest) -> str:
    """`translation`, `images` or `points`."""
    if any(tensor.is_image for tensor in facts.inputs):
        return "translation"
    return "images" if facts.outputs[0].is_image else "points"


def card(facts: Manifest, files: Mapping[str, File]) -> dict[str, Any]:
    """One entry of GET /models."""
    keys, home = json.loads(facts.to_json()), f"/models/{facts.model}"
    model = files["model.onnx"]
    return {
        "name": facts.model,
        "title": facts.title,
        "kind": kind(facts),
        "paper": facts.paper,
        "licence": facts.licence,
        "data": facts.data,
        "parameters": facts.weights.get("parameters"),
        "inputs": keys["inputs"],
        "outputs": keys["outputs"],
        "file": {"url": f"{home}/model.onnx", "bytes": len(model.data), "sha256": model.sha256},
        "samples": f"{home}/samples.png" if "samples.png" in files else None,
        "card": f"{home}/card" if "card" in files else None,
        "parity": facts.parity.get("max_abs_difference"),
    }
