"""CycleGAN's step: the objective by hand, who moves, the pool image by image, and a run that goes on where it ended."""

import keras
import numpy as np
import pytest
import tiny
from games import watch
from keras import ops

from zoo.core.errors import SpecError
from zoo.nn import autodiff
from zoo.nn.functions_drawing import Pool
from zoo.spec.feeds import load_data
from zoo.train import loop

MAKERS, JUDGES = {"a_to_b", "b_to_a"}, {"discriminator_a", "discriminator_b"}


@pytest.fixture
def game(tmp_path):
    """`game(*overrides)` -> (algorithm, the first batch) of the tiny CycleGAN."""
    text = tiny.cycle(tmp_path)

    def make(*overrides):
        spec = tiny.read(tmp_path, text, *(f"algorithm.cyclegan.{change}" for change in overrides))
        algorithm = loop.make(spec)
        drawn = loop.make_batches(spec, algorithm, load_data(spec))[0]
        return algorithm, {name: ops.convert_to_tensor(array) for name, array in drawn.items()}

    return make


def phase(algorithm, name):
    return next(one for one in algorithm.phases() if one.name == name)


def loss_of(algorithm, name, batch):
    """The loss of a phase, and what it hands on to the discriminators: {fake_a: tensor, fake_b: tensor}."""
    loss, extras = phase(algorithm, name).loss(batch, 0)
    reused = "reused discriminators "
    return loss, {key.removeprefix(reused): x for key, x in extras.items() if key.startswith(reused)}


def handed_on(**fakes):
    return {f"reused discriminators {name}": fake for name, fake in fakes.items()}


def run(algorithm, role, image):
    plan = algorithm.plans[role]
    (tap,) = plan.inputs
    return algorithm.players[role]({tap: image}, training=True)[plan.output_name]


def mean(x):
    return float(np.mean(ops.convert_to_numpy(x)))


def values(algorithm):
    return {role: [v.numpy().copy() for v in network.weights] for role, network in algorithm.players.items()}


def moved(before, after):
    return {role for role in before if any((x != y).any() for x, y in zip(before[role], after[role], strict=True))}


def test_the_generators_objective(game):
    algorithm, batch = game("cycle_a=3", "cycle_b=7", "identity=2")
    a, b = batch["a"][0], batch["b"][0]
    fake_b, fake_a = run(algorithm, "a_to_b", a), run(algorithm, "b_to_a", b)
    fooled = [mean((run(algorithm, f"discriminator_{x}", f) - 1) ** 2) for x, f in (("a", fake_a), ("b", fake_b))]
    back_a = mean(abs(run(algorithm, "b_to_a", fake_b) - a))
    back_b = mean(abs(run(algorithm, "a_to_b", fake_a) - b))
    alone = mean(abs(run(algorithm, "a_to_b", b) - b)) + mean(abs(run(algorithm, "b_to_a", a) - a))
    loss, extras = loss_of(algorithm, "generators", batch)
    assert float(loss) == pytest.approx(sum(fooled) + 3 * back_a + 7 * back_b + 2 * alone, rel=1e-5)
    assert abs(back_a - back_b) > 1e-3  # the two weights cannot have changed places unseen
    assert set(extras) == {"fake_a", "fake_b"}
    np.testing.assert_allclose(extras["fake_a"], fake_a, atol=1e-6)
    np.testing.assert_allclose(extras["fake_b"], fake_b, atol=1e-6)


def test_the_discriminators_objective_is_halved(game):
    algorithm, batch = game()
    random = np.random.RandomState(1)
    fakes = {x: random.uniform(-1, 1, (2, 8, 8, 3)).astype("float32") for x in "ab"}
    shown = {**batch, **handed_on(fake_a=fakes["a"], fake_b=fakes["b"])}
    loss, _ = loss_of(algorithm, "discriminators", shown)
    each = 0.0
    for x in "ab":
        judge = f"discriminator_{x}"
        each += mean((run(algorithm, judge, batch[x][0]) - 1) ** 2) + mean(run(algorithm, judge, fakes[x]) ** 2)
    assert float(loss) == pytest.approx(0.5 * each, rel=1e-5)
    whole, batch = game("discriminator_weight=1")
    whole.set_weights(algorithm.get_weights())
    for pool in whole.pools.values():
        pool.count.assign(0.0)
    twice, _ = loss_of(whole, "discriminators", {**batch, **handed_on(fake_a=fakes["a"], fake_b=fakes["b"])})
    assert float(twice) == pytest.approx(each, rel=1e-5)


