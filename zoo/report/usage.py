"""The chapter of a card that loads and runs a model, in Python, JavaScript and C++."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import Tensor


def usage_chapter(networks: Sequence[Manifest], place: str) -> str:
    """Write the chapter: the zoo's runtime, ONNX Runtime alone, JavaScript and C++, as Markdown.

    Args:
        networks: The manifests of the artifact.
        place: The path of its folder, as the examples name it.

    Returns:
        Markdown.
    """
    calls = "\n".join(_call(manifest, place) for manifest in networks)
    golden = " and ".join(f"`{manifest.golden}`" for manifest in networks)
    hold = "hold" if len(networks) > 1 else "holds"
    parts = [
        f"## Use it\n\n```python\nimport zoo\n\n{calls}\n```",
        f"With ONNX Runtime alone:\n\n```python\n{_python(networks[0], place)}\n```",
        "In JavaScript (`onnxruntime-node`, or `onnxruntime-web` in a page):",
        f"```js\n{_javascript(networks[0], place)}\n```",
        f"In C++:\n\n```cpp\n{_cpp(networks[0], place)}\n```",
        f"{golden} {hold} inputs and the result that Keras computed for them, to check an integration against.",
    ]
    return "\n\n".join(parts)


def _call(manifest: Manifest, place: str) -> str:
    network = f', network="{manifest.network}"' if manifest.network else ""
    source = next((tensor for tensor in manifest.inputs if tensor.is_image), None)
    if source is None:
        items = "images" if manifest.outputs[0].is_image else "points"
        labels = [tensor for tensor in manifest.inputs if tensor.classes][:3]  # enough to see how it is done
        label = "".join(f', {tensor.name}="{tensor.classes[-1]}"' for tensor in labels)
        for tensor in manifest.inputs:
            label += f', {tensor.name}="{tensor.text["examples"][0]}"' if tensor.text else ""
        return f'{items} = zoo.load("{place}"{network}).sample(16, seed=0{label})'
    name = manifest.outputs[0].name
    kind = f"uint8 [n, {', '.join(map(str, source.shape[1:]))}]{source.rule()}"
    return f'{name} = zoo.load("{place}"{network}).translate({source.name})  # {kind}'


def _python(manifest: Manifest, place: str) -> str:
    output = manifest.outputs[0]
    lines = ["import numpy as np", "import onnxruntime", ""]
    lines += [f'session = onnxruntime.InferenceSession("{place}/{manifest.file}")']
    lines += [f"{one.name} = {_drawn(one)}  # {_shape(one)}{_vocabulary(one)}" for one in manifest.inputs]
    feed = ", ".join(f'"{tensor.name}": {tensor.name}' for tensor in manifest.inputs)
    limits = f" in [{output.range[0]:g}, {output.range[1]:g}]" if output.range else ""
    lines += [f'({output.name},) = session.run(["{output.name}"], {{{feed}}})  # {_shape(output)}{limits}']
    if output.range:
        low, high = output.range
        lines += [f"pixels = (({output.name} - {low:g}) / {high - low:g} * 255).round().clip(0, 255).astype(np.uint8)"]
    return "\n".join(lines).replace(" - -", " + ")


def _vocabulary(tensor: Tensor) -> str:
    return f", lines of {tensor.text['vocabulary']}" if tensor.text else ""


def _drawn(tensor: Tensor) -> str:
    """Return an expression that draws 16 of an input."""
    sides = _sides(tensor)
    shape = f"({', '.join(map(str, [16, *sides]))}{'' if sides else ','})"
    if tensor.classes:
        return f"np.random.randint(0, {len(tensor.classes)}, {shape})"
    if tensor.text:
        return f"np.array([{_example_ids(tensor)}] * 16, np.{tensor.dtype})"
    if tensor.given is not None:
        return f"np.full({shape}, {tensor.given['default']:g}, np.float32)"
    prior, args = _prior(tensor)
    if prior == "uniform":
        return f"np.random.uniform({args['low']:g}, {args['high']:g}, {shape}).astype(np.float32)"
    drawn = f"np.random.standard_normal({shape}).astype(np.float32)"
    return drawn if args.get("stddev", 1) == 1 else f"{args['stddev']:g} * {drawn}"


def _example_ids(tensor: Tensor) -> list[int]:
    """Return ids of words that stand for a caption: the vocabulary is a file that a reader of the card has."""
    longest = _sides(tensor)[0]
    return ([1, 2, 3] + [0] * longest)[:longest]


def _prior(tensor: Tensor) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of a prior; of uniform noise in the place of a photo: shape and range matter here."""
    low, high = tensor.range or (0.0, 1.0)
    return next(iter((tensor.prior or {"uniform": {"low": low, "high": high}}).items()))


