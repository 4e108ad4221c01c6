"""Checks of when the phases of a game play, and of the names under which a step logs."""

from __future__ import annotations

from zoo.spec.diagnostics import Problems
from zoo.spec.game_plan import GamePlan, PhasePlan
from zoo.spec.game_steps import by_number
from zoo.spec.validate import join
from zoo.spec.yaml_tree import YamlNode


def check_turns(plan: GamePlan, game: YamlNode, where: str, problems: Problems) -> None:
    """Report values that are reused from a phase that rests, turns of a burn-in that are no steps, and names in logs.

    Args:
        plan: The game.
        game: The node of the game, as written or expanded.
        where: Its path in the spec.
        problems: Where mistakes are reported.
    """
    for phase in plan.phases:
        _check_reuse(phase, plan, game, join(where, f"phases.{phase.name}.reuse"), problems)
        _check_burn_in(phase, plan, game, join(where, f"phases.{phase.name}.when.burn_in.updates"), problems)
    _check_logs(plan, game, where, problems)


def _check_reuse(phase: PhasePlan, plan: GamePlan, game: YamlNode, where: str, problems: Problems) -> None:
    """Report a value of a phase that rests in a step in which it is reused: nothing of that phase is computed then."""
    for name in () if plan.simultaneous else phase.reuse:
        source = next(one for one in plan.phases if one.name == phase.sources[name])
        if name not in source.values or not by_number(source.when) or _within(phase, source):
            continue
        reuse = game.get("phases", phase.name, "reuse") or game
        item = next((one for one in (reuse.value if reuse.is_list else ()) if one.value == name), reuse)
        text = f"{name} comes from the phase '{source.name}', which rests in steps in which '{phase.name}' plays: "
        problems.add(item.place, where, f"{text}give '{phase.name}' the same `when`, or leave out the reuse")
        return


def _within(phase: PhasePlan, source: PhasePlan) -> bool:
    """Return whether a phase rests in every step in which another one does, by the number of the step."""
    own, other = phase.when, source.when
    ends = other.until is None or (own.until is not None and own.until <= other.until)
    return own.every % other.every == 0 and own.start >= other.start and ends


def _check_burn_in(phase: PhasePlan, plan: GamePlan, game: YamlNode, where: str, problems: Problems) -> None:
    """Report updates of a burn-in that are no multiple of those of a step; for `alternating` a rule of its own does."""
    each = max(1, plan.data_draws)
    if phase.when.burn_in is None or phase.when.burn_in["updates"] % each == 0:
        return
    node: YamlNode = game.get("phases", phase.name, "when", "burn_in")  # type: ignore[assignment]
    place = (node.get("updates") or node).place
    if not (where.startswith("algorithm.alternating") and place == game.place):
        text = f"expected a multiple of the {each} updates of a step, received {phase.when.burn_in['updates']}"
        problems.add(place, where, text)


def _check_logs(plan: GamePlan, game: YamlNode, where: str, problems: Problems) -> None:
    """Report values and states that have the name of a phase's loss in the log."""
    losses = {f"{phase.name}_loss": phase.name for phase in plan.phases}
    for section, names in (("values", plan.values), ("states", plan.states)):
        for name in names:
            if name in losses:
                entry = game.value[section].node.value[name]
                text = f"'{name}' is the loss of the phase '{losses[name]}' in the log; choose another name"
                problems.add(entry.place, join(where, section), text)
