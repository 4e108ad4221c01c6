"""Losses of logits that are fed with probabilities: behind a softmax or a sigmoid they are flat, and say nothing.

cross_entropy: {of: seen.probabilities, labels: label}        behind a Softmax
non_saturating.generator: {fake: on_fake}                     of a D that ends in a sigmoid
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zoo.spec.game_plan import Call, GamePlan, Reference
from zoo.spec.plan import Plan

_ADVERSARIAL = ("minimax", "non_saturating")  # those that contain a sigmoid
_ARGUMENTS = {"cross_entropy": ("of",), "binary_cross_entropy": ("of",)}
_SQUASHING = ("softmax", "sigmoid")
_FOLLOWED = ("stop_gradient", "slice")  # functions whose result is as squashed as what they take


def squashed(call: Call, game: GamePlan, plans: Mapping[str, Plan]) -> Iterator[tuple[str, str]]:
    """Yield the arguments of a loss that should be logits and are probabilities.

    Args:
        call: A call of a function.
        game: The game.
        plans: The networks.

    Yields:
        The name of the argument, and what is wrong with it.
    """
    loss, _, side = call.function.rpartition(".")
    arguments = ("real", "fake", "of") if side and loss in _ADVERSARIAL else _ARGUMENTS.get(call.function, ())
    for key in arguments:
        found = _squasher(call.arguments.get(key), game, plans)
        if found:
            activation, by = found
            text = f"{call.function} takes logits, the values before the {activation}, which it contains; received "
            yield key, f"{text}probabilities of {by}"


def _squasher(argument: Any, game: GamePlan, plans: Mapping[str, Plan]) -> tuple[str, str] | None:
    """Return the activation behind which an argument lies, and what computes it; None for what may be logits."""
    call = game.values.get(argument.name) if isinstance(argument, Reference) else argument
    if not isinstance(call, Call):
        return None
    if call.function in _FOLLOWED:
        return _squasher(call.arguments["of"], game, plans)
    if call.function == "softmax":
        return "softmax", f"the function softmax{f', {call.name}' if isinstance(argument, Reference) else ''}"
    if not call.network or not isinstance(argument, Reference):
        return None
    plan = plans[call.network]
    name = argument.tap or plan.output_name
    number = plan.tensors[name][0]
    activation = plan.activation_of(number)
    if name == "logits" or activation not in _SQUASHING:  # an output called logits is reported at the network
        return None
    step = plan.computes(number)
    assert step is not None  # an input has no known activation
    return activation, step.where
