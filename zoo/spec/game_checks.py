"""Checks of a game as a whole, before anything is built: what a step would leave out, waste, or do against itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zoo.core.host import memory
from zoo.spec.cost_checks import count, gigabytes
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.function_shapes import function_rule
from zoo.spec.game_arguments import squashed, unknown_classes
from zoo.spec.game_phases import Phases
from zoo.spec.game_plan import Call, GamePlan, PhasePlan, Reference
from zoo.spec.game_turns import check_turns
from zoo.spec.game_uses import draws, ids, mixes, nested, still, uses
from zoo.spec.validate import join
from zoo.spec.yaml_tree import YamlNode


def check_game(
    plan: GamePlan, tree: YamlNode, game: YamlNode, reader: Phases, labels: Mapping[str, int], where: str,
    problems: Problems,
) -> None:  # fmt: skip
    """Report what is wrong with a game whose parts are each correct.

    Args:
        plan: The game.
        tree: The spec.
        game: The node of the game, as written or expanded.
        reader: The reader of its phases.
        labels: The number of classes of latents and fields that are class ids, by name.
        where: Its path in the spec.
        problems: Where mistakes are reported.
    """
    check = _Check(plan, tree, game, reader, where, problems)
    check.trained()
    check.reached()
    check.batches()
    check.memories()
    check_turns(plan, game, where, problems)
    check.simultaneous()
    check.states()
    for call in plan.values.values():
        check.losses(call)
        check.penalties(call)
        check.classes(call, labels)
    check.passes()
    check.against()
    if not len(problems):
        check.unused()


def unused_scalars(plan: GamePlan, reader: Phases) -> tuple[str, ...]:
    """Return the scalar values that are logged: all that a step computes, but for those that are a phase's whole loss.

    Args:
        plan: The game.
        reader: The reader of its phases.

    Returns:
        Their names, as written.
    """
    whole = {next(iter(p.minimise)) for p in plan.phases if len(p.minimise) == 1 and _is_one(p)}
    done = {name for phase in plan.phases for name in phase.values}
    return tuple(
        name for name, call in plan.values.items()
        if call.shape is None and call.function and name not in whole and (name in done or free(name, plan, done))
    )  # fmt: skip


def _is_one(phase: PhasePlan) -> bool:
    (weight,) = phase.minimise.values()
    return weight.factors == (1.0,) and weight.every == 1


def free(name: str, plan: GamePlan, done: set[str]) -> bool:
    """Return True for a value that follows from what a step computes, without a pass, a draw or a memory of its own.

    Args:
        name: A value, latent, field or state.
        plan: The game.
        done: What the phases of a step compute.

    Returns:
        Also True for what is computed.
    """
    if name in done or name in plan.states:
        return True
    call = plan.values.get(name)
    if call is None:
        return any(name in (*phase.draws, *phase.fields) for phase in plan.phases)
    rule = function_rule(call.function) if call.function else None
    if rule is None or not rule.pure or "wrt" in call.arguments:
        return False
    return all(free(use.reference.name, plan, done) for use in uses(call))


class _Check:
    def __init__(self, plan: GamePlan, tree: YamlNode, game: YamlNode, reader: Phases, where: str, problems: Problems):
        self.plan, self.tree, self.game, self.reader, self.where = plan, tree, game, reader, where
        self.problems, self.plans = problems, reader.calls.plans

    def report(self, place: Place, where: str, text: str) -> None:
        self.problems.add(place, where, text)

    def at(self, *keys: str) -> Place:
        """Return the place of the deepest node on a path below the game."""
        node = self.game
        for key in keys:
            node = node.get(key) or node
        return node.place

    def phase_where(self, phase: PhasePlan, *keys: str) -> str:
        return ".".join((self.where, "phases", phase.name, *keys))

    @property
    def frozen(self) -> set[str]:
        return {
            name for name, entry in self.tree.entries("networks")
            if (node := entry.node.get("frozen")) is not None and node.value is True
        }  # fmt: skip

    # Training.

    def trained(self) -> None:
        """Report networks that no phase trains, and frozen ones that one does."""
        trained = {network for phase in self.plan.phases for network in phase.trains}
        called = {call.network for call in self.plan.values.values() if call.network}
        for name, entry in self.tree.entries("networks"):
            if name in self.frozen & trained:
                phase = next(p for p in self.plan.phases if name in p.trains)
                text = f"'{name}' is frozen: leave out `frozen: true`, or do not train it"
                self.report(self.at("phases", phase.name, "trains"), self.phase_where(phase, "trains"), text)
            elif name not in trained | self.frozen and not (name in called and still(self.plans[name])):
                text = "no phase trains it. Name it in a `trains`, or say `frozen: true`"
                if name not in called:
                    text = "no value calls it and no phase trains it. Leave it out, or call it"
                self.report(entry.place, f"networks.{name}", text)

    def reached(self) -> None:
        """Report networks that a phase trains, but that no gradient of what it minimises reaches."""
        for phase in self.plan.phases:
            reached = self.gradient(phase)
            for name in phase.trains:
                if name in reached or name in self.frozen or not self.plans[name].parameters:
                    continue
                text = f"trains '{name}', but nothing it minimises reaches the weights of {name}"
                text += f": {self.reason(phase, name)}"
                self.report(self.at("phases", phase.name, "trains"), self.phase_where(phase), text)

    def gradient(self, phase: PhasePlan, *, reuse: bool = True, constants: bool = True) -> set[str]:
        """Return the networks whose weights the gradient of a phase's loss reaches, as if it trained them all."""
        found: set[str] = set()
        seen: set[str] = set()
        stack = list(phase.minimise)
        while stack:
            name = stack.pop()
            call = self.plan.values.get(name)
            if call is None or name in seen or (reuse and name in phase.reuse):
                continue
            seen.add(name)
            found |= {call.network} if call.network else set()
            found |= {c.arguments["network"] for c in nested(call) if isinstance(c.arguments.get("network"), str)}
            rigid = ids(self.plans[call.network]) if call.network and constants else set()
            for key, argument in call.arguments.items():
                if key not in rigid:
                    inner = Call("", call.network, call.function, {key: argument}, None, {}, call.place, "")
                    stack += [use.reference.name for use in uses(inner) if not (constants and use.constant)]
        return found

    def reason(self, phase: PhasePlan, network: str) -> str:
        """Return why no gradient reaches a network."""
        if network in self.gradient(phase, reuse=False):
            by = [name for name in phase.reuse if name in self.plan.values]
            return f"{', '.join(by)} {'is' if len(by) == 1 else 'are'} reused, a constant"
        if network in self.gradient(phase, constants=False):
            return "a stop_gradient, a draw or class ids lie between"
        return f"no value that it needs is a pass of {network}"

    # Batches.

    def batches(self) -> None:
        """Report sizes of batches that do not fit the data that a phase shares."""
        stated = self.tree.get("training", "batch_size")
        size = stated.value if stated is not None and isinstance(stated.value, int) else 0
        for phase in self.plan.phases:
            own, place = phase.batch_size, self.at("phases", phase.name, "batch_size")
            if own is None or not size or own == size:
                continue
            where = self.phase_where(phase, "batch_size")
            shared = [*phase.fields, *phase.reuse]
            if own % size and size % own:
                self.report(place, where, f"expected a multiple or a divisor of training's {size}, received {own}")
            elif phase.fields and not phase.fresh:
                text = f"{own}, but the phase reads {phase.fields[0]} in shared batches of {size}. Say `data: fresh`"
                self.report(place, where, text)
            elif phase.reuse:
                self.report(place, where, f"{own}, but {shared[0]} is reused, in batches of {size}")

    def memories(self) -> None:
        """Report pools that this machine cannot hold."""
        for name, call in self.plan.values.items():
            if call.function == "pool" and call.shape is not None:
                needed = 4 * call.arguments["size"] * math.prod(call.shape)
                if needed > memory():
                    text = f"a pool of {call.arguments['size']:,} needs {gigabytes(needed)}; this machine has less: "
                    self.report(call.place, f"{self.where}.values.{name}", f"{text}{gigabytes(memory())}")

    def simultaneous(self) -> None:
        """Report several updates in a step whose gradients are all taken at once."""
        for phase in self.plan.phases if self.plan.simultaneous else ():
            if phase.updates > 1:
                text = f"`simultaneous` takes one gradient of each phase in a step, received {phase.updates} updates"
                self.report(self.at("phases", phase.name, "updates"), self.phase_where(phase, "updates"), text)

    def states(self) -> None:
        """Report states that follow what no phase computes."""
        done = {name for phase in self.plan.phases for name in phase.values}
        for name, state in self.plan.states.items():
            if not free(state.of.name, self.plan, done):
                text = f"{state.of} is computed in no phase, and a state runs no network"
                kind = state.kind.name
                self.report(self.at("states", name, kind, "of"), f"{self.where}.states.{name}.{kind}.of", text)

    # Values.

    def losses(self, call: Call) -> None:
        """Report a loss that ignores what it is given, and one that meets augmented real images and plain fakes."""
        for inner in nested(call):
            kind = inner.function.rpartition(".")[2] if "." in inner.function else ""
            for key, text in squashed(inner, self.plan, self.plans):
                self.report(self.spot(call, key)[0], f"{call.where}.{key}", text)
            place, where = self.spot(call, "real")
            if kind == "generator" and inner.arguments.get("real") and not inner.arguments.get("relativistic"):
                text = f"{inner.function} does not read 'real', which would cost a pass. "
                text += "Leave it out, or say `relativistic`"
                self.report(place, where, text)
            if kind == "generator" and inner.arguments.get("relativistic") and not inner.arguments.get("real"):
                self.report(call.place, call.where, "a relativistic loss compares with real examples: give it `real`")
            real, fake = inner.arguments.get("real"), inner.arguments.get("fake")
            if kind and isinstance(real, Reference) and isinstance(fake, Reference):
                self.augmented(real.name, fake.name)

    def classes(self, call: Call, labels: Mapping[str, int]) -> None:
        """Report ids of more classes than a network or a function knows."""
        for inner in nested(call):
            for key, text in unknown_classes(inner, self.plan, self.plans, labels):
                self.report(self.spot(call, key)[0], f"{call.where}.{key}", text)

    def spot(self, call: Call, argument: str) -> tuple[Place, str]:
        """Return place and path of an argument of a value."""
        what = call.network or call.function
        node = self.game.get("values", call.name, what, argument)
        return (node.place if node is not None else call.place), call.where

    def augmented(self, real: str, fake: str) -> None:
        """Report two passes of a network of which one alone sees augmented images."""
        passes = [self.plan.values.get(name) for name in (real, fake)]
        if None in passes or not passes[0].network or passes[0].network != passes[1].network:  # type: ignore[union-attr]
            return
        seen = [self.sees_augmented(call) for call in passes if call is not None]
        if seen[0] == seen[1]:
            return
        which = "augmented real images and plain fakes" if seen[0] else "plain real images and augmented fakes"
        call = passes[1]
        assert call is not None
        text = f"{call.network} sees {which}: G would learn the augmentation. Augment both, or neither"
        self.report(call.place, f"{self.where}.values.{call.name}", text)

    def sees_augmented(self, call: Call) -> bool:
        """Return True for a pass that is fed augmented images, directly or through pure functions."""
        for use in uses(call):
            fed = self.plan.values.get(use.reference.name)
            if fed is not None and fed.function == "augmented":
                return True
            if fed is not None and fed.function and self.sees_augmented(fed):
                return True
        return False

    def penalties(self, call: Call) -> None:
        """Report a derivative by what does not lie on the way, and one of an example that depends on its batch."""
        for inner in nested(call):
            if "wrt" not in inner.arguments or not isinstance(inner.arguments.get("of"), Reference):
                continue
            of, between = inner.arguments["of"], set()
            for wrt in inner.arguments["wrt"]:
                way = self.way(of.name, wrt.name)
                if not way:
                    place, where = self.spot(call, "wrt")
                    text = f"{of} does not depend on {wrt}: `wrt` must lie on the way to `of`"
                    self.report(place, join(where, "wrt") if where == call.where else where, text)
                between |= way
            for name in between:
                network = self.plan.values[name].network if name in self.plan.values else ""
                mixing = network and mixes(self.plans[network])
                if mixing:
                    text = (
                        f"a slope belongs to one example, and {mixing.where} mixes the batch: leave {mixing.layer} out"
                    )
                    self.report(call.place, call.where, text)

    def way(self, of: str, wrt: str) -> set[str]:
        """Return the values on the ways from one value to another, which they end in; empty where there is none."""
        if of == wrt:
            return set()
        call, found = self.plan.values.get(of), set()
        for use in uses(call) if call is not None else ():
            name = use.reference.name
            if use.constant or name == of:
                continue
            inner = self.way(name, wrt)
            if name == wrt or inner:
                found |= {of} | inner
        return found

    def passes(self) -> None:
        """Report passes that equal another one."""
        seen: dict[Any, str] = {}
        for name, call in self.plan.values.items():
            if not call.network or draws(self.plans[call.network]):
                continue
            key = (call.network, tuple((key, repr(_bare(item))) for key, item in sorted(call.arguments.items())))
            if key in seen:
                self.report(call.place, call.where, f"is the same pass as '{seen[key]}': use that name")
            seen.setdefault(key, name)

    def against(self) -> None:
        """Report a loss of D that another phase lowers too, by networks of its own."""
        first: dict[str, PhasePlan] = {}
        for phase in self.plan.phases:
            for name, weight in phase.minimise.items():
                call = self.plan.values[name]
                if not call.function.endswith(".discriminator") or _negative(weight.factors):
                    continue
                other = first.setdefault(name, phase)
                if not set(other.trains) & set(phase.trains):
                    text = f"'{other.name}' lowers it too, so the two would help each other. Take "
                    losses = [n for n, c in self.plan.values.items() if c.function.endswith(".generator")]
                    text += f"{losses[0]}, or weight -1" if losses else "weight -1"
                    terms = self.game.get("phases", phase.name, "minimise")
                    place = terms.value[name].place if terms is not None else call.place
                    self.report(place, self.phase_where(phase, "minimise", name), text)

    def unused(self) -> None:
        """Report values that nothing uses."""
        done = {name for phase in self.plan.phases for name in (*phase.values, *phase.reuse)}
        needed = set(done)
        leaves = [n for n in exported_values(self.tree) if n in self.plan.values]
        roots = [state.of.name for state in self.plan.states.values()] + leaves
        roots += [n for n, c in self.plan.values.items() if c.shape is None and free(n, self.plan, done)]
        terms = [entry.node.entries("minimise") for _, entry in self.game.entries("phases")]
        roots += [name for found in terms for name, _ in found]  # also those with a weight of 0
        needed |= self.reader.reached(roots, ())
        for name, call in self.plan.values.items():
            if name in needed:
                continue
            if call.network:
                cost = count(self.plans[call.network].macs)
                text = f"a pass of {call.network} that nothing uses; it would cost {cost} multiply-adds per image"
            elif call.shape is None:
                lost = [n for n in self.reader.reached([name], ()) - needed - {name} if n in self.plan.values]
                text = f"nothing minimises it, and to log it would cost what nothing else computes: {', '.join(lost)}"
                text = text if lost else "nothing minimises it, and it is no number that can be logged at no cost"
            else:
                text = "nothing uses it. Leave it out, or name it where it is needed"
            self.report(call.place, f"{self.where}.values.{name}", text)


def exported_values(tree: YamlNode) -> Iterator[str]:
    """Yield the names of the values that a spec exports.

    Args:
        tree: The spec.

    Yields:
        Names without taps.
    """
    for _, entry in tree.entries("export", "values"):
        items = entry.node.value if entry.node.is_list else [entry.node]
        yield from (str(item.value).partition(".")[0] for item in items)


def _negative(factors: Iterable[Any]) -> bool:
    return sum(isinstance(factor, float) and factor < 0 for factor in factors) % 2 == 1


def _bare(argument: Any) -> Any:
    """Return an argument without names and places."""
    if isinstance(argument, Call):
        return (argument.function, {key: _bare(item) for key, item in argument.arguments.items()})
    if isinstance(argument, Mapping):
        return {key: _bare(item) for key, item in argument.items()}
    return tuple(_bare(item) for item in argument) if isinstance(argument, tuple) else argument
