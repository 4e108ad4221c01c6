"""What happens around the steps of a run: one progress line, pictures, curves, checkpoints, and every way to stop."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import keras

from zoo.core.errors import TrainingError
from zoo.core.progress import ProgressLine, duration

Logs = dict[str, float]
PLAIN_LINE_EVERY_SECONDS = 10.0
FINISHED = "all steps are done"


class Clock(keras.callbacks.Callback):
    """Counts steps across resumed runs, and the seconds of this one. The first step, which compiles, is timed apart."""

    def __init__(self, *, step: int, steps: int, budget_seconds: float | None, batch_size: int) -> None:
        super().__init__()
        self.step, self.first, self.steps = step, step, steps
        self.budget_seconds, self.batch_size = budget_seconds, batch_size
        self.started = self.warm = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def images_per_second(self) -> float:
        """Real images shown to D per second, without the first step."""
        made, took = self.step - self.first - 1, time.monotonic() - self.warm
        return made * self.batch_size / took if made > 0 and took > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Until the last step or the end of the budget, whichever comes first."""
        made, took = self.step - self.first - 1, time.monotonic() - self.warm
        by_steps = (self.steps - self.step) * took / made if made > 0 else math.inf
        return min(by_steps, math.inf if self.budget_seconds is None else max(self.budget_seconds - self.seconds, 0.0))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.first = self.step  # a stage has a speed of its own

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.step += 1
        if self.step == self.first + 1:
            self.warm = time.monotonic()


class Stop(keras.callbacks.Callback):
    """Ends the run after the step at hand: Ctrl-C, SIGTERM, the end of the budget. `reason` says which.

    A second Ctrl-C is the user's last word and stops at once.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.reason = clock, FINISHED
        self._asked: str | None = None
        self._old: dict[signal.Signals, Any] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self._old:
            return  # a later stage of the same run
        try:
            self._old = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # signals belong to the main thread; elsewhere the caller has them
            self._old = {}

    def close(self) -> None:
        """Give the signals back; until then a Ctrl-C cannot interrupt the last checkpoint."""
        for which in self._old:
            self._give_back(which)
        self._old = {}

    def _give_back(self, which: signal.Signals) -> None:
        old = self._old[which]
        signal.signal(which, signal.SIG_DFL if old is None else old)  # None: it was not set from Python

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        budget = self.clock.budget_seconds
        if self._asked:
            self.reason = self._asked
        elif budget is not None and self.clock.seconds >= budget:
            self.reason = f"the budget of {duration(budget)} is used"
        else:
            return
        self.model.stop_training = True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        self._give_back(signal.Signals(number))


class Finite(keras.callbacks.Callback):
    """Raises TrainingError at the first loss that is not a finite number, with the step and the phase."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise TrainingError(f"step {self.clock.step}: {name} is {value}")


class EverySeconds(keras.callbacks.Callback):
    """Calls `action` when `seconds` have passed since the last call: checkpoints."""

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        super().__init__()
        self.seconds, self.action, self.last = seconds, action, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if time.monotonic() - self.last >= self.seconds:
            self.action()
            self.last = time.monotonic()


class EverySteps(keras.callbacks.Callback):
    """Calls `action(step)` whenever the count of steps is a multiple of `steps`: pictures."""

    def __init__(self, clock: Clock, steps: int, action: Callable[[int], None]) -> None:
        super().__init__()
        self.clock, self.steps, self.action = clock, steps, action

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.clock.step % self.steps == 0:
            self.action(self.clock.step)


class Curves(keras.callbacks.Callback):
    """Losses and images/s for TensorBoard, every 20th step."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        super().__init__()
        self.clock, self.folder = clock, folder
        self._writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from tensorboard.summary import Writer

        self._writer = self._writer or Writer(str(self.folder))

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.clock.step % 20 == 0:
            for name, value in {**(logs or {}), "images_per_second": self.clock.images_per_second}.items():
                self.add(name, value)

    def add(self, name: str, value: float) -> None:
        """One more number, of the step at hand."""
        self._writer.add_scalar(name, value, self.clock.step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None


class LossLine(keras.callbacks.Callback):
    """The progress line of a training: step, images/s, time left, losses."""

    def __init__(self, clock: Clock, title: str) -> None:
        super().__init__()
        self.clock = clock
        self.line = ProgressLine(title, clock.steps, done=clock.step, log_seconds=PLAIN_LINE_EVERY_SECONDS, stays=True)
        self._shown = clock.step

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.line.show(self.clock.step, "compiling the training step ...")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.line.due or self.clock.step == self.clock.first + 1:
            self.show(logs or {})

    def show(self, logs: Logs) -> None:
        """Show the state after the step at hand."""
        clock = self.clock
        self._shown = clock.step
        losses = "  ".join(f"{name.removesuffix('_loss')} {value:.3f}" for name, value in logs.items())
        left = duration(clock.seconds_left) if math.isfinite(clock.seconds_left) else "?"
        speed = f"{clock.images_per_second:,.0f} images/s"
        self.line.show(clock.step, f"step {clock.step:,}/{clock.steps:,}  {speed}  {left} left  {losses}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._shown != self.clock.step:
            self.show(logs or {})

    def close(self) -> None:
        """End the line."""
        self.line.close()
