"""The best weights of a training: which are kept, also over resumptions, and what an export states of them."""

import growing
import numpy as np
import pytest
import tiny
from watched import NAME, OFF, PROTOCOL, WATCHED, same, trained, weights

import zoo
from zoo.artifact.manifest import read_manifest
from zoo.core.errors import DiskFullError, TrainingError, UsageError
from zoo.export import exporter
from zoo.spec import feeds
from zoo.train import checkpoint, loop, monitor
from zoo.train.monitor import BEST_FILE, Best, Watch, load_best, make_metric, restore_best


def test_the_lowest_is_kept_and_reported(tmp_path, scripted, capsys):
    scripted(3.0, 1.0, 2.0)
    run, seen = trained(tmp_path)
    best = load_best(run.folder)
    assert (best.step, best.value, best.metric, best.evaluated) == (2, 1.0, NAME, (1, 2, 3))
    assert same(best.weights["generator"], seen[2]) and not same(seen[2], seen[3])
    assert str(best) == f"best of 3 evaluations by {NAME}"
    lines = [line for line in capsys.readouterr().err.splitlines() if NAME in line]
    assert lines == [
        f"watched: step 1: {NAME} 3, the lowest so far",
        f"watched: step 2: {NAME} 1, the lowest so far",
        f"watched: step 3: {NAME} 2 (1 at step 2)",
    ]


def test_of_equals_the_first_is_kept(tmp_path, scripted):
    scripted(1.0, 1.0, 1.0)
    assert load_best(trained(tmp_path)[0].folder).step == 1


@pytest.mark.parametrize(("later", "step"), [((2.5, 2.9), 3), ((4.0, 3.5), 2)])
def test_the_best_survives_a_resumption(tmp_path, scripted, later, step):
    scripted(5.0, 3.0)
    _, first = trained(tmp_path, steps=2)
    scripted(*later)
    run, second = trained(tmp_path, steps=4, resume=True)
    best = load_best(run.folder)
    assert (best.step, best.evaluated) == (step, (1, 2, 3, 4))
    assert same(best.weights["generator"], {**first, **second}[step])


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def test_the_best_survives_a_full_disk_and_then_a_kill(tmp_path, scripted, monkeypatch):
    """The disk is full at the best step, 2; the run is killed when the next checkpoint, of step 3, is written."""
    save, saved = checkpoint.save, Watch.saved

    def full(path, algorithm, progress, document):
        if progress.step == 2:
            raise DiskFullError("full")
        save(path, algorithm, progress, document)

    def killed(self):
        if checkpoint.reached(tmp_path / "runs" / "watched" / checkpoint.FILE) == 3:
            raise Killed
        saved(self)

    scripted(5.0, 3.0, 4.0)
    often = "training.checkpoint_every_seconds=1e-6"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full)
        patch.setattr(Watch, "saved", killed)
        with pytest.raises(Killed):
            trained(tmp_path, often, steps=3)
    scripted(9.0)
    best = load_best(trained(tmp_path, often, steps=4, resume=True)[0].folder)
    assert (best.step, best.value, best.evaluated) == (2, 3.0, (1, 2, 3, 4))
    assert not list(tmp_path.rglob("*waiting*"))


def test_a_resumption_forgets_what_came_after_it(tmp_path, scripted):
    """A run that is killed goes on from an earlier step than it had reached."""
    scripted(5.0, 3.0, 4.0)
    run, _ = trained(tmp_path)

    def at(first):
        keep = make_metric(run.spec, feeds.load_data(run.spec))
        watch = Watch(run.spec, run.algorithm, keep, run.folder, first=first, save=None, report=None, plot=None)
        return watch.best

    assert at(3).evaluated == (1, 2, 3) and at(2).evaluated == (1, 2) and at(2).step == 2
    assert at(1) is None  # those weights are of a step that is still to come
    run.spec.sections.training.evaluate.__dict__["samples"] = 90
    assert at(3) is None  # numbers of another metric are not compared


def test_the_best_is_never_ahead_of_the_checkpoint(tmp_path, scripted, monkeypatch):
    scripted(3.0, 1.0, 2.0)
    write, steps = monitor.save_arrays, []

    def listen(path, arrays, meta):
        steps.append((meta["step"], checkpoint.reached(path.with_name(checkpoint.FILE))))
        write(path, arrays, meta)

    monkeypatch.setattr(monitor, "save_arrays", listen)
    trained(tmp_path)
    assert steps == [(1, 1), (2, 2), (2, 2)]


def test_evaluation_may_be_switched_on_and_off_when_a_run_goes_on(tmp_path, scripted):
    scripted(3.0, 2.0)
    trained(tmp_path, OFF, steps=1)
    run, _ = trained(tmp_path, steps=2, resume=True)
    assert load_best(run.folder).evaluated == (1, 2)  # the step from which it goes on is evaluated now
    assert trained(tmp_path, OFF, steps=3, resume=True)[0].step == 3


def test_a_new_run_begins_without_the_best_of_one_that_left_no_checkpoint(tmp_path, scripted):
    scripted(1.0, 2.0, 3.0)
    run, _ = trained(tmp_path)
    (run.folder / checkpoint.FILE).unlink()
    again, _ = trained(tmp_path, OFF)
    with pytest.raises(UsageError, match="no step was evaluated"):
        loop.best_of(again)