@pytest.mark.parametrize(("identity", "passes"), [(5, 6), (0, 4)])
def test_without_identity_its_passes_are_spared(game, identity, passes, monkeypatch):
    algorithm, batch = game(f"identity={identity}")
    calls = watch(algorithm, monkeypatch)
    loss_of(algorithm, "generators", batch)
    asked = [role for role, *_ in calls]
    assert sum(role in MAKERS for role in asked) == passes and sum(role in JUDGES for role in asked) == 2


def test_each_phase_moves_its_two_networks_and_no_other(game, monkeypatch):
    algorithm, batch = game()
    both = algorithm.phases()
    fakes = handed_on(**{f"fake_{x}": batch[x][0] for x in "ab"})
    for one, theirs in zip(both, (MAKERS, JUDGES), strict=True):
        monkeypatch.setattr(algorithm, "phases", lambda one=one: (one,))
        before, stored = values(algorithm), [float(pool.count) for pool in algorithm.pools.values()]
        algorithm.step({**batch, **fakes})
        assert moved(before, values(algorithm)) == theirs
        added = [float(pool.count) - n for pool, n in zip(algorithm.pools.values(), stored, strict=True)]
        assert added == ([0, 0] if theirs == MAKERS else [2, 2])  # only D's turn fills the pools


def test_one_optimizer_moves_both_networks_of_a_side(game):
    algorithm, _ = game()
    for name, roles in (("generators", MAKERS), ("discriminators", JUDGES)):
        weights = sum(len(algorithm.players[role].trainable_variables) for role in roles)
        turn = phase(algorithm, name)
        assert len(turn.variables) == weights and turn.repeat == 1
        assert len(turn.optimizer.variables) == 2 * weights + 2  # two moments each, a count and a rate


@pytest.mark.parametrize("way", ["cycle_a", "cycle_b"])
def test_a_cycle_teaches_both_translators(game, way):
    other = {"cycle_a": "cycle_b", "cycle_b": "cycle_a"}[way]
    values = "{g_loss_a: 1.0e-12, g_loss_b: 1.0e-12}"  # the cycle alone
    algorithm, batch = game(f"{other}=0", "identity=0", f"generators.minimise={values}")
    for role in sorted(MAKERS):
        variables = algorithm.players[role].trainable_variables
        gradients = autodiff.value_and_grad(lambda: phase(algorithm, "generators").loss(batch, 0), variables).gradients
        assert all(float(ops.max(ops.abs(g))) > 1e-6 for g in gradients[0::2]), role  # kernels


def test_the_discriminators_see_the_fakes_of_this_step(game, monkeypatch):
    algorithm, batch = game("pool_size=0")
    expected = {"a": run(algorithm, "b_to_a", batch["b"][0]), "b": run(algorithm, "a_to_b", batch["a"][0])}
    calls = watch(algorithm, monkeypatch)
    algorithm.step(batch)
    for x in "ab":
        seen = [inputs[x] for role, inputs, _ in calls if role == f"discriminator_{x}"]
        _, shown = seen[-2:]  # D's own turn: real ones, then fakes
        np.testing.assert_allclose(shown, expected[x], atol=1e-6)


def numbered(*numbers):
    return np.array(numbers, "float32").reshape(-1, 1, 1, 1)


def test_the_pool_shows_new_ones_until_it_is_full_and_then_swaps_image_by_image():
    pool = Pool((1, 1, 1), size=3, name="pool")

    def show(images, *chance):
        return ops.convert_to_numpy(pool.query(numbered(*images), np.array(chance, "float32"))).ravel().tolist()

    def stored():
        return ops.convert_to_numpy(pool.images.value).ravel().tolist()

    assert show([1, 2], (0.0, 0.9), (0.0, 0.9)) == [1, 2]  # a coin for swapping has no say yet
    assert (stored(), float(pool.count)) == ([1, 2, 0], 2)
    assert show([3, 4], (0.0, 0.0), (0.4, 0.5)) == [3, 2]  # full after the first: the second takes the place of 2
    assert (stored(), float(pool.count)) == ([1, 4, 3], 3)
    assert show([5, 6], (0.5, 0.9), (0.49, 0.999)) == [5, 3]  # 5 is shown and not kept
    assert (stored(), float(pool.count)) == ([1, 4, 6], 3)


