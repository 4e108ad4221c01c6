"""Arguments of the right shape and the wrong meaning: probabilities for logits, ids of more classes than are known.

cross_entropy: {of: seen.probabilities, labels: label}        behind a Softmax: flat, and says nothing
non_saturating.generator: {fake: on_fake}                     of a D that ends in a sigmoid
hinge.discriminator: {real: on_real, fake: on_fake}           ... whose numbers never reach a margin
one_hot: {of: label, classes: 5}                              rows of zeros for the labels from 5 on
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.spec.game_plan import Call, GamePlan, Reference
from zoo.spec.graph_checks import too_few_classes
from zoo.spec.plan import Plan

_SIGMOID_INSIDE = ("minimax", "non_saturating")
_UNBOUNDED = ("hinge", "wasserstein")
_ARGUMENTS = {"cross_entropy": ("of",), "binary_cross_entropy": ("of",)}
_SQUASHING = ("softmax", "sigmoid")
_FOLLOWED = ("stop_gradient", "slice")  # functions whose result is as squashed as what they take
_SAME_IDS = ("stop_gradient", "shuffled", "another", "pool")  # ... and whose class ids are those that they take
_KNOWN = {  # ids of classes or words, and what counts them
    "one_hot": ("of", "classes"), "cross_entropy": ("labels", "of"), "word_set": ("of", "size"),
    "words_nll": ("text", "of"),
}  # fmt: skip
_TARGETS = {"discriminator": ("a", "b"), "generator": ("c",), "real": ("b",), "fake": ("a",)}  # of lsgan


def squashed(call: Call, game: GamePlan, plans: Mapping[str, Plan]) -> Iterator[tuple[str, str]]:
    """Yield the arguments of a loss that should be logits and are probabilities.

    Args:
        call: A call of a function.
        game: The game.
        plans: The networks.

    Yields:
        The name of the argument, and what is wrong with it; once, where both sides come out of the same layer.
    """
    said = set()
    loss, _, side = call.function.rpartition(".")
    adversarial = side and (loss in (*_SIGMOID_INSIDE, *_UNBOUNDED) or (loss == "lsgan" and _unreached(call, side)))
    for key in ("real", "fake", "of") if adversarial else _ARGUMENTS.get(call.function, ()):
        found = _squasher(call.arguments.get(key), game, plans)
        if found and found not in said:
            said.add(found)
            yield key, _text(call, loss, side, *found)


def _text(call: Call, loss: str, side: str, activation: str, by: str) -> str:
    bounded = f"those behind a {activation} are in [0, 1]: leave it out at {by}"
    if side and loss in _UNBOUNDED:
        return f"{call.function} takes any numbers, and {bounded}"
    if side and loss == "lsgan":
        return f"{call.function} aims at {' and '.join(f'{one:g}' for one in _unreached(call, side))}, and {bounded}"
    text = f"{call.function} takes logits, the values before the {activation}, which it contains; received "
    return f"{text}probabilities of {by}"


def _unreached(call: Call, side: str) -> list[float]:
    """Return the targets of a least squares loss that no probability reaches; 0 and 1 are those of Brier's score."""
    targets = [call.arguments.get(key) for key in _TARGETS.get(side, ())]
    return [one for one in targets if isinstance(one, float | int) and not 0 <= one <= 1]


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


def unknown_classes(
    call: Call, game: GamePlan, plans: Mapping[str, Plan], labels: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """Yield the arguments of a call that are ids of more classes than the call knows.

    Args:
        call: A call of a network or of a function.
        game: The game.
        plans: The networks.
        labels: The number of classes of latents and fields, by name.

    Yields:
        The name of the argument, and what is wrong with it.
    """
    for number, key in enumerate(plans[call.network].inputs if call.network else ()):
        argument = call.arguments[key]
        if isinstance(argument, Reference) and argument.name == key:
            continue  # reported at the network
        classes = _classes(argument, game, labels)
        for step, name, needed in too_few_classes(plans[call.network], key, number, classes):
            text = f"{step.where} knows {step.args[name]} classes, and {_named(argument)} has {classes}"
            yield key, text if needed == classes else f"{text}, which come there as ids up to {needed - 1}"
    if call.function in _KNOWN:
        ids, counted = _KNOWN[call.function]
        classes, known = _classes(call.arguments[ids], game, labels), call.arguments[counted]
        known = known if isinstance(known, int) else _last(known, game, plans)
        if classes > known:
            text = f"{call.function} of {known:g} classes is too few: {_named(call.arguments[ids])} has {classes}"
            yield counted, text


def _named(argument: Any) -> str:
    return f"'{argument.function if isinstance(argument, Call) else argument}'"


def _last(argument: Any, game: GamePlan, plans: Mapping[str, Plan]) -> float:
    """Return the last size of an argument; infinity where it is not known here."""
    call = game.values.get(argument.name) if isinstance(argument, Reference) else argument
    shape = call.shape if isinstance(call, Call) else None
    if isinstance(argument, Reference) and argument.tap and isinstance(call, Call) and call.network:
        shape = plans[call.network].tensors[argument.tap][1]
    return shape[-1] if shape else math.inf


def _classes(argument: Any, game: GamePlan, labels: Mapping[str, int]) -> int:
    """Return how many classes the ids of an argument have; 0 for what is no class ids."""
    if isinstance(argument, Reference) and argument.name in labels:
        return labels[argument.name]
    call = game.values.get(argument.name) if isinstance(argument, Reference) else argument
    if not isinstance(call, Call):
        return 0
    if call.function == "categorical":
        stated: int | None = call.arguments.get("classes")
        return stated or _classes(call.arguments.get("like"), game, labels)
    return _classes(call.arguments["of"], game, labels) if call.function in _SAME_IDS else 0
