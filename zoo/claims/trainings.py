"""Trainings of a claim, watched while they run: each is a committed spec with overrides, kept under runs/claims.

A training that was stopped goes on from its checkpoint, a finished one is read from its snapshots and not built again.
One that has passed a step which is wanted now, and was not looked at then, begins again.

Small games that need no data set: networks from a YAML file of this folder, batches that the claim makes itself.
"""

from __future__ import annotations

import io
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.claims.base import Options
from zoo.core.arrays import Array
from zoo.core.files import write_whole

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm


Take = Callable[["Algorithm"], Mapping[str, Array]]
SECONDS, MACHINE = "seconds", "machine"


@dataclass
class SnapshotRecorder:
    """Takes a snapshot after each step of `at`, and counts the seconds of training apart from those of watching.

    <folder>/<step>.npz holds what `take` returned, the seconds of training until then, and the machine.
    """

    folder: Path
    at: frozenset[int]
    take: Take
    machine: str
    seconds: float = 0.0
    _mark: float = field(default_factory=time.monotonic)
    _begun: bool = False

    def __call__(self, step: int, algorithm: Algorithm) -> None:
        if not self._begun:
            self._begin(step - 1)
        now = time.monotonic()
        self.seconds, self._mark = self.seconds + now - self._mark, now
        if step in self.at:
            buffer = io.BytesIO()
            facts = {SECONDS: np.array(self.seconds), MACHINE: np.array(self.machine)}
            np.savez(buffer, **facts, **self.take(algorithm))  # type: ignore[arg-type]
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / f"{step}.npz", buffer.getvalue())
            self._mark = time.monotonic()

    def _begin(self, step: int) -> None:
        """After a resumption: the seconds until `step`, at the pace of the snapshots before it."""
        before = [past for past in snapshots(self.folder) if past <= step]
        if before:
            last = max(before)
            self.seconds = float(read_snapshots(self.folder, last)[SECONDS]) * step / last
        self._begun = True


def snapshots(folder: Path) -> list[int]:
    """The steps of which there is a snapshot, in order."""
    return sorted(int(file.stem) for file in folder.glob("[0-9]*.npz"))


def read_snapshots(folder: Path, step: int) -> dict[str, Array]:
    """One snapshot."""
    with np.load(folder / f"{step}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def train_with_snapshots(
    options: Options, label: str, name: str, overrides: Sequence[str], *, at: Sequence[int], take: Take
) -> dict[int, dict[str, Array]]:
    """Train spec `name` with `overrides` until the last step of `at`: {step: snapshot} of every step in `at`.

    Each has the seconds of training until then under "seconds", and "machine". Whatever budget the spec states, the
    training goes to that step. Ctrl-C ends it behind a checkpoint, and leaves through KeyboardInterrupt.
    """
    from zoo.spec.read import read_spec, spec_file
    from zoo.train import checkpoint, loop

    spec = read_spec(spec_file(name), overrides)
    runs = options.folder / "runs" / f"{label}-{spec.sha256[:8]}"  # another recipe is another run
    folder = runs / "snapshots"
    if missing := set(at) - set(snapshots(folder)):
        options.say(f"{label}: {name} {' '.join(overrides)}, until step {max(at):,}")
        camera = SnapshotRecorder(folder, frozenset(at), take, loop.machine())
        ahead = min(missing) > checkpoint.reached(runs / spec.name / checkpoint.FILE)
        run = loop.train(spec, runs=runs, resume=ahead, steps=max(at), budget=math.inf, watch=camera)
        if run.step < max(at):
            if run.reason == "SIGTERM":
                sys.exit(143)
            raise KeyboardInterrupt
    return {step: read_snapshots(folder, step) for step in sorted(at)}


def cost(film: Mapping[int, Mapping[str, Array]]) -> float:
    """Seconds of training."""
    return float(film[max(film)][SECONDS])


def machine_of(films: Sequence[Mapping[int, Mapping[str, Array]]]) -> str:
    """Where they were trained; all places, if that was in several."""
    return " and ".join(dict.fromkeys(str(snapshot[MACHINE]) for film in films for snapshot in film.values()))


def forward(network: Any, inputs: Mapping[str, Array], output: str, *, batch_size: int = 500) -> Array:
    """A Keras network at inference, block by block: float32 [N, ...]."""
    import keras

    count = len(next(iter(inputs.values())))
    parts = [
        keras.ops.convert_to_numpy(
            network({name: array[i : i + batch_size] for name, array in inputs.items()}, training=False)[output]
        ).astype("float32")
        for i in range(0, count, batch_size)
    ]
    return np.concatenate(parts)


SGD = "SGD"


def game(name: str, algorithm: str, seed: int = 0, **args: Any) -> Algorithm:
    """The networks of <name>.yaml in this folder under `algorithm` with these arguments, freshly initialised."""
    import keras

    from zoo.spec.read import read_spec
    from zoo.spec.types import Part
    from zoo.train.algorithms import make_algorithm

    keras.utils.set_random_seed(seed)
    made = make_algorithm(Part(algorithm, args), read_spec(Path(__file__).with_name(f"{name}.yaml")).plans)
    made.compile()
    return made


def player(rate: float, kind: str = SGD, **args: Any) -> dict[str, Any]:
    """A player with a learning rate, as a spec would write it."""
    return {"optimizer": {kind: {"learning_rate": rate, **args}}}


def play(
    algorithm: Algorithm, batch: Callable[[int], Mapping[str, Array]], steps: int,
    watch: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """`steps` steps of Keras's `fit` on batch(0), batch(1), ...; `watch(n)` is called when n steps are made."""
    import keras

    class Steps(keras.utils.PyDataset):
        def __len__(self) -> int:
            return steps

        def __getitem__(self, index: int) -> tuple[Mapping[str, Array]]:
            return (batch(index),)

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, index: int, logs: Any = None) -> None:
            if watch:
                algorithm.state()  # JAX's `fit` fills the variables when they are asked for
                watch(index + 1)

    algorithm.fit(Steps(workers=1), epochs=1, verbose=0, shuffle=False, callbacks=[Watch()])


def memory(algorithm: Algorithm) -> dict[str, Array]:
    """All state as it is now: weights, optimizers, seeds."""
    import keras

    return {name: keras.ops.convert_to_numpy(variable) for name, variable in algorithm.state().items()}


def recall(algorithm: Algorithm, state: Mapping[str, Array]) -> None:
    """Back to that state: the next game need not be compiled again."""
    for name, variable in algorithm.state().items():
        variable.assign(state[name])


def weights(algorithm: Algorithm, role: str) -> list[Array]:
    """The trained weights of a player."""
    import keras

    algorithm.state()
    return [keras.ops.convert_to_numpy(variable) for variable in algorithm.players[role].trainable_variables]
