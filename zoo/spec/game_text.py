"""A checked game in words and numbers, for `zoo build --dry-run`: phases, passes, draws, data, multiply-adds.

discriminator  trains discriminator, 1 update, Adam; minimises d_loss; draws z; reads image
               fake = generator(z), no gradient; on_real = discriminator(image); on_fake = discriminator(image=fake):
               3 passes x 128, 8.1 G multiply-adds
step           generator 2 passes, discriminator 3; 128 real examples

Multiply-adds are those of the passes; a gradient costs about twice as many again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.spec.cost_checks import count
from zoo.spec.game_plan import Call, GamePlan, PhasePlan, Reference, Weight
from zoo.spec.game_uses import ids, nested, unchanging, uses
from zoo.spec.plan import Plan
from zoo.spec.types import Part

WIDTH = 120


def describe_game(game: GamePlan, plans: Mapping[str, Plan], batch_size: int) -> dict[str, Any]:
    """Describe a game.

    Args:
        game: The game.
        plans: The networks.
        batch_size: Examples of a batch of the training.

    Returns:
        A dict that JSON can express: `phases`, each with what it trains, minimises, draws, reads, its passes in order
        and their multiply-adds in a step; `states`; the passes of each network and the multiply-adds of a step.
    """
    phases = [_phase(phase, game, plans, batch_size) for phase in game.phases]
    passes: dict[str, int] = {}
    for phase in phases:
        for one in phase["passes"]:
            passes[one["network"]] = passes.get(one["network"], 0) + phase["updates"]
    return {
        "phases": phases,
        "states": {
            name: {"kind": state.kind.name, "of": str(state.of), **_plain(state.kind.args)}
            for name, state in game.states.items()
        },
        "simultaneous": game.simultaneous,
        "passes": passes,
        "macs": sum(phase["macs"] for phase in phases),
        "examples": game.examples(batch_size),
        "logged": list(game.logged),
    }


def _phase(phase: PhasePlan, game: GamePlan, plans: Mapping[str, Plan], batch_size: int) -> dict[str, Any]:
    carrying = carriers(phase, game, plans)
    once = unchanging(game)
    passes = [
        {"value": name, "call": call_text(call), "network": call.network, "gradient": name in carrying}
        for name in phase.needed if (call := game.values[name]).network and name not in once
        and (name in phase.values or call.network not in _trained_ahead(phase, game))
    ]  # fmt: skip
    size, ahead = phase.batch_size or batch_size, phase.ahead
    further = [
        call.network for name in (ahead.values if ahead else ())
        if (call := game.values[name]).network in _trained_ahead(phase, game)
    ]  # fmt: skip
    optimizer = phase.optimizer.name if isinstance(phase.optimizer, Part) else f"that of {phase.optimizer}"
    return {
        "name": phase.name,
        "trains": list(phase.trains),
        "updates": phase.updates,
        "optimizer": optimizer,
        "minimises": terms_text(phase.minimise),
        "when": when_text(phase),
        "draws": list(phase.draws),
        "reads": [f"{name} (fresh)" if phase.fresh else name for name in phase.fields],
        "reuses": list(phase.reuse),
        "passes": passes,
        "batch_size": size,
        "ahead": {"phase": ahead.phase, "updates": ahead.updates, "passes": further} if ahead else None,
        "macs": phase.updates
        * size
        * (
            sum(plans[str(one["network"])].macs for one in passes)
            + (ahead.updates if ahead else 0) * sum(plans[name].macs for name in further)
        ),
        "notes": list(notes(phase, game, plans, carrying)),
    }


def _trained_ahead(phase: PhasePlan, game: GamePlan) -> tuple[str, ...]:
    """Return the networks that the updates ahead of a phase move."""
    return next((one.trains for one in game.phases if phase.ahead and one.name == phase.ahead.phase), ())


def game_text(described: Mapping[str, Any]) -> str:
    """Write a described game for people.

    Args:
        described: What `describe_game` returned.

    Returns:
        Several lines, without a newline at the end.
    """
    rows: list[tuple[str, str]] = []
    for phase in described["phases"]:
        updates = f"{phase['updates']} update{'s' if phase['updates'] > 1 else ''}"
        parts = [f"trains {', '.join(phase['trains'])}, {updates}, {phase['optimizer']}"]
        parts += [phase["when"]] if phase["when"] else []
        parts += [f"minimises {phase['minimises']}"]
        for verb in ("draws", "reads", "reuses"):
            parts += [f"{verb} {', '.join(phase[verb])}"] if phase[verb] else []
        rows.append((phase["name"], "; ".join(parts)))
        calls = [f"{p['value']} = {p['call']}{'' if p['gradient'] else ', no gradient'}" for p in phase["passes"]]
        several = f"{phase['updates']} times " if phase["updates"] > 1 else ""
        amount = f"{several}{len(calls)} pass{'es' if len(calls) != 1 else ''} x {phase['batch_size']}"
        rows.append(("", f"{'; '.join(calls)}: {amount}, {count(phase['macs'])} multiply-adds"))
        if ahead := phase["ahead"]:
            times, many = f"{ahead['updates']} update{'s' if ahead['updates'] > 1 else ''}", len(ahead["passes"])
            each = f"{many} pass{'es' if many != 1 else ''} in each"
            rows.append(
                ("", f"at the weights of {ahead['phase']} after {times} more, {each}; the gradient passes them")
            )
        rows += [("", note) for note in phase["notes"]]
    for name, state in described["states"].items():
        knobs = ", ".join(f"{key} {value}" for key, value in state.items() if key not in ("kind", "of"))
        rows.append((name, f"{state['kind']} of {state['of']}, moved at the end of the step: {knobs}"))
    passes = [f"{network} {number}" for network, number in described["passes"].items()]
    passes[:1] = [f"{passes[0]} pass{'es' if not passes[0].endswith(' 1') else ''}"] if passes else []
    together = ["all gradients at the weights of its start"] if described["simultaneous"] else []
    images = f"{described['examples']:,} real examples" if described["examples"] else "no data"
    total = f"{count(described['macs'])} multiply-adds"
    rows.append(("step", "; ".join([", ".join(passes), *together, total, images])))
    width = max(len(name) for name, _ in rows) + 2
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, WIDTH - width, break_long_words=False, break_on_hyphens=False)
        lines += [f"{name if i == 0 else '':<{width}}{line}" for i, line in enumerate(wrapped)]
    return "\n".join(lines)


def call_text(call: Call) -> str:
    """Write a call.

    Args:
        call: A pass of a network, or a function.

    Returns:
        Such as discriminator(image=fake); arguments of their own name without it.
    """
    args: list[str] = []
    for key, argument in call.arguments.items():
        if argument is None:
            continue
        text = _argument_text(argument)
        args.append(text if text == key or (call.function and not args) else f"{key}={text}")
    return f"{call.network or call.function}({', '.join(args)})"


def _argument_text(argument: Any) -> str:
    if isinstance(argument, Call):
        return call_text(argument)
    if isinstance(argument, Part):
        return argument.name
    if isinstance(argument, (tuple, list)):
        return f"[{', '.join(_argument_text(item) for item in argument)}]"
    return f"{argument:g}" if isinstance(argument, float) else str(argument)


def terms_text(minimise: Mapping[str, Weight]) -> str:
    """Write a weighted sum.

    Args:
        minimise: The weights of values.

    Returns:
        Such as 'd_loss + 10 slope', or 'real_loss - k fake_loss'.
    """
    text = ""
    for name, weight in minimise.items():
        numbers = [factor for factor in weight.factors if isinstance(factor, float)]
        product = 1.0
        for number in numbers:
            product *= number
        words = [factor.name if isinstance(factor, Part) else str(factor) for factor in weight.factors
                 if not isinstance(factor, float)]  # fmt: skip
        sign, size = ("-" if product < 0 else "+"), abs(product)
        factors = " ".join([*([f"{size:g}"] if size != 1 else []), *words, name])
        lazy = f" (every {weight.every})" if weight.every > 1 else ""
        text += f" {sign} {factors}{lazy}" if text else f"{'-' if sign == '-' else ''}{factors}{lazy}"
    return text


def when_text(phase: PhasePlan) -> str:
    """Write when a phase plays.

    Args:
        phase: The phase.

    Returns:
        Such as 'plays every 16 steps'; empty for a phase that always plays.
    """
    when, parts = phase.when, []
    parts += [f"every {when.every} steps"] if when.every > 1 else []
    parts += [f"from step {when.start:,}"] if when.start else []
    parts += [f"until step {when.until:,}"] if when.until is not None else []
    parts += ["in the turns of the burn-in"] if when.burn_in is not None else []
    for word, limits in (("above", when.above), ("below", when.below)):
        parts += [f"while {name} is {word} {limit:g}" for name, limit in limits.items()]
    return f"plays {', '.join(parts)}" if parts else ""


def carriers(phase: PhasePlan, game: GamePlan, plans: Mapping[str, Plan]) -> set[str]:
    """Return the values of a phase through which its gradient reaches weights that it trains.

    Args:
        phase: The phase.
        game: The game.
        plans: The networks.

    Returns:
        Names of values; the others are constants in this phase.
    """
    found: set[str] = set()
    for name in phase.values:  # each after what it needs
        call = game.values[name]
        trained = call.network in (*phase.trains, *_trained_ahead(phase, game))
        rigid = ids(plans[call.network]) if call.network else set()
        inner = [
            use for key, argument in call.arguments.items() if key not in rigid
            for use in uses(Call("", call.network, call.function, {key: argument}, None, {}, call.place, ""))
        ]  # fmt: skip
        weights = any(isinstance(c.arguments.get("network"), str) for c in nested(call))
        if trained or weights or any(not use.constant and use.reference.name in found for use in inner):
            found.add(name)
    return found


def notes(phase: PhasePlan, game: GamePlan, plans: Mapping[str, Plan], carrying: set[str]) -> Iterator[str]:
    """Yield what is not wrong, but easily overlooked.

    Args:
        phase: The phase.
        game: The game.
        plans: The networks.
        carrying: See `carriers`.

    Yields:
        Sentences.
    """
    for name in unchanging(game):
        if name in phase.values and game.values[name].network:
            yield f"{name} = {call_text(game.values[name])} is computed once per run: nothing that it needs changes"
    for network in phase.trains:
        through = _through(network, phase, game, carrying)
        if through:
            yield f"the gradient reaches {network} through {', '.join(sorted(through))} too; stop_gradient would cut it"


def _through(network: str, phase: PhasePlan, game: GamePlan, carrying: set[str]) -> set[str]:
    """Return the untrained networks through which a gradient reaches a network that it also reaches without them."""
    ways: dict[str, set[str]] = {}  # of each value, the untrained networks below a trained one; "" for none

    def visit(name: str, passed: str, below: bool) -> None:
        if passed in ways.get(name, set()) or name not in carrying:
            return
        ways.setdefault(name, set()).add(passed)
        call = game.values[name]
        trained = call.network in phase.trains
        after = passed or (call.network if below and not trained else "")
        for use in uses(call):
            if not use.constant:
                visit(use.reference.name, after, below or trained)

    for term in phase.minimise:
        visit(term, "", False)
    found = set().union(*(ways.get(n, set()) for n in phase.values if game.values[n].network == network), set())
    return found - {""} if "" in found else set()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Reference):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
