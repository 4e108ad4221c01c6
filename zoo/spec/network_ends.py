"""The plans of all networks of a spec: the shapes of their inputs, and the order in which one takes them from another.

inputs: z                       a latent or a field of the data
inputs: [z, label]              several
inputs: {h: [4, 4, 64]}         any other name, with its shape
inputs: {h: trunk}              ... or with that of another network's output, of a latent, or of a field
inputs: {h: trunk.features}     ... or of one of several outputs, or of a tensor that is named by `as`
weights: {package: vgg16}       no inputs and no layers: they come with the package, see `given_networks`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.core.registry import suggest
from zoo.spec.blocks import Block, read_blocks
from zoo.spec.diagnostics import Problems
from zoo.spec.expand import plan
from zoo.spec.given_networks import check_weights, given_package, given_plan
from zoo.spec.plan import Plan
from zoo.spec.shapes import Shape
from zoo.spec.validate import join
from zoo.spec.yaml_tree import YamlNode

Known = Mapping[str, Shape | None]


def plan_networks(tree: YamlNode, known: Known, problems: Problems) -> dict[str, Plan]:
    """Expand and check every network of a spec.

    Args:
        tree: The spec.
        known: The shapes of latents and fields of the data by name; None where one is wrong (reported).
        problems: Where mistakes are reported.

    Returns:
        The plans of all networks that are correct by themselves, in the order of the spec.
    """
    networks = tree.get("networks")
    if networks is not None and networks.is_map and not networks.value:
        problems.add(networks.place, "networks", "a spec needs at least one network")
    planner = _Planner(tree, known, problems, read_blocks(tree, problems))
    nodes = [name for name, entry in tree.entries("networks") if entry.node.is_map]
    plans = {name: planner.plan(name) for name in nodes}
    return {name: found for name, found in plans.items() if found is not None}


@dataclass
class _Planner:
    """Plans networks after those from which they take a shape. `open` are those that wait for another one."""

    tree: YamlNode
    known: Known
    problems: Problems
    blocks: Mapping[str, Block]
    open: list[str] = field(default_factory=list)
    done: dict[str, Plan | None] = field(default_factory=dict)

    def plan(self, name: str) -> Plan | None:
        node: YamlNode = self.tree.get("networks", name)  # type: ignore[assignment]
        if name not in self.done:
            check_weights(name, node, self.problems)
        if name not in self.done and given_package(node):
            self.done[name] = given_plan(name, self.tree, self.known, self.problems)
        if name not in self.done:
            self.open.append(name)
            inputs = self._inputs(name, node)
            self.open.pop()
            self.done[name] = plan(name, node, inputs, self.tree.get("defaults"), self.blocks, self.problems)
        return self.done[name]

    def _inputs(self, name: str, network: YamlNode) -> dict[str, Shape | None]:
        """Return the inputs of a network with their shapes; None where one is wrong (reported)."""
        node, where = network.get("inputs"), f"networks.{name}.inputs"
        if node is None or node.value is None:
            return {}
        found = {key: self._stated(key, entry.node, where) for key, entry in node.entries()}
        if not node.value:
            self.problems.add(node.place, where, "a network needs at least one input")
        for item in node.value if node.is_list else [] if node.is_map else [node]:
            if not isinstance(item.value, str):
                continue  # reported by the schema
            if item.value in found:
                self.problems.add(item.place, where, f"'{item.value}' is listed twice")
            elif item.value not in self.known:
                names = ", ".join(self.known) or "nothing, because there is no data or latent section"
                hint = suggest(item.value, self.known) or f" Known: {names}."
                text = f"'{item.value}' is neither a latent nor a field of the data.{hint}"
                self.problems.add(item.place, where, text)
            found[item.value] = self.known.get(item.value)
        return found

    def _stated(self, key: str, node: YamlNode, where: str) -> Shape | None:
        """Return the shape that a mapping states for an input."""
        if isinstance(node.value, str):
            shape = self._referred(node, join(where, key))
        else:
            sizes = node.plain()
            sound = isinstance(sizes, list) and all(isinstance(s, int) and s >= 1 for s in sizes)
            shape = tuple(sizes) if sound else None
        wanted = self.known.get(key)
        if shape is not None and wanted is not None and shape != wanted:
            text = f"'{key}' is {list(wanted)} in this spec, received {list(shape)}"
            self.problems.add(node.place, join(where, key), text)
        return shape

    def _referred(self, node: YamlNode, where: str) -> Shape | None:
        """Return the shape of what a word names: the output of another network, a latent or a field of the data."""
        name, dot, tensor = node.value.partition(".")
        networks = [key for key, _ in self.tree.entries("networks")]
        if name in self.open:
            chain = " -> ".join([*self.open[self.open.index(name) :], name])
            return self.problems.add(
                node.place, where, f"the networks take shapes from each other in a circle: {chain}"
            )
        if name not in networks:
            if name in self.known and not dot:
                return self.known[name]
            names = [*networks, *self.known]
            hint = suggest(name, names) or f" Known: {', '.join(names)}."
            return self.problems.add(
                node.place, where, f"'{node.value}' is neither a network, a latent nor a field.{hint}"
            )
        other = self.plan(name) if self.tree.get("networks", name).is_map else None  # type: ignore[union-attr]
        if other is None:
            return None  # reported at that network
        if dot and tensor not in other.tensors:
            hint = suggest(tensor, other.tensors) or f" Known: {', '.join(other.tensors)}."
            return self.problems.add(node.place, where, f"{name} has no output or named tensor '{tensor}'.{hint}")
        if not dot and len(other.outputs) > 1:
            choices = " or ".join(f"{name}.{output}" for output in other.outputs)
            text = f"{name} has the outputs {', '.join(other.outputs)}: write {choices}"
            return self.problems.add(node.place, where, text)
        return other.tensors[tensor][1] if dot else other.output_shape
