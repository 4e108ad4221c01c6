"""What holds for every spec of specs/: networks as planned, a step that keeps its own rules, an artifact that agrees.

The examples are noise of the right shape, so that nothing is fetched; all else is the spec's own, in batches of two.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from games import images, moved, names, numpy, values, watch
from keras import ops

import zoo
from zoo.artifact.manifest import read_manifests
from zoo.data.dataset import Domains
from zoo.export import exporter
from zoo.spec import feeds
from zoo.spec.read import read_spec
from zoo.spec.sections import RESERVED
from zoo.spec.validate import specs_folder
from zoo.train import loop

SPECS = sorted(specs_folder().glob("[!_]*.yaml"))
BATCH = 2
SMALL = (
    f"training.batch_size={BATCH}", "training.xla=false", "training.checkpoint_every_seconds=1e9",
    "export.batch_norm_batches=4",
)  # fmt: skip
SMALLER = {  # of what would take minutes at its own size
    "style_transfer": ("data.size=32", "algorithm.game.values.style.picture.size=32"),
}
# What is added to all logits of D cancels in these losses (the hinges at the start), so their bias has no gradient.
LAST_BIAS_RESTS = ("critters", "letters", "sngan", "terrain", "text_to_image_matching", "wgan_gp")


def small(path):
    """The changes with which an entry is played here."""
    return (*SMALL, *SMALLER.get(path.stem, ()))


def noise(spec, *, split=None):
    """A data set of noise in the shape of the spec's own; the points of a ring need no download."""
    if "a" in spec.fields:
        a, b = (images(spec, 64, field=field, seed=seed) for seed, field in enumerate("ab"))
        return Domains("noise", a, b, paired=True)
    made = images(spec, 64) if "image" in spec.fields else load_data(spec)
    if spec.name == "style_transfer":  # through 15 instance norms a picture of one colour has no finite gradient
        made.images[:2] = made.images[2:4]
    return made


load_data = feeds.load_data


@dataclass
class Update:
    """One update of a step: its phase, the passes of networks in it, and the names of the variables that it moved."""

    phase: str
    passes: list
    moved: set


@dataclass
class Play:
    """One step of a spec, update by update."""

    spec: object
    algorithm: object
    batch: dict
    weights: dict
    logs: dict
    updates: list


@pytest.fixture(scope="module", params=SPECS, ids=lambda path: path.stem)
def play(request):
    spec = read_spec(request.param, small(request.param))
    algorithm = loop.make(spec)
    weights = {role: model.trainable_variables for role, model in algorithm.players.items()}
    batches = loop.make_batches(spec, algorithm, noise(spec))
    number = next(i for i in range(100) if all(batches[i].get(p.active, [1])[0] for p in algorithm.phases()))
    algorithm.begin(number)
    batch = {name: ops.convert_to_tensor(value) for name, value in batches[number].items()}
    updates, last = [], values(algorithm)
    with pytest.MonkeyPatch.context() as patch:
        calls = watch(algorithm, patch)

        def spied(phase):
            def loss(batch, i):
                updates.append(Update(phase.name, [], set()))
                calls.clear()
                found = phase.loss(batch, i)
                updates[-1].passes = list(calls)
                return found

            def after():
                nonlocal last
                if phase.after:
                    phase.after()
                next(u for u in updates if u.phase == phase.name and not u.moved).moved = moved(last, algorithm)
                last = values(algorithm)

            return replace(phase, loss=loss, after=after)

        phases = tuple(map(spied, algorithm.phases()))
        patch.setattr(algorithm, "phases", lambda: phases)
        logs = algorithm.train_step((batch,))
    return Play(spec, algorithm, batch, weights, logs, updates)


def own(play, phase, kind):
    """Names of the `trainable` weights or `moving` statistics of the networks whose turn `phase` is."""
    side = phase.startswith("discriminator")
    roles = [role for role in play.spec.trained if role.startswith("discriminator") == side]
    return set().union(*(names(play.algorithm, role, kind=kind) for role in roles))