def test_the_best_is_exported_and_the_artifact_says_so(tmp_path, scripted):
    scripted(3.0, 1.25, 2.0)
    last, seen = trained(tmp_path)
    run = loop.best_of(last)
    assert (run.step, run.exported_step, last.exported_step) == (3, 2, 3)
    assert same(weights(run.algorithm), seen[2])
    made = exporter.export(run, out=tmp_path / "out")
    manifest = read_manifest(made.folder)
    assert (manifest.weights["kind"], manifest.weights["step"], manifest.weights["images"]) == ("ema", 2, 8)
    kept = f"best of 3 evaluations by {NAME}"
    stated = {"kept": kept, "metric": PROTOCOL, "value": 1.25, "steps": 3, "images": 12}
    assert stated.items() <= manifest.training.items()
    assert manifest.weights["batch_norm"] == "mean over 2 batches of 4 latents"
    text = (made.folder / "README.md").read_text()
    assert "3 steps, 12 real\nimages shown," in text
    told = f"as they were after step 2: the {kept} (1.25; {PROTOCOL});"
    assert f"Exported: the average of the weights (half-life 20 images), {told}" in text
    z = {"z": np.ones((2, 3), np.float32), "label": np.array([0, 7])}
    again = exporter.export(loop.best_of(trained(tmp_path, resume=True)[0]), out=tmp_path / "again")
    np.testing.assert_array_equal(zoo.load(again.folder)(**z), zoo.load(made.folder)(**z))
    other = exporter.export(trained(tmp_path, resume=True)[0], out=tmp_path / "last")
    assert other.manifest.weights["step"] == 3 and "kept" not in other.manifest.training
    assert np.abs(zoo.load(other.folder)(**z) - zoo.load(made.folder)(**z)).max() > 1e-4
    assert "best of" not in (other.folder / "README.md").read_text()


def test_nothing_evaluated_nothing_best(tmp_path):
    run, _ = trained(tmp_path, "training.evaluate.every=10")
    with pytest.raises(UsageError, match=r"^--export best: there is no best\.npz in .*watched: no step was evaluated$"):
        loop.best_of(run)


def test_build_exports_the_best(tmp_path, scripted, zoo_says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny.read(tmp_path, WATCHED).path
    scripted(3.0, 1.0, 2.0)
    code, out, err = zoo_says("build", path, "--export", "best")
    assert code == 0, err
    assert "averaged weights of step 2\n" in out and "--resume" not in out  # all steps are made
    assert (
        f"stopped after step 3 (all steps are done); exporting the best of 3 evaluations by {NAME}, step 2 ...\n" in err
    )
    assert "averaged weights of step 3\n" in zoo_says("build", path, "--resume")[1]
    code, out, err = zoo_says("build", path, "--resume", "--export", "best", "--set", OFF)
    assert code == 0 and "averaged weights of step 2\n" in out  # it was watched before


def test_the_command_that_goes_on_exports_the_best_too(tmp_path, scripted, zoo_says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny.read(tmp_path, WATCHED).path
    scripted(3.0, 1.0)
    code, out, _ = zoo_says("build", path, "--steps", 2, "--export", "best")
    assert code == 0 and out.endswith(f"\n  zoo build {path} --resume --export best\n")


def test_build_says_at_once_that_there_will_be_no_best(tmp_path, zoo_says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny.read(tmp_path, WATCHED).path
    code, out, err = zoo_says("build", path, "--export", "best", "--set", OFF)
    told = f"--export best: {path} is not evaluated while it trains: training.evaluate is null\n"
    assert (code, out, err) == (2, "", told)
    assert not (tmp_path / "runs").exists()
    code, _, err = zoo_says("build", path, "--export", "best", "--set", "training.evaluate.every=9")
    assert code == 2 and err.splitlines()[-1].startswith("--export best: there is no best.npz in ")
    assert zoo_says("build", path, "--export", "worst")[0] == 2


def test_the_best_of_an_earlier_stage_comes_back(tmp_path):
    read = tiny.read(tmp_path, growing.GROWING)
    algorithm = loop.make(read)
    algorithm.begin(0)
    taken = [array + 1 for array in weights(algorithm)]
    algorithm.begin(9)
    restore_best(Best(1, 0.0, NAME, "", (1,), {"generator": taken}), algorithm)
    assert algorithm.exported_plan("generator").output_shape == (2, 2, 1) and same(weights(algorithm), taken)


def test_a_damaged_file(tmp_path, scripted):
    scripted(3.0, 1.0, 2.0)
    run, _ = trained(tmp_path)
    file = run.folder / BEST_FILE
    whole = file.read_bytes()
    for damaged in (b"", whole[:-100]):
        file.write_bytes(damaged)
        with pytest.raises(
            TrainingError, match=r"best\.npz: not a readable file of the best weights of a run: .* Delete it"
        ) as caught:
            loop.best_of(run)
        assert "\n" not in str(caught.value)
    before = weights(run.algorithm)
    for foreign in ({"generator": before[1:]}, {"other": before}):
        with pytest.raises(TrainingError, match=f"does not fit the network '{next(iter(foreign))}'"):
            restore_best(Best(2, 1.0, NAME, "", (2,), foreign), run.algorithm)
    assert same(weights(run.algorithm), before)
