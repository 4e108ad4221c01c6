"""Every algorithm, several backends: equal weights, data and noise give equal losses, and checkpoints change hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny
from backend_steps import derivatives, losses

from zoo.export import exporter
from zoo.spec.feeds import load_data
from zoo.spec.game_sections import GAMES as WORDS
from zoo.spec.read import read_spec
from zoo.train import checkpoint, loop
from zoo.train.algorithms.base import ALGORITHMS

STEPS = 10
PLAYER = "optimizer: {Adam: {learning_rate: 1e-3, beta_1: 0.5}}"
CRITIC = "optimizer: {RMSprop: {learning_rate: 1e-3, rho: 0.99, epsilon: 1e-8}}"
SMOOTH = "networks.discriminator.layers.0.Dense.activation=tanh"
# Derivatives by data, by a pass and by a latent, a phase that rests, one whose terms do, a shared optimizer, a state.
GAME = f"""{{
  values: {{fake: generator, seen: {{perturbed: {{of: point, scale: 0.1}}}},
    on_real: {{discriminator: {{point: seen}}}},
    on_fake: {{discriminator: {{point: fake}}}}, r1: {{r1: {{of: on_real, wrt: point}}}},
    r2: {{r1: {{of: on_fake, wrt: fake}}}}, lengths: {{path_lengths: {{of: fake, wrt: z}}}}, path: {{mean: lengths}},
    d_loss: {{non_saturating.discriminator: {{real: on_real, fake: on_fake, relativistic: pairing}}}},
    g_loss: {{non_saturating.generator: {{real: on_real, fake: on_fake, relativistic: pairing}}}},
    balance: {{sum: {{d_loss: 1, g_loss: -0.5}}}}}},
  states: {{k: {{integral: {{of: balance, rate: 0.1, within: [0, 1], initial: 0.5}}}}}},
  phases: {{
    discriminator: {{trains: discriminator, minimise: {{d_loss: 1, r1: [0.5, k], r2: 0.5}}, {PLAYER}}},
    generator: {{trains: generator, data: fresh, {PLAYER},
      minimise: {{g_loss: {{cosine: {{initial: 1, final: 0.5, updates: 8}}}}}}}},
    lazy: {{trains: generator, when: {{every: 2}}, optimizer: generator, minimise: {{path: 0.1}}}},
    rare: {{trains: discriminator, optimizer: discriminator, minimise: {{r2: {{weight: 0.1, every: 2}}}}}}}}}}"""
# A spec and what is changed in it: chance differs between backends (no dropout), large steps drive rounding apart.
# A new algorithm joins by a line here.
GAMES: dict[str, tuple[str, ...]] = {
    "alternating": (
        tiny.GAN,
        "networks.generator.layers.4.Dropout.rate=0",
        "networks.discriminator.layers.3.Dropout.rate=0",
        f"algorithm.alternating.generator={{{PLAYER}}}",
        f"algorithm.alternating.discriminator={{{PLAYER}}}",
    ),
    "features": (  # of D, whose name comes before that of its output
        tiny.GAN,
        "networks.generator.layers.4.Dropout.rate=0",
        "networks.discriminator.layers.3.Dropout.rate=0",
        "networks.discriminator.layers.4={Flatten: null, as: features}",
        "algorithm.alternating.values={match: {feature_matching: {real: on_real.features, fake: on_fake.features}}}",
        f"algorithm.alternating.generator={{{PLAYER}, minimise: {{match: 1}}}}",
        f"algorithm.alternating.discriminator={{{PLAYER}}}",
    ),
    "labels": (tiny.LABELLED,),
    "critic": (
        tiny.POINTS,
        SMOOTH,
        "algorithm={alternating: {loss: wasserstein, weight_clip: {c: 0.5}, "
        "penalties: [gradient_penalty, {r1: {weight: 0.1}}, {drift: {weight: 0.001}}], "
        "burn_in: {updates: 4, generator_updates: 2, every: 3}, "
        f"generator: {{{CRITIC}}}, discriminator: {{{CRITIC}, updates: 2}}}}}}",
    ),
    "unrolled": (
        tiny.POINTS,
        SMOOTH,
        "algorithm={unrolled: {loss: minimax, unrolled_updates: 2, "
        f"generator: {{{PLAYER}}}, discriminator: {{{PLAYER}}}}}}}",
    ),
    "ahead": (  # a penalty in the phase that is unrolled
        tiny.POINTS,
        SMOOTH,
        "algorithm={alternating: {loss: non_saturating, penalties: [{r1: {weight: 0.1}}], "
        f"generator: {{{PLAYER}, unroll: {{discriminator: 2}}}}, discriminator: {{{PLAYER}}}}}}}",
    ),
    "cyclegan": (tiny.CYCLE,),
    "game": (tiny.POINTS, SMOOTH, "networks.generator.layers.0.Dense.activation=tanh", f"algorithm={{game: {GAME}}}"),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A folder with the specs and their first checkpoints, and the losses of TensorFlow."""
    folder, played = tmp_path_factory.mktemp("backends"), {}
    tiny.cycle(folder)  # its pictures
    for name, (text, *changes) in GAMES.items():
        read = tiny.read(folder / "texts", text.replace("FOLDER", str(folder)), *changes)
        (folder / f"{name}.yaml").write_text(read.to_yaml(), "utf-8")
        algorithm = loop.make(read)
        algorithm.begin(0)
        checkpoint.save(folder / f"{name}.npz", algorithm, checkpoint.Progress(0, 0.0, ""), read.document)
        played[name] = losses(algorithm, loop.make_batches(read, algorithm, load_data(read)), STEPS)
    return folder, played


