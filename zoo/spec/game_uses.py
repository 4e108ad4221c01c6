"""Uses of tensors by the calls of a game: by name, with the ways of gradients; and which calls draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from zoo.spec.function_shapes import function_rule
from zoo.spec.game_plan import Call, GamePlan, Reference
from zoo.spec.graph_checks import CLASSES
from zoo.spec.plan import BATCH_NORMS, Plan, upstream
from zoo.spec.types import Part

DRAWS = ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout")  # layers that draw in every pass


class Use(NamedTuple):
    """One use of a tensor by a call.

    Attributes:
        reference: The tensor.
        constant: No gradient flows back through this use.
        derivative: It is inside a penalty, which takes a derivative of it.
        wrt: It is what that derivative is taken by.
    """

    reference: Reference
    constant: bool = False
    derivative: bool = False
    wrt: bool = False


def uses(call: Call) -> Iterator[Use]:
    """Yield every use of a tensor by a call, those of nested calls included, in the order of the arguments.

    Args:
        call: A call.

    Yields:
        A use for each mention of a latent, a field, a value or a state.
    """
    rule = function_rule(call.function) if call.function else None
    derivative = "wrt" in call.arguments
    for key, argument in call.arguments.items():
        constant = rule is not None and (rule.stops or key in rule.constants)
        for found in _mentioned(argument):
            own = found if isinstance(found, Use) else Use(found)
            yield Use(own.reference, own.constant or constant, own.derivative or derivative, own.wrt or key == "wrt")


def _mentioned(argument: Any) -> Iterator[Reference | Use]:
    if isinstance(argument, Reference):
        yield argument
    elif isinstance(argument, Call):
        yield from uses(argument)
    elif isinstance(argument, (tuple, list)):
        for item in argument:
            yield from _mentioned(item)


def references(argument: Any) -> Iterator[Reference]:
    """Yield what a call, or an argument of one, reads.

    Args:
        argument: A call, or an argument.

    Yields:
        References to latents, fields, values and states, in the order of the arguments.
    """
    for found in _mentioned(argument):
        yield found.reference if isinstance(found, Use) else found


def scheduled(argument: Any) -> bool:
    """Find out whether a number of a call, or of those within it, follows the count of steps.

    Args:
        argument: A call, or an argument of one.

    Returns:
        True for a schedule anywhere.
    """
    if isinstance(argument, Call):
        return any(map(scheduled, argument.arguments.values()))
    return isinstance(argument, Part) or (isinstance(argument, tuple | list) and any(map(scheduled, argument)))


def nested(call: Call) -> Iterator[Call]:
    """Yield a call and the calls inside its arguments.

    Args:
        call: A call.

    Yields:
        The call itself first.
    """
    yield call
    stack = list(call.arguments.values())
    while stack:
        item = stack.pop(0)
        if isinstance(item, Call):
            yield from nested(item)
        elif isinstance(item, (tuple, list)):
            stack = [*item, *stack]


def draws(plan: Plan) -> bool:
    """Return True for a network with a layer that draws, so that two equal passes differ.

    Args:
        plan: The network.

    Returns:
        True for dropout and noise.
    """
    return any(step.layer in DRAWS or step.layer.startswith("Random") for step in plan.steps)


def still(plan: Plan) -> bool:
    """Return True for a network that is the same in training and in inference, and has nothing to train.

    Args:
        plan: The network.

    Returns:
        False for weights, batch norm, dropout and noise.
    """
    return not plan.parameters and not draws(plan) and not any(step.layer in BATCH_NORMS for step in plan.steps)


def names_in(calls: Iterable[Call]) -> set[str]:
    """Return the names of everything that some calls use.

    Args:
        calls: Calls.

    Returns:
        Names of latents, fields, values and states.
    """
    return {use.reference.name for call in calls for use in uses(call)}


def unchanging(game: GamePlan) -> tuple[str, ...]:
    """Return the values that depend on nothing that changes, such as a picture and its pass through a frozen network.

    Args:
        game: The game.

    Returns:
        Names, each after what it needs.
    """
    found: dict[str, bool] = {}

    def rests(name: str) -> bool:
        if name not in found:
            call = game.values.get(name)
            found[name] = call is not None and all(map(alone, nested(call))) and all(
                rests(use.reference.name) for use in uses(call)
            )  # fmt: skip
        return found[name]

    def alone(call: Call) -> bool:
        rule = function_rule(call.function) if call.function else None
        pure = rule is None or (rule.pure and call.function != "input" and "network" not in call.arguments)
        return pure and call.network not in game.trained and not scheduled(call)

    for name in game.values:
        rests(name)
    return tuple(name for name, one in found.items() if one)


def ids(plan: Plan) -> set[str]:
    """Return the inputs of a network that are class ids alone, through which no gradient passes.

    Args:
        plan: The network.

    Returns:
        Names of inputs.
    """
    found = set()
    for number, name in enumerate(plan.inputs):
        readers = [step for step in plan.steps if number in step.inputs]
        if readers and all(step.layer in CLASSES and step.inputs[-1] == number for step in readers):
            found.add(name)
    return found


def mixes(plan: Plan) -> Any:
    """Return the first batch norm of a network, by which an example depends on its batch in training; None without one.

    The deviation over a minibatch does so too, and is used beside penalties (Karras et al. 2017).

    Args:
        plan: The network.

    Returns:
        Its call.
    """
    return next((step for step in upstream(plan, plan.output) if step.layer in BATCH_NORMS), None)


def passing(calls: Iterable[Call], networks: Iterable[str]) -> set[str]:
    """Return the names of values that depend on the weights of some networks.

    Args:
        calls: Values, each after what it needs.
        networks: Names of networks.

    Returns:
        Names of passes of these networks, of functions of their weights, and of all that follows.
    """
    moving, found = {*networks}, set[str]()
    for call in calls:
        weights = {inner.arguments.get("network") for inner in nested(call) if inner.function}
        if call.network in moving or weights & moving or names_in([call]) & found:
            found.add(call.name)
    return found
