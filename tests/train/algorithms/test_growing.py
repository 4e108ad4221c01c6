"""Growing in training: the order of the stages, what each begins with, interruptions, and what is exported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tiny
from games import batch, values, watch
from growing import GROWING
from keras import ops
from png_files import read_png

from zoo.core.arrays import load_arrays
from zoo.export import exporter
from zoo.spec.feeds import load_data
from zoo.train import checkpoint, loop
from zoo.train.algorithms.progressive import Stage, schedule
from zoo.train.monitor import SampleSheets, pictured_inputs

FIRSTS = [0, 2, 4, 6, 8]  # of the five stages of GROWING


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run through all stages, and what its networks were before the first step of each."""
    folder, seen = tmp_path_factory.mktemp("growing"), {}

    def watch(step, algorithm):
        seen[step] = {name: ops.convert_to_numpy(v.value).copy() for name, v in algorithm.state().items()}

    return tiny.train(folder, GROWING, watch=watch), seen


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """{steps: the run as it is then} of one that ends between two stages, in a fade, and between two stages again."""
    folder = tmp_path_factory.mktemp("parts")
    return {steps: tiny.train(folder, GROWING, steps=steps, resume=steps > 2) for steps in (2, 3, 4, 5)}


@pytest.fixture
def play(spec_of):
    """(spec, algorithm) before its first step."""
    spec = spec_of(GROWING)
    algorithm = loop.make(spec)
    algorithm.begin(0)
    return spec, algorithm


def stepped(spec, algorithm, number):
    """Step `number` of a run, with the numbers that belong to it."""
    data = {**batch(spec, algorithm, seed=number), "share": ops.convert_to_tensor(np.full((2, 4, 1), 0.5, "float32"))}
    turns = {name: ops.convert_to_tensor(value) for name, value in algorithm.step_inputs(number).items()}
    return algorithm.train_step(({**data, **turns},))


# --- the schedule


def test_the_papers_schedule():
    """800 kimg each for 4 px and, from 8 px on, for every fade and every rest after it; batches of 16."""
    stages = schedule((4, 8, 16), stabilise_images=800_000, fade_images=600_000, step_images=16)
    assert stages == [
        Stage(4, False, 0, 50_000),
        Stage(8, True, 50_000, 87_500),
        Stage(8, False, 87_500, 137_500),
        Stage(16, True, 137_500, 175_000),
        Stage(16, False, 175_000, None),
    ]


def test_a_stage_begins_at_a_whole_step():
    """100 and 50 images in steps of 32: the counts of images do not drift."""
    stages = schedule((4, 8), stabilise_images=100, fade_images=50, step_images=32)
    assert [(s.first, s.last) for s in stages] == [(0, 4), (4, 5), (5, None)]
    one = schedule((4, 8), stabilise_images=10, fade_images=10, step_images=32)
    assert [(s.size, s.fading, s.first, s.last) for s in one] == [(4, False, 0, 1), (8, False, 1, None)]
    assert schedule((8,), stabilise_images=1, fade_images=1, step_images=1) == [Stage(8, False, 0, None)]


def test_alpha_rises_in_a_straight_line():
    fade = Stage(8, True, 100, 104)
    assert [fade.alpha(step) for step in range(100, 105)] == [0, 0.25, 0.5, 0.75, 1]
    assert Stage(8, False, 100, 104).alpha(101) == 1


def test_stages_are_a_function_of_the_step(play):
    _, algorithm = play
    assert [(s.size, s.fading) for s in algorithm.stages] == [(2, False), (4, True), (4, False), (8, True), (8, False)]
    assert [algorithm.pause(number) for number in range(10)] == [2, 2, 4, 4, 6, 6, 8, 8, None, None]
    alphas = [float(algorithm.step_inputs(number)["alpha"][0]) for number in range(10)]
    assert alphas == [1, 1, 0, 0.5, 1, 1, 0, 0.5, 1, 1]


def test_several_updates_of_d_show_it_more_images(spec_of):
    algorithm = loop.make(spec_of(GROWING, "algorithm.progressive.discriminator.updates=2"))
    assert [stage.first for stage in algorithm.stages] == [0, 1, 2, 3, 4]  # 8 images each, 2 x 4 in a step


# --- what a stage begins with


def test_weights_go_on_from_stage_to_stage(play):
    spec, algorithm = play
    for number, first in enumerate(FIRSTS[1:], start=1):
        stepped(spec, algorithm, first - 1)
        before = {name: {v.path: np.array(v) for v in p.variables} for name, p in algorithm.players.items()}
        algorithm.begin(first)
        assert algorithm.stage is algorithm.stages[number]
        for name, player in algorithm.players.items():
            after = {v.path: np.array(v) for v in player.variables}
            both = before[name].keys() & after.keys()
            assert len(both) >= 4 and all(np.array_equal(before[name][path], after[path]) for path in both)


