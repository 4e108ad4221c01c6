"""A checked game as one SVG: a panel for each phase, from what is drawn and read to what is minimised.

Passes have the colour of their network, filled where the phase trains it. Bold lines carry its gradient; dashed ones
are constants, and a bar stands where a gradient would go on but stops. Nodes stand in layers, each to the right of what
it needs; the order in a layer follows the mean place of its neighbours, which keeps lines short and apart.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

from zoo.spec.game_plan import GamePlan, PhasePlan, Weight
from zoo.spec.game_text import carriers, terms_text, when_text
from zoo.spec.game_uses import uses
from zoo.spec.plan import Plan
from zoo.spec.types import Part

COLOURS = ("#2f6db3", "#c8621b", "#3a8a4d", "#8a4fa3", "#b03a5b", "#0f8b8d", "#7a6a1f", "#5a5f9e")
INK, GREY, PALE, PAPER = "#1f2933", "#7b8794", "#f4f6f8", "#ffffff"
HEIGHT, GAP, COLUMN, MARGIN, HEAD = 40, 16, 58, 24, 46  # of a node, between nodes, between layers, around, of a panel
SWEEPS = 12
BY = "by"  # the label of what a derivative is taken by
FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass
class _Node:
    """A box of a panel, or a bend of a line that passes a layer (without text)."""

    name: str
    text: str = ""
    below: str = ""
    kind: str = "bend"  # given, reused, pass, function, number, loss
    colour: str = GREY
    trained: bool = False
    layer: int = 0
    x: float = 0.0
    y: float = 0.0  # of its middle
    width: float = 0.0

    @property
    def height(self) -> float:
        return HEIGHT if self.text else 10.0


@dataclass
class _Line:
    """A way from node to node over bends."""

    nodes: list[_Node]
    colour: str
    gradient: bool
    stops: bool
    label: str = ""


@dataclass
class _Panel:
    """One phase as nodes in layers."""

    title: str
    below: str
    nodes: dict[str, _Node] = field(default_factory=dict)
    lines: list[_Line] = field(default_factory=list)
    layers: list[list[_Node]] = field(default_factory=list)

    def size(self) -> tuple[float, float]:
        nodes = [node for layer in self.layers for node in layer]
        right = max(node.x + node.width for node in nodes)
        bottom = max(node.y + node.height / 2 for node in nodes)
        return max(right, 8.2 * max(len(self.title), 0.82 * len(self.below))) + MARGIN, bottom + MARGIN


def game_svg(game: GamePlan, plans: Mapping[str, Plan], title: str) -> str:
    """Draw a game.

    Args:
        game: The game.
        plans: The networks.
        title: The headline.

    Returns:
        The text of an SVG file.
    """
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(plans)}
    panels = [_panel(phase, game, plans, colours) for phase in game.phases]
    sizes = [panel.size() for panel in panels]
    width = max([*(w for w, _ in sizes), 640.0]) + 2 * MARGIN
    parts, y = [_text(MARGIN, 38, title, size=20, weight=600)], 56.0
    for panel, (_, height) in zip(panels, sizes, strict=True):
        parts.append(f'<g transform="translate({MARGIN},{y:g})">{_panel_svg(panel, width - 2 * MARGIN, height)}</g>')
        y += height + 18
    for name, state in game.states.items():
        line = f"{name}: {state.kind.name} of {state.of}, moved at the end of each step"
        parts.append(_text(MARGIN, y + 8, line, size=12, colour=GREY))
        y += 20
    parts.append(f'<g transform="translate({MARGIN},{y + 6:g})">{_legend(game, colours)}</g>')
    y += 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y:g}" width="{width:g}" height="{y:g}" '
        f'font-family="{escape(FONT)}" role="img" aria-label="{escape(title)}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(parts)}</svg>\n'
    )


# A phase as nodes and lines.


def _panel(phase: PhasePlan, game: GamePlan, plans: Mapping[str, Plan], colours: Mapping[str, str]) -> _Panel:
    updates = f"{phase.updates} updates" if phase.updates > 1 else "1 update"
    optimizer = phase.optimizer.name if isinstance(phase.optimizer, Part) else f"optimizer of {phase.optimizer}"
    notes = [f"trains {', '.join(phase.trains)}", updates, optimizer, when_text(phase)]
    notes += [f"after {phase.ahead.updates} more of {phase.ahead.phase}" if phase.ahead else ""]
    notes += ["fresh batches" if phase.fresh else "", f"minimises {terms_text(phase.minimise)}"]
    panel = _Panel(phase.name, " · ".join(note for note in notes if note))
    carrying = carriers(phase, game, plans)
    for name in phase.values:
        call = game.values[name]
        trained = call.network in phase.trains
        kind = "pass" if call.network else "number" if call.shape is None else "function"
        colour = colours.get(call.network, INK if name in carrying else GREY)
        panel.nodes[name] = _Node(name, name, call.network or call.function, kind, colour, trained)
    lines: list[tuple[str, str, bool, bool, str]] = []
    for name in phase.values:
        seen: set[str] = set()
        for use in uses(game.values[name]):
            source = use.reference.name
            if source not in panel.nodes:
                panel.nodes[source] = _given(source, phase, game)
            label = use.reference.tap or (BY if use.wrt else "")
            if source in seen and not use.wrt:
                continue
            seen.add(source)
            flows = name in carrying and source in carrying and not use.constant
            stops = name in carrying and not flows and (source in game.values)
            lines.append((source, name, flows, stops, label))
    loss = f"{phase.name} loss"
    panel.nodes[loss] = _Node(loss, "loss", phase.name, "loss", INK)
    for name, weight in phase.minimise.items():
        if name not in panel.nodes:
            panel.nodes[name] = _given(name, phase, game)
        lines.append((name, loss, name in carrying, False, _weight(weight)))
    _layered(panel, lines)
    return panel


def _given(name: str, phase: PhasePlan, game: GamePlan) -> _Node:
    """Return the node of what a phase is given: a latent, a field, a state, or a reused value."""
    if name in phase.reuse:
        return _Node(name, name, f"reused from {phase.sources[name]}", "reused")
    what = "state" if name in game.states else "draw" if name in phase.draws else "data"
    return _Node(name, name, what, "given")


def _weight(weight: Weight) -> str:
    text = terms_text({"": weight}).strip()
    return f"x {text}" if text else ""


def _layered(panel: _Panel, lines: list[tuple[str, str, bool, bool, str]]) -> None:
    """Put the nodes into layers and places, and lay the lines over bends in the layers that they pass."""
    before: dict[str, list[str]] = {name: [] for name in panel.nodes}
    after: dict[str, list[str]] = {name: [] for name in panel.nodes}
    for source, target, *_ in lines:
        before[target].append(source)
        after[source].append(target)

    def depth(name: str) -> int:
        return 1 + max((depth(other) for other in before[name]), default=-1)

    for name, node in panel.nodes.items():
        node.layer = depth(name)
        node.width = max(8.0 * len(node.text), 6.4 * len(node.below)) + 24
    for name, node in panel.nodes.items():  # what is given stands next to what first needs it
        if not before[name]:
            node.layer = min(panel.nodes[other].layer for other in after[name]) - 1
    panel.layers = [[] for _ in range(1 + max(node.layer for node in panel.nodes.values()))]
    for node in panel.nodes.values():
        panel.layers[node.layer].append(node)
    for source, target, gradient, stops, label in lines:
        first, last = panel.nodes[source], panel.nodes[target]
        way = [first]
        for layer in range(first.layer + 1, last.layer):
            bend = _Node(f"{source}>{target}", layer=layer)
            panel.layers[layer].append(bend)
            way.append(bend)
        colour = (last.colour if last.kind == "pass" else INK) if gradient else GREY
        panel.lines.append(_Line([*way, last], colour, gradient, stops, label))
    _placed(panel)


def _placed(panel: _Panel) -> None:
    """Order each layer by the mean place of neighbours, in sweeps, then give every node its place."""
    neighbours: dict[int, list[_Node]] = {}
    for line in panel.lines:
        for a, b in zip(line.nodes, line.nodes[1:], strict=False):
            neighbours.setdefault(id(a), []).append(b)
            neighbours.setdefault(id(b), []).append(a)
    for layer in panel.layers:
        _stacked(layer, [0.0] * len(layer))
    for sweep in range(SWEEPS):
        for layer in panel.layers if sweep % 2 == 0 else panel.layers[::-1]:
            wanted = {id(node): _wanted(node, neighbours) for node in layer}
            layer.sort(key=lambda node: wanted[id(node)])
            _stacked(layer, [wanted[id(node)] for node in layer])
    top = min(node.y - node.height / 2 for layer in panel.layers for node in layer)
    x = float(MARGIN)
    for layer in panel.layers:
        width = max((node.width for node in layer), default=0.0)
        for node in layer:
            node.y += HEAD + GAP - top
            node.x = x + (width - node.width) / 2 if node.text else x
            node.width = node.width if node.text else width
        x += width + COLUMN


def _wanted(node: _Node, neighbours: Mapping[int, list[_Node]]) -> float:
    found = neighbours.get(id(node), [])
    return statistics.fmean(other.y for other in found) if found else node.y


def _stacked(layer: Iterable[_Node], wanted: list[float]) -> None:
    """Place nodes below each other, as near to what they want as their heights allow."""
    nodes = list(layer)
    groups: list[tuple[list[int], float, float]] = []  # numbers, top, height: nodes that touch
    for i, node in enumerate(nodes):
        group = ([i], wanted[i] - node.height / 2, node.height + GAP)
        while groups and groups[-1][1] + groups[-1][2] > group[1]:
            numbers, top, height = groups.pop()
            both = numbers + group[0]
            total = height + group[2]
            middle = (top + height / 2) * len(numbers) + (group[1] + group[2] / 2) * len(group[0])
            group = (both, middle / len(both) - total / 2, total)
        groups.append(group)
    for numbers, top, _ in groups:
        for i in numbers:
            nodes[i].y = top + nodes[i].height / 2
            top += nodes[i].height + GAP


# SVG.


def _panel_svg(panel: _Panel, width: float, height: float) -> str:
    parts = [
        f'<rect width="{width:g}" height="{height:g}" rx="10" fill="{PALE}"/>',
        _text(16, 24, panel.title, size=15, weight=600),
        _text(16, 42, panel.below, size=12, colour=GREY),
    ]
    ordered = sorted(panel.lines, key=lambda line: line.gradient)
    parts += [_line_svg(line) for line in ordered]
    parts += [_node_svg(node) for node in panel.nodes.values()]
    parts += [_label_svg(line) for line in ordered if line.label]
    return "".join(parts)


def _line_svg(line: _Line) -> str:
    start, end = line.nodes[0], line.nodes[-1]
    x, y = start.x + start.width, start.y
    path = f"M{x:.1f},{y:.1f}"
    for node in line.nodes[1:]:
        middle = (x + node.x) / 2
        path += f"C{middle:.1f},{y:.1f} {middle:.1f},{node.y:.1f} {node.x - (6 if node is end else 0):.1f},{node.y:.1f}"
        x, y = node.x + node.width, node.y
        path += f"L{x:.1f},{y:.1f}" if node is not end else ""
    style = 'stroke-width="2.2"' if line.gradient else 'stroke-width="1.3" stroke-dasharray="5 4"'
    arrow = f'<path d="M{end.x - 8:.1f},{end.y - 4:.1f}l8,4l-8,4z" fill="{line.colour}"/>'
    bar = ""
    if line.stops:
        bx, by = start.x + start.width + 9, start.y
        bar = f'<path d="M{bx:.1f},{by - 8:.1f}v16" stroke="#c0262d" stroke-width="3" stroke-linecap="round"/>'
    return f'<path d="{path}" fill="none" stroke="{line.colour}" {style}/>{arrow}{bar}'


def _label_svg(line: _Line) -> str:
    first, last = line.nodes[0], line.nodes[-1]
    x, y, anchor = first.x + first.width + 6, first.y - 6, "start"
    if line.label == BY:
        x, y, anchor = last.x - 12, last.y - 6 + (line.nodes[-2].y - last.y) * 0.18, "end"
    halo = f'paint-order="stroke" stroke="{PALE}" stroke-width="4" stroke-linejoin="round"'
    return _text(x, y, line.label, size=11, colour=line.colour, anchor=anchor, more=f" {halo}")


def _node_svg(node: _Node) -> str:
    top, fill, ink, stroke, dash = node.y - HEIGHT / 2, PAPER, INK, node.colour, ""
    radius = {"given": 20, "reused": 20, "number": 12, "loss": 20}.get(node.kind, 6)
    if node.kind == "pass" and node.trained:
        fill, ink = node.colour, PAPER
    elif node.kind == "loss":
        fill, ink = INK, PAPER
    elif node.kind == "reused":
        dash = ' stroke-dasharray="4 3"'
    box = (
        f'<rect x="{node.x:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{HEIGHT}" rx="{radius}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.6"{dash}/>'
    )
    middle = node.x + node.width / 2
    faint = ink if fill != PAPER else GREY
    upper = _text(middle, node.y - 2, node.text, size=13, weight=600, colour=ink, anchor="middle")
    return box + upper + _text(middle, node.y + 13, node.below, size=11, colour=faint, anchor="middle")


def _legend(game: GamePlan, colours: Mapping[str, str]) -> str:
    called = {call.network for call in game.values.values() if call.network}
    parts, x = [], 0.0
    for name in (name for name in colours if name in called):
        parts.append(f'<rect x="{x:g}" y="-1" width="14" height="14" rx="3" fill="{colours[name]}"/>')
        parts.append(_text(x + 20, 11, name, size=12, colour=GREY))
        x += 34 + 7.0 * len(name)
    samples = (
        (f'stroke="{INK}" stroke-width="2.2"', "gradient"),
        (f'stroke="{GREY}" stroke-width="1.3" stroke-dasharray="5 4"', "constant"),
    )
    for style, word in samples:
        parts.append(f'<path d="M{x:g},6h26" {style}/>' + _text(x + 32, 11, word, size=12, colour=GREY))
        x += 46 + 7.0 * len(word)
    parts.append(f'<path d="M{x + 4:g},-2v16" stroke="#c0262d" stroke-width="3" stroke-linecap="round"/>')
    parts.append(_text(x + 14, 11, "gradient stops", size=12, colour=GREY))
    return "".join(parts)


def _text(
    x: float, y: float, text: str, *, size: int, weight: int = 400, colour: str = INK, anchor: str = "start",
    more: str = "",
) -> str:  # fmt: skip
    more += f' font-weight="{weight}"' if weight != 400 else ""  # what SVG takes by itself is left out
    more += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{more}>{escape(text)}</text>'
