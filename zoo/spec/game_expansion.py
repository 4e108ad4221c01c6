"""The game of a spec written out: as YAML that can be pasted, and as a plan also for algorithms that vary a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from zoo.core.errors import UsageError
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.game_plan import GamePlan
from zoo.spec.game_reader import Ends, read_game
from zoo.spec.game_words import ALTERNATING, described, expanded, tree_of
from zoo.spec.read import Spec
from zoo.spec.yaml_tree import YamlNode

_NOWHERE = Place("", 0, 0)


def expansion(spec: Spec) -> str:
    """Write the algorithm of a spec out as a game.

    Args:
        spec: A spec whose algorithm is `game`, or a word that expands into it.

    Returns:
        The section `algorithm` as YAML: in the place of the spec's own it is the same game.

    Raises:
        UsageError: The algorithm is written in Python, or there is none.
    """
    word, args = _algorithm(spec)
    text = args if word == "game" else expanded(word, args, spec.plans) if args is not None else None
    if text is None:
        what = f"'{word}' is written in Python" if word else "a spec without an algorithm"
        raise UsageError(f"{spec.path}: {what}: there is no game to expand")
    lines = ["algorithm:", "  game:"]
    for key, section in text.plain().items():
        if isinstance(section, Mapping):
            lines += [f"    {key}:", *_lines(section, "      ")]
        else:
            lines.append(f"    {key}: {_flow(section)}")
    return "\n".join(lines)


def described_game(spec: Spec) -> GamePlan | None:
    """Return the game of a spec, also where an algorithm in Python varies it.

    Args:
        spec: A spec.

    Returns:
        Its game; for `unrolled` and `progressive` that of `alternating`, which they vary; None without an algorithm.
    """
    word, args = _algorithm(spec)
    if spec.game is not None or word not in ALTERNATING or args is None:
        return spec.game
    game = described(word, args, spec.plans)
    if game is None:
        return None
    tree = tree_of({**spec.document, "algorithm": {"game": game}}, _NOWHERE)
    return read_game(tree, spec.plans, Ends(spec.latents, spec.fields), Problems())


def _algorithm(spec: Spec) -> tuple[str, YamlNode | None]:
    """Return the word and the arguments of the algorithm."""
    algorithm: Any = spec.document.get("algorithm")
    if not isinstance(algorithm, Mapping):
        return str(algorithm or ""), None
    ((word, args),) = algorithm.items()
    return word, tree_of(args, _NOWHERE)


def _lines(section: Mapping[str, Any], indent: str) -> list[str]:
    """Return a line for each entry; phases, which are long, have one for each of their keys."""
    lines = []
    for name, value in section.items():
        flow = f"{indent}{name}: {_flow(value)}"
        if len(flow) > 120 and isinstance(value, Mapping):
            lines += [f"{indent}{name}:", *(f"{indent}  {key}: {_flow(item)}" for key, item in value.items())]
        else:
            lines.append(flow)
    return lines


def _flow(value: Any) -> str:
    """Write a value in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
