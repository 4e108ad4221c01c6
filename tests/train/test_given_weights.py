"""A network begins with the weights of another run or of an artifact; what does not match is listed, and a frozen one
never moves."""

import numpy as np
import pytest
import tiny

from zoo.artifact.manifest import TRAINABLE, read_manifests
from zoo.core.arrays import load_arrays
from zoo.core.errors import SpecError, TrainingError, UsageError
from zoo.export import exporter
from zoo.spec.read import read_spec
from zoo.train import loop

GAME = """
algorithm:
  game:
    values: {fake: generator, on_real: discriminator, on_fake: {discriminator: {image: fake}},
      d_loss: {hinge.discriminator: {real: on_real, fake: on_fake}}}
    phases: {discriminator: {trains: discriminator, minimise: {d_loss: 1}, optimizer: {SGD: {learning_rate: 0.1}}}}
training: {batch_size: 8, steps: 2, evaluate: null}
export: {networks: [generator]}
"""


def weights(model):
    return {v.path: np.array(v) for v in model.weights}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    spec = tiny.read(runs / "specs", tiny.DENSE)
    return loop.train(spec, runs=runs, steps=1), runs


def second(folder, **changes):
    text = tiny.DENSE.replace("name: dense", "name: second", 1)
    text = text[: text.index("algorithm:")] + GAME
    begin = text.index("  generator:") + len("  generator:")
    more = "".join(f"\n    {key}: {value}" for key, value in changes.items())
    return tiny.read(folder, text[:begin] + more + text[begin:])


def test_a_frozen_network_has_the_weights_of_the_run_and_keeps_them(first, tmp_path, capsys):
    run, runs = first
    spec = second(tmp_path, weights="{run: dense}", frozen="true")
    made = loop.train(spec, runs=runs)
    assert "second: generator begins with the weights of " in capsys.readouterr().err
    given = run.algorithm.averages.get("generator", run.algorithm.players["generator"])
    for name, value in weights(made.algorithm.players["generator"]).items():
        np.testing.assert_array_equal(value, weights(given)[name])


def test_what_does_not_match_is_refused_or_listed(first, tmp_path):
    _, runs = first
    with pytest.raises(UsageError, match="there is no run .*nothing: train it first"):
        loop.train(second(tmp_path, weights="{run: nothing}", frozen="true"), runs=runs)
    with pytest.raises(UsageError, match="dense has no network 'encoder'. Known: discriminator, generator$"):
        loop.train(second(tmp_path, weights="{run: dense, network: encoder}", frozen="true"), runs=runs)


def test_layers_of_equal_shape_keep_their_own_weights(tmp_path, capsys):
    """And one that stands between them is fresh."""
    deep = tiny.DENSE.replace("layers:", "layers:\n      - Dense: {units: 3}\n      - Dense: {units: 3}", 1)
    first = tiny.train(tmp_path, deep, steps=1)
    more = deep.replace("- Dense: {units: 3}\n", "- Dense: {units: 3}\n      - Dense: {units: 5}\n", 1)
    more = more.replace("name: dense", "name: other").replace(
        "  generator:", "  generator:\n    weights: {run: dense}", 1
    )
    made = loop.train(tiny.read(tmp_path / "other", more), runs=tmp_path / "runs", steps=0)
    assert "fresh: dense_2/kernel, dense_2/bias, dense_3/kernel; left over: " in capsys.readouterr().err
    given = first.algorithm.averages.get("generator", first.algorithm.players["generator"])
    before, after = weights(given), weights(made.algorithm.players["generator"])
    np.testing.assert_array_equal(before["dense_1/kernel"], after["dense_1/kernel"])
    assert np.ptp(before["dense_1/kernel"]) > 0


def test_a_network_that_is_trained_is_not_frozen(tmp_path):
    text = tiny.DENSE.replace("  generator:", "  generator:\n    frozen: true", 1)
    (tmp_path / "frozen.yaml").write_text(text)
    with pytest.raises(SpecError, match="'generator' is frozen: leave out `frozen: true`, or do not train it"):
        read_spec(tmp_path / "frozen.yaml")


def test_an_artifact_keeps_weights_to_train_on(tmp_path, capsys):
    """G's averages and D's weights, before batch norm is folded; float16 rounds to 11 bits and no more."""
    text = tiny.GAN.replace("batch_norm_batches: 3", "batch_norm_batches: 3, trainable: float16")
    run = tiny.train(tmp_path / "first", text)
    folder = exporter.export(run, out=tmp_path / "exported").folder
    arrays, facts = load_arrays(folder / TRAINABLE)
    assert facts == {"step": run.step}
    assert {key.partition("/")[0] for key in arrays} == {"generator_ema", "discriminator"}
    assert TRAINABLE in read_manifests(folder)[0].files
    more = text.replace("name: tiny", "name: more", 1)
    more = more.replace("  generator:", "  generator:\n    weights: {artifact: tiny}", 1)
    spec = tiny.read(tmp_path / "second", more)
    made = loop.train(spec, runs=tmp_path / "runs", artifacts=tmp_path / "exported", steps=0)
    assert f"generator begins with the weights of {folder}, averaged\n" in capsys.readouterr().err
    for name, value in weights(made.algorithm.players["generator"]).items():
        if "seed" not in name:
            before = weights(run.algorithm.averages["generator"])[name]
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, before, rtol=2**-11, atol=6e-8)
    content = bytearray((folder / TRAINABLE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / TRAINABLE).write_bytes(content)
    with pytest.raises(TrainingError, match="trainable.npz: not a readable file of weights: .* Get tiny again"):
        loop.train(spec, runs=tmp_path / "runs", artifacts=tmp_path / "exported")
    (folder / TRAINABLE).unlink()
    with pytest.raises(UsageError, match="tiny keeps no weights to train on: .*folded.*trainable: float16"):
        loop.train(spec, runs=tmp_path / "runs", artifacts=tmp_path / "exported")
    with pytest.raises(UsageError, match="there is no artifact .*tiny: make it first"):
        loop.train(spec, runs=tmp_path / "runs", artifacts=tmp_path / "nowhere")
