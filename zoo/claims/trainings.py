"""Trainings of claims: of committed specs with snapshots, kept under runs/claims, and of small games in memory.

`train_with_snapshots` trains a spec with overrides and keeps what a claim measures after some steps. A stopped training
is resumed from its checkpoint, a finished one is read from its snapshots; one that has passed a step of which there is
no snapshot begins again.

`make_game` and `play` need no data set: the networks are a YAML file of this folder, the claim makes the batches.
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
    from zoo.spec.read import Spec
    from zoo.train.algorithms.base import Algorithm

Take = Callable[["Algorithm"], Mapping[str, Array]]
Snapshots = dict[int, dict[str, Array]]  # {step: {name: array}}
SECONDS, MACHINE = "seconds", "machine"


@dataclass
class SnapshotRecorder:
    """Takes a snapshot after each step of `at`, and counts the seconds of training without those of the snapshots.

    <folder>/<step>.npz holds the arrays of `take`, the seconds of training until then, and the machine.
    """

    folder: Path
    at: frozenset[int]
    take: Take
    machine: str
    seconds: float = 0.0
    _mark: float = field(default_factory=time.monotonic)
    _begun: bool = False

    def __call__(self, step: int, algorithm: Algorithm) -> None:
        """Count the time of this step, and take its snapshot if it is one of `at`."""
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
        """Estimate the seconds until `step` of a resumed training from the pace of the snapshots before it."""
        before = [past for past in snapshot_steps(self.folder) if past <= step]
        if before:
            last = max(before)
            self.seconds = float(read_snapshot(self.folder, last)[SECONDS]) * step / last
        self._begun = True


def snapshot_steps(folder: Path) -> list[int]:
    """Return the steps of the snapshots in a folder, in order."""
    return sorted(int(file.stem) for file in folder.glob("[0-9]*.npz"))


def read_snapshot(folder: Path, step: int) -> dict[str, Array]:
    """Return the arrays of one snapshot."""
    with np.load(folder / f"{step}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def train_with_snapshots(
    options: Options, label: str, name: str, overrides: Sequence[str], *, at: Sequence[int], take: Take
) -> Snapshots:
    """Train a spec until the last step of `at`, whatever budget it states.

    Args:
        options: The folder for the run, and where progress is printed.
        label: Name of the run.
        name: Name of the spec.
        overrides: Changes of the spec, as of `--set`.
        at: Steps after which a snapshot is taken.
        take: take(algorithm) returns the arrays of a snapshot.

    Returns:
        A snapshot for every step in `at`, which also has the seconds of training until then and the machine.

    Raises:
        KeyboardInterrupt: Ctrl-C has ended the training after a checkpoint.
    """
    from zoo.spec.read import read_spec, spec_file
    from zoo.train import checkpoint, loop

    spec = read_spec(spec_file(name), overrides)
    runs = run_folder(options, label, spec).parent
    folder = runs / "snapshots"
    if missing := set(at) - set(snapshot_steps(folder)):
        options.log(f"{label}: {name} {' '.join(overrides)}, until step {max(at):,}")
        recorder = SnapshotRecorder(folder, frozenset(at), take, loop.machine())
        resume = min(missing) > checkpoint.reached(runs / spec.name / checkpoint.FILE)
        run = loop.train(spec, runs=runs, resume=resume, steps=max(at), budget=math.inf, watch=recorder)
        if run.step < max(at):
            if run.reason == "SIGTERM":
                sys.exit(143)
            raise KeyboardInterrupt
    return {step: read_snapshot(folder, step) for step in sorted(at)}


def run_folder(options: Options, label: str, spec: Spec) -> Path:
    """Return the folder of a training; another recipe has another one."""
    return options.folder / "runs" / f"{label}-{spec.sha256[:8]}" / spec.name


def seconds_of(snapshots: Snapshots) -> float:
    """Return the seconds of a training."""
    return float(snapshots[max(snapshots)][SECONDS])


def machine_of(trainings: Sequence[Snapshots]) -> str:
    """Return the machine of the trainings, or all of them if there were several."""
    machines = (str(snapshot[MACHINE]) for snapshots in trainings for snapshot in snapshots.values())
    return " and ".join(dict.fromkeys(machines))


def forward(network: Any, inputs: Mapping[str, Array], output: str, *, batch_size: int = 500) -> Array:
    """Run a Keras network at inference, block by block. Returns float32 [N, ...]."""
    import keras

    count = len(next(iter(inputs.values())))
    parts = [
        keras.ops.convert_to_numpy(
            network({name: array[i : i + batch_size] for name, array in inputs.items()}, training=False)[output]
        ).astype("float32")
        for i in range(0, count, batch_size)
    ]
    return np.concatenate(parts)


def make_game(name: str, algorithm: str, seed: int = 0, **args: Any) -> Algorithm:
    """Return an algorithm with these arguments on the networks of <name>.yaml in this folder, freshly initialised."""
    import keras

    from zoo.spec.read import read_spec
    from zoo.spec.types import Part
    from zoo.train.algorithms import make_algorithm

    keras.utils.set_random_seed(seed)
    made = make_algorithm(Part(algorithm, args), read_spec(Path(__file__).with_name(f"{name}.yaml")).plans)
    made.compile()
    return made


def player(rate: float, optimizer: str = "SGD", **args: Any) -> dict[str, Any]:
    """Return the arguments of a player with a learning rate, as a spec would state them."""
    return {"optimizer": {optimizer: {"learning_rate": rate, **args}}}


def play(
    algorithm: Algorithm, batch: Callable[[int], Mapping[str, Array]], steps: int,
    watch: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """Make `steps` steps of Keras's `fit` on batch(0), batch(1), ...; watch(n) is called after n steps."""
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


def copy_state(algorithm: Algorithm) -> dict[str, Array]:
    """Return a copy of all state: weights, optimizers, seeds."""
    import keras

    return {name: keras.ops.convert_to_numpy(variable) for name, variable in algorithm.state().items()}


def restore_state(algorithm: Algorithm, state: Mapping[str, Array]) -> None:
    """Set all state to that copy, so that the next game need not be compiled again."""
    for name, variable in algorithm.state().items():
        variable.assign(state[name])


def weights(algorithm: Algorithm, role: str) -> list[Array]:
    """Return the trained weights of a player."""
    import keras

    algorithm.state()
    return [keras.ops.convert_to_numpy(variable) for variable in algorithm.players[role].trainable_variables]
