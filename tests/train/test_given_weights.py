"""A network begins with the weights of another run; what does not match is listed, and a frozen one never moves."""

import numpy as np
import pytest
import tiny

from zoo.core.errors import SpecError, UsageError
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
    return {v.path.split("/", 1)[-1]: np.array(v) for v in model.weights}


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
    with pytest.raises(UsageError, match="the run has no network 'encoder'. Known: .*generator"):
        loop.train(second(tmp_path, weights="{run: dense, network: encoder}", frozen="true"), runs=runs)


def test_a_network_that_is_trained_is_not_frozen(tmp_path):
    text = tiny.DENSE.replace("  generator:", "  generator:\n    frozen: true", 1)
    (tmp_path / "frozen.yaml").write_text(text)
    with pytest.raises(SpecError, match="'generator' is frozen: leave out `frozen: true`, or do not train it"):
        read_spec(tmp_path / "frozen.yaml")