def test_networks_have_the_planned_parameters(play):
    planned = {role: plan.parameters for role, plan in play.spec.plans.items()}
    assert {role: sum(math.prod(v.shape) for v in found) for role, found in play.weights.items()} == planned


def test_what_a_step_draws_has_names_that_no_latent_can_have(play):
    """Or the name of a value of the game, which the check keeps apart from latents."""
    game = getattr(play.algorithm, "game", None)
    own = {*play.algorithm.noise, *play.algorithm.step_inputs(0)} - set(getattr(game, "values", ()))
    assert {name for name in own if not name.endswith("_plays")} <= set(RESERVED)


def test_losses_are_finite(play):
    phases = play.algorithm.phases()
    assert list(play.logs)[: len(phases)] == [f"{phase.name}_loss" for phase in phases]  # then terms and states
    assert all(np.isfinite(float(loss)) for loss in play.logs.values())


def test_players_make_their_updates_in_turn(play):
    phases = play.algorithm.phases()
    assert [update.phase for update in play.updates] == [p.name for p in phases for _ in range(p.repeat)]
    assert [int(phase.optimizer.iterations) for phase in phases] == [phase.repeat for phase in phases]


def behind_zeros(play, role):
    """Weights of residual blocks whose last convolution begins at zero: nothing before it has a gradient yet."""
    steps = [s for s in play.spec.plans[role].steps if s.layer == "Bias" or "Fixup" in str(s.args)]
    layers = tuple(f"{step.layer.lower()}_{step.output}/" for step in steps)
    return [v.path for v in play.algorithm.players[role].trainable_variables if v.path.startswith(layers)]


def test_an_update_moves_exactly_the_weights_of_its_own_player(play):
    every = {name for role in play.algorithm.players for name in names(play.algorithm, role)}
    resting = {f"{role}/{path}" for role in play.algorithm.players for path in behind_zeros(play, role)}
    if play.spec.name in LAST_BIAS_RESTS:
        owned = [(role, v) for role in play.algorithm.players for v in play.algorithm.players[role].trainable_variables]
        single = [f"{role}/{v.path}" for role, v in owned if v.path.endswith("bias") and v.shape == (1,)]
        resting = {name for name in single if name.startswith("discriminator")}
        assert len(resting) == 1
    for update in play.updates:
        assert update.moved & every | resting == own(play, update.phase, "trainable") | resting


def test_an_update_moves_the_statistics_of_its_own_player_alone(play):
    """Batch norm's averages and power iterations; each pass draws other dropout masks, whose seeds count on."""
    for update in play.updates:
        statistics = {name for name in update.moved if "seed" not in name} - own(play, update.phase, "trainable")
        moving, others = own(play, update.phase, "moving"), own(play, update.phase, "seeds")
        assert moving <= statistics <= moving | others


def test_each_update_has_noise_of_its_own(play):
    for name in play.spec.sections.latent:
        seen = [{inputs[name].tobytes() for _, inputs, _ in u.passes if name in inputs} for u in play.updates]
        assert len(set().union(*seen)) == sum(map(len, seen)) == len(play.updates)


def test_chance_is_a_function_of_seed_and_step(play):
    spec, algorithm = play.spec, play.algorithm
    reseeded = read_spec(spec.path, (*small(spec.path), "training.seed=1"))
    first, again, other = (loop.make_batches(s, algorithm, noise(s)) for s in (spec, spec, reseeded))
    for name, drawn in first[0].items():
        np.testing.assert_array_equal(drawn, again[0][name], err_msg=name)
    for name in {*spec.sections.latent, *algorithm.noise}:
        draws = [draw.tobytes() for drawn in (first[0], first[1], other[0]) for draw in drawn[name]]
        assert len(draws) == len(set(draws)) == 3 * len(first[0][name]), name


