"""The model card: README.md of an artifact, with the front matter of model hubs. Every number of ours in it stands in
a file beside it: the manifest, metrics.json, the results of claims; those of others and our aims in `published`.

    write(folder)       from all that stands in the folder
    markdown(...)       the text alone
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import manifest, scores
from zoo.card import contract, making, numbers, seeds, use
from zoo.claims.result import of_artifact, section
from zoo.manifest import Manifest
from zoo.scores import Score

if TYPE_CHECKING:
    from zoo.spec import Spec  # which needs YAML; a card can be corrected without

FILE = "README.md"


def write(folder: Path) -> Path:
    """Write the card of an artifact anew. Raises SpecError, ServeError."""
    from zoo import spec

    text = markdown(manifest.read_all(folder), spec.read(folder / "spec.yaml"), folder)
    return manifest.write_whole(folder / FILE, text.encode())


def markdown(facts: Manifest | Sequence[Manifest], spec: Spec, folder: Path) -> str:
    """The card's text, of one network or of all that `folder` holds, with what else stands there."""
    networks = [facts] if isinstance(facts, Manifest) else list(facts)
    first, claims, measured = networks[0], of_artifact(folder), scores.read(folder)
    chapters = [
        _front(first, measured),
        _what(first, spec),
        numbers.chapter(first.name, measured, making.reached(first, spec)),
        seeds.chapter(first.name, seeds.read(folder)),
        use.chapter(networks),
        contract.chapter(networks),
        _seen(folder),
        _purpose(first, measured),
        making.chapter(networks, folder),
        section(claims) if claims else "",
        _data(first),
    ]
    return "\n\n".join(chapter for chapter in chapters if chapter) + "\n"


def _front(facts: Manifest, measured: Mapping[str, Score]) -> str:
    """As the Hugging Face hub reads it: JSON is YAML, whatever the words are."""
    translates = any(tensor.is_image for tensor in facts.inputs)
    image = facts.outputs[0].is_image
    matter: dict[str, Any] = {
        "license": facts.licence.lower(),
        "library_name": "onnxruntime",
        "tags": ["gan", "onnx", "keras", facts.name],
        "datasets": [facts.data["name"]],
    }
    if image:
        asked = any(tensor.classes for tensor in facts.inputs)
        task = "image-to-image" if translates else "image-generation" if asked else "unconditional-image-generation"
        matter |= {} if asked else {"pipeline_tag": task}  # hubs have no task for images of a class
        matter |= {"model-index": [_index(facts, measured, task)]} if measured else {}
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in matter.items()), "---"])


def _index(facts: Manifest, measured: Mapping[str, Score], task: str) -> dict[str, Any]:
    metrics = [{"type": name, "value": measured[name].value} for name in numbers.ordered(measured)]
    data = {"name": facts.data["title"], "type": facts.data["name"]}
    return {"name": facts.title, "results": [{"task": {"type": task}, "dataset": data, "metrics": metrics}]}


def _what(facts: Manifest, spec: Spec) -> str:
    paper = spec.sections.paper
    shown = facts.training.get("shown")
    caption = f"images of the {shown} split, each with its translation" if shown else "samples of seed 0"
    lines = [f"# {facts.title}", f"![{caption}](samples.png)", spec.sections.about]
    if paper:
        where = f", [arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
        lines.append(f"Paper: {paper.authors}, *{paper.title}*, {paper.year}{where}.")
    if spec.sections.deviations:
        lines.append(
            "Where this model differs from the paper:\n\n"
            + "\n".join(f"* {' '.join(d.split())}" for d in spec.sections.deviations)
        )
    return "\n\n".join(line for line in lines if line)


def _seen(folder: Path) -> str:
    """What a person wants to see beside samples."""
    shown = {
        "walk.webp": "A walk through the latents and back, the same for all columns",
        "neighbours.png": "On the left a sample, beside it the training images that are nearest to it",
    }
    found = [f"{text}:\n\n![{text}]({name})" for name, text in shown.items() if (folder / name).is_file()]
    return "\n\n".join(["## Look closer", *found]) if found else ""


def _purpose(facts: Manifest, measured: Mapping[str, Score]) -> str:
    """What it is for, and where it ends."""
    what, size = facts.data["title"], facts.outputs[0].shape
    kind = f"images of {size[1]} x {size[2]} pixels" if facts.outputs[0].is_image else "points in the plane"
    if any(tensor.is_image for tensor in facts.inputs):
        kind = "translations of images like those it was trained with"
    return "\n\n".join(
        line
        for line in (
            "## What it is for",
            "Teaching, research baselines, placeholder pictures, tests of programs that load generators. It makes "
            f"{kind}, learnt from {what} alone: what is rare there is rarer here, and nothing else can come out. Do "
            "not treat its output as data about the world, and do not use it to judge people.",
            numbers.speed(measured),
        )
        if line
    )


def _data(facts: Manifest) -> str:
    data = facts.data
    home = f" ({data['homepage']})" if data["homepage"] else ""
    source = f"{data['title']}{home}, {data['licence']}." + (f" {data['citation']}." if data["citation"] else "")
    return f"## Data and licence\n\n{source} The weights: {facts.licence}."
