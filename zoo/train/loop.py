"""A spec -> a trained algorithm: `train`, and the parts of it that export, claims and benchmarks use alone.

    data -> algorithm -> (checkpoint) -> fit until the last step, the budget or a signal -> checkpoint -> Run

A run is a function of its spec: initial weights follow from `training.seed`, every batch from seed and step number.
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
    """The result of a training: the algorithm with its weights, and how they were made."""

    spec: Spec
    algorithm: Algorithm
    step: int
    seconds: float  # of training, over all resumed parts
    reason: str  # why the last part ended
    machine: str  # on which the last part ran
    folder: Path
    best: Best | None = None  # the weights to export, where they are not the last ones

    @property
    def exported_step(self) -> int:
        """The step of the exported weights: the best one if chosen, else the last."""
        return self.best.step if self.best else self.step

    @property
    def images_per_step(self) -> int:
        """Real images that D is shown in a step."""
        return recipe(self.spec).batch_size * self.algorithm.data_draws


class _Steps(keras.utils.PyDataset):
    """The batches of steps `first` to before `last`, which `fit` reads in order."""

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
    """Train a spec, or continue its training, until the last step, the end of the budget, Ctrl-C or SIGTERM.

    Args:
        spec: What to train.
        runs: The run is written to `runs`/<name of the spec>.
        resume: Continue from the checkpoint there; otherwise an earlier run is renamed and kept.
        steps: The last step, in place of `training.steps`.
        budget: Seconds of this part of the run, in place of `training.budget`.
        watch: Called as `watch(n, algorithm)` after each step, when n steps are made; it must not change anything.

    Returns:
        The run; its algorithm has the last weights.

    Raises:
        UsageError: For a spec that only describes networks, and for a run that another process trains.
        DataError: For data that cannot be read.
        TrainingError: When a number stops being finite; the last good checkpoint then stays as it is. Also for a
            checkpoint that is damaged or belongs to another spec.
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
        reason, duration = _fit(spec, algorithm, batches, clock, start, folder, watch, metric)
    return Run(spec, algorithm, clock.step, start.seconds + duration, reason, machine(), folder)


def _start(
    spec: Spec, algorithm: Algorithm, dataset: Dataset | Domains, folder: Path, resume: bool
) -> checkpoint.Progress:
    """Restore the checkpoint of the run, or begin a new one in an empty folder."""
    path = folder / checkpoint.FILE
    if resume and path.exists():
        return checkpoint.load(path, algorithm, spec.document)
    if resume:
        print(f"{spec.name}: there is no checkpoint in {folder}: starting anew", file=sys.stderr)
    algorithm.begin(0)
    _initialise_from_data(algorithm, spec, dataset)
    if folder.exists():
        _set_aside(folder)  # last: a spec that cannot be trained leaves the earlier run where it is
    return checkpoint.Progress(0, 0.0, machine())


def _fit(
    spec: Spec, algorithm: Algorithm, batches: Batches, clock: callbacks.Clock, start: checkpoint.Progress,
    folder: Path, watch: Watch | None, metric: Metric | None,
) -> tuple[str, float]:  # fmt: skip
    """Make the steps and write a checkpoint. Returns why the run ended and its seconds."""
    training, path = spec.sections.training, folder / checkpoint.FILE
    assert training is not None
    draw_samples = SampleSheets(spec, algorithm, folder, pictured_inputs(spec, batches.dataset))
    stop, line = callbacks.Stop(clock), callbacks.LossLine(clock, spec.name)
    curves = callbacks.Curves(clock, folder / "tensorboard")

    def save() -> None:
        running = stop.reason == callbacks.FINISHED and clock.step < clock.steps
        ended = "interrupted" if running else stop.reason
        progress = checkpoint.Progress(clock.step, start.seconds + clock.seconds, machine(), ended)
        checkpoint.save(path, algorithm, progress, spec.document)

    every_step = [
        clock,
        callbacks.Finite(clock),
        callbacks.EverySteps(clock, training.picture_every_steps, draw_samples),
        callbacks.EverySeconds(training.checkpoint_every_seconds, save),
        curves,
        line,
        stop,
    ]
    if watch:
        every_step.append(callbacks.EverySteps(clock, 1, lambda step: watch(step, algorithm)))
    if metric is not None and training.evaluate is not None:
        evaluate = monitor.Watch(
            spec, algorithm, metric, folder, first=clock.step, save=save, report=line.line.say, plot=curves.add
        )
        every_step.append(callbacks.EverySteps(clock, training.evaluate.every, evaluate))
    with contextlib.ExitStack() as cleanup:
        for callback in (stop, curves, line):
            cleanup.callback(callback.close)  # also after an error; a Ctrl-C must not cost the last checkpoint
        try:
            draw_samples(clock.step)
            end = clock.step
            while end == clock.step < clock.steps and stop.reason == callbacks.FINISHED:  # once, or once for each stage
                algorithm.begin(clock.step)
                algorithm.compile(xla=training.xla)
                end = min(algorithm.pause(clock.step) or clock.steps, clock.steps)
                steps = _Steps(batches, clock.step, end)
                algorithm.fit(steps, epochs=1, verbose=0, shuffle=False, callbacks=every_step)
            duration = clock.seconds
            draw_samples(clock.step)
            save()
        except TrainingError as error:
            last = f"the last good checkpoint is {path}" if path.exists() else "there is no checkpoint yet"
            raise TrainingError(f"{error}; {last}. A smaller learning_rate often helps") from error
    return stop.reason, duration


