"""Summary of a spec for `zoo build --dry-run`: networks as tables, phases, multiply-adds, memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zoo.core.cards import card_memory
from zoo.core.errors import ExportError
from zoo.core.host import memory
from zoo.nn import networks
from zoo.spec.cost_checks import beyond_the_machine, gigabytes, network_bytes, training_bytes
from zoo.spec.game_expansion import described_game
from zoo.spec.game_text import describe_game, game_text
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.train import loop


def summarize(spec: Spec) -> dict[str, Any]:
    """Build the networks of a spec and describe them; parameters are counted by Keras.

    Args:
        spec: Any spec; one that only describes networks has no phases.

    Returns:
        A dict that JSON can express.

    Raises:
        ExportError: When Keras counts other weights than the spec language does, which is a defect of the zoo.
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
        models = networks.build_all(
            {name: plan for name, plan in spec.plans.items() if network_bytes(plan) <= memory()}
        )
    described = {}
    for name, plan in spec.plans.items():
        counted = plan.parameters
        if name in models:
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
    training = spec.sections.training
    result: dict[str, Any] = {
        "name": spec.name,
        "title": spec.sections.title,
        "spec_sha256": spec.sha256,
        "networks": described,
        "phases": phases,
    }
    if training is not None:
        result["training"] = {"batch_size": training.batch_size, "steps": training.steps, "budget": training.budget}
    if (game := described_game(spec)) is not None:
        result["game"] = describe_game(game, spec.plans, training.batch_size if training else 1)
        result["game"]["leaves"] = {name: _leaves(spec, plan) for name, plan in spec.leaving.items()}
    result["training_bytes"] = training_bytes(spec.plans, training.batch_size if training else 1)
    return result


def summary_text(spec: Spec, described: Mapping[str, Any]) -> str:
    """Format a summary for people: the resolved spec, a table for each network, and what a step does.

    Args:
        spec: The spec.
        described: What `summarize` returned for it.

    Returns:
        Several lines, without a newline at the end.
    """
    blocks = [spec.to_yaml().rstrip(), *(_table(plan) for plan in spec.plans.values())]
    lines = []
    for name, network in described["networks"].items():
        lines.append(
            f"{name}: {network['parameters']:,} trainable parameters, "
            f"{network['macs_per_image']:,} multiply-adds per image"
        )
        if network_bytes(spec.plans[name]) > memory():
            needed = gigabytes(network_bytes(spec.plans[name]))
            lines.append(f"warning: {name} needs {needed}, this machine has {gigabytes(memory())}: it is counted alone")
    for phase in described["phases"] if "game" not in described else ():
        times = f", {phase['repeat']} times" if phase["repeat"] > 1 else ""
        lines.append(f"phase {phase['name']}: {phase['optimizer']} updates {', '.join(phase['networks'])}{times}")
    batch = described["training"]["batch_size"] if "training" in described else 1
    lines += [f"{name}: {words}" for name, words in described.get("export", {}).items()]
    training = spec.sections.training
    if training is not None and (problem := beyond_the_machine(spec.plans, training, memory())):
        lines.append(f"warning: {problem}: it is counted alone")
    card = f"; the card has {gigabytes(size)}" if (size := card_memory()) else ""
    lines.append(f"memory of a step with batches of {batch}: about {gigabytes(described['training_bytes'])}{card}")
    if "game" in described:
        word = spec.sections.algorithm.name if spec.sections.algorithm and spec.game is None else ""
        head = [f"the game of 'alternating', which '{word}' varies:"] if word else []
        leaves = [f"{name} leaves: {text}" for name, text in described["game"]["leaves"].items()]
        blocks.append("\n".join([*head, game_text(described["game"]), *leaves]))
    return "\n\n".join([*blocks, "\n".join(lines)])


def _leaves(spec: Spec, plan: Plan) -> str:
    """Return what leaves, such as 'z -> image, averaged', of a value with the networks that it passes through."""
    training, values = spec.sections.training, spec.game.exports if spec.game is not None else {}
    averaged = ", averaged" if training is not None and training.ema_half_life_images else ""
    through = (
        f", {', '.join(map(str, values[plan.name].values))} through {', '.join(values[plan.name].networks)}"
        if plan.name in values
        else ""
    )
    return f"{', '.join(plan.inputs)} -> {', '.join(plan.outputs)}{through}{averaged}"


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
    """Return ' <- 3, 7' for a layer whose input is not simply the row above, else an empty string.

    Rows count from 1, inputs have their names. The first row names its input where there are several.
    """
    names = list(plan.inputs)
    outputs = {step.output: number + 1 for number, step in enumerate(plan.steps)}
    sources = [names[i] if i < len(names) else str(outputs[i]) for i in inputs]
    return "" if sources == [str(row)] or (row == 0 and len(names) == 1) else f" <- {', '.join(sources)}"