def test_only_the_networks_at_hand_learn(play):
    spec, algorithm = play
    waiting = {name: np.array(v) for name, v in algorithm.extra_state().items()}
    before = values(algorithm)
    stepped(spec, algorithm, 0)
    assert all(np.array_equal(waiting[name], np.array(v)) for name, v in algorithm.extra_state().items())
    after = values(algorithm)
    assert not [name for name in before if name.endswith("kernel") and np.array_equal(before[name], after[name])]
    assert any("generator/" in name for name in waiting) and any("generator_ema/" in name for name in waiting)


def test_a_stage_begins_once(play):
    """`begin` is called again when a run is resumed: what has been learned since stays."""
    spec, algorithm = play
    stepped(spec, algorithm, 0)
    phases, state = algorithm.phases(), {name: np.array(v) for name, v in algorithm.state().items()}
    algorithm.begin(1)
    assert algorithm.phases() is phases
    assert all(np.array_equal(state[name], np.array(v)) for name, v in algorithm.state().items())


def test_every_layer_is_known_to_keras_from_the_start(play):
    """JAX carries all state through the step: what Keras does not track would be lost."""
    _, algorithm = play
    tracked = {id(v) for v in algorithm.variables}
    for first in FIRSTS:
        algorithm.begin(first)
        for model in (*algorithm.players.values(), *algorithm.averages.values()):
            assert {id(v) for v in model.variables} <= tracked


def test_averages_are_never_trained(play):
    _, algorithm = play
    for first in FIRSTS:
        algorithm.begin(first)
        assert not algorithm.averages["generator"].trainable_variables
        assert all(phase.variables for phase in algorithm.phases())


