"""Callbacks one by one, with a clock that the test turns: counting, stopping, saving, showing."""

import io
import math
import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from zoo.core.errors import TrainingError
from zoo.core.progress import duration
from zoo.train.callbacks import Clock, Curves, EverySeconds, EverySteps, Finite, LossLine, Stop

PHASES = ("discriminator", "generator")


@pytest.fixture
def now(monkeypatch):
    """The time, which stands still until a test moves it."""
    at = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: at.seconds)
    return at


def make_clock(step=0, steps=10, budget=None, batch_size=8):
    return Clock(step=step, steps=steps, budget_seconds=budget, batch_size=batch_size)


def stopping(clock):
    """A Stop in the middle of a fit; the caller closes it."""
    stop = Stop(clock)
    stop.set_model(SimpleNamespace(stop_training=False))
    stop.on_train_begin()
    return stop


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


def test_clock_counts_on_and_times_the_first_step_apart(now):
    clock = make_clock(step=100, steps=110)
    assert clock.images_per_second == 0 and clock.seconds_left == math.inf
    now.seconds += 30  # compilation
    clock.on_train_batch_end(0)
    assert clock.step == 101 and clock.images_per_second == 0 and clock.seconds_left == math.inf
    for _ in range(3):
        now.seconds += 2
        clock.on_train_batch_end(0)
    assert clock.step == 104 and clock.seconds == 36
    assert clock.images_per_second == 4.0  # 3 steps of 8 images in 6 seconds
    assert clock.seconds_left == 12.0  # 6 steps of 2 seconds


def test_a_stage_has_a_speed_of_its_own(now):
    """Networks that grow are compiled anew and get slower: neither the compilation nor the fast first stage counts."""
    clock = make_clock(step=100, steps=110)
    for seconds in (30, 1, 1):
        now.seconds += seconds
        clock.on_train_batch_end(0)
    clock.on_train_begin()
    assert clock.images_per_second == 0 and clock.seconds_left == math.inf
    for seconds in (20, 4, 4):
        now.seconds += seconds
        clock.on_train_batch_end(0)
    assert clock.images_per_second == 2.0  # 2 steps of 8 images in 8 seconds
    assert (clock.step, clock.seconds, clock.seconds_left) == (106, 60, 16)


def test_the_budget_limits_the_time_left(now):
    clock = make_clock(steps=1000, budget=60)
    assert clock.seconds_left == 60
    for _ in range(3):
        now.seconds += 10
        clock.on_train_batch_end(0)
    assert clock.seconds_left == 30
    now.seconds += 1000
    assert clock.seconds_left == 0


