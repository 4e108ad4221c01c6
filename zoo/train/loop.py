"""A spec -> a trained algorithm: `train`, and the parts of it that export, claims and benchmarks use alone.

    data -> algorithm -> (checkpoint) -> fit until the last step, the budget or a signal -> checkpoint -> Run

A run is a function of its spec: initial weights follow from `training.seed`, every batch from seed and step number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.core.errors import DataError, DiskFullError, TrainingError, UsageError
from zoo.core.host import describe_host
from zoo.data.dataset import Dataset, Domains
from zoo.data.pipeline import Batches
from zoo.nn import ahead, devices, replicas
from zoo.nn.layers import initialize_from_data
from zoo.spec import feeds
from zoo.spec.feeds import prior_of
from zoo.spec.read import Spec
from zoo.spec.sections import Training
from zoo.spec.types import seconds
from zoo.train import callbacks, checkpoint, monitor, own_images
from zoo.train.algorithms import make_algorithm
from zoo.train.algorithms.base import Algorithm
from zoo.train.earlier_run import set_aside
from zoo.train.given_weights import begin_with, give_packages, read_pictures
from zoo.train.kept import keep_inputs
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
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # counts of the user's own images

    @property
    def exported_step(self) -> int:
        """The step of the exported weights: the best one if chosen, else the last."""
        return self.best.step if self.best else self.step

    @property
    def images_per_step(self) -> int:
        """Real images that D is shown in a step."""
        return self.algorithm.step_images


def train(
    spec: Spec,
    *,
    runs: Path = Path("runs"),
    artifacts: Path = Path("exported"),
    resume: bool = False,
    steps: int | None = None,
    budget: float | None = None,
    watch: Watch | None = None,
) -> Run:
    """Train a spec, or continue its training, until the last step, the end of the budget, Ctrl-C or SIGTERM.

    Args:
        spec: What to train.
        runs: The run is written to `runs`/<name of the spec>.
        artifacts: The folder of artifacts, whose weights a spec may begin with.
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
    last = training.steps if steps is None else steps
    finished = resume and checkpoint.reached(folder / checkpoint.FILE) >= last
    dataset = _load_data(spec, needed=not finished)
    own_images.print_readings(spec.name, dataset)
    metric = make_metric(spec, dataset) if dataset else None
    algorithm = make(spec)
    batches = make_batches(spec, algorithm, dataset) if dataset else None
    if budget is None and training.budget:
        budget = seconds(training.budget)
    with checkpoint.lock_run(folder):
        start = _start(spec, algorithm, dataset, folder, resume, artifacts)
        start = own_images.checked(folder / checkpoint.FILE, start, dataset, algorithm.pictures, finished=finished)
        counts = start.data.get("counts", {})
        clock = callbacks.Clock(
            step=start.step, steps=max(last, start.step), budget_seconds=budget,
            batch_size=algorithm.step_images,
        )  # fmt: skip
        if batches is None:
            return Run(spec, algorithm, start.step, start.seconds, start.ended, start.machine, folder, data=counts)
        keep_inputs(spec, folder)
        reason, duration = _fit(spec, algorithm, batches, clock, start, folder, watch, metric)
    trained_on = machine() if clock.step > start.step else start.machine
    return Run(spec, algorithm, clock.step, start.seconds + duration, reason, trained_on, folder, data=counts)


def _load_data(spec: Spec, *, needed: bool) -> Dataset | Domains | None:
    """Load the training data; None where they are gone and a finished run is only exported again."""
    try:
        return feeds.load_data(spec)
    except DataError:
        if needed:
            raise
        return None