def test_real_images_fade_like_those_of_the_generator(play, monkeypatch):
    """Else D tells real from fake by their sharpness."""
    spec, algorithm = play
    data = loop.make_batches(spec, algorithm, load_data(spec))[3]
    algorithm.begin(3)
    assert algorithm.stage.fading and float(data["alpha"][0]) == 0.5
    calls = watch(algorithm, monkeypatch)
    algorithm.train_step(({name: ops.convert_to_tensor(value) for name, value in data.items()},))
    fine = data["image"][0].reshape(4, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    coarse = fine.reshape(4, 2, 2, 2, 2, 1).mean(axis=(2, 4)).repeat(2, axis=1).repeat(2, axis=2)
    seen = next(inputs["image"] for name, inputs, _ in calls if name == "discriminator")
    np.testing.assert_allclose(seen, (coarse + fine) / 2, rtol=0, atol=1e-6)
    models = [*algorithm.players.values(), *algorithm.averages.values()]
    found = [float(layer.alpha) for model in models for layer in model.layers if type(layer).__name__ == "Fade"]
    assert found == [0.5] * 3


def test_moments_are_new_when_a_size_begins_and_when_it_has_faded_in(play):
    spec, algorithm = play
    for number in range(9):
        algorithm.begin(number)
        moments = [np.array(v) for phase in algorithm.phases() for v in phase.optimizer.variables if len(v.shape)]
        assert len(moments) == 2 * sum(len(phase.variables) for phase in algorithm.phases())
        assert any(m.any() for m in moments) == (number not in FIRSTS)
        stepped(spec, algorithm, number)
        assert {int(phase.optimizer.iterations) for phase in algorithm.phases()} == {number % 2 + 1}


def test_the_average_goes_on_over_all_stages_with_the_new_layers_in_it(play):
    """New layers enter it as they are; old ones keep what was averaged before."""
    spec, algorithm = play
    for number in (0, 1):
        stepped(spec, algorithm, number)
    before = {v.path: np.array(v) for v in algorithm.averages["generator"].weights}
    algorithm.begin(2)
    average, player = (
        {v.path: np.array(v) for v in models["generator"].weights} for models in (algorithm.averages, algorithm.players)
    )
    new = average.keys() - before.keys()
    assert average.keys() == player.keys() and len([path for path in new if path.endswith("kernel")]) == 2
    assert all(np.array_equal(average[path], player[path]) for path in new)
    assert all(np.array_equal(average[path], before[path]) for path in before)
    assert not all(np.array_equal(before[path], player[path]) for path in before)


# --- a whole run


def test_a_run_goes_through_all_stages(whole):
    run, seen = whole
    assert (run.step, run.reason) == (10, "all steps are done") and sorted(seen) == list(range(1, 11))
    assert run.algorithm.stage == Stage(8, False, 8, None)
    assert run.algorithm.plans["generator"] is run.spec.plans["generator"]
    counts = [sum(a.size for n, a in seen[s].items() if n.startswith("generator/")) for s in (2, 4, 6, 8, 10)]
    plans = [sum(p["generator"].parameters for p in (plans,)) for plans in run.algorithm.stage_plans]
    assert counts == [plans[0], plans[1] + 1, plans[2], plans[3] + 1, plans[4]]  # and alpha while it fades


def test_pictures_of_all_stages_have_one_size(whole):
    run, _ = whole
    made = [read_png(run.folder / f"generator-{number:07d}.png") for number in range(0, 11, 2)]
    assert {image.shape for image in made} == {(8 * 66 - 2, 8 * 66 - 2, 1)}
    first = made[0][:64, :64, 0]
    np.testing.assert_array_equal(first, first[::32, ::32].repeat(32, axis=0).repeat(32, axis=1))  # 2 x 2 pixels
    last = made[-1][:64, :64, 0]
    np.testing.assert_array_equal(last, last[::8, ::8].repeat(8, axis=0).repeat(8, axis=1))
    assert len(np.unique(last)) > 4


def test_small_images_are_shown_at_the_size_of_the_final_ones(tmp_path):
    """Also where those are larger than what a person can see without being enlarged."""
    large = tiny.DENSE.replace("{source: digits}", "{source: digits, size: 128}")
    large = large.replace("units: 64", "units: 16384").replace("[8, 8, 1]", "[128, 128, 1]")
    read, z = tiny.read(tmp_path, large), keras.Input([3], name="z")
    small = keras.Model({"z": z}, {"image": keras.layers.Reshape([4, 4, 1])(keras.layers.Dense(16)(z))})
    early = SimpleNamespace(as_exported=lambda name, batches: small)
    SampleSheets(read, early, tmp_path, pictured_inputs(read, load_data(read)))(0)
    assert read_png(tmp_path / "generator-0000000.png").shape == (8 * 130 - 2, 8 * 130 - 2, 1)


def test_an_interrupted_run_ends_where_the_other_does(whole, parts):
    _, seen = whole
    stages = {steps: (run.algorithm.stage.size, run.algorithm.stage.fading) for steps, run in parts.items()}
    assert stages == {2: (2, False), 3: (4, True), 4: (4, True), 5: (4, False)}
    again = parts[5].algorithm.state()
    assert again.keys() == seen[5].keys()
    for name, array in seen[5].items():
        np.testing.assert_array_equal(ops.convert_to_numpy(again[name]), array, err_msg=name)


@pytest.mark.parametrize(("steps", "size", "alpha"), [(2, 2, None), (4, 4, 0.5), (10, 8, None)])
def test_what_is_exported_is_what_the_run_has_come_to(whole, parts, tmp_path, steps, size, alpha):
    """At its size, and mixed as it was if the run ended within a fade."""
    run = whole[0] if steps == 10 else parts[steps]
    made = exporter.export(run, out=tmp_path / "out")
    (output,) = made.manifest.outputs
    assert output.shape == ("batch", size, size, 1) and made.manifest.parity["max_abs_difference"] <= 1e-4
    assert made.manifest.weights["images"] == 4 * steps and made.manifest.weights["kind"] == "ema"
    average = run.algorithm.exported("generator")
    fades = [float(layer.alpha) for layer in average.layers if layer.name.startswith("fade_")]
    assert fades == ([] if alpha is None else [alpha])
    golden = np.load(made.folder / "golden.npz")
    direct = ops.convert_to_numpy(average({"z": golden["z"]})["image"])
    np.testing.assert_allclose(golden["image"], direct, rtol=0, atol=1e-5)


@pytest.mark.slow  # every stage is compiled anew; test_backends compares the other algorithms
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_run_is_the_same_under_another_backend(whole, tmp_path, backend):
    """From TensorFlow's first checkpoint on, with the layers that wait in it, into the second stage, a fade."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    tiny.train(tmp_path, GROWING, steps=1)
    script = Path(__file__).parents[2] / "helpers" / "growing.py"
    command = [sys.executable, str(script), str(tmp_path / "tested.yaml"), str(tmp_path / "runs")]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    _, seen = whole
    theirs, facts = load_arrays(tmp_path / "runs" / "growing" / checkpoint.FILE)
    assert f"Keras on {backend}" in facts["machine"]
    assert theirs.keys() == seen[3].keys()
    for name, array in seen[3].items():
        np.testing.assert_allclose(theirs[name], array, rtol=0, atol=1e-3, err_msg=name)