@pytest.mark.parametrize(("which", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_run_after_the_step_at_hand(which, reason):
    before = handlers()
    stop = stopping(make_clock())
    try:
        stop.on_train_batch_end(0)
        assert not stop.model.stop_training and stop.reason == "all steps are done"
        signal.raise_signal(which)
        assert not stop.model.stop_training  # the step goes on to its end
        stop.on_train_batch_end(1)
        assert stop.model.stop_training and stop.reason == reason
    finally:
        stop.close()
    assert handlers() == before


def test_the_second_ctrl_c_stops_at_once():
    stop = stopping(make_clock())
    try:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        stop.close()
    assert handlers()[0] is signal.default_int_handler


def test_signals_are_handled_until_close_and_then_as_before():
    before = handlers()
    stop = stopping(make_clock())
    stop.on_train_end()
    assert not set(handlers()) & set(before)  # the last checkpoint is still to be written
    stop.close()
    stop.close()
    assert handlers() == before


def test_a_handler_that_python_did_not_set(monkeypatch):
    """`signal.signal` returns None for it, and does not take that back."""
    before, set_handler = handlers(), signal.signal
    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "signal", lambda which, handler: set_handler(which, handler) and None)
            stop = stopping(make_clock())
        stop.close()
        assert handlers() == (signal.SIG_DFL, signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_in_another_thread_signals_stay_with_the_caller():
    before, seen = handlers(), []

    def work():
        stop = stopping(make_clock())
        seen.append(handlers())
        stop.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before] and handlers() == before


def test_the_budget_ends_the_run(now):
    clock = make_clock(budget=95)
    stop = stopping(clock)
    try:
        now.seconds += 94
        stop.on_train_batch_end(0)
        assert not stop.model.stop_training
        now.seconds += 1
        stop.on_train_batch_end(1)
        assert stop.model.stop_training and stop.reason == "the budget of 1m 35s is used"
    finally:
        stop.close()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_reported_with_step_and_phase(value):
    clock = make_clock(step=41)
    finite = Finite(clock)
    clock.on_train_batch_end(0)
    finite.on_train_batch_end(0, {"discriminator_loss": 1e30, "generator_loss": -1e30})
    with pytest.raises(TrainingError, match=f"^step 42: generator_loss is {value}$"):
        finite.on_train_batch_end(0, {"discriminator_loss": 0.0, "generator_loss": value})


def test_every_seconds(now):
    calls = []
    every = EverySeconds(60, lambda: calls.append(now.seconds))
    for _ in range(5):
        now.seconds += 25
        every.on_train_batch_end(0)
    assert calls == [175.0]  # 60 are over at 75; then counting begins anew
    now.seconds += 35
    every.on_train_batch_end(0)
    assert calls == [175.0, 260.0]


def test_every_steps_counts_over_resumed_runs():
    clock, calls = make_clock(step=8), []
    every = EverySteps(clock, 5, calls.append)
    for _ in range(8):
        clock.on_train_batch_end(0)
        every.on_train_batch_end(0)
    assert calls == [10, 15]


def scalars(folder):
    """{tag: {step: value}} of a TensorBoard folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0}).Reload()
    tags = events.Tags()
    found = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in tags["scalars"]}
    tensors = {tag: events.Tensors(tag) for tag in tags["tensors"]}
    return found | {tag: {e.step: e.tensor_proto.float_val[0] for e in tensor} for tag, tensor in tensors.items()}


def test_curves(tmp_path):
    clock = make_clock(step=18)
    curves = Curves(clock, tmp_path / "tensorboard")
    curves.on_train_begin()
    for number in range(24):
        clock.on_train_batch_end(number)
        curves.on_train_batch_end(number, {"generator_loss": float(number)})
    curves.add("metric/m", 2.5)
    curves.close()  # no on_train_end: an error ended the run
    curves.close()
    found = scalars(tmp_path / "tensorboard")
    assert found["generator_loss"] == {20: 1.0, 40: 21.0} and list(found["images_per_second"]) == [20, 40]
    assert found["metric/m"] == {42: 2.5}


def test_a_log_gets_plain_lines(now, capsys):
    clock = make_clock(steps=1200, batch_size=100)
    line = LossLine(clock, "dcgan", PHASES)
    line.on_train_begin()
    for _ in range(41):
        now.seconds += 1
        clock.on_train_batch_end(0)
        line.on_train_batch_end(0, {"discriminator_loss": 1.25, "generator_loss": 0.5})
    line.on_train_end({"discriminator_loss": 2.0})  # step 41 has its line already
    clock.on_train_batch_end(0)
    line.on_train_end({"discriminator_loss": 2.0})
    line.close()
    out, err = capsys.readouterr()
    first, *rest = err.splitlines()
    assert out == "" and "\x1b" not in err and first == "dcgan: compiling the training step ..."
    assert rest[0] == "dcgan: step 1/1,200  discriminator 1.250  generator 0.500"  # nothing is measured yet
    assert rest[1] == "dcgan: step 11/1,200  100 images/s  19m 49s left  discriminator 1.250  generator 0.500"
    assert [r.split()[2] for r in rest] == ["1/1,200", "11/1,200", "21/1,200", "31/1,200", "41/1,200", "42/1,200"]
    assert rest[-1].endswith("discriminator 2.000")


def test_a_line_names_phases_and_values_and_leaves_out_what_is_not_known(now, capsys):
    """`g_loss` is a value of the game, which no phase is called `g` for."""
    clock = make_clock(steps=1200, batch_size=100)
    line = LossLine(clock, "dcgan", PHASES)
    now.seconds += 1
    clock.on_train_batch_end(0)
    line.show({"generator_loss": 0.5, "g_loss": 0.25, "pixel": 2.0, "late": float("nan")})
    assert capsys.readouterr().err.strip() == "dcgan: step 1/1,200  generator 0.500  g_loss 0.250  pixel 2.000"


def test_a_line_of_many_numbers_has_the_losses_of_phases_first_and_says_where_the_rest_is(now, capsys):
    clock = make_clock(steps=1200, batch_size=100)
    clock.on_train_batch_end(0)
    logs = {f"fake_{i}": float(i) for i in range(9)} | {"generator_loss": 0.5, "discriminator_loss": 0.25}
    LossLine(clock, "critters", PHASES).show(logs)
    shown = "generator 0.500  discriminator 0.250  fake_0 0.000  fake_1 1.000  fake_2 2.000  fake_3 3.000"
    assert capsys.readouterr().err.strip() == f"critters: step 1/1,200  {shown}  and 5 more in TensorBoard"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar(now, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    clock = make_clock(steps=4)
    line = LossLine(clock, "dcgan", PHASES)
    line.on_train_begin()
    now.seconds += 1
    clock.on_train_batch_end(0)
    line.on_train_batch_end(0, {"generator_loss": 0.5})
    line.close()  # an error ended the run
    shown = sys.stderr.getvalue()
    assert "step 1/4" in shown and "G 0.500" in shown
    assert shown.endswith("\n")  # the shell's next line is its own


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_line_fits_into_the_terminal(now, monkeypatch, columns):
    """Whole parts are left out at the end of a narrow line; the bar keeps ten characters."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda file: (columns, 24))
    clock = make_clock(step=9_990, steps=20_000, batch_size=128)
    line = LossLine(clock, "progressive", PHASES)
    line.on_train_begin()
    for _ in range(11):
        now.seconds += 1
        clock.on_train_batch_end(0)
    line.show({"discriminator_loss": 1.25, "generator_loss": 0.5})
    line.close()
    shown = next(text for text in reversed(sys.stderr.getvalue().replace("\n", "\r").split("\r")) if "images/s" in text)
    bar, _, text = shown.partition(" progressive: ")
    assert len(shown.rstrip()) < columns and 10 <= len(bar) <= 20 and len(set(bar[:5])) == 1
    assert text.split("  ")[:2] == ["step 10,001/20,000", "128 images/s"]
    assert ("G 0.500" in text) == (columns > 80) and ("D 1.250" in text) == (columns > 60)


def test_the_time_left_comes_when_it_means_something(now, capsys):
    """One slow second step must not say that a minute's training takes half an hour."""
    clock = make_clock(steps=1000, batch_size=100)
    line = LossLine(clock, "dcgan", PHASES)
    for seconds in (5, 1.7, 0.1, 0.1):
        now.seconds += seconds
        clock.on_train_batch_end(0)
        line.show({})
    now.seconds += 2
    clock.on_train_batch_end(0)
    line.show({})
    shown = capsys.readouterr().err.splitlines()
    assert [" left" in text for text in shown] == [False, False, False, False, True]
    assert shown[-1] == "dcgan: step 5/1,000  103 images/s  16m 10s left"


def test_a_budget_bounds_what_is_shown(now, capsys):
    clock = make_clock(steps=20_000, budget=60.0, batch_size=100)
    line = LossLine(clock, "dcgan", PHASES)
    for seconds in (5, 1, 4):
        now.seconds += seconds
        clock.on_train_batch_end(0)
        line.show({})
    assert capsys.readouterr().err.splitlines() == [
        "dcgan: step 1  55s left", "dcgan: step 2  100 images/s  54s left", "dcgan: step 3  40 images/s  50s left",
    ]  # fmt: skip
    assert clock.ends_by_budget and clock.done == pytest.approx(1 / 6)
    soon = make_clock(steps=10, budget=60.0, batch_size=100)
    for seconds in (5, 2, 2):
        now.seconds += seconds
        soon.on_train_batch_end(0)
    LossLine(soon, "dcgan").show({})  # the steps end first
    assert capsys.readouterr().err == "dcgan: step 3/10  50 images/s  14s left\n" and soon.done == 0.3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (12.4, "12s"), (59.6, "1m 00s"), (95, "1m 35s"), (3599.6, "1h 00m"), (3725, "1h 02m")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_line_of_its_own(capsys):
    LossLine(make_clock(), "dcgan").line.say("step 5: judge_frechet_200 1.5 [red]")
    assert capsys.readouterr().err == "dcgan: step 5: judge_frechet_200 1.5 [red]\n"
