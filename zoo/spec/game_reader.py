"""Read the game of a spec as a checked `GamePlan`: `algorithm: {game: ...}`, or a word that expands into one.

    values, states, phases      read by game_calls and game_phases
    alternating, cyclegan       expanded by game_words, with the places of what the user wrote
    what a step would do wrong  found by game_checks

Without keras: `zoo.train.algorithms.game` plays the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zoo.spec.diagnostics import Place, Problems
from zoo.spec.game_calls import Calls
from zoo.spec.game_checks import check_game, unused_scalars
from zoo.spec.game_leaving import read_exports
from zoo.spec.game_phases import Phases, read_states, state_shape
from zoo.spec.game_plan import GamePlan, PhasePlan, Reference
from zoo.spec.game_words import expanded, tree_of
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape
from zoo.spec.types import Part
from zoo.spec.validate import below, document, join, names_of, validate
from zoo.spec.yaml_tree import YamlNode


@dataclass(frozen=True)
class Ends:
    """The beginnings of a game.

    Attributes:
        latents: The shapes of latents, None where unknown.
        fields: Those of fields of the data.
        classes: How many classes those have that are class ids, where it is known.
    """

    latents: Mapping[str, Shape | None]
    fields: Mapping[str, Shape | None]
    classes: Mapping[str, int] = field(default_factory=dict)


def read_game(tree: YamlNode, plans: Mapping[str, Plan], ends: Ends, problems: Problems) -> GamePlan | None:
    """Read and check the game of a spec.

    Args:
        tree: The spec.
        plans: The networks that are correct by themselves.
        ends: Latents and fields.
        problems: Where mistakes are reported.

    Returns:
        The plan; None for an algorithm that is written in Python, or after a mistake.
    """
    algorithm = tree.get("algorithm")
    if algorithm is None or not algorithm.is_map or len(algorithm.value) != 1:
        return None
    word, entry = next(algorithm.entries())
    if word == "game":
        return _read(tree, entry.node, "algorithm.game", plans, ends, problems)
    wrong = Problems()
    validate(algorithm, below(document(), "algorithm"), "algorithm", wrong)
    problems.take(wrong)
    text = None if wrong else expanded(word, entry.node, plans, problems)
    if text is None or len(plans) < len(list(tree.entries("networks"))):
        return None
    own = Problems()
    plan = _read(tree, text, f"algorithm.{word}", plans, ends, own)
    sound = not len(problems)
    for problem in own:  # what follows from a mistake that is reported already is not news
        if sound or problem.place != entry.node.place:
            problems.add(problem.place, problem.where, problem.message)
    return plan


def game_of(part: Part, plans: Mapping[str, Plan], fields: Iterable[str]) -> GamePlan:
    """Read the game of an algorithm outside a spec: of its name and arguments alone.

    Args:
        part: `game`, or a word that expands into one, with plain arguments.
        plans: The networks.
        fields: Names of inputs that come from the data; all others are latents.

    Returns:
        The plan.

    Raises:
        SpecError: The game has mistakes.
    """
    nowhere, problems = Place("", 0, 0), Problems()
    tree = tree_of({"networks": {name: {} for name in plans}, "algorithm": {part.name: dict(part.args)}}, nowhere)
    shapes = {name: shape for plan in plans.values() for name, shape in plan.inputs.items()}
    data: dict[str, Shape | None] = {name: shape for name, shape in shapes.items() if name in set(fields)}
    drawn: dict[str, Shape | None] = {name: shape for name, shape in shapes.items() if name not in data}
    algorithm: YamlNode = tree.get("algorithm")  # type: ignore[assignment]
    validate(algorithm, below(document(), "algorithm"), "algorithm", problems)
    problems.raise_if_any()
    _, entry = next(algorithm.entries())
    text = entry.node if part.name == "game" else expanded(part.name, entry.node, plans, problems)
    game = _read(tree, text, f"algorithm.{part.name}", plans, Ends(drawn, data), problems) if text is not None else None
    problems.raise_if_any()
    assert game is not None, f"'{part.name}' is no game of {', '.join(plans)}"
    return game


def _read(
    tree: YamlNode, game: YamlNode, where: str, plans: Mapping[str, Plan], ends: Ends, problems: Problems
) -> GamePlan | None:
    values, states, phases = game.get("values"), game.get("states"), game.get("phases")
    if not game.is_map or values is None or phases is None or not values.is_map or not phases.is_map:
        return None  # reported by the schema
    networks = tuple(name for name, _ in tree.entries("networks"))
    tensors = {**ends.latents, **ends.fields}
    before = len(problems)
    _check_names(game, tensors, networks, where, problems)
    kinds = dict(states.entries()) if states is not None else {}
    calls = Calls(dict(values.entries()), where, networks, plans, tensors, tuple(kinds), problems)

    def shape_of_state(name: str) -> Shape | None:
        node = kinds[name].node
        kind = next(iter(node.value), "") if node.is_map else ""
        of = node.get(kind, "of")
        followed, _, tap = str(of.value).partition(".") if of is not None else ("", "", "")
        call = calls.call(followed) if followed in calls.values else None
        return state_shape(kind, calls.shape(Reference(followed, tap))) if call is not None else None

    calls.state_shape = shape_of_state
    read = calls.read_all()
    reader = Phases(calls, read, tuple(ends.latents), tuple(ends.fields), problems)
    sound = reader.read_all(phases, game.get("order"))
    following = read_states(states, calls, problems)
    if not sound or following is None or len(read) < len(calls.values) or len(problems) > before:
        return None
    simultaneous = game.get("simultaneous")
    steps = tuple(reader.read)
    plan = GamePlan(
        values=read, phases=steps, states=following,
        simultaneous=simultaneous is not None and simultaneous.value is True,
        data_draws=max((phase.updates for phase in steps if phase.fields and not phase.fresh), default=0),
        draws=_draws(steps), logged=(), exports={},
    )  # fmt: skip
    check_game(plan, tree, game, reader, ends.classes, where, problems)
    if len(problems) > before:
        return None
    exports = read_exports(tree, plan, plans, {"latents": ends.latents, "fields": ends.fields}, problems)
    return GamePlan(**{**vars(plan), "logged": unused_scalars(plan, reader), "exports": exports})


def _draws(phases: tuple[PhasePlan, ...]) -> dict[str, int]:
    """Return how often a step draws each latent and each drawing value, counted as if every phase played."""
    counts: dict[str, int] = {}
    for phase in phases:
        for name in phase.draws:
            counts[name] = counts.get(name, 0) + phase.updates
    return counts


def _check_names(
    game: YamlNode, tensors: Mapping[str, Shape | None], networks: tuple[str, ...], where: str, problems: Problems
) -> None:
    """Report names that stand for two things."""
    taken = dict.fromkeys(tensors, "a latent or a field of the data")
    for section in ("values", "states"):
        for name, entry in game.entries(section):
            if name in taken:
                text = f"'{name}' is {taken[name]} already; choose another name"
                problems.add(entry.place, join(where, section), text)
            taken[name] = "a value" if section == "values" else "a state"
    functions = names_of("function")
    for name in networks:
        if name in functions and game.place:
            problems.add(game.place, where, f"a network and a function are both called '{name}': rename the network")
