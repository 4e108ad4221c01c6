"""Blocks with parameters: layers that are written once and used by name.

blocks:
  up:
    with: [filters, {size: 2}]      parameters, and those that have a default
    layers:
      - UpSampling2D: {size: $size}
      - Conv2D: {filters: $filters * 2, kernel_size: 3}

- up: {filters: 64}                 in the layers of a network, or of another block

What a block names by `as` is its own; it sees the names of the network around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zoo.core.registry import suggest
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.validate import join
from zoo.spec.yaml_tree import YamlNode

CONTROL = ("as", "from", "repeat", "layers")  # keys of an item of `layers` that are no layer


@dataclass(frozen=True)
class Block:
    """A block of the spec.

    Attributes:
        parameters: The default of each parameter by name; None where it must be given.
        layers: Its layers, as they are written.
    """

    parameters: Mapping[str, YamlNode | None]
    layers: YamlNode

    def variables(
        self, name: str, given: YamlNode | None, place: Place, where: str, problems: Problems
    ) -> dict[str, YamlNode] | None:
        """Return the values of the parameters at one use; None where they are wrong (reported)."""
        if given is not None and given.value is not None and not given.is_map:
            return problems.add(given.place, where, f"expected a mapping of parameters, received {given.describe()}")
        stated = {} if given is None or given.value is None else dict(given.entries())
        sound = True
        for key, entry in stated.items():
            if key not in self.parameters:
                hint = suggest(key, self.parameters) or f" Known: {', '.join(self.parameters) or 'none'}."
                problems.add(entry.place, where, f"unknown parameter '{key}'.{hint}")
                sound = False
        values = {key: stated[key].node if key in stated else default for key, default in self.parameters.items()}
        for key in (key for key, value in values.items() if value is None):
            problems.add(place, where, f"'{key}' is missing. It is a parameter of the block '{name}'")
            sound = False
        return {key: value for key, value in values.items() if value is not None} if sound else None


def read_blocks(tree: YamlNode, problems: Problems) -> dict[str, Block]:
    """Return the blocks of a spec by name; what is wrong with them is reported.

    Args:
        tree: The spec.
        problems: Where mistakes are reported.

    Returns:
        All blocks that have layers.
    """
    found = {}
    for name, entry in tree.entries("blocks"):
        where, layers = f"blocks.{name}", entry.node.get("layers")
        if name in CONTROL:
            problems.add(entry.place, "blocks", f"'{name}' has a meaning of its own in `layers`; choose another name")
        elif layers is not None and layers.is_list:
            if not layers.value:
                problems.add(layers.place, join(where, "layers"), "a block needs at least one layer")
            found[name] = Block(dict(_parameters(entry.node.get("with"), join(where, "with"), problems)), layers)
    return found


def _parameters(node: YamlNode | None, where: str, problems: Problems) -> Iterator[tuple[str, YamlNode | None]]:
    seen = set()
    for item in node.value if node is not None and node.is_list else ():
        pairs = [(item.value, None)] if isinstance(item.value, str) else [(k, e.node) for k, e in item.entries()]
        for key, default in pairs:
            if key in seen:
                problems.add(item.place, where, f"'{key}' is listed twice")
            seen.add(key)
            yield key, default