def best_of(run: Run) -> Run:
    """Replace the last weights of a run by the best ones that its evaluations found.

    Args:
        run: The run, whose algorithm gets the weights.

    Returns:
        The run that exports them.

    Raises:
        UsageError: Where no step was evaluated.
    """
    best = load_best(run.folder)
    if best is None:
        raise UsageError(f"--export best: there is no {BEST_FILE} in {run.folder}: no step was evaluated")
    restore_best(best, run.algorithm)
    return replace(run, best=best)


def make(spec: Spec) -> Algorithm:
    """Build the algorithm of a spec with fresh weights, which depend on `training.seed` alone.

    Args:
        spec: A spec that can be trained.

    Returns:
        Networks and optimizers; `begin(0)` is still to be called.
    """
    training, part = spec.sections.training, spec.sections.algorithm
    assert training is not None and part is not None
    keras.utils.set_random_seed(training.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(training.precision)
    try:
        return make_algorithm(
            part, spec.plans, batch_size=training.batch_size, averaged=exported_names(spec),
            ema_half_life_images=training.ema_half_life_images,
        )  # fmt: skip
    finally:
        keras.config.set_dtype_policy(before)


def recipe(spec: Spec) -> Training:
    """Return the training section.

    Args:
        spec: Any spec.

    Returns:
        The section.

    Raises:
        UsageError: For a spec that describes networks only.
    """
    training = spec.sections.training
    if training is None or spec.sections.algorithm is None or spec.sections.data is None:
        raise UsageError(f"{spec.path}: describes networks without saying how to train them. Try --dry-run")
    return training


def make_batches(spec: Spec, algorithm: Algorithm, dataset: Dataset | Domains) -> Batches:
    """Make the batches of a training: for each step, draws of the data and of every latent, from seed and step alone.

    Args:
        spec: A spec that can be trained.
        algorithm: Its algorithm, which knows how many draws a step uses, and what it draws besides.
        dataset: The training data.

    Returns:
        `batches[step]` has float32 and integer arrays by name: data [data_draws, B, ...], latents and further chance
        [latent_draws, B, ...], and the algorithm's `step_inputs`.

    Raises:
        UsageError: For a latent with a name that the algorithm uses itself.
    """
    training, section = spec.sections.training, spec.sections.data
    assert training is not None and section is not None
    window = next((shape[:2] for shape in spec.fields.values() if len(shape) == 3), None)  # None for points
    reserved = {*algorithm.noise, *algorithm.step_inputs(0)}
    if taken := sorted(reserved & spec.sections.latent.keys()):
        raise UsageError(f"{spec.path}: latent.{taken[0]}: the algorithm draws something of that name; choose another")
    sources = {name: prior_of(part) for name, part in {**spec.sections.latent, **algorithm.noise}.items()}

    def drawn_inputs(step: int) -> Mapping[str, np.ndarray]:
        drawn = {}
        for name, source in sources.items():
            random = np.random.Generator(np.random.SFC64([training.seed, step, *name.encode()]))  # the fastest one
            count = algorithm.latent_draws * training.batch_size
            drawn[name] = source.draw(random, count).reshape(algorithm.latent_draws, training.batch_size, *source.shape)
        return {**drawn, **algorithm.step_inputs(step)}

    return Batches(
        dataset, batch_size=training.batch_size, draws=algorithm.data_draws, seed=training.seed,
        range=section.range, flip=section.flip, window=window if section.jitter_from else None, extra=drawn_inputs,
    )  # fmt: skip


def machine() -> str:
    """Describe the machine that trains.

    Returns:
        Cores, processor, accelerators and backend in one line, such as "..., no GPU, Keras on tensorflow".
    """
    devices = autodiff.accelerators()
    accelerator = f"{len(devices)} x {devices[0].split(':')[0].upper()}" if devices else "no GPU"
    return f"{describe_host()}, {accelerator}, Keras on {keras.backend.backend()}"


def _initialise_from_data(algorithm: Algorithm, spec: Spec, dataset: Dataset | Domains) -> None:
    """Set the biases that start at the pixel marginals, in the players and in their averages."""
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
