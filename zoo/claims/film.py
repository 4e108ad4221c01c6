"""Trainings of a claim, watched while they run: each is a committed spec with overrides, kept under runs/claims.

A training that was stopped goes on from its checkpoint, a finished one is read from its snapshots and not built again.
One that has passed a step which is wanted now, and was not looked at then, begins again.
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
from zoo.manifest import write_whole

if TYPE_CHECKING:
    from zoo.algorithms import Algorithm

Array = np.ndarray[Any, np.dtype[Any]]
Take = Callable[["Algorithm"], Mapping[str, Array]]
SECONDS, MACHINE = "seconds", "machine"


@dataclass
class Camera:
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
            self.seconds = float(read(self.folder, last)[SECONDS]) * step / last
        self._begun = True


def snapshots(folder: Path) -> list[int]:
    """The steps of which there is a snapshot, in order."""
    return sorted(int(file.stem) for file in folder.glob("[0-9]*.npz"))


def read(folder: Path, step: int) -> dict[str, Array]:
    """One snapshot."""
    with np.load(folder / f"{step}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def film(
    options: Options, label: str, name: str, overrides: Sequence[str], *, at: Sequence[int], take: Take
) -> dict[int, dict[str, Array]]:
    """Train spec `name` with `overrides` until the last step of `at`: {step: snapshot} of every step in `at`.

    Each has the seconds of training until then under "seconds", and "machine". Whatever budget the spec states, the
    training goes to that step. Ctrl-C ends it behind a checkpoint, and leaves through KeyboardInterrupt.
    """
    from zoo import checkpoint, training
    from zoo import spec as language

    spec = language.read(language.find(name), overrides)
    runs = options.folder / "runs" / f"{label}-{spec.sha256[:8]}"  # another recipe is another run
    folder = runs / "snapshots"
    if missing := set(at) - set(snapshots(folder)):
        options.say(f"{label}: {name} {' '.join(overrides)}, until step {max(at):,}")
        camera = Camera(folder, frozenset(at), take, training.machine())
        ahead = min(missing) > checkpoint.reached(runs / spec.name / checkpoint.FILE)
        run = training.train(spec, runs=runs, resume=ahead, steps=max(at), budget=math.inf, watch=camera)
        if run.step < max(at):
            if run.reason == "SIGTERM":
                sys.exit(143)
            raise KeyboardInterrupt
    return {step: read(folder, step) for step in sorted(at)}


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
