"""A spec -> a trained algorithm: data, initial weights, `fit`, and everything that must survive an interruption.

data -> algorithm -> (checkpoint) -> fit until the last step, the budget or a signal -> checkpoint -> Run
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from zoo.core.errors import TrainingError, UsageError
from zoo.core.host import describe_host
from zoo.data.dataset import Dataset, Domains
from zoo.data.pipeline import Batches
from zoo.nn import autodiff
from zoo.nn.layers import initialize_from_data
from zoo.spec import feeds
from zoo.spec.feeds import prior_of
from zoo.spec.read import Spec
from zoo.spec.sections import Training
from zoo.spec.types import seconds
from zoo.train import callbacks, checkpoint, monitor
from zoo.train.algorithms import make_algorithm
from zoo.train.algorithms.base import Algorithm
from zoo.train.monitor import (
    BEST_FILE,
    Best,
    Metric,
    SampleSheets,
    exported_names,
    load_best,
    make_metric,
    pictured_inputs,
    restore_best,
)

Watch = Callable[[int, Algorithm], None]


@dataclass(frozen=True)
class Run:
    """What training leaves: the algorithm with its weights, and how it came about."""

    spec: Spec
    algorithm: Algorithm
    step: int
    seconds: float  # of training, over all resumed parts
    reason: str  # why the last part ended
    machine: str  # on which the last part ran
    folder: Path
    best: Best | None = None  # where not the last weights leave: what they are

    @property
    def exported_step(self) -> int:
        """The step whose weights leave."""
        return self.best.step if self.best else self.step

    @property
    def images_per_step(self) -> int:
        """Real images that D is shown in a step."""
        return recipe(self.spec).batch_size * self.algorithm.data_draws


class _Steps(keras.utils.PyDataset):
    """`fit` reads the steps of a run in order; step numbers go on where a checkpoint ended."""

    def __init__(self, batches: Batches, first: int, last: int) -> None:
        super().__init__(workers=1)
        self.batches, self.first, self.last = batches, first, last

    def __len__(self) -> int:
        return min(self.last - self.first, 2**31 - 1)  # `steps: 10**30` means: until the budget is used

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return (self.batches[self.first + index],)


def train(
    spec: Spec,
    *,
    runs: Path = Path("runs"),
    resume: bool = False,
    steps: int | None = None,
    budget: float | None = None,
    watch: Watch | None = None,
) -> Run:
    """Train `spec` in `runs`/<name>. With `resume` a checkpoint there is continued, else an earlier run is set aside.

    `steps` and `budget` (seconds, of this part) replace the spec's own limits; what came of them stands in `Run`.
    `watch(n, algorithm)` is called after each step, when n steps are made; it must not change anything.

    Raises UsageError for a spec that only describes networks and for a run that another process trains, DataError, and
    TrainingError when a number stops being finite; the last good checkpoint then stays as it is.
    """
    training = recipe(spec)
    folder = runs / spec.name
    dataset = feeds.load_data(spec)
    metric = make_metric(spec, dataset)
    algorithm = make(spec)
    batches = make_batches(spec, algorithm, dataset)
    if budget is None and training.budget:
        budget = seconds(training.budget)
    with checkpoint.lock_run(folder):
        start = _start(spec, algorithm, dataset, folder, resume)
        clock = callbacks.Clock(
            step=start.step, steps=max(steps or training.steps, start.step), budget_seconds=budget,
            batch_size=training.batch_size * algorithm.data_draws,
        )  # fmt: skip
        if clock.step >= clock.steps:
            return Run(spec, algorithm, start.step, start.seconds, start.ended, start.machine, folder)
        reason, took = _fit(spec, algorithm, batches, clock, start, folder, watch, metric)
    return Run(spec, algorithm, clock.step, start.seconds + took, reason, machine(), folder)


def _start(
    spec: Spec, algorithm: Algorithm, dataset: Dataset | Domains, folder: Path, resume: bool
) -> checkpoint.Progress:
    """Where the run begins: at its checkpoint, or anew in an empty folder."""
    path = folder / checkpoint.FILE
    if resume and path.exists():
        return checkpoint.load(path, algorithm, spec.document)
    if resume:
        print(f"{spec.name}: there is no checkpoint in {folder}: starting anew", file=sys.stderr)
    algorithm.begin(0)
    _initialise_from_data(algorithm, spec, dataset)
    if folder.exists():
        _set_aside(folder)  # last: a spec that cannot begin leaves the earlier run where it is
    return checkpoint.Progress(0, 0.0, machine())


def _fit(
    spec: Spec, algorithm: Algorithm, batches: Batches, clock: callbacks.Clock, start: checkpoint.Progress,
    folder: Path, watch: Watch | None, metric: Metric | None,
) -> tuple[str, float]:  # fmt: skip
    """Run the steps and leave a checkpoint. Returns why it ended and the seconds that it took."""
    training, path = spec.sections.training, folder / checkpoint.FILE
    assert training is not None
    picture = SampleSheets(spec, algorithm, folder, pictured_inputs(spec, batches.dataset))
    stop, line = callbacks.Stop(clock), callbacks.LossLine(clock, spec.name)
    curves = callbacks.Curves(clock, folder / "tensorboard")

    def save() -> None:
        under_way = stop.reason == callbacks.FINISHED and clock.step < clock.steps
        ended = "interrupted" if under_way else stop.reason
        progress = checkpoint.Progress(clock.step, start.seconds + clock.seconds, machine(), ended)
        checkpoint.save(path, algorithm, progress, spec.document)

    looks = [callbacks.EverySteps(clock, 1, lambda step: watch(step, algorithm))] if watch else []
    if metric is not None and training.evaluate is not None:
        evaluate = monitor.Watch(
            spec, algorithm, metric, folder, first=clock.step, save=save, tell=line.line.say, plot=curves.add
        )
        looks.append(callbacks.EverySteps(clock, training.evaluate.every, evaluate))
    around = [
        clock,
        callbacks.Finite(clock),
        callbacks.EverySteps(clock, training.picture_every_steps, picture),
        callbacks.EverySeconds(training.checkpoint_every_seconds, save),
        curves,
        line,
        stop,
        *looks,
    ]
    with contextlib.ExitStack() as at_the_end:
        for one in (stop, curves, line):
            at_the_end.callback(one.close)  # also after an error; a Ctrl-C must not cost the last checkpoint
        try:
            picture(clock.step)
            end = clock.step
            while end == clock.step < clock.steps and stop.reason == callbacks.FINISHED:  # once, or once for each stage
                algorithm.begin(clock.step)
                algorithm.compile(xla=training.xla)
                end = min(algorithm.pause(clock.step) or clock.steps, clock.steps)
                ahead = _Steps(batches, clock.step, end)
                algorithm.fit(ahead, epochs=1, verbose=0, shuffle=False, callbacks=around)
            took = clock.seconds
            picture(clock.step)
            save()
        except TrainingError as error:
            good = f"the last good checkpoint is {path}" if path.exists() else "there is no checkpoint yet"
            raise TrainingError(f"{error}; {good}. A smaller learning_rate often helps") from error
    return stop.reason, took


def best_of(run: Run) -> Run:
    """The run with the best weights that it saw instead of its last ones: they are in its algorithm now.

    Raises UsageError where nothing was evaluated.
    """
    best = load_best(run.folder)
    if best is None:
        raise UsageError(f"--export best: there is no {BEST_FILE} in {run.folder}: no step was evaluated")
    restore_best(best, run.algorithm)
    return replace(run, best=best)


def make(spec: Spec) -> Algorithm:
    """The algorithm of a spec with fresh weights, which depend on `training.seed` alone."""
    training, part = spec.sections.training, spec.sections.algorithm
    assert training is not None and part is not None
    keras.utils.set_random_seed(training.seed)
    half_life = training.ema_half_life_images
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(training.precision)
    try:
        return make_algorithm(
            part,
            spec.plans,
            batch_size=training.batch_size,
            averaged=exported_names(spec),
            ema_half_life_images=half_life,
        )
    finally:
        keras.config.set_dtype_policy(before)


def recipe(spec: Spec) -> Training:
    """The training section. Raises UsageError for a spec that describes networks only."""
    training = spec.sections.training
    if training is None or spec.sections.algorithm is None or spec.sections.data is None:
        raise UsageError(f"{spec.path}: describes networks without saying how to train them. Try --dry-run")
    return training


def make_batches(spec: Spec, algorithm: Algorithm, dataset: Dataset | Domains) -> Batches:
    """What each step consumes: draws of the data, and of every latent, all of it a function of seed and step."""
    training, section = spec.sections.training, spec.sections.data
    assert training is not None and section is not None
    window = next((shape[:2] for shape in spec.fields.values() if len(shape) == 3), None)  # points have none
    own = {*algorithm.noise, *algorithm.step_inputs(0)}
    if taken := sorted(own & spec.sections.latent.keys()):
        raise UsageError(f"{spec.path}: latent.{taken[0]}: the algorithm draws something of that name; choose another")
    sources = {name: prior_of(part) for name, part in {**spec.sections.latent, **algorithm.noise}.items()}

    def further(step: int) -> Mapping[str, np.ndarray]:
        drawn = {}
        for name, source in sources.items():
            random = np.random.Generator(np.random.SFC64([training.seed, step, *name.encode()]))  # the fastest there is
            count = algorithm.latent_draws * training.batch_size
            drawn[name] = source.draw(random, count).reshape(algorithm.latent_draws, training.batch_size, *source.shape)
        return {**drawn, **algorithm.step_inputs(step)}

    return Batches(
        dataset, batch_size=training.batch_size, draws=algorithm.data_draws, seed=training.seed,
        range=section.range, flip=section.flip, window=window if section.jitter_from else None, extra=further,
    )  # fmt: skip


def machine() -> str:
    """What trains here, in words: cores, processor, accelerators, backend."""
    devices = autodiff.accelerators()
    what = f"{len(devices)} x {devices[0].split(':')[0].upper()}" if devices else "no GPU"
    return f"{describe_host()}, {what}, Keras on {keras.backend.backend()}"


def _initialise_from_data(algorithm: Algorithm, spec: Spec, dataset: Dataset | Domains) -> None:
    """Biases that start at the pixel marginals, in the players and in their averages."""
    for field, part in dataset.parts.items():
        if part.images is None:
            continue
        mean = part.images.mean(axis=0) / 255.0  # [H, W, C] in [0, 1]
        for name, plan in spec.plans.items():
            if plan.output_name == field:
                initialize_from_data(algorithm.players[name], mean)
                if name in algorithm.averages:
                    initialize_from_data(algorithm.averages[name], mean)


def _set_aside(folder: Path) -> None:
    """Rename an earlier run to <name>.previous: forgetting --resume must not cost an hour of training.

    A folder without a checkpoint loses what an early end left in it, and nothing else: it may be the user's own.
    """
    if (folder / checkpoint.FILE).exists():
        names = (f"{folder.name}.previous{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
        previous = next(path for path in map(folder.with_name, names) if not path.exists())
        folder.rename(previous)
        print(f"{folder.name}: the earlier run is kept in {previous}", file=sys.stderr)
    else:
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        (folder / BEST_FILE).unlink(missing_ok=True)
        for suffix in ("png", "npz"):
            for sheet in folder.glob(f"*-{'[0-9]' * 7}.{suffix}"):
                sheet.unlink()