@pytest.fixture(scope="module", params=["jax", "torch"])
def other(request, reference):
    """(backend, what the same steps give under it): one process plays all games and leaves their checkpoints."""
    backend = request.param
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    helper = Path(__file__).parents[1] / "helpers" / "backend_steps.py"
    command = [sys.executable, str(helper), str(reference[0]), str(STEPS)]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return backend, json.loads(done.stdout.splitlines()[-1])


def test_every_algorithm_plays(reference):
    """What grows is trained under other backends in tests/train/algorithms/test_growing.py."""
    played = {read_spec(reference[0] / f"{name}.yaml").sections.algorithm.name for name in GAMES}
    assert played == {*ALGORITHMS, *WORDS} - {"progressive"}


@pytest.mark.parametrize("name", GAMES)
def test_losses_agree(reference, other, name):
    """To 1e-4 in the first step and to 1e-3 in all of them."""
    ours, theirs = reference[1][name], other[1]["losses"][name]
    assert len(ours) == len(theirs) == STEPS and ours[0].keys() == theirs[0].keys()
    for player in ours[0]:
        a, b = (np.array([row[player] for row in rows]) for rows in (ours, theirs))
        assert a[0] == pytest.approx(b[0], abs=1e-4)
        np.testing.assert_allclose(a, b, atol=1e-3, rtol=0, err_msg=player)
        assert np.ptp(a) > 1e-3 or not player.endswith("_loss")  # they learn: ten equal losses would agree, too


def test_gradients_of_gradients(other):
    for found in (other[1]["derivatives"], derivatives()):
        assert found["second"] == pytest.approx(12.0, abs=1e-5)
        assert found["of_a_slope"] == pytest.approx([48, -36, 0], abs=1e-4)
        assert found["of_adam"] == pytest.approx(-1.0, abs=1e-4)  # the root has no slope at zero: JAX, PyTorch say NaN


@pytest.mark.parametrize("name", GAMES)
def test_the_checkpoint_goes_on_under_tensorflow(reference, other, name):
    """Everything in it: weights that have moved, moments, pools, the stage."""
    folder, (backend, result) = reference[0], other
    read = read_spec(folder / f"{name}.yaml")
    algorithm = loop.make(read)
    before = {player: model.get_weights() for player, model in algorithm.players.items()}
    progress = checkpoint.load(folder / f"{name}.{backend}.npz", algorithm, read.document)
    assert (progress.step, progress.machine) == (STEPS, result["machine"])
    assert progress.machine.endswith(f"Keras on {backend}")
    for player, model in algorithm.players.items():
        assert any(not np.array_equal(a, b) for a, b in zip(before[player], model.get_weights(), strict=False)), player


def test_it_is_exported_under_tensorflow(reference, other, tmp_path):
    folder, (backend, result) = reference[0], other
    read = read_spec(folder / "alternating.yaml")
    algorithm = loop.make(read)
    progress = checkpoint.load(folder / f"alternating.{backend}.npz", algorithm, read.document)
    run = loop.Run(read, algorithm, progress.step, progress.seconds, "", progress.machine, tmp_path)
    manifest = exporter.export(run, out=tmp_path).manifest
    assert manifest.parity["max_abs_difference"] <= 1e-4
    assert manifest.training["machine"] == result["machine"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_build_tool_trains_there_and_exports_here(backend, tmp_path):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install -e '.[{backend}]'")
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny.GAN, "utf-8")
    command = [sys.executable, "-m", "zoo.cli", "build", str(path), "--steps", "3", "--set", "training.batch_size=16"]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    manifest = json.loads((tmp_path / "exported" / "tiny" / "manifest.json").read_text("utf-8"))
    assert manifest["weights"]["step"] == 3 and manifest["training"]["machine"].endswith(f"Keras on {backend}")
