"""The model card: README.md of an artifact, written from its manifest and spec, with the front matter of model hubs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.claims.result import Result, section
from zoo.manifest import Manifest

if TYPE_CHECKING:
    from zoo.spec import Spec  # which needs YAML; a card can be corrected without


def markdown(facts: Manifest | Sequence[Manifest], spec: Spec, claims: Sequence[Result] = ()) -> str:
    """The card's text, of one network or of all that the folder holds.

    Every number in it stands in the manifests too, or in the results of `claims` beside them.
    """
    networks = [facts] if isinstance(facts, Manifest) else list(facts)
    first = networks[0]
    return (
        "\n\n".join(
            [_front(first), _what(first, spec), _use(networks), _contract(networks), _training(networks), _data(first)]
            + ([section(claims)] if claims else [])
        )
        + "\n"
    )


def _front(facts: Manifest) -> str:
    matter = {
        "license": facts.licence.lower(),
        "library_name": "onnxruntime",
        "tags": ["gan", "onnx", "keras", facts.name],
        "datasets": [facts.data["name"]],
    }
    lines = [f"{key}: {json.dumps(value)}" for key, value in matter.items()]  # JSON is YAML, whatever the words are
    return "\n".join(["---", *lines, "---"])


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


def _use(networks: Sequence[Manifest]) -> str:
    calls = "\n".join(_call(facts) for facts in networks)
    feeds = " or ".join(f"`{{{_feed(facts)}}}` to `{facts.file}`" for facts in networks)
    scaled = "and scale the result from its range\nto 0..255"
    if any(tensor.is_image for tensor in networks[0].inputs):
        scaled = "with pixels\nscaled from 0..255 to the stated range, and scale the result back"
    golden = " and ".join(f"`{facts.golden}`" for facts in networks)
    hold = "hold" if len(networks) > 1 else "holds"
    return f"""## Use it

```python
import zoo

{calls}
```

or with any ONNX runtime: feed {feeds} as the table says, {scaled}. {golden} {hold} inputs and the result that Keras \
computed for them, to check an integration against."""


def _feed(facts: Manifest) -> str:
    return ", ".join(f'"{tensor.name}": ...' for tensor in facts.inputs)


def _call(facts: Manifest) -> str:
    network = f', network="{facts.network}"' if facts.network else ""
    source = next((tensor for tensor in facts.inputs if tensor.is_image), None)
    if source is None:
        return f'images = zoo.load("exported/{facts.name}"{network}).sample(16, seed=0)'
    name = facts.outputs[0].name
    kind = f"uint8 [n, {', '.join(map(str, source.shape[1:]))}]{source.rule()}"
    return f'{name} = zoo.load("exported/{facts.name}"{network}).translate({source.name})  # {kind}'


def _contract(networks: Sequence[Manifest]) -> str:
    tables = [table(facts) for facts in networks]
    if len(networks) > 1:
        tables = [f"### {facts.file}\n\n{table}" for facts, table in zip(networks, tables, strict=True)]
    return "## What goes in, what comes out\n\n" + "\n\n".join(tables)


def table(facts: Manifest) -> str:
    """What a network takes and makes, how close it is to Keras, its variants: from its manifest alone."""
    rows = ["| tensor | dtype | shape | drawn from | range |", "|---|---|---|---|---|"]
    for tensor in (*facts.inputs, *facts.outputs):
        shape = ", ".join(map(str, tensor.shape))
        limits = f"[{tensor.range[0]:g}, {tensor.range[1]:g}]" if tensor.range else ""
        rows.append(
            f"| `{tensor.name}` | {tensor.dtype} | [{shape}] | {_drawn(tensor.prior, tensor.classes)} | {limits} |"
        )
    return "\n".join([*rows, *_sizes(facts)]) + (_parity(facts) if facts.parity else "") + _variants(facts)


def _sizes(facts: Manifest) -> list[str]:
    tensor = next((tensor for tensor in facts.inputs if tensor.sizes), None)
    if tensor is None or tensor.sizes is None:
        return []
    trained = " x ".join(str(rule["trained"]) for rule in tensor.sizes.values())
    return ["", f"Images of any size: {tensor.rule().removeprefix(', ')}. It was trained at {trained}."]


def _parity(facts: Manifest) -> str:
    parity = facts.parity
    tried = "batches of 1, 3 and 64 and latents of 0 and +-10"
    if any(tensor.is_image for tensor in facts.inputs):
        others = [
            name.removeprefix("size_").replace("x", " x ") for name in parity["cases"] if name.startswith("size_")
        ]
        tried = ", ".join(
            ["batches of 1 and 3", "pixels of 0 and 255 alone", *(f"images of {size}" for size in others)]
        )
    return (
        f"\n\nAgainst Keras, in a process without TensorFlow: largest absolute difference "
        f"{parity['max_abs_difference']:.1e} over {tried} "
        f"(limit {parity['tolerance']:g})."
    )


def _variants(facts: Manifest) -> str:
    return "".join(
        f"\n\n`{one['file']}` is the same network in half precision, {one['bytes'] / 1e6:.1f} MB: largest absolute "
        f"difference {one['parity']['max_abs_difference']:.1e} (limit {one['parity']['tolerance']:g}), on a CPU, where "
        f"ONNX Runtime computes in float32 with the halved weights; arithmetic in halves, as on GPUs, adds to it."
        for one in facts.variants.values()
    )


def _drawn(prior: object, classes: tuple[str, ...]) -> str:
    if classes:
        return "class id: " + ", ".join(f"{i} {name}" for i, name in enumerate(classes)).replace("|", "\\|")
    if not isinstance(prior, dict):
        return ""
    ((name, args),) = prior.items()
    return f"{name} {', '.join(f'{k} {v}' for k, v in args.items())}".strip()


def _training(networks: Sequence[Manifest]) -> str:
    facts = networks[0]
    weights, run = facts.weights, facts.training
    half_life = weights["ema_half_life_images"]
    kind = f"average of the weights (half-life {half_life:,.0f} images)" if half_life else "last weights"
    pace, norm = weights["images"] / max(run["seconds"], 1), weights["batch_norm"]
    statistics = f"; batch norm statistics: {norm}" if norm else ""
    sizes = f"{weights['parameters']:,} parameters"
    if len(networks) > 1:
        sizes = ", ".join(f"{one.weights['parameters']:,} parameters in {one.file}" for one in networks)
    return f"""## How it was made

`zoo build spec.yaml`, the recipe in this folder: {weights["step"]:,} steps, {weights["images"]:,} images shown,
{_time(run["seconds"])} on {run["machine"]} ({pace:,.0f} images/s), seed {weights["seed"]}.
Exported: the {kind}{statistics}. {sizes}.
SHA-256 of the recipe's content: `{facts.spec_sha256[:16]}...`."""


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def _data(facts: Manifest) -> str:
    data = facts.data
    home = f" ({data['homepage']})" if data["homepage"] else ""
    source = f"{data['title']}{home}, {data['licence']}." + (f" {data['citation']}." if data["citation"] else "")
    return f"## Data and licence\n\n{source} The weights: {facts.licence}."
