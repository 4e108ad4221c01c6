"""A rehearsal of the export: the untrained networks are converted and compared, before the first step is trained.

What cannot be exported is so refused within seconds, at its place in the spec, and not after the training. Everything
is as in an export but for the weights, which are drawn here and change no random number of the training.

    python -m zoo.export.rehearsal SPEC [section.key=value ...]     for a training on another backend of Keras
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from zoo.artifact.manifest import Manifest
from zoo.artifact.onnx_header import header
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ExportError, SpecError, ZooError
from zoo.core.files import write_whole
from zoo.export import exporter, to_onnx
from zoo.export.network_manifest import untrained_manifest
from zoo.nn.batch_norm import folded
from zoo.nn.networks import build
from zoo.runtime import parity
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.read import Spec, read_spec
from zoo.spec.sections import Export
from zoo.spec.shapes import Shape
from zoo.spec.sizes import Sizes

LARGEST = {"parameters": 50_000_000, "macs": 20 * 10**9}  # what is converted and run in some seconds
WORK = 4 * 10**9  # multiply-adds of the comparison, which is of one example at least


def rehearse(spec: Spec) -> dict[str, str]:
    """Export the untrained networks of a spec to nowhere.

    Args:
        spec: A spec that can be trained.

    Returns:
        Network -> what was found, in words; for a network that is too large for it, why it was left out.

    Raises:
        SpecError: A network cannot be exported, or does not compute what Keras computes; located at the layer, if one
            is to blame by itself.
    """
    plans, found, alike = exporter.exported_plans(spec), dict[str, str](), dict[str, str]()
    for plan in plans:
        if (twin := alike.setdefault(_content(plan), plan.name)) != plan.name:
            found[plan.name] = found[twin]
            continue
        large = [f"{getattr(plan, key):,} {key}" for key, most in LARGEST.items() if getattr(plan, key) > most]
        if large:
            found[plan.name] = f"too large to be tried before the training ({', '.join(large)})"
            continue
        sizes = exporter.allowed_sizes(spec, plan)
        manifest = untrained_manifest(spec, plan, sizes, network=plan.name if len(plans) > 1 else "")
        opset = (spec.sections.export or Export()).opset
        try:
            found[plan.name] = _tried(plan, manifest, sizes, opset)
        except Exception as error:  # converters raise almost anything
            raise _located(spec, plan, opset, error) from error
    return found


def _content(plan: Plan) -> str:
    """Return what decides if a network can be exported: equal for the two translators of most specs."""
    calls = [[step.layer, step.args, step.inputs, step.output] for step in plan.steps]
    return json.dumps([list(plan.inputs.values()), calls, plan.output], sort_keys=True, default=str)


def _tried(plan: Plan, manifest: Manifest, sizes: Sizes | None, opset: int | str) -> str:
    """Convert a network with drawn weights and compare it with Keras. Raises whatever a converter raises."""
    network = build(exporter.of_any_size(plan) if sizes else plan)
    _draw_weights(network)
    data = to_onnx.onnx_bytes(folded(plan, network, to_onnx.traced_layers(plan)), plan, manifest, opset)
    computed = exporter.keras_outputs(network, plan)
    cases: parity.Cases = {}
    for case, inputs in _affordable(parity.make_cases(manifest), plan).items():
        expected = computed(inputs)
        if all(np.isfinite(one).all() for one in expected.values()):  # what overflows is for the training to mend
            cases[case] = {"input": inputs, "output": expected}
    with tempfile.TemporaryDirectory() as scratch:
        file = write_whole(Path(scratch) / "network.onnx", data)
        differences = parity.compare(zoo.load(file), cases)
    for case, difference in differences.items():
        largest = max(float(np.abs(one).max()) for one in cases[case]["output"].values())
        if not difference <= exporter.TOLERANCE * max(1.0, largest):
            raise ExportError(
                f"the ONNX file differs from Keras by {difference:.2g}, where outputs reach {largest:.2g}"
            )
    most = max(differences.values(), default=0.0)
    return f"can be exported: ONNX of opset {header(data).opset}, as Keras to {most:.1g}"


def _affordable(cases: Mapping[str, exporter.Feed], plan: Plan) -> dict[str, exporter.Feed]:
    """Return the batches of 1 and 3 and the other sizes of images, the first one and as many as `WORK` allows."""
    trained = sum(math.prod(shape) for shape in plan.inputs.values())
    chosen, work = dict[str, exporter.Feed](), 0.0
    for case, inputs in cases.items():
        if case in ("batch_1", "batch_3") or case.startswith("size_"):
            work += plan.macs * sum(array.size for array in inputs.values()) / trained
            if chosen and work > WORK:
                break
            chosen[case] = inputs
    return chosen


def _draw_weights(network: keras.Model) -> None:
    """Move every weight a little: biases of 0 and scales of 1 would hide a fault."""
    random = np.random.RandomState(0)
    for weight in network.weights:
        value = keras.ops.convert_to_numpy(weight.value)
        moved = value + 0.1 / math.sqrt(max(1, math.prod(value.shape[:-1]))) * random.standard_normal(value.shape)
        weight.assign(np.abs(moved) if weight.path.endswith("moving_variance") else moved)


def _located(spec: Spec, plan: Plan, opset: int | str, error: Exception) -> SpecError:
    """Return the error at the first layer that fails by itself, else at the network."""
    shapes: dict[int, Shape] = dict(enumerate(plan.inputs.values()))
    shapes |= {step.output: step.cost.shape for step in plan.steps}
    tried = set[str]()
    for step in plan.steps:
        inputs = [shapes[number] for number in step.inputs]
        kind = json.dumps([step.layer, step.args, inputs], sort_keys=True, default=str)
        if kind in tried:
            continue
        tried.add(kind)
        try:
            _tried(*_alone(step, inputs), None, opset)
        except Exception as alone:  # as above
            return SpecError(f"{step.place}: {step.where}: {_reason(alone)}")
    at = plan.steps[-1].place if plan.steps else spec.path
    return SpecError(f"{at}: networks.{plan.name}: {_reason(error)}")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be exported: {text if isinstance(error, ZooError) else f'{type(error).__name__}: {text}'}"


def _alone(step: LayerCall, shapes: Sequence[Shape]) -> tuple[Plan, Manifest]:
    """Return the plan of a network of one layer, and a manifest for it."""
    inputs = {f"x{number}": shape for number, shape in enumerate(shapes)}
    output = len(inputs)
    one = replace(step, inputs=tuple(range(output)), output=output)
    plan = Plan("layer", inputs, (one,), "y", output, step.cost.shape)
    tensors = tuple(
        Tensor(name, "float32", ("batch", *shape), prior={"normal": {}}) if shape
        else Tensor(name, "int64", ("batch",), classes=("0", "1"))
        for name, shape in inputs.items()
    )  # fmt: skip
    made = Tensor("y", "float32", ("batch", *step.cost.shape))
    words: Mapping[str, Any] = {
        "paper": {},
        "weights": {},
        "data": {},
        "licence": "",
        "spec_sha256": "",
        "versions": {},
    }
    return plan, Manifest(name="layer", title=step.layer, inputs=tensors, outputs=(made,), **words)


def main(argv: Sequence[str] | None = None) -> int:
    """Rehearse the export of a spec file. Prints one JSON object: what was `found`, or the `error`; returns 0 or 2."""
    path, *overrides = list(sys.argv[1:] if argv is None else argv)
    try:
        print(json.dumps({"found": rehearse(read_spec(Path(path), overrides))}))
    except ZooError as error:
        print(json.dumps({"error": str(error)}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
