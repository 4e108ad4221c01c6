"""Training: how it begins, goes on and stops; what it leaves in its folder; what is refused."""

import os
import re
import signal

import keras
import numpy as np
import pytest
import tiny

from zoo import checkpoint, examples, fold, pictures, training
from zoo.errors import DataError, TrainingError, UsageError
from zoo.film import PAIRS, SAMPLES, PictureOf, shown
from zoo.runtime import to_uint8

RATE = "algorithm.alternating.{}.optimizer.SGD.learning_rate=1e5"
DIVERGING = (RATE.format("generator"), RATE.format("discriminator"))


def weights(algorithm, name="generator"):
    return [keras.ops.convert_to_numpy(v.value).copy() for v in algorithm.players[name].weights]


def picture_of(run, folder):
    """The film of a run, begun once more in `folder`."""
    return PictureOf(run.spec, run.algorithm, folder, shown(run.spec, examples.load(run.spec)))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def at_step(monkeypatch):
    """`at_step(n, action)`: call `action()` once, inside the callbacks of step n, before its picture."""

    def arrange(step, action):
        original, todo = PictureOf.__call__, [action]

        def picture(self, at):
            if at == step and todo:
                todo.pop()()
            original(self, at)

        monkeypatch.setattr(PictureOf, "__call__", picture)

    return arrange


def test_what_a_run_leaves(tiny_run):
    assert (tiny_run.step, tiny_run.reason) == (4, "all steps are done") and tiny_run.seconds > 0
    assert {p.name for p in tiny_run.folder.iterdir()} == {
        "checkpoint.npz", "tensorboard", "generator-0000000.png", "generator-0000004.png",
    }  # fmt: skip
    assert list((tiny_run.folder / "tensorboard").glob("events.out.tfevents.*"))
    with np.load(tiny_run.folder / checkpoint.FILE) as file:
        assert '"step": 4' in str(file["meta"])


def test_progress_is_on_stderr(tmp_path, capsys):
    tiny.train(tmp_path, tiny.DENSE)
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("dense: ")]
    assert out == "" and len(lines) == 3 and lines[0] == "dense: compiling the training step ..."
    assert lines[1].startswith("dense: step 1/3  ") and lines[2].startswith("dense: step 3/3  ")
    for word in ("images/s", " left  ", "discriminator ", "generator "):
        assert word in lines[1]


