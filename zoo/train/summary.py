"""What a spec would build, before it is trained: networks as tables, phases, multiply-adds, memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zoo.core.errors import ExportError
from zoo.nn import networks
from zoo.spec.checks import gigabytes, training_bytes
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.train import loop


def summarize(spec: Spec) -> dict[str, Any]:
    """The dry run as one JSON object. The networks are really built: the counts are those of Keras.

    Raises ExportError when Keras counts other weights than the spec language does (a defect of the zoo).
    """
    phases: list[dict[str, Any]] = []
    if spec.sections.algorithm is not None:
        algorithm = loop.make(spec)
        models = algorithm.players
        phases = [
            {
                "name": p.name,
                "networks": [network.name for network in p.networks if network.trainable_variables],
                "repeat": p.repeat,
                "optimizer": type(p.optimizer).__name__,
            }
            for p in algorithm.phases()
        ]
    else:
        models = networks.build_all(spec.plans)
    described = {}
    for name, plan in spec.plans.items():
        counted = sum(math.prod(variable.shape) for variable in models[name].trainable_variables)
        if counted != plan.parameters:
            raise ExportError(
                f"{spec.path}: networks.{name}: Keras counts {counted:,} parameters, the spec {plan.parameters:,}"
            )
        described[name] = {
            "parameters": counted,
            "macs_per_image": plan.macs,
            "inputs": {name: list(shape) for name, shape in plan.inputs.items()},
            "output": plan.output_name,
            "output_shape": list(plan.output_shape),
        }
    config = spec.sections.training
    result: dict[str, Any] = {
        "name": spec.name,
        "title": spec.sections.title,
        "spec_sha256": spec.sha256,
        "networks": described,
        "phases": phases,
    }
    if config is not None:
        result["training"] = {"batch_size": config.batch_size, "steps": config.steps, "budget": config.budget}
    result["training_bytes"] = training_bytes(spec.plans, config.batch_size if config else 1)
    return result


def summary_text(spec: Spec, described: Mapping[str, Any]) -> str:
    """The same for people: the resolved spec, a table per network, and what a step does."""
    parts = [spec.to_yaml().rstrip()]
    parts += [_table(plan) for plan in spec.plans.values()]
    for name, network in described["networks"].items():
        parts.append(
            f"{name}: {network['parameters']:,} trainable parameters, "
            f"{network['macs_per_image']:,} multiply-adds per image"
        )
    for phase in described["phases"]:
        times = f", {phase['repeat']} times" if phase["repeat"] > 1 else ""
        parts.append(f"phase {phase['name']}: {phase['optimizer']} updates {', '.join(phase['networks'])}{times}")
    batch = described["training"]["batch_size"] if "training" in described else 1
    parts.append(f"memory of a step with batches of {batch}: about {gigabytes(described['training_bytes'])}")
    return "\n\n".join(parts[: 1 + len(spec.plans)]) + "\n\n" + "\n".join(parts[1 + len(spec.plans) :])


def _table(plan: Plan) -> str:
    inputs = ", ".join(f"{name} {list(shape)}" for name, shape in plan.inputs.items())
    rows = [(f"{step.layer}{_from(step.inputs, i, plan)}", str(list(step.cost.shape)), f"{step.cost.parameters:,}")
            for i, step in enumerate(plan.steps)]  # fmt: skip
    head = ("layer", "output shape", "parameters")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in [head, *rows]]
    return "\n".join(
        [f"{plan.name}: {inputs} -> {plan.output_name} {list(plan.output_shape)}", *("  " + line for line in lines)]
    )


def _from(inputs: tuple[int, ...], row: int, plan: Plan) -> str:
    """' <- 3, 7' for a layer that does not simply follow the row above; rows count from 1, inputs have their names.

    The first row says which input it takes where there are several.
    """
    names = list(plan.inputs)
    outputs = {step.output: number + 1 for number, step in enumerate(plan.steps)}
    sources = [names[i] if i < len(names) else str(outputs[i]) for i in inputs]
    return "" if sources == [str(row)] or (row == 0 and len(names) == 1) else f" <- {', '.join(sources)}"
