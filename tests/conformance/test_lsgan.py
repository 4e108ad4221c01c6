"""specs/lsgan.yaml against Mao et al. 2016 and its authors' code: what its numbers alone do not show."""

from games import reader
from keras import ops

from zoo.nn.functions import evaluate
from zoo.spec.game_plan import Reference
from zoo.spec.read import read_spec, spec_file

read = reader("lsgan")


def losses(algorithm, real, fake):
    """Of D and of G, by the arguments that the game gives its functions."""
    tensors = {"real": ops.convert_to_tensor(real), "fake": ops.convert_to_tensor(fake)}
    calls = (algorithm.game.values[name] for name in ("d_loss", "g_loss"))
    return tuple(float(evaluate(call.function, {**call.arguments, **_given(call, tensors)})) for call in calls)


def _given(call, tensors):
    return {name: x for name, x in tensors.items() if isinstance(call.arguments.get(name), Reference)}


def test_targets_are_those_of_the_code(algorithm):
    """a = 0 for fakes, b = 1 for real ones, c = 1 for G: each is where its own loss is least."""
    assert losses(algorithm, [1.0], [0.0]) == (0.0, 0.5)
    assert losses(algorithm, [1.0], [1.0]) == (0.5, 0.0)
    assert losses(algorithm, [0.0], [0.0]) == (0.5, 0.5)


def test_the_networks_are_dcgans_to_the_last_argument():
    ours, theirs = (read_spec(spec_file(name)).plans for name in ("lsgan", "dcgan"))
    for role in ("generator", "discriminator"):
        assert [(s.layer, s.args) for s in ours[role].steps] == [(s.layer, s.args) for s in theirs[role].steps]
