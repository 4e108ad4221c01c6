"""The model card: README.md of an artifact, written from its manifest and spec, with the front matter of model hubs."""

from __future__ import annotations

import json

from zoo.manifest import MODEL_FILE, Manifest
from zoo.spec import Spec


def markdown(facts: Manifest, spec: Spec) -> str:
    """The card's text. Every number in it stands in the manifest too."""
    return (
        "\n\n".join(
            [_front(facts), _what(facts, spec), _use(facts), _contract(facts), _training(facts, spec), _data(facts)]
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
    lines = [f"# {facts.title}", "![samples of seed 0](samples.png)", spec.sections.about]
    if paper:
        where = f", [arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
        lines.append(f"Paper: {paper.authors}, *{paper.title}*, {paper.year}{where}.")
    if spec.sections.deviations:
        lines.append(
            "Where this model differs from the paper:\n\n"
            + "\n".join(f"* {' '.join(d.split())}" for d in spec.sections.deviations)
        )
    return "\n\n".join(line for line in lines if line)


def _use(facts: Manifest) -> str:
    feeds = ", ".join(f'"{t.name}": ...' for t in facts.inputs)
    return f"""## Use it

```python
import zoo

images = zoo.load("exported/{facts.name}").sample(16, seed=0)
```

or with any ONNX runtime: feed `{{{feeds}}}` to `{MODEL_FILE}` as the table says, and scale the result from its range
to 0..255. `golden.npz` holds inputs and the result that Keras computed for them, to check an integration against."""


def _contract(facts: Manifest) -> str:
    rows = ["| tensor | dtype | shape | drawn from | range |", "|---|---|---|---|---|"]
    for tensor in (*facts.inputs, *facts.outputs):
        shape = ", ".join(map(str, tensor.shape))
        limits = f"[{tensor.range[0]:g}, {tensor.range[1]:g}]" if tensor.range else ""
        rows.append(
            f"| `{tensor.name}` | {tensor.dtype} | [{shape}] | {_drawn(tensor.prior, tensor.classes)} | {limits} |"
        )
    parity, check = facts.parity, ""
    if parity:
        check = (
            f"\n\nAgainst Keras, in a process without TensorFlow: largest absolute difference "
            f"{parity['max_abs_difference']:.1e} over batches of 1, 3 and 64 and latents of 0 and +-10 "
            f"(limit {parity['tolerance']:g})."
        )
    return "## What goes in, what comes out\n\n" + "\n".join(rows) + check


def _drawn(prior: object, classes: tuple[str, ...]) -> str:
    if classes:
        return "class id: " + ", ".join(f"{i} {name}" for i, name in enumerate(classes)).replace("|", "\\|")
    if not isinstance(prior, dict):
        return ""
    ((name, args),) = prior.items()
    return f"{name} {', '.join(f'{k} {v}' for k, v in args.items())}".strip()


def _training(facts: Manifest, spec: Spec) -> str:
    weights, run = facts.weights, facts.training
    half_life = weights["ema_half_life_images"]
    kind = f"average of the weights (half-life {half_life:,.0f} images)" if half_life else "last weights"
    pace, norm = weights["images"] / max(run["seconds"], 1), weights["batch_norm"]
    statistics = f"; batch norm statistics: {norm}" if norm else ""
    return f"""## How it was made

`zoo build spec.yaml`, the recipe in this folder: {weights["step"]:,} steps, {weights["images"]:,} images shown,
{_time(run["seconds"])} on {run["machine"]} ({pace:,.0f} images/s), seed {weights["seed"]}.
Exported: the {kind}{statistics}. {weights["parameters"]:,} parameters.
SHA-256 of the recipe's content: `{facts.spec_sha256[:16]}...`."""


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def _data(facts: Manifest) -> str:
    data = facts.data
    home = f" ({data['homepage']})" if data["homepage"] else ""
    source = f"{data['title']}{home}, {data['licence']}." + (f" {data['citation']}." if data["citation"] else "")
    return f"## Data and licence\n\n{source} The weights: {facts.licence}."
