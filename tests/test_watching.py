"""A training that is watched: the number, what is kept, that it changes nothing, and what an export says of it."""

import json

import growing
import keras
import numpy as np
import pytest
import tiny

import zoo
from zoo import checkpoint, examples, export, fold, guards, judge, latents, manifest, networks, training, watching
from zoo import spec as language
from zoo.data import Dataset
from zoo.errors import SpecError, TrainingError, UsageError
from zoo.metrics import frechet
from zoo.runtime import to_uint8
from zoo.watching import Best, Metric

# All that chance could touch: dropout, batch norm, an average.
WATCHED = """
name: watched
title: A GAN that is watched
data: {source: fashion_mnist}
latent: {z: {normal: {shape: [3]}}}
networks:
  generator:
    inputs: [z, label]
    output: image
    layers:
      - from: label
      - OneHot: {classes: 10}
      - Concatenate:
        from: [z, x]
      - Dense: {units: 8}
      - BatchNormalization
      - Dropout: {rate: 0.2}
      - Dense: {units: 784, activation: tanh}
      - Reshape: {target_shape: [28, 28, 1]}
  discriminator:
    inputs: image
    output: logits
    layers: [Flatten, Dropout: {rate: 0.2}, Dense: {units: 1}]
algorithm:
  alternating:
    loss: non_saturating
    generator: &player {optimizer: {Adam: {learning_rate: 0.01}}}
    discriminator: *player
training:
  batch_size: 4
  steps: 3
  ema_half_life_images: 20
  evaluate: {every: 1, samples: 80}
export: {batch_norm_batches: 2}
"""
NAME = "judge_frechet_80"
PROTOCOL = "Frechet distance of 64 features between 80 samples and 300 real training images, judged by a careful eye"
OFF = "training.evaluate=null"