def _sides(tensor: Tensor) -> list[int]:
    """Return the shape of one example; an open side is the one of the training."""
    trained = [int(rule["trained"]) for rule in (tensor.sizes or {}).values()] or [1]
    return [size if isinstance(size, int) else trained[min(axis, len(trained) - 1)]
            for axis, size in enumerate(tensor.shape[1:])]  # fmt: skip


def _shape(tensor: Tensor) -> str:
    return f"{tensor.dtype} [{', '.join(map(str, tensor.shape))}]"


def _javascript(manifest: Manifest, place: str) -> str:
    lines = [
        'import * as ort from "onnxruntime-node";',
        "",
        f'const session = await ort.InferenceSession.create("{place}/{manifest.file}");',
    ]
    for tensor in manifest.inputs:
        sides = _sides(tensor)
        dims = ", ".join(map(str, [1, *sides]))
        if tensor.dtype == "int64":
            lines.append(f'const {tensor.name} = new ort.Tensor("int64", [3n], [{dims}]);')
        elif tensor.text:
            lines.append(f"const ids = {_example_ids(tensor)};  // of words{_vocabulary(tensor)}")
            lines.append(f'const {tensor.name} = new ort.Tensor("int32", Int32Array.from(ids), [{dims}]);')
        else:
            lines.append(
                f"const numbers_{tensor.name} = Float32Array.from({{ length: {math.prod(sides)} }}, {_random(tensor)});"
            )
            lines.append(f'const {tensor.name} = new ort.Tensor("float32", numbers_{tensor.name}, [{dims}]);')
    output = manifest.outputs[0]
    lines.append(f"const {{ {output.name} }} = await session.run({{ {', '.join(t.name for t in manifest.inputs)} }});")
    if output.range:
        low, high = output.range
        lines.append(
            f"const pixels = Uint8ClampedArray.from({output.name}.data, (x) => (x - ({low:g})) / {high - low:g} * 255);"
        )
    return "\n".join(lines)


def _random(tensor: Tensor) -> str:
    """Return a function that draws one number."""
    if tensor.given is not None:
        return f"() => {tensor.given['default']:g}"
    prior, args = _prior(tensor)
    if prior == "uniform":
        return f"() => {args['low']:g} + {args['high'] - args['low']:g} * Math.random()"
    scale = "" if args.get("stddev", 1) == 1 else f"{args['stddev']:g} * "
    return f"() => {scale}Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())"


def _cpp(manifest: Manifest, place: str) -> str:
    names = ", ".join(f'"{tensor.name}"' for tensor in manifest.inputs)
    given = ", ".join(f"{tensor.name}: {_shape(tensor)}" for tensor in manifest.inputs)
    return f"""\
// tools/clients/cpp/draw.cpp is a whole program
Ort::Env env;
Ort::Session session(env, "{place}/{manifest.file}", Ort::SessionOptions());
const char* inputs[] = {{{names}}};  // {given}
const char* outputs[] = {{"{manifest.outputs[0].name}"}};
auto made = session.Run({{}}, inputs, tensors.data(), {len(manifest.inputs)}, outputs, 1);"""
