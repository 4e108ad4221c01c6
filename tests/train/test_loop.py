"""Training: how it begins, goes on and stops; what it leaves in its folder; what is refused."""

import re
import signal

import keras
import numpy as np
import pytest
import tiny

from zoo.core.errors import DataError, TrainingError, UsageError
from zoo.train import checkpoint, loop
from zoo.train.monitor import SampleSheets

RATE = "algorithm.alternating.{}.optimizer.SGD.learning_rate=1e5"
DIVERGING = (RATE.format("generator"), RATE.format("discriminator"))


def weights(algorithm, name="generator"):
    return [keras.ops.convert_to_numpy(v.value).copy() for v in algorithm.players[name].weights]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def at_step(monkeypatch):
    """`at_step(n, action)`: call `action()` once, inside the callbacks of step n, before its picture."""

    def arrange(step, action):
        original, todo = SampleSheets.__call__, [action]

        def picture(self, at):
            if at == step and todo:
                todo.pop()()
            original(self, at)

        monkeypatch.setattr(SampleSheets, "__call__", picture)

    return arrange


def test_what_a_run_leaves(tiny_run):
    assert (tiny_run.step, tiny_run.reason) == (4, "all steps are done") and tiny_run.seconds > 0
    assert {p.name for p in tiny_run.folder.iterdir()} == {
        "checkpoint.npz", "generator-0000000.png", "generator-0000004.png",
        "generator-0000000.npz", "generator-0000004.npz",
    }  # fmt: skip
    with np.load(tiny_run.folder / checkpoint.FILE) as file:
        assert '"step": 4' in str(file["meta"])


def test_progress_is_on_stderr(tmp_path, capsys):
    tiny.train(tmp_path, tiny.DENSE)
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("dense: ")]
    assert out == "" and len(lines) == 3 and lines[0] == "dense: compiling the training step ..."
    assert lines[1].startswith("dense: step 1/3  ") and lines[2].startswith("dense: step 3/3  ")
    for word in ("discriminator ", "generator "):
        assert word in lines[1]
    assert "images/s" in lines[2]