def reduced(images, like):
    """Real examples [B, H, W, C] at the size of a pass, which is smaller while an algorithm grows."""
    if images.ndim < 4:
        return images
    side = like.shape[1]
    return images.reshape(len(images), side, -1, side, images.shape[2] // side, images.shape[3]).mean(axis=(2, 4))


def test_real_and_fake_pass_the_discriminator_apart(play):
    """One batch of both would share one batch norm between them. Every pass normalises by its own batch."""
    passes = [one for update in play.updates for one in update.passes]
    assert all(training is (name in play.spec.trained) for name, _, training in passes)
    assert all(len(x) == BATCH for name, inputs, _ in passes for x in inputs.values() if name in play.spec.trained)
    judges = [role for role in play.algorithm.players if role.startswith("discriminator")]
    made = {plan.output_name for role, plan in play.algorithm.plans.items() if role not in judges} & play.batch.keys()
    judges = [role for role in judges if play.algorithm.plans[role].inputs.keys() & made]  # not what reads words for D
    for i, update in enumerate(one for one in play.updates if one.phase.startswith("discriminator")):
        for role in judges:
            (field,) = play.algorithm.plans[role].inputs.keys() & made
            seen = [inputs[field] for name, inputs, _ in update.passes if name == role]
            real = reduced(numpy(play.batch[field][i]), seen[0])
            assert [bool(np.allclose(x, real, atol=1e-6)) for x in seen].count(True) == 1 < len(seen)


def ignores_training_mode(network, fields):
    """Whether it has no dropout, and no statistics that depend on who else is in the batch."""
    random = np.random.RandomState(0)
    if network.manifest.kind == "translation":
        feed = {name: random.uniform(-1, 1, (3, *fields[name])).astype("float32") for name in network.inputs}
    else:
        feed = network.latents(3)
    together, again = network(**feed), network(**feed)
    alone = network(**{name: value[1:2] for name, value in feed.items()})
    assert np.abs(together[0] - together[1]).max() > 1e-4
    return np.array_equal(together, again) and np.allclose(alone, together[1:2], rtol=0, atol=1e-5)


def test_it_is_exported_and_agrees(play, tmp_path, monkeypatch):
    monkeypatch.setattr(feeds, "load_data", noise)
    run = loop.Run(play.spec, play.algorithm, 1, 1.0, "all steps are done", loop.machine(), tmp_path / "run")
    made = exporter.export(run, out=tmp_path / "out")
    for manifest in read_manifests(made.folder):
        assert 0 < manifest.parity["max_abs_difference"] <= manifest.parity["tolerance"] == 1e-4
        assert manifest.spec_sha256 == play.spec.sha256
        assert ignores_training_mode(zoo.load(made.folder / manifest.file), play.spec.fields)
    assert (made.folder / "samples.png").stat().st_size > 0


def slow_but_for(*quick):
    """Sweep over all specs, of which those that are not named are slow: `python -m pytest -m slow` has them."""
    marked = [pytest.param(path, marks=[] if path.stem in quick else pytest.mark.slow) for path in SPECS]
    return pytest.mark.parametrize("path", marked, ids=lambda path: path.stem)


@slow_but_for("cgan", "progressive", "unrolled")  # an entry of each game that needs no pictures of two kinds
def test_it_trains(path, tmp_path, monkeypatch):
    """Compiled, and with all that a training does besides."""
    monkeypatch.setattr(feeds, "load_data", noise)
    assert loop.train(read_spec(path, small(path)), runs=tmp_path, steps=2).step == 2


@slow_but_for("cgan")  # images and labels
def test_it_goes_on_where_it_was_stopped(path, tmp_path, monkeypatch):
    """Four steps are two and two, to the last bit of what a checkpoint holds: weights, moments, averages, states."""
    monkeypatch.setattr(feeds, "load_data", noise)
    spec, whole, parts = read_spec(path, small(path)), tmp_path / "whole", tmp_path / "parts"
    loop.train(spec, runs=whole, steps=4)
    assert loop.train(spec, runs=parts, steps=2).step == 2
    assert loop.train(spec, runs=parts, steps=4, resume=True).step == 4
    (expected,), (found,) = (list(folder.rglob("checkpoint.npz")) for folder in (whole, parts))
    with np.load(expected) as one, np.load(found) as other:
        names = {name for name in one.files if one[name].dtype.kind in "fiu"}
        assert set(one.files) == set(other.files) and len(names) > 10
        for name in names:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