def test_a_full_pool_returns_old_images_about_half_of_the_time_and_all_of_them_equally():
    pool, random = Pool((1, 1, 1), size=5, name="pool"), np.random.RandomState(0)
    for number in range(5):
        pool.query(numbered(number), random.uniform(size=(1, 2)).astype("float32"))
    old, places = 0, []
    for number in range(5, 605):
        before = ops.convert_to_numpy(pool.images.value).ravel().tolist()
        shown = float(pool.query(numbered(number), random.uniform(size=(1, 2)).astype("float32"))[0, 0, 0, 0])
        if shown != number:
            old += 1
            places.append(before.index(shown))
            assert ops.convert_to_numpy(pool.images.value).ravel().tolist()[places[-1]] == number
    assert 250 < old < 350  # of 600: 300, standard deviation 12
    assert np.bincount(places, minlength=5).min() > 35  # 60 each, standard deviation 7


def test_the_pools_chance_comes_with_the_batch(game):
    algorithm, batch = game()
    assert set(algorithm.noise) == {"pool_a", "pool_b"} and batch["pool_a"].shape == (1, 2, 2)
    assert (ops.convert_to_numpy(batch["pool_a"]) != ops.convert_to_numpy(batch["pool_b"])).all()
    without, batch = game("pool_size=0")
    assert set(batch) == {"a", "b"} and not without.extra_state()


def test_a_run_that_goes_on_equals_one_that_never_ended(tmp_path):
    text = tiny.cycle(tmp_path)
    whole = tiny.train(tmp_path / "whole", text, steps=5)
    tiny.train(tmp_path / "parts", text, steps=3)  # the pool of three is full, and has swapped
    parts = tiny.train(tmp_path / "parts", text, steps=5, resume=True)
    one, other = (run.algorithm.state() for run in (whole, parts))
    assert {f"pool_{x}/{what}" for x in "ab" for what in ("images", "count")} <= set(one)
    assert float(one["pool_a/count"].numpy()) == 3 and (one["pool_a/images"].numpy() != 0).all()
    for name, variable in one.items():
        np.testing.assert_array_equal(variable.numpy(), other[name].numpy(), err_msg=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("source: {folders: {a: FOLDER/a, b: FOLDER/b}}", "source: cifar10"), "a translation needs two"),
        (("b_to_a: {inputs: b, output: a,", "b_to_a: {inputs: a, output: a,"), "takes images of 'b', received 'a'"),
        (("b_to_a: {inputs: b, output: a,", "b_to_a: {inputs: b, output: b,"), "makes images of 'a', received 'b'"),
        (("discriminator_b: {inputs: b", "discriminator_b: {inputs: a"), "discriminator_b.inputs: takes images of 'b'"),
        (("  discriminator_b:", "  d_b:"), "trains a network called 'discriminator_b'"),
        (("Conv2D: {filters: 1}", "Conv2D: {filters: 1, activation: sigmoid}"), "logits are the values before"),
        (("identity", "identity"), None),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_built(tmp_path, change, message):
    text = tiny.CYCLE.replace(*change)
    if message is None:
        tiny.read(tmp_path, text)
        return
    with pytest.raises(SpecError, match=message):
        tiny.read(tmp_path, text)


def test_pools_are_tracked_and_never_trained(game):
    algorithm, _ = game()
    tracked = {id(v) for v in algorithm.non_trainable_variables}
    assert all(id(v) in tracked for v in algorithm.extra_state().values())
    assert not {id(v) for v in algorithm.trainable_variables} & {id(v) for v in algorithm.extra_state().values()}
    assert isinstance(algorithm.pools["pool_a"], keras.layers.Layer)


def test_training_sees_windows_of_what_it_holds_and_judges_see_whole_images(tmp_path):
    spec = tiny.read(tmp_path, tiny.cycle(tmp_path), "data.jitter_from=10", "data.fit=resize")
    held, whole = load_data(spec), load_data(spec, split="train")
    assert held.a.images.shape == held.b.images.shape == (10, 10, 10, 3) and whole.a.images.shape == (10, 8, 8, 3)
    batches = loop.make_batches(spec, loop.make(spec), held)
    assert batches[0]["a"].shape == batches[0]["b"].shape == (1, 2, 8, 8, 3)
    seen = batches[0]["a"][0, 0]
    places = [(n, y, x) for n in range(10) for y in range(3) for x in range(3)]
    distances = [np.abs(seen - (held.a.images[n, y : y + 8, x : x + 8] / 127.5 - 1)).max() for n, y, x in places]
    assert sorted(distances)[0] < 1e-6 < 0.1 < sorted(distances)[1]
