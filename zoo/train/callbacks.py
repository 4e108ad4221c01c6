"""Keras callbacks of a training: the clock, every way to stop, regular actions, curves, and the progress line."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import keras

from zoo.core.errors import TrainingError
from zoo.core.files import free_space
from zoo.core.progress import SETTLED_SECONDS, ProgressLine, duration

Logs = dict[str, float]
PLAIN_LINE_EVERY_SECONDS = 10.0
FINISHED = "all steps are done"
NUMBERS = 6  # of the progress line; all are in TensorBoard's curves
PLAYERS = {"generator": "G", "discriminator": "D"}  # in a line that must be short
FLUSH_SECONDS, ROOM = 60.0, 2**20  # the longest time numbers stay in memory; bytes that must be free to write them
BEGUN = "first_step"  # a scalar of every file of events


class Clock(keras.callbacks.Callback):
    """Counts steps across resumed runs, and the seconds of this one. The first step compiles, and has no speed.

    Args:
        step: Steps made before this part of the run.
        steps: The last step.
        budget_seconds: The limit of this part, if there is one.
        batch_size: Real images that D is shown in a step.
    """

    def __init__(self, *, step: int, steps: int, budget_seconds: float | None, batch_size: int) -> None:
        super().__init__()
        self.step, self.first, self.steps = step, step, steps
        self.budget_seconds, self.batch_size = budget_seconds, batch_size
        self.started = self.compiled = time.monotonic()
        self._resumed = step > 0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def seconds_of_steps(self) -> float:
        """Seconds that count as training; a resumed part does not count its first step, which compiles again."""
        return time.monotonic() - (self.compiled if self._resumed else self.started)

    @property
    def images_per_second(self) -> float:
        """Real images shown to D per second, without the first step."""
        steps, seconds = self._measured()
        return steps * self.batch_size / seconds if steps > 0 and seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Seconds until the last step or the end of the budget, whichever comes first; infinity while unknown."""
        return min(self._seconds_of_all_steps, self._seconds_of_budget)

    @property
    def ends_by_budget(self) -> bool:
        """True while the budget is expected to end before the steps do."""
        return self._seconds_of_budget < self._seconds_of_all_steps

    @property
    def done(self) -> float:
        """The part that is done, 0 to 1: of the steps, or of the budget where that ends first."""
        if self.ends_by_budget and self.budget_seconds:
            return min(self.seconds / self.budget_seconds, 1.0)
        return self.step / self.steps

    @property
    def _seconds_of_all_steps(self) -> float:
        """Seconds until the last step; infinity until the pace has settled, unless no step is left."""
        steps, seconds = self._measured()
        if self.step >= self.steps:
            return 0.0
        return (self.steps - self.step) * seconds / steps if steps > 0 and seconds >= SETTLED_SECONDS else math.inf

    @property
    def _seconds_of_budget(self) -> float:
        return math.inf if self.budget_seconds is None else max(self.budget_seconds - self.seconds, 0.0)

    def _measured(self) -> tuple[int, float]:
        """Return the steps after the first one, and their seconds."""
        return self.step - self.first - 1, time.monotonic() - self.compiled

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.first = self.step  # a stage has a speed of its own

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.step += 1
        if self.step == self.first + 1:
            self.compiled = time.monotonic()


