"""The words that expand into a game: `alternating` and `cyclegan`, written out as values and phases.

    zoo build specs/wgan_gp.yaml --dry-run --expand        prints the text, which is the same game where it is pasted

What a spec states beside the knobs of a word merges over its text: `values`, `states`, `phases`, `order`, and any key
of a phase in a player, `generator: {minimise: {pixel: 100}}`. Nodes that come from the word have the place of its
arguments; what the user wrote keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo.spec.diagnostics import Place, Problems
from zoo.spec.game_phases import phase_form
from zoo.spec.merge import merge
from zoo.spec.plan import Plan
from zoo.spec.types import Part
from zoo.spec.validate import below, completed, names_of
from zoo.spec.yaml_tree import Entry, YamlNode

Text = dict[str, Any]  # a part of the expansion: mappings, lists, scalars, and nodes of the user
ALTERNATING = ("unrolled", "progressive")  # algorithms in Python that vary the game of `alternating`
_MERGED = ("values", "states", "phases")
_OF_PHASES = ("discriminator_weight",)  # arguments of a loss that are the weight of its term


def expanded(word: str, args: YamlNode, plans: Mapping[str, Plan], problems: Problems | None = None) -> YamlNode | None:
    """Write out a word as a game.

    Args:
        word: The name of the algorithm.
        args: Its arguments in the spec.
        plans: The networks.
        problems: Where it is reported that something does not merge.

    Returns:
        The arguments of `game`; None for another algorithm, or where a player or the loss is missing.
    """
    write, problems = _WORDS.get(word), Problems() if problems is None else problems
    if write is None or not args.is_map or any(args.get(key) is None for key in _NEEDED[word]):
        return None
    stated = completed(args.plain(), names_of("algorithm")[word])
    text = write(stated, plans)
    if text is None:
        return None
    game = tree_of(text, args.place)
    for name in _NEEDED[word][1:]:
        old, own = game.get("phases", name), args.get(name)
        if old is None or own is None or not own.is_map:
            return None
        phases: YamlNode = game.get("phases")  # type: ignore[assignment]
        phases.value[name] = Entry(merge(old, own, phase_form(), problems), phases.value[name].place)
    form = names_of("algorithm")["game"]
    for key in _MERGED:
        own = args.get(key)
        if own is not None and own.is_map:
            base = game.get(key) or YamlNode({}, args.place)
            game.value[key] = Entry(merge(base, own, below(form, key), problems), args.value[key].place)
    for key in ("order", "simultaneous"):
        own = args.get(key)
        if own is not None and own.value not in (None, False):
            game.value[key] = args.value[key]
    return game


def described(word: str, args: YamlNode, plans: Mapping[str, Plan]) -> YamlNode | None:
    """Write out the game that an algorithm plays or varies, for the eye.

    Args:
        word: The name of the algorithm.
        args: Its arguments in the spec.
        plans: The networks.

    Returns:
        As `expanded`; for `unrolled` and `progressive` the game of `alternating`.
    """
    if word not in ALTERNATING:
        return expanded(word, args, plans)
    known = below({"x-parts": names_of("algorithm")}, "alternating").get("properties", {})
    shared = YamlNode({key: entry for key, entry in args.entries() if key in known}, args.place)
    return expanded("alternating", shared, plans)


def tree_of(value: Any, place: Place) -> YamlNode:
    """Turn plain values into a tree of nodes.

    Args:
        value: Mappings, lists, scalars, and nodes, which stay as they are.
        place: The place of every node that is made.

    Returns:
        The tree.
    """
    if isinstance(value, YamlNode):
        return value
    if isinstance(value, Mapping):
        return YamlNode({key: Entry(tree_of(item, place), place) for key, item in value.items()}, place)
    if isinstance(value, (list, tuple)):
        return YamlNode([tree_of(item, place) for item in value], place)
    return YamlNode(value, place)


def _loss(part: Part, side: str, tensors: Text) -> Text:
    """Return the call of one side of a loss, {lsgan.discriminator: {real: on_real, fake: on_fake, weight: 1}}."""
    name = f"{part.name}.{side}"
    args = {key: value for key, value in part.args.items() if key not in _OF_PHASES}
    return {name: {**tensors, **args}}


def _of(name: str, network: Plan) -> str:
    """Return the name of a pass as a tensor: its logits, where the network has several outputs."""
    outputs = list(network.outputs)
    return name if len(outputs) == 1 else f"{name}.{'logits' if 'logits' in outputs else outputs[0]}"


def _alternating(stated: Text, plans: Mapping[str, Plan]) -> Text | None:
    generator, discriminator = plans.get("generator"), plans.get("discriminator")
    if generator is None or discriminator is None:
        return None
    alone = len(generator.outputs) == 1
    made = {name: "fake" if alone else f"fake.{name}" for name in generator.outputs if name in discriminator.inputs}
    example = next(iter(made), generator.output_name)
    real, fake = _of("on_real", discriminator), _of("on_fake", discriminator)
    loss = Part.of(stated["loss"])
    values: Text = {"fake": "generator", "on_real": "discriminator", "on_fake": {"discriminator": made}}
    d_loss = {"d_loss": _loss(loss, "discriminator", {"real": real, "fake": fake})}
    terms: Text = {"d_loss": loss.args.get("discriminator_weight", 1)}
    penalties: Text = {}
    for item in stated["penalties"]:
        penalty = Part.of(item)
        args = completed(penalty.args, names_of("penalty")[penalty.name])
        before, name, call = _PENALTIES[penalty.name](args, example, made.get(example, "fake"), discriminator)
        values |= {key: value for key, value in before.items() if key not in values}
        name = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 100))) if n not in penalties)
        penalties[name] = call
        terms[name] = args["weight"]
    g_loss = {"g_loss": _loss(loss, "generator", {"fake": fake})}
    d: Text = {"trains": "discriminator", "minimise": terms}
    g: Text = {"trains": "generator", "minimise": {"g_loss": 1}}
    if stated["weight_clip"] is not None:
        d["weight_clip"] = stated["weight_clip"]
    if stated["burn_in"] is not None:
        g["when"] = {"burn_in": stated["burn_in"]}
    return {"values": {**values, **d_loss, **penalties, **g_loss}, "phases": {"discriminator": d, "generator": g}}


def _gradient_penalty(args: Text, example: str, fake: str, discriminator: Plan) -> tuple[Text, str, Text]:
    places = {"between": ("on_between", "between"), "real": ("on_real", example), "fake": ("on_fake", fake)}
    of, wrt = places[args["at"]]
    before: Text = {}
    if args["at"] == "between":
        before = {
            "share": {"uniform": {"shape": [1], "low": 0, "high": 1}},
            "between": {"lerp": {"from": fake, "to": example, "share": "share"}},
            "on_between": {"discriminator": {example: "between"}},
        }
    call: Text = {"of": _of(of, discriminator), "wrt": wrt, "target": args["target"]}
    if args["one_sided"]:
        call["one_sided"] = True
    return before, "slope", {"gradient_penalty": call}


def _r1(args: Text, example: str, fake: str, discriminator: Plan) -> tuple[Text, str, Text]:
    return {}, "r1", {"r1": {"of": _of("on_real", discriminator), "wrt": example}}


def _drift(args: Text, example: str, fake: str, discriminator: Plan) -> tuple[Text, str, Text]:
    return {}, "drift", {"mean": {"square": _of("on_real", discriminator)}}


_PENALTIES: Mapping[str, Callable[[Text, str, str, Plan], tuple[Text, str, Text]]] = {
    "gradient_penalty": _gradient_penalty, "r1": _r1, "drift": _drift,
}  # fmt: skip


def _cyclegan(stated: Text, plans: Mapping[str, Plan]) -> Text | None:
    loss, pooled, identity = Part.of(stated["loss"]), stated["pool_size"] > 0, stated["identity"] > 0
    if not all(name in plans for name in ("a_to_b", "b_to_a", "discriminator_a", "discriminator_b")):
        return None
    passes: Text = {}
    judged: Text = {}
    losses: Text = {}
    terms: Text = {}
    against: Text = {}
    for x, y in (("a", "b"), ("b", "a")):
        there, back = f"{x}_to_{y}", f"{y}_to_{x}"
        passes[f"fake_{y}"] = there
        passes[f"back_{x}"] = {back: {y: f"fake_{y}"}}
        passes |= {} if pooled else {f"on_real_{y}": f"discriminator_{y}"}  # D sees real images first, then fakes
        passes[f"on_fake_{y}"] = {f"discriminator_{y}": {y: f"fake_{y}"}}
        on_fake = _of(f"on_fake_{y}", plans[f"discriminator_{y}"])
        losses[f"g_loss_{y}"] = _loss(loss, "generator", {"fake": on_fake})
        losses[f"cycle_{x}"] = {"l1": {"between": [f"back_{x}", x]}}
        terms |= {f"g_loss_{y}": 1, f"cycle_{x}": stated[f"cycle_{x}"]}
        if identity:
            passes[f"same_{x}"] = {back: {y: x}}
            losses[f"identity_{x}"] = {"l1": {"between": [f"same_{x}", x]}}
            terms[f"identity_{x}"] = stated["identity"]
    for x in ("a", "b"):
        shown, network = (f"pool_{x}" if pooled else f"fake_{x}"), f"discriminator_{x}"
        if pooled:
            size, probability = stated["pool_size"], stated["pool_probability"]
            judged[shown] = {"pool": {"of": f"fake_{x}", "size": size, "probability": probability}}
        judged[f"on_real_{x}"] = network
        seen = f"on_pool_{x}" if pooled else f"on_fake_{x}"
        judged[seen] = {network: {x: shown}}
        tensors = {"real": _of(f"on_real_{x}", plans[network]), "fake": _of(seen, plans[network])}
        losses[f"d_loss_{x}"] = _loss(loss, "discriminator", tensors)
        against[f"d_loss_{x}"] = stated["discriminator_weight"]
    return {
        "values": {**passes, **judged, **losses},
        "phases": {
            "generators": {"trains": ["a_to_b", "b_to_a"], "minimise": terms},
            "discriminators": {
                "trains": ["discriminator_a", "discriminator_b"], "reuse": ["fake_a", "fake_b"], "minimise": against,
            },
        },
    }  # fmt: skip


_WORDS = {"alternating": _alternating, "cyclegan": _cyclegan}
_NEEDED = {
    "alternating": ("loss", "discriminator", "generator"), "cyclegan": ("loss", "generators", "discriminators"),
}  # fmt: skip