@pytest.mark.parametrize(("which", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_signals_stop_cleanly(tmp_path, at_step, which, reason):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    at_step(2, lambda: os.kill(os.getpid(), which))
    run = tiny.train(tmp_path, tiny.DENSE, "training.picture_every_steps=2", steps=50)
    assert (run.step, run.reason) == (2, reason)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    fresh = training.make(run.spec)
    assert checkpoint.load(run.folder / checkpoint.FILE, fresh, run.spec.document).step == 2
    assert same(weights(fresh), weights(run.algorithm))


def test_a_signal_while_the_last_checkpoint_is_written(tmp_path, monkeypatch):
    save = checkpoint.save

    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGINT)
        save(*args)

    monkeypatch.setattr(checkpoint, "save", interrupted)
    run = tiny.train(tmp_path, tiny.DENSE)
    assert run.step == 3 and (run.folder / checkpoint.FILE).exists()


def test_the_second_ctrl_c_stops_at_once(tmp_path, at_step):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

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
    for name in ("notes.txt", "me.png", "generator-0000123.png", "tensorboard/events.old"):
        (folder / name).write_text("x")
    tiny.train(tmp_path, tiny.DENSE)
    names = {str(p.relative_to(folder)) for p in folder.rglob("*")}
    assert {"notes.txt", "me.png"} <= names and not names & {"generator-0000123.png", "tensorboard/events.old"}
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

    def poison(self):
        kernel = self.players["generator"].trainable_variables[0]
        kernel.assign(kernel * np.nan)

    monkeypatch.setattr("zoo.algorithms.Algorithm.after_step", poison)
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
    make = training.make
    at_step(3, overflow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "make", lambda spec: algorithms.append(make(spec)) or algorithms[-1])
        with pytest.raises(TrainingError, match="the last good checkpoint is"):
            tiny.train(tmp_path, tiny.POINTS, "training.picture_every_steps=3", resume=True, steps=4)
    assert (run.folder / checkpoint.FILE).read_bytes() == before


def test_pictures_show_the_same_latents_again(tiny_run, tmp_path):
    first, second = (picture_of(tiny_run, tmp_path / n) for n in "ab")
    np.random.seed(7)
    first(1)
    second(1)
    second(2)
    made = [(tmp_path / path).read_bytes() for path in ("a/generator-0000001.png", "b/generator-0000001.png")]
    assert made[0] == made[1] == (tmp_path / "b/generator-0000002.png").read_bytes()
    assert made[0] == (tiny_run.folder / "generator-0000004.png").read_bytes()
    assert made[0] != (tiny_run.folder / "generator-0000000.png").read_bytes()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["generator-0000001.png"]  # and none of the discriminator
    assert pictures.read_png(tmp_path / "a/generator-0000001.png").shape == (8 * 66 - 2, 8 * 66 - 2, 1)


def test_pictures_show_the_average_with_batch_norm_measured(tiny_run, tmp_path):
    run = tiny_run
    film = picture_of(run, tmp_path)
    z, average = film.shown["z"], run.algorithm.averages["generator"]
    leaves = fold.as_exported(run.algorithm, "generator", [{"z": film.measuring["z"]}])
    expected = keras.ops.convert_to_numpy(leaves({"z": z}, training=False)["image"])
    shown = pictures.read_png(run.folder / "generator-0000004.png")[:64:8, :64:8, 0]  # the first image, enlarged by 8
    np.testing.assert_array_equal(shown, to_uint8(expected, (-1.0, 1.0))[0, :, :, 0])
    assert leaves is not average and same(
        *([v for v in network.weights if "moving" not in v.path] for network in (leaves, average))
    )
    moving = keras.ops.convert_to_numpy(average({"z": z}, training=False)["image"])
    assert np.abs(moving - expected).max() > 0.01  # its statistics are those of other weights


def test_pictures_of_translators_show_originals_beside_translations(tmp_path):
    run = tiny.train(tmp_path, tiny.cycle(tmp_path))
    height, width, _ = run.spec.fields["a"]
    assert picture_of(run, tmp_path).shown["a"].shape == (min(PAIRS, 10), height, width, 3)
    for name, field in (("a_to_b", "a"), ("b_to_a", "b")):
        made = pictures.read_png(run.folder / f"{name}-{run.step:07d}.png")
        first = examples.load(run.spec).parts[field].items[:1, :height, :width]
        shown = pictures.scale(first)[0]  # enlarged until a person can see it
        np.testing.assert_array_equal(made[: len(shown), : shown.shape[1]], shown)


def test_pictures_of_classes_and_points(tmp_path):
    run = tiny.train(tmp_path, tiny.LABELLED)
    assert len(list(run.folder.glob("generator-000000[012].png"))) == 3
    labels = picture_of(run, tmp_path).shown["label"]
    assert labels.shape == (SAMPLES,) and set(labels[:10]) == set(range(10))
    run = tiny.train(tmp_path, tiny.POINTS)
    assert pictures.read_png(run.folder / "generator-0000002.png").shape == (384, 384, 1)


def test_labels_meet_the_images_that_were_made_with_them(tmp_path):
    """D is asked about a fake with the label that G was given, in every draw."""
    spec = tiny.read(tmp_path, tiny.LABELLED, "algorithm.alternating.generator.updates=3")
    algorithm = training.make(spec)
    batches = training.make_batches(spec, algorithm, examples.load(spec))
    asked = []

    def listen(name):
        player = algorithm.players[name]
        call = player.call
        player.call = lambda inputs, **options: asked.append((name, inputs["label"])) or call(inputs, **options)

    listen("generator")
    listen("discriminator")
    algorithm.train_step(({name: keras.ops.convert_to_tensor(array) for name, array in batches[0].items()},))
    names = [name for name, _ in asked]
    assert names == ["generator", "discriminator", "discriminator"] + ["generator", "discriminator"] * 3
    for made, judged in ((0, 2), (3, 4), (5, 6), (7, 8)):
        np.testing.assert_array_equal(asked[made][1], asked[judged][1])


def test_a_latent_cannot_have_the_name_of_what_the_algorithm_draws(tmp_path):
    text = tiny.DENSE.replace("{z:", "{share:").replace("inputs: z", "inputs: share")
    text = text.replace("loss: non_saturating", "loss: non_saturating\n    penalties: [gradient_penalty]")
    with pytest.raises(UsageError, match=r"latent\.share: the algorithm draws something of that name"):
        tiny.train(tmp_path, text)


def test_weights_are_a_function_of_the_seed(tmp_path):
    np.random.seed(1)
    first = weights(training.make(tiny.read(tmp_path)))
    np.random.seed(2)
    assert same(first, weights(training.make(tiny.read(tmp_path))))
    assert not same(first, weights(training.make(tiny.read(tmp_path, tiny.GAN, "training.seed=1"))))


def test_latents_are_a_function_of_seed_name_and_step(tmp_path):
    def batches(*overrides):
        spec = tiny.read(tmp_path, tiny.GAN, *overrides)
        return training.make_batches(spec, training.make(spec), examples.load(spec))

    def batch(step, *overrides):
        return batches(*overrides)[step]

    first = batch(3)
    assert first["z"].shape == (2, 8, 4) and first["z"].dtype == np.float32  # D's draw and G's
    assert first["image"].shape == (1, 8, 8, 8, 1)
    assert not np.array_equal(first["z"][0], first["z"][1])
    assert np.array_equal(first["z"], batch(3)["z"]) and np.array_equal(first["image"], batch(3)["image"])
    run = batches()
    assert len({run[step]["z"].tobytes() for step in range(20)}) == 20  # no step sees the noise of another
    assert not np.array_equal(first["z"], batch(3, "training.seed=1")["z"])
    several = batch(0, "algorithm.alternating.discriminator.updates=3")
    assert several["z"].shape == (4, 8, 4) and several["image"].shape == (3, 8, 8, 8, 1)


def test_the_average_forgets_by_half_life(tmp_path):
    assert float(training.make(tiny.read(tmp_path)).ema_beta(1e6)) == pytest.approx(0.5 ** (8 / 20))
    none = training.make(tiny.read(tmp_path, tiny.DENSE))
    assert (
        none.ema_half_life_images is None
        and none.averages == {}
        and none.exported("generator") is none.players["generator"]
    )


def test_bfloat16_keeps_float32_weights(tmp_path):
    before = keras.config.dtype_policy().name
    run = tiny.train(tmp_path, tiny.GAN, "training.precision=mixed_bfloat16")
    assert keras.config.dtype_policy().name == before
    generator = run.algorithm.players["generator"]
    assert {v.dtype for v in generator.weights} == {"float32"}
    assert {layer.compute_dtype for layer in generator.layers[1:]} == {"bfloat16"}


def test_biases_start_at_the_pixel_marginals(tmp_path, monkeypatch):
    overrides = (
        "networks.generator.layers.0.Dense.activation=sigmoid", "data.range=[0,1]", "training.ema_half_life_images=9",
        "networks.generator.layers.0.Dense.bias_initializer=PixelMarginals",
    )  # fmt: skip
    seen = []
    monkeypatch.setattr(training, "_fit", lambda spec, algorithm, *rest: seen.append(algorithm) or ("", 0.0))
    spec = tiny.read(tmp_path, tiny.DENSE, *overrides)
    training.train(spec, runs=tmp_path / "runs")
    (algorithm,) = seen
    mean = examples.load(spec).images.mean(axis=0).reshape(-1) / 255
    expected = np.log(np.clip(mean, 1e-4, 1 - 1e-4) / (1 - np.clip(mean, 1e-4, 1 - 1e-4)))
    for network in (algorithm.players["generator"], algorithm.averages["generator"]):
        np.testing.assert_allclose(network.layers[1].bias.value, expected, rtol=1e-5)


def test_networks_alone_cannot_be_trained(tmp_path):
    text = tiny.DENSE[: tiny.DENSE.index("algorithm:")]
    with pytest.raises(UsageError, match=r"tested\.yaml: describes networks without saying how to train them"):
        tiny.train(tmp_path, text)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_xla_trains_the_same(tmp_path):
    plain = tiny.train(tmp_path / "plain", tiny.DENSE)
    compiled = tiny.train(tmp_path / "xla", tiny.DENSE, "training.xla=true")
    for a, b in zip(weights(plain.algorithm), weights(compiled.algorithm), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_half_lives_count_the_images_that_the_manifest_counts(tmp_path):
    """Two batches a step for D: half as many steps to half of the average."""
    once, twice = (
        training.make(tiny.read(tmp_path, tiny.GAN, f"algorithm.alternating.discriminator.updates={updates}"))
        for updates in (1, 2)
    )
    assert (float(once.ema_beta(1e6)), float(twice.ema_beta(1e6))) == pytest.approx((0.5 ** (8 / 20), 0.5 ** (16 / 20)))


def test_a_run_that_is_only_exported_again_says_how_it_ended(tmp_path):
    """Export under another backend resumes at the last step: it must not claim that all steps were made."""
    made = tiny.train(tmp_path, tiny.DENSE, steps=10**6, budget=0.01)
    again = tiny.train(tmp_path, tiny.DENSE, steps=made.step, resume=True)
    assert again.reason == made.reason == "the budget of 0s is used" and again.step == made.step