class Features:
    """A judge that sees 64 sums of pixels, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def __str__(self):
        return "a careful eye"

    def __call__(self, images):
        self.shown.append(images)
        weights = np.random.RandomState(0).standard_normal((images[0].size, 64))
        return judge.Verdict((images.reshape(len(images), -1) / 255 @ weights).astype("float32"), np.zeros((1, 10)))


def real(count=300, side=28):
    return np.random.RandomState(1).randint(256, size=(count, side, side, 1)).astype(np.uint8)


@pytest.fixture(autouse=True)
def expert(monkeypatch):
    """In the place of Fashion-MNIST and its judge. A judge that must be trained first moves all seeds: so does this."""
    found = Features()

    def load():
        keras.utils.set_random_seed(99)
        return found

    labels = np.arange(300) % 10
    data = Dataset("fashion_mnist", images=real(), labels=labels, classes=tuple("0123456789"))
    monkeypatch.setattr(guards, "silence", lambda: None)
    monkeypatch.setattr(judge, "load", load)
    monkeypatch.setattr(examples, "load", lambda spec, split=None: data)
    return found


@pytest.fixture
def scripted(monkeypatch):
    """`scripted(3, 1, 2)`: the values of the evaluations to come."""

    def script(*values):
        left = list(values)
        monkeypatch.setattr(Metric, "__call__", lambda self, algorithm: left.pop(0))

    return script


def weights(algorithm):
    return [keras.ops.convert_to_numpy(v.value).copy() for v in algorithm.exported("generator").weights]


def trained(folder, *overrides, **options):
    """(run, {step: what export would take after it})."""
    seen = {}
    watch = lambda step, algorithm: seen.update({step: weights(algorithm)})  # noqa: E731
    return tiny.train(folder, WATCHED, *overrides, watch=watch, **options), seen


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_number_is_the_distance_to_real_training_images(tmp_path, expert, monkeypatch):
    monkeypatch.setattr(watching, "REAL", 100)
    monkeypatch.setattr(watching, "BATCH", 30)  # the last one is smaller
    read = tiny.read(tmp_path, WATCHED)
    algorithm = training.make(read)
    metric = watching.of(read, examples.load(read))
    assert metric.name == NAME
    assert expert.shown == []  # a short training never asks
    value = metric(algorithm)
    truth = next(shown for shown in expert.shown if len(shown) == 100)
    assert truth.shape == (100, 28, 28, 1)
    places = [int(np.flatnonzero((real() == image).all(axis=(1, 2, 3)))[0]) for image in truth]
    assert len(set(places)) == 100 and places != list(range(100)) and max(places) > 250  # from everywhere
    given = latents.drawn(read, 80, seed=watching.SEED)
    assert np.bincount(given["label"]).tolist() == [8] * 10
    leaves = networks.build(algorithm.exported_plan("generator"))
    leaves.set_weights(algorithm.averages["generator"].get_weights())
    fold.averaged_statistics(leaves, [{tap: x[at : at + 30] for tap, x in given.items()} for at in (0, 30, 60)])
    raw = keras.ops.convert_to_numpy(leaves(given, training=False)["image"])
    expected = frechet.distance(expert(to_uint8(raw, (-1.0, 1.0))).features, expert(truth).features)
    assert value == pytest.approx(expected, rel=1e-5) and value == metric(algorithm)
    again = watching.of(read, examples.load(read))
    assert again(algorithm) == value
    algorithm.averages["generator"].layers[-2].bias.assign(np.full(784, 0.5))
    assert metric(algorithm) != value
    assert not np.array_equal(given["z"][:64], latents.drawn(read, 64, seed=0)["z"])  # not those that people look at


def test_watching_changes_nothing(tmp_path):
    """Weights, moments, averages, seeds of dropout: bit by bit those of a run that nobody watched."""
    states = []
    for name, overrides in (("on", ()), ("off", (OFF,))):
        run, _ = trained(tmp_path / name, *overrides)
        assert (run.folder / watching.FILE).exists() == (name == "on")
        with np.load(run.folder / checkpoint.FILE) as file:
            states.append({key: file[key] for key in file.files if key != "meta"})
    assert states[0].keys() == states[1].keys() and any("seed" in key for key in states[0])
    for key, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][key], err_msg=key)


def test_the_lowest_is_kept_and_told(tmp_path, scripted, capsys):
    scripted(3.0, 1.0, 2.0)
    run, seen = trained(tmp_path)
    best = watching.load(run.folder)
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
    assert watching.load(trained(tmp_path)[0].folder).step == 1


def test_every_so_many_steps(tmp_path, scripted):
    scripted(3.0, 1.0)
    run, _ = trained(tmp_path, "training.evaluate.every=2", steps=5)
    assert watching.load(run.folder).evaluated == (2, 4)


@pytest.mark.parametrize(("later", "step"), [((2.5, 2.9), 3), ((4.0, 3.5), 2)])
def test_the_best_survives_a_resumption(tmp_path, scripted, later, step):
    scripted(5.0, 3.0)
    _, first = trained(tmp_path, steps=2)
    scripted(*later)
    run, second = trained(tmp_path, steps=4, resume=True)
    best = watching.load(run.folder)
    assert (best.step, best.evaluated) == (step, (1, 2, 3, 4))
    assert same(best.weights["generator"], {**first, **second}[step])


def test_a_resumption_forgets_what_came_after_it(tmp_path, scripted):
    """A run that is killed goes on from an earlier step than it had reached."""
    scripted(5.0, 3.0, 4.0)
    run, _ = trained(tmp_path)

    def at(first):
        keep = watching.of(run.spec, examples.load(run.spec))
        return watching.Watch(
            run.spec, run.algorithm, keep, run.folder, first=first, save=None, tell=None, plot=None
        ).best  # fmt: skip

    assert at(3).evaluated == (1, 2, 3) and at(2).evaluated == (1, 2) and at(2).step == 2
    assert at(1) is None  # those weights are of a step that is still to come
    run.spec.sections.training.evaluate.__dict__["samples"] = 90
    assert at(3) is None  # numbers of another metric are not compared


def test_the_best_is_never_ahead_of_the_checkpoint(tmp_path, scripted, monkeypatch):
    scripted(3.0, 1.0, 2.0)
    write, steps = watching._write, []

    def listen(path, best):
        with np.load(path.with_name(checkpoint.FILE)) as file:
            steps.append((best.step, json.loads(str(file["meta"]))["step"]))
        write(path, best)

    monkeypatch.setattr(watching, "_write", listen)
    trained(tmp_path)
    assert steps == [(1, 1), (2, 2), (2, 2)]


def test_evaluation_may_be_switched_on_and_off_when_a_run_goes_on(tmp_path, scripted):
    scripted(3.0)
    trained(tmp_path, OFF, steps=1)
    run, _ = trained(tmp_path, steps=2, resume=True)
    assert watching.load(run.folder).evaluated == (2,)
    assert trained(tmp_path, OFF, steps=3, resume=True)[0].step == 3


def test_a_new_run_begins_without_the_best_of_one_that_left_no_checkpoint(tmp_path, scripted):
    scripted(1.0, 2.0, 3.0)
    run, _ = trained(tmp_path)
    (run.folder / checkpoint.FILE).unlink()
    again, _ = trained(tmp_path, OFF)
    with pytest.raises(UsageError, match="no step was evaluated"):
        training.best_of(again)


def test_it_is_in_the_curves_of_the_artifact(tmp_path, scripted):
    scripted(3.0, 1.0, 2.0)
    run, _ = trained(tmp_path, "training.evaluate.every=10", steps=30)
    made = export.export(run, out=tmp_path / "out")
    found = json.loads((made.folder / "curves.json").read_text())
    assert found["metric"] == {"name": NAME, "kimg": [0.04, 0.08, 0.12], "values": [3.0, 1.0, 2.0]}
    assert found["kimg"] == [0.08]


def test_the_best_leaves_and_says_so(tmp_path, scripted):
    scripted(3.0, 1.25, 2.0)
    last, seen = trained(tmp_path)
    run = training.best_of(last)
    assert (run.step, run.leaves, last.leaves) == (3, 2, 3)
    assert same(weights(run.algorithm), seen[2])
    made = export.export(run, out=tmp_path / "out")
    facts = manifest.read(made.folder)
    assert (facts.weights["kind"], facts.weights["step"], facts.weights["images"]) == ("ema", 2, 8)
    kept = f"best of 3 evaluations by {NAME}"
    stated = {"kept": kept, "metric": PROTOCOL, "value": 1.25, "steps": 3, "images": 12}
    assert stated.items() <= facts.training.items()
    assert facts.weights["batch_norm"] == "mean over 2 batches of 4 latents"
    text = (made.folder / "README.md").read_text()
    assert "3 steps, 12 images shown," in text
    told = f"as they were after step 2: the {kept} (1.25; {PROTOCOL});"
    assert f"Exported: the average of the weights (half-life 20 images), {told}" in text
    z = {"z": np.ones((2, 3), np.float32), "label": np.array([0, 7])}
    again = export.export(training.best_of(trained(tmp_path, resume=True)[0]), out=tmp_path / "again")
    np.testing.assert_array_equal(zoo.load(again.folder)(**z), zoo.load(made.folder)(**z))
    other = export.export(trained(tmp_path, resume=True)[0], out=tmp_path / "last")
    assert other.manifest.weights["step"] == 3 and "kept" not in other.manifest.training
    assert np.abs(zoo.load(other.folder)(**z) - zoo.load(made.folder)(**z)).max() > 1e-4
    assert "best of" not in (other.folder / "README.md").read_text()


def test_nothing_evaluated_nothing_best(tmp_path):
    run, _ = trained(tmp_path, "training.evaluate.every=10")
    with pytest.raises(UsageError, match=r"^--export best: there is no best\.npz in .*watched: no step was evaluated$"):
        training.best_of(run)


def test_build_exports_the_best(tmp_path, scripted, zoo_says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny.read(tmp_path, WATCHED).path
    scripted(3.0, 1.0, 2.0)
    code, out, err = zoo_says("build", path, "--export", "best")
    assert code == 0, err
    assert "averaged weights of step 2\n" in out and out.count("--resume --export best") == 1
    assert (
        f"stopped after step 3 (all steps are done); exporting the best of 3 evaluations by {NAME}, step 2 ...\n" in err
    )
    assert "averaged weights of step 3\n" in zoo_says("build", path, "--resume")[1]
    code, out, err = zoo_says("build", path, "--resume", "--export", "best", "--set", OFF)
    assert code == 0 and "averaged weights of step 2\n" in out  # it was watched before


def test_build_says_at_once_that_there_will_be_no_best(tmp_path, zoo_says, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tiny.read(tmp_path, WATCHED).path
    code, out, err = zoo_says("build", path, "--export", "best", "--set", OFF)
    told = f"--export best: nobody watches the training of {path}: training.evaluate is null\n"
    assert (code, out, err) == (2, "", told)
    assert not (tmp_path / "runs").exists()
    code, _, err = zoo_says("build", path, "--export", "best", "--set", "training.evaluate.every=9")
    assert code == 2 and err.splitlines()[-1].startswith("--export best: there is no best.npz in ")
    assert zoo_says("build", path, "--export", "worst")[0] == 2


def test_a_network_that_grows_is_judged_at_full_size(tmp_path, expert):
    read = tiny.read(tmp_path, growing.GROWING)
    algorithm = training.make(read)
    metric = Metric(read, real(side=8), latents.drawn(read, 70, seed=0))
    algorithm.begin(0)
    metric(algorithm)
    small = expert.shown[0]
    assert small.shape == (70, 8, 8, 1)
    np.testing.assert_array_equal(small, small[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2))


def test_the_best_of_an_earlier_stage_comes_back(tmp_path):
    read = tiny.read(tmp_path, growing.GROWING)
    algorithm = training.make(read)
    algorithm.begin(0)
    taken = [array + 1 for array in weights(algorithm)]
    algorithm.begin(9)
    watching.put(Best(1, 0.0, NAME, "", (1,), {"generator": taken}), algorithm)
    assert algorithm.exported_plan("generator").output_shape == (2, 2, 1) and same(weights(algorithm), taken)


def test_images_that_are_not_finite(tmp_path, monkeypatch):
    def poison(self):
        for network in (*self.players.values(), *self.averages.values()):
            for variable in network.weights:  # an average has none that are trainable
                variable.assign(variable * np.nan)

    monkeypatch.setattr("zoo.algorithms.Algorithm.after_step", poison)
    with pytest.raises(
        TrainingError, match="^step 1: generator makes numbers that are not finite; there is no checkpoint"
    ):
        trained(tmp_path)
    assert not (tmp_path / "runs/watched" / watching.FILE).exists()


def test_a_damaged_file(tmp_path, scripted):
    scripted(3.0, 1.0, 2.0)
    run, _ = trained(tmp_path)
    file = run.folder / watching.FILE
    whole = file.read_bytes()
    for damaged in (b"", whole[:-100]):
        file.write_bytes(damaged)
        with pytest.raises(
            TrainingError, match=r"best\.npz: not readable as the best weights of a run: .* Delete it"
        ) as caught:
            training.best_of(run)
        assert "\n" not in str(caught.value)
    before = weights(run.algorithm)
    for foreign in ({"generator": before[1:]}, {"other": before}):
        with pytest.raises(TrainingError, match=f"does not fit the network '{next(iter(foreign))}'"):
            watching.put(Best(2, 1.0, NAME, "", (2,), foreign), run.algorithm)
    assert same(weights(run.algorithm), before)


SMALL = WATCHED.replace("samples: 80", "samples: 64")
WIDE = (
    WATCHED.replace("fashion_mnist}", "fashion_mnist, size: SIZE}")
    .replace("784", "AREA")
    .replace("28, 28", "SIZE, SIZE")
)


@pytest.mark.parametrize(
    ("text", "overrides", "told"),
    [
        (SMALL, (), "33:33: training.evaluate.samples: expected an integer at least 65 and at most 100000"),
        (WATCHED.replace("every:", "evry:"), (), "33:14: training.evaluate: unknown key 'evry'. Did you mean 'every'?"),
        (WATCHED.replace("every: 1,", "every: 0,"), (), "33:21: training.evaluate.every: expected an integer"),
        (WATCHED.replace("fashion_mnist", "mnist"), (), "33:13: training.evaluate: the only data with a judge is"),
        (WIDE.replace("SIZE", "26").replace("AREA", "676"), (), "33:13: training.evaluate: the judge takes square"),
        (WIDE.replace("SIZE", "31").replace("AREA", "961"), (), "of an even size of at least 28, received [31, 31]"),
        (WATCHED, ("data.fit=resize",), "33:13: training.evaluate: the judge knows grey clothes with a black border"),
        (WATCHED, ("data.jitter_from=30",), "33:13: training.evaluate: the judge knows grey clothes"),
        (WATCHED, ("export.networks=[discriminator]",), "the exported networks (discriminator) makes an 'image'"),
    ],
)  # fmt: skip
def test_what_cannot_be_watched(tmp_path, text, overrides, told):
    with pytest.raises(SpecError) as caught:
        tiny.read(tmp_path, text, *overrides)
    assert told in str(caught.value), caught.value


def test_what_can_be_watched(tmp_path):
    for size in (28, 32):
        text = WIDE.replace("SIZE", str(size)).replace("AREA", str(size * size))
        tiny.read(tmp_path, text, "data.fit=pad", "data.channels=1")
    plain = WATCHED.replace("{every: 1, samples: 80}", "{}")
    assert tiny.read(tmp_path, plain).sections.training.evaluate == language.Evaluate()
    assert tiny.read(tmp_path, WATCHED, OFF).sections.training.evaluate is None


def test_it_is_watched_unless_told_otherwise_where_there_is_a_judge(tmp_path):
    said_nothing = WATCHED.replace("  evaluate: {every: 1, samples: 80}\n", "")
    read = tiny.read(tmp_path, said_nothing)
    metric = watching.of(read, examples.load(read))
    assert metric.name == "judge_frechet_2000" and watching.why_not(read) == ""
    off = tiny.read(tmp_path, said_nothing, OFF)
    assert watching.of(off, None) is None and watching.why_not(off) == "training.evaluate is null"
    other = tiny.read(tmp_path, said_nothing.replace("fashion_mnist", "mnist"))  # nothing stated, no mistake
    assert watching.of(other, None) is None
    assert watching.why_not(other) == "the only data with a judge is 'fashion_mnist', received 'mnist'"


def test_who_watches_does_not_make_it_another_spec(tmp_path):
    hashes = {tiny.read(tmp_path, WATCHED, *change).sha256 for change in ((), (OFF,), ("training.evaluate.every=9",))}
    assert len(hashes) == 1 and tiny.read(tmp_path, WATCHED, "training.seed=9").sha256 not in hashes


def test_the_spec_knows_the_judge():
    from zoo.spec import evaluation
    from zoo.spec.schema import below, document

    assert (evaluation.SOURCE, evaluation.SIZE) == (judge.SOURCE, judge.SIZE)
    samples = below(below(below(document(), "training"), "evaluate"), "samples")
    assert samples["minimum"] == judge.FEATURES + 1