def _start(
    spec: Spec, algorithm: Algorithm, dataset: Dataset | Domains | None, folder: Path, resume: bool, artifacts: Path
) -> checkpoint.Progress:
    """Restore the checkpoint of the run, or begin a new one in an empty folder."""
    path = folder / checkpoint.FILE
    if resume and path.exists():
        progress = checkpoint.load(path, algorithm, spec.document)
        checkpoint.check_space(folder, algorithm, resumed=True)
        return progress
    if resume:
        print(f"{spec.name}: there is no checkpoint in {folder}: starting anew", file=sys.stderr)
    algorithm.begin(0)
    checkpoint.check_space(folder, algorithm, resumed=False)
    assert dataset is not None  # only a finished run does without
    _initialise_from_data(algorithm, spec, dataset)
    begin_with(spec, algorithm, folder.parent, artifacts)
    if folder.exists():
        set_aside(folder)  # last: a spec that cannot be trained leaves the earlier run where it is
    return checkpoint.Progress(0, 0.0, machine())


def _fit(
    spec: Spec, algorithm: Algorithm, batches: Batches, clock: callbacks.Clock, start: checkpoint.Progress,
    folder: Path, watch: Watch | None, metric: Metric | None,
) -> tuple[str, float]:  # fmt: skip
    """Make the steps and write a checkpoint. Returns why the run ended and its seconds.

    The sample sheet, the numbers of the curves and the evaluation of a step come before its checkpoint, or are made
    again when the run goes on from it: a run that was killed leaves what an undisturbed one leaves.
    """
    training, path = spec.sections.training, folder / checkpoint.FILE
    assert training is not None
    draw = SampleSheets(spec, algorithm, folder, pictured_inputs(spec, batches.dataset))
    stop, line = (
        callbacks.Stop(clock),
        callbacks.LossLine(clock, spec.name, [phase.name for phase in algorithm.phases()]),
    )
    curves = callbacks.Curves(clock, folder / "tensorboard")
    evaluate: monitor.Watch | None = None

    def save() -> None:
        curves.flush()
        running = stop.reason == callbacks.FINISHED and clock.step < clock.steps
        ended = "interrupted" if running else stop.reason
        progress = checkpoint.Progress(clock.step, start.seconds + clock.seconds_of_steps, machine(), ended, start.data)
        if evaluate is not None:
            evaluate.before_saving()
        checkpoint.save(path, algorithm, progress, spec.document)
        if evaluate is not None:
            evaluate.saved()

    def if_space(action: Callable[[], None]) -> bool:
        """Return False where the disk is full, which a line states: the training goes on."""
        try:
            action()
        except DiskFullError as error:
            line.line.say(f"step {clock.step:,}: {error}; training goes on and tries again later")
            return False
        return True

    def draw_samples(step: int) -> None:
        if_space(lambda: draw(step))

    def try_to_save() -> bool:
        return if_space(save)

    every_step: list[keras.callbacks.Callback] = [
        clock,
        callbacks.Finite(clock, algorithm.unknown),
        callbacks.EverySteps(clock, training.picture_every_steps, draw_samples),
        curves,
    ]
    if metric is not None and training.evaluate is not None:
        evaluate = monitor.Watch(
            spec, algorithm, metric, folder, first=clock.step, save=try_to_save, report=line.line.say, plot=curves.add
        )
        every_step.append(callbacks.EverySteps(clock, training.evaluate.every, evaluate))
    every_step += [callbacks.EverySeconds(training.checkpoint_every_seconds, try_to_save), line, stop]
    if watch:
        every_step.append(callbacks.EverySteps(clock, 1, lambda step: watch(step, algorithm)))
    with contextlib.ExitStack() as cleanup:
        for callback in (stop, curves, line):
            cleanup.callback(callback.close)  # also after an error; a Ctrl-C must not cost the last checkpoint
        try:
            last_one = clock.step >= clock.steps and not draw.drawn(clock.step)
            if last_one or not clock.step % training.picture_every_steps:
                draw_samples(clock.step)
            if evaluate is not None and clock.step and training.evaluate and not clock.step % training.evaluate.every:
                evaluate.catch_up(clock.step)
            if clock.step >= clock.steps:
                return start.ended, 0.0
            end = clock.step
            while end == clock.step < clock.steps and stop.reason == callbacks.FINISHED:  # once, or once for each stage
                algorithm.begin(clock.step)
                algorithm.compile(xla=training.xla)
                end = min(algorithm.pause(clock.step) or clock.steps, clock.steps)
                steps = ahead.steps(batches, clock.step, end)
                algorithm.fit(steps, epochs=1, verbose=0, shuffle=False, callbacks=every_step)
            duration = clock.seconds_of_steps
            draw_samples(clock.step)
            save()
        except TrainingError as error:
            last = f"the last good checkpoint is {path}" if path.exists() else "there is no checkpoint yet"
            raise TrainingError(f"{error}; {last}. A smaller learning_rate often helps") from error
        except DiskFullError as error:
            reached = checkpoint.reached(path)
            stands = f"the checkpoint of step {reached:,} stands" if reached else "there is no checkpoint"
            raise DiskFullError(
                f"{error}; {stands}, this step is {clock.step:,}. Free some space, then go on with --resume"
            ) from error
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
    """Build the algorithm of a spec with fresh weights, which depend on `training.seed` alone, and with given ones.

    Args:
        spec: A spec that can be trained.

    Returns:
        Networks and optimizers; `begin(0)` is still to be called.

    Raises:
        UsageError: The devices of `training.devices` are not there, or cannot share a batch or a step.
        DataError: The weights of a given network, or a picture of the game, cannot be had.
    """
    training, part, section = spec.sections.training, spec.sections.algorithm, spec.sections.data
    assert training is not None and part is not None and section is not None
    devices.use(precision=training.precision, deterministic=training.deterministic)
    shares = replicas.make(training.devices)
    if training.batch_size % shares.count:
        size = f"a batch of {training.batch_size}"
        raise UsageError(f"{spec.path}: training.devices: {size} cannot be shared equally by {shares.count} devices")
    pictures = read_pictures(spec.game)
    keras.utils.set_random_seed(training.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(devices.POLICIES.get(training.precision, training.precision))
    try:
        with shares.scope():
            algorithm = make_algorithm(
                part, spec.plans, game=spec.game, batch_size=training.batch_size, averaged=exported_names(spec),
                ema_half_life_images=training.ema_half_life_images, fields=tuple(spec.fields),
                pixel_range=section.range,
            )  # fmt: skip
        algorithm.pictures = pictures
        give_packages(algorithm)
        algorithm.share_among(shares)
        return algorithm
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
    """
    training, section = spec.sections.training, spec.sections.data
    assert training is not None and section is not None
    window = next((shape[:2] for shape in spec.fields.values() if len(shape) == 3), None)  # None for points
    latents = spec.sections.latent
    further = {  # another draw of a latent has its prior
        name: latents[part.args["of"]] if part.name == "another" else part for name, part in algorithm.noise.items()
    }
    sources = {name: prior_of(part) for name, part in {**latents, **further}.items()}
    draws, size = algorithm.data_batches

    def drawn_inputs(step: int) -> Mapping[str, np.ndarray]:
        drawn = {}
        for name, source in sources.items():
            random = np.random.Generator(np.random.SFC64([training.seed, step, *name.encode()]))  # the fastest one
            rows, size = algorithm.latent_batches.get(name, (algorithm.latent_draws, training.batch_size))
            drawn[name] = source.draw(random, rows * size).reshape(rows, size, *source.shape)
        return {**drawn, **algorithm.step_inputs(step)}

    return Batches(
        dataset, batch_size=size, draws=draws, seed=training.seed,
        range=section.range, flip=section.flip, window=window if section.jitter_from else None, extra=drawn_inputs,
    )  # fmt: skip


def machine() -> str:
    """Describe the machine that trains.

    Returns:
        Cores, processor, accelerators by name and backend in one line, such as "..., no GPU, Keras on tensorflow".
    """
    return f"{describe_host()}, {devices.describe()}, Keras on {keras.backend.backend()}"


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
