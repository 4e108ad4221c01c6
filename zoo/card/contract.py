"""What goes into a network and what comes out, from its manifest alone."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.manifest import Manifest


def chapter(networks: Sequence[Manifest]) -> str:
    """A table for each network."""
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