@pytest.mark.parametrize(("which", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_signals_stop_cleanly(tmp_path, at_step, which, reason):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    at_step(2, lambda: signal.raise_signal(which))
    run = tiny.train(tmp_path, tiny.DENSE, "training.picture_every_steps=2", steps=50)
    assert (run.step, run.reason) == (2, reason)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    fresh = loop.make(run.spec)
    assert checkpoint.load(run.folder / checkpoint.FILE, fresh, run.spec.document).step == 2
    assert same(weights(fresh), weights(run.algorithm))


def test_a_signal_while_the_last_checkpoint_is_written(tmp_path, monkeypatch):
    save = checkpoint.save

    def interrupted(*args):
        signal.raise_signal(signal.SIGINT)
        save(*args)

    monkeypatch.setattr(checkpoint, "save", interrupted)
    run = tiny.train(tmp_path, tiny.DENSE)
    assert run.step == 3 and (run.folder / checkpoint.FILE).exists()


def test_the_second_ctrl_c_stops_at_once(tmp_path, at_step):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    at_step(2, twice)
    with pytest.raises(KeyboardInterrupt):
        tiny.train(tmp_path, tiny.DENSE, "training.picture_every_steps=2", steps=50)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (tmp_path / "runs" / "dense" / checkpoint.FILE).exists()


def test_the_budget_ends_a_run(tmp_path):
    run = tiny.train(tmp_path, tiny.DENSE, "training.steps=1000000000000000", budget=0.3)
    assert run.reason == "the budget of 0s is used" and run.step >= 1 and 0.3 <= run.seconds < 30
    other = tiny.train(tmp_path / "spec", tiny.DENSE, "training.steps=1000000", "training.budget=0.3s")
    assert other.reason == "the budget of 0s is used"


def test_resume_goes_on_and_ends_where_it_should(tmp_path, capsys):
    first = tiny.train(tmp_path, tiny.DENSE)
    again = tiny.train(tmp_path, tiny.DENSE, resume=True)  # all steps are done already
    assert (again.step, again.seconds, again.reason) == (3, pytest.approx(first.seconds, abs=0.5), "all steps are done")
    assert same(weights(first.algorithm), weights(again.algorithm))
    assert tiny.train(tmp_path, tiny.DENSE, resume=True, steps=2).step == 3  # never back
    more = tiny.train(tmp_path, tiny.DENSE, resume=True, steps=5)
    assert more.step == 5 and more.seconds > first.seconds
    assert "starting anew" not in capsys.readouterr().err


def test_resume_without_a_checkpoint_starts_anew_and_says_so(tmp_path, capsys):
    run = tiny.train(tmp_path, tiny.DENSE, resume=True)
    assert run.step == 3
    said = f"dense: there is no checkpoint in {tmp_path / 'runs' / 'dense'}: starting anew"
    assert said in capsys.readouterr().err.splitlines()


def test_resume_of_another_spec_is_refused(tmp_path):
    run = tiny.train(tmp_path, tiny.DENSE)
    before = (run.folder / checkpoint.FILE).read_bytes()
    with pytest.raises(TrainingError, match=r"made with another spec: training\.seed changed"):
        tiny.train(tmp_path, tiny.DENSE, "training.seed=1", resume=True)
    assert (run.folder / checkpoint.FILE).read_bytes() == before


def test_an_earlier_run_is_kept(tmp_path, capsys):
    run = tiny.train(tmp_path, tiny.DENSE)
    before = (run.folder / checkpoint.FILE).read_bytes()
    tiny.train(tmp_path, tiny.DENSE, "training.seed=1")
    previous = tmp_path / "runs" / "dense.previous"
    assert (previous / checkpoint.FILE).read_bytes() == before != (run.folder / checkpoint.FILE).read_bytes()
    assert f"dense: the earlier run is kept in {previous}" in capsys.readouterr().err.splitlines()
    with pytest.raises(DataError, match="there is no folder"):
        tiny.train(tmp_path, tiny.DENSE, "data={source: {folder: {path: nowhere}}, size: 8, channels: 1}")
    assert (previous / checkpoint.FILE).read_bytes() == before  # a run that never began sets nothing aside
    assert (run.folder / checkpoint.FILE).exists()


def test_files_of_the_user_are_left_alone(tmp_path):
    folder = tmp_path / "runs" / "dense"
    (folder / "tensorboard").mkdir(parents=True)
    leftovers = {"generator-0000123.png", "generator-0000123.npz", "tensorboard/events.old"}
    for name in ("notes.txt", "me.png", "mine.npz", *leftovers):
        (folder / name).write_text("x")
    tiny.train(tmp_path, tiny.DENSE)
    names = {str(p.relative_to(folder)) for p in folder.rglob("*")}
    assert {"notes.txt", "me.png", "mine.npz"} <= names and not names & leftovers
    assert not folder.with_name("dense.previous").exists()


def test_a_loss_that_is_not_finite(tmp_path):
    with pytest.raises(TrainingError) as caught:
        tiny.train(tmp_path, tiny.POINTS, *DIVERGING, steps=60)
    where = "step [0-9]+: (generator|discriminator)_loss is (nan|inf)"
    told = rf"{where}; there is no checkpoint yet\. A smaller learning_rate often helps"
    assert re.fullmatch(told, str(caught.value)) and caught.value.exit_code == 1
    assert not (tmp_path / "runs" / "points" / checkpoint.FILE).exists()


def test_the_last_good_checkpoint_stays(tmp_path):
    with pytest.raises(TrainingError) as caught:
        tiny.train(tmp_path, tiny.POINTS, *DIVERGING, "training.checkpoint_every_seconds=1e-6", steps=60)
    path = tmp_path / "runs" / "points" / checkpoint.FILE
    assert f"; the last good checkpoint is {path}. A smaller" in str(caught.value)
    with np.load(path) as file:
        assert all(np.isfinite(file[name]).all() for name in file.files if name != "meta")
    assert list(path.parent.glob(".checkpoint*")) == []


@pytest.mark.parametrize("when", ["training.picture_every_steps=1", "training.checkpoint_every_seconds=1e-6"])
def test_weights_that_are_not_finite(tmp_path, monkeypatch, when):
    """The losses of the last step are finite, what it made of the weights is not: found by picture or checkpoint."""

    def poison(self, batch):
        kernel = self.players["generator"].trainable_variables[0]
        kernel.assign(kernel * np.nan)

    monkeypatch.setattr("zoo.train.algorithms.base.Algorithm.after_step", poison)
    with pytest.raises(
        TrainingError, match=r"(step 1: generator makes|is not finite after step 1).*; there is no chec"
    ):
        tiny.train(tmp_path, tiny.DENSE, when)
    assert not (tmp_path / "runs" / "dense" / checkpoint.FILE).exists()


def test_weights_that_overflow_do_not_replace_a_good_checkpoint(tmp_path, at_step):
    run = tiny.train(tmp_path, tiny.POINTS)
    before = (run.folder / checkpoint.FILE).read_bytes()

    def overflow():
        for variable in algorithms[0].players["generator"].trainable_variables:
            variable.assign(3e38 * np.sign(variable.value))  # finite, but sums of them are inf - inf

    algorithms = []
    make = loop.make
    at_step(3, overflow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make", lambda spec: algorithms.append(make(spec)) or algorithms[-1])
        with pytest.raises(TrainingError, match="the last good checkpoint is"):
            tiny.train(tmp_path, tiny.POINTS, "training.picture_every_steps=3", resume=True, steps=4)
    assert (run.folder / checkpoint.FILE).read_bytes() == before


def test_networks_alone_cannot_be_trained(tmp_path):
    text = tiny.DENSE[: tiny.DENSE.index("algorithm:")]
    with pytest.raises(UsageError, match=r"tested\.yaml: describes networks without saying how to train them"):
        tiny.train(tmp_path, text)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_only_exported_again_says_how_it_ended(tmp_path):
    """Export under another backend resumes at the last step: it must not claim that all steps were made."""
    made = tiny.train(tmp_path, tiny.DENSE, steps=10**6, budget=0.01)
    again = tiny.train(tmp_path, tiny.DENSE, steps=made.step, resume=True)
    assert again.reason == made.reason == "the budget of 0s is used" and again.step == made.step