class Stop(keras.callbacks.Callback):
    """Ends the run after the present step for Ctrl-C, SIGTERM or the end of the budget, which `reason` then states.

    A second Ctrl-C stops at once.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.reason = clock, FINISHED
        self._signal: str | None = None
        self._handlers: dict[signal.Signals, Any] = {}  # those of before

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self._handlers:
            return  # a later stage of the same run
        with contextlib.suppress(ValueError):  # outside the main thread signals cannot be handled
            self._handlers = {s: signal.signal(s, self._request) for s in (signal.SIGINT, signal.SIGTERM)}

    def close(self) -> None:
        """Restore the signal handlers; until then a Ctrl-C cannot interrupt the last checkpoint."""
        for which in self._handlers:
            self._restore(which)
        self._handlers = {}

    def _restore(self, which: signal.Signals) -> None:
        handler = self._handlers[which]
        signal.signal(which, signal.SIG_DFL if handler is None else handler)  # None: it was not set from Python

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        budget = self.clock.budget_seconds
        if self._signal:
            self.reason = self._signal
        elif budget is not None and self.clock.seconds >= budget:
            self.reason = f"the budget of {duration(budget)} is used"
        else:
            return
        self.model.stop_training = True

    def _request(self, number: int, frame: FrameType | None) -> None:
        self._signal = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        self._restore(signal.Signals(number))


class Finite(keras.callbacks.Callback):
    """Raises TrainingError at the first number of a log that is not finite, with the step and the name. Those that
    nothing has computed yet are NaN without a mistake: `unknown` returns their names for a count of steps."""

    def __init__(self, clock: Clock, unknown: Callable[[int], Collection[str]] = lambda step: ()) -> None:
        super().__init__()
        self.clock, self.unknown = clock, unknown

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            if math.isinf(value) or (math.isnan(value) and name not in self.unknown(self.clock.step)):
                raise TrainingError(f"step {self.clock.step}: {name} is {value}")


class EverySeconds(keras.callbacks.Callback):
    """Calls `action()` after the first step that ends `seconds` after the last call; used for checkpoints."""

    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        super().__init__()
        self.seconds, self.action, self.last = seconds, action, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if time.monotonic() - self.last >= self.seconds:
            self.action()
            self.last = time.monotonic()


class EverySteps(keras.callbacks.Callback):
    """Calls `action(step)` whenever the count of steps is a multiple of `steps`; used for pictures and evaluations."""

    def __init__(self, clock: Clock, steps: int, action: Callable[[int], None]) -> None:
        super().__init__()
        self.clock, self.steps, self.action = clock, steps, action

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.clock.step % self.steps == 0:
            self.action(self.clock.step)


class Curves(keras.callbacks.Callback):
    """Writes losses and images/s for TensorBoard into `folder`, every 20th step.

    A file of events begins with the step from which its part of the run went on (`BEGUN`): what earlier files hold of
    later steps is of weights that were lost. Numbers stay in memory until `flush` has put them on the disk.
    """

    def __init__(self, clock: Clock, folder: Path) -> None:
        super().__init__()
        self.clock, self.folder = clock, folder
        self._writer: Any = None
        self._begun = clock.step
        self._unwritten: list[tuple[str, float, int, float]] = []

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.clock.step % 20 == 0:
            for name, value in {**(logs or {}), "images_per_second": self.clock.images_per_second}.items():
                self.add(name, value)
        if self._unwritten and time.time() - self._unwritten[0][3] > FLUSH_SECONDS:
            self.flush()

    def add(self, name: str, value: float) -> None:
        """Add a number of the present step."""
        self._unwritten.append((name, value, self.clock.step, time.time()))

    def flush(self) -> bool:
        """Write the numbers that are in memory. Returns False where the disk refuses; the next call tries again."""
        from tensorboard.summary import Writer

        if not self._unwritten:
            return True
        if free_space(self.folder) < ROOM:
            return False  # TensorBoard's writer would print a traceback
        try:
            if self._writer is None:
                self._writer = Writer(str(self.folder))
                self._writer.add_scalar(BEGUN, self._begun, self._begun)
            for name, value, step, moment in self._unwritten:
                self._writer.add_scalar(name, value, step, wall_time=moment)
            self._writer.flush()
        except Exception:  # TensorFlow's files raise errors of their own
            self._drop()
            return False
        self._begun, self._unwritten = self.clock.step, []
        return True

    def close(self) -> None:
        """Write the numbers that are still in memory, and end the file."""
        self.flush()
        self._drop()

    def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(Exception):
                writer.close()


class LossLine(keras.callbacks.Callback):
    """The progress line of a training: step, images/s, time left; the loss of each phase by the name of the phase, then
    values and states by their own, NUMBERS of them at most. A number that nothing has computed yet is left out.

    Args:
        clock: Of the training.
        title: The first word of the line.
        phases: The names of the phases.
    """

    def __init__(self, clock: Clock, title: str, phases: Sequence[str] = ()) -> None:
        super().__init__()
        self.clock, self._names = clock, {f"{name}_loss": name for name in phases}
        self.line = ProgressLine(title, clock.steps, done=clock.step, log_seconds=PLAIN_LINE_EVERY_SECONDS, stays=True)
        self._shown = clock.step

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.line.show(self.clock.step, "compiling the training step ...")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.line.due or self.clock.step == self.clock.first + 1:
            self.show(logs or {})

    def show(self, logs: Logs) -> None:
        """Show the state after the present step."""
        clock = self.clock
        self._shown = clock.step
        parts = [f"step {clock.step:,}" if clock.ends_by_budget else f"step {clock.step:,}/{clock.steps:,}"]
        if clock.images_per_second:
            parts.append(f"{clock.images_per_second:,.0f} images/s")
        if math.isfinite(clock.seconds_left):
            parts.append(f"{duration(clock.seconds_left)} left")
        names = {name: self._names.get(name, name) for name in logs}
        if self.line.on_terminal:  # which may be narrow
            names = {name: PLAYERS.get(word, word) for name, word in names.items()}
        known = [name for name, value in logs.items() if not math.isnan(value)]
        known.sort(key=lambda name: name not in self._names)  # the losses of phases first
        parts += [f"{names[name]} {logs[name]:.3f}" for name in known[:NUMBERS]]
        parts += [f"and {len(known) - NUMBERS} more in TensorBoard"] if len(known) > NUMBERS else []
        self.line.show(round(clock.done * clock.steps), "  ".join(parts))

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._shown != self.clock.step:
            self.show(logs or {})

    def close(self) -> None:
        """End the line."""
        self.line.close()
