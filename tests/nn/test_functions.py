"""The functions of a game: values by hand, and for every registered one its gradient against finite differences."""

import inspect
import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from zoo.core.errors import UsageError
from zoo.core.registry import signature_of
from zoo.nn import calls  # noqa: F401 - registers all
from zoo.nn.functions import CHANCE, FUNCTIONS, evaluate, like
from zoo.nn.functions_drawing import Pool
from zoo.nn.losses import LOSSES
from zoo.spec.function_shapes import RULES, Operand, function_rule
from zoo.spec.game_plan import Call, Reference

RANDOM = np.random.RandomState(0)
X, Y, U = (RANDOM.standard_normal((3, 4)) for _ in range(3))
IMAGES, OTHERS = (np.tanh(RANDOM.standard_normal((3, 6, 6, 2))) for _ in range(2))
LABELS = np.array([0, 2, 1])
WORDS = np.array([[1, 3, 3, 0], [2, 0, 0, 0], [0, 0, 0, 0]])  # ids of words; 0 fills up
CHANCE_12 = RANDOM.uniform(size=(3, 12))

# One call of each function: its arguments, float64 arrays for tensors. Those of adversarial losses are made below.
CALLS = {
    "l1": {"between": (X, Y)},
    "l2": {"between": (X, Y)},
    "gram": {"between": (IMAGES, OTHERS)},
    "feature_matching": {"real": X, "fake": Y},
    "total_variation": {"of": IMAGES},
    "cross_entropy": {"of": X, "labels": LABELS},
    "binary_cross_entropy": {"of": X, "target": 0.9},
    "gaussian_nll": {"of": X, "mean": Y, "log_variance": U},
    "gaussian_kl": {"mean": X, "log_variance": Y},
    "normal": {"shape": (4,), "chance": X},
    "uniform": {"shape": (4,), "chance": X},
    "categorical": {"classes": 3, "chance": CHANCE_12[:, :1]},
    "another": {"of": Y, "chance": X},
    "shuffled": {"of": X, "unlike": LABELS, "chance": CHANCE_12[:, :1]},
    "augmented": {
        "of": IMAGES, "policy": ("flip", "color", "translation", "cutout"), "probability": 0.9, "chance": CHANCE_12
    },
    "perturbed": {"of": X, "scale": 0.5, "chance": Y},
    "gaussian": {"mean": X, "log_variance": Y, "chance": U},
    "style_mixing": {"of": X, "with": Y, "layers": 3, "probability": 0.9, "chance": CHANCE_12[:, :2]},
    "pool": {"of": X, "size": 2, "probability": 0.5, "chance": CHANCE_12[:, :2]},
    "gradient_penalty": {"of": X, "wrt": (IMAGES, Y)},
    "r1": {"of": X, "wrt": (IMAGES,)},
    "path_lengths": {"of": IMAGES, "wrt": (Y,), "chance": IMAGES},
    "stop_gradient": {"of": X},
    "lerp": {"from": X, "to": Y, "share": CHANCE_12[:, :1]},
    "sum": {"terms": ((X, 2.0), (Y, -1.0)), "constant": 3.0},
    "product": {"of": (X, Y, U)},
    "mean": {"of": X},
    "abs": {"of": X},
    "square": {"of": X},
    "relu": {"of": X},
    "sign": {"of": X},
    "log": {"of": np.exp(X)},
    "softmax": {"of": X},
    "one_hot": {"of": LABELS, "classes": 4},
    "word_set": {"of": WORDS, "size": 4},
    "words_nll": {"of": X, "text": WORDS},
    "slice": {"of": X, "start": 1, "size": 2},
    "tiled": {"of": X, "times": 3},
    "resized": {"of": IMAGES, "size": 3},
    "picture": {},  # needs a file: below
    "input": {"default": 0.7},
    "orthogonal": {},  # of a network: below
}  # fmt: skip
for _loss in LOSSES:
    CALLS |= {
        f"{_loss}.discriminator": {"real": X, "fake": Y},
        f"{_loss}.generator": {"real": X, "fake": Y, "relativistic": "pairing"},
        f"{_loss}.real": {"of": X},
        f"{_loss}.fake": {"of": Y},
    }
NO_TENSOR = ("picture", "input", "orthogonal")
WITHOUT_GRADIENT = {name for name, rule in RULES.items() if rule.stops}


def call(name, **changes):
    arguments = {**CALLS[name], **changes}
    if name == "pool":
        arguments["memory"] = Pool((4,), size=2, name="pool")
    return evaluate(name, tensors(arguments))


def tensors(argument):
    if isinstance(argument, np.ndarray):
        return tf.constant(argument)
    if isinstance(argument, dict):
        return {key: tensors(one) for key, one in argument.items()}
    return tuple(map(tensors, argument)) if isinstance(argument, tuple) else argument


def value(name, **changes):
    return np.array(call(name, **changes))


def test_every_function_has_a_call_here_and_a_rule_of_its_shape():
    assert CALLS.keys() == {*FUNCTIONS}
    assert not [name for name in FUNCTIONS if function_rule(name) is None]
    others = {name for name in FUNCTIONS if name.split(".")[0] not in LOSSES}
    assert {name for name in RULES if not name.startswith(".")} == others


@pytest.mark.parametrize("name", [name for name in CALLS if name not in NO_TENSOR])
def test_the_shape_is_that_of_the_rule(name):
    """The rule knows it without running anything."""

    def operand(argument, key):
        if key in ("chance", "wrt", "policy", "shape"):
            return argument
        if key == "terms":
            return tuple((operand(x, ""), weight) for x, weight in argument)
        if isinstance(argument, tuple):
            return tuple(operand(one, "") for one in argument)
        return Operand("x", argument.shape[1:]) if isinstance(argument, np.ndarray) else argument

    defaults = {k.rstrip("_"): p.default for k, p in signature_of(FUNCTIONS.get(name)).parameters.items()}
    stated = {key: operand(argument, key) for key, argument in CALLS[name].items()}
    shape = function_rule(name).shape({**defaults, **stated})
    found = value(name).shape
    assert found == (() if shape is None else (3, *shape))


@pytest.mark.parametrize("name", [name for name in CALLS if "per" in str(signature_of(FUNCTIONS.get(name)))])
def test_the_mean_over_examples_is_the_whole(name):
    if "per" not in signature_of(FUNCTIONS.get(name)).parameters:
        pytest.skip("has no `per`")
    each = value(name, per="example")
    assert each.shape == (3,) and each.mean() == pytest.approx(float(value(name)), rel=1e-9)


def places(arguments):
    """(path, array) of each tensor of numbers that gradients may reach."""
    for key, argument in arguments.items():
        if key in ("chance", "labels", "unlike", "share", "text"):
            continue
        if isinstance(argument, np.ndarray):
            yield (key,), argument
        if isinstance(argument, tuple):
            for i, one in enumerate(argument):
                one = one[0] if isinstance(one, tuple) else one
                if isinstance(one, np.ndarray):
                    yield (key, i), one


def changed(arguments, path, array):
    key, *rest = path
    if not rest:
        return {**arguments, key: array}
    parts = list(arguments[key])
    parts[rest[0]] = (array, *parts[rest[0]][1:]) if isinstance(parts[rest[0]], tuple) else array
    return {**arguments, key: tuple(parts)}


@pytest.mark.parametrize("name", [name for name in CALLS if name not in NO_TENSOR])
def test_gradients_are_the_finite_differences(name):
    """Of sum(w * result) by every tensor, w random, so that no two components cancel."""
    weights = np.random.RandomState(1).standard_normal(value(name).shape)

    def objective(arguments):
        return tf.reduce_sum(tf.cast(call(name, **arguments), "float64") * weights)

    for path, array in places(CALLS[name]):
        at = tf.constant(array)
        with tf.GradientTape() as tape:
            tape.watch(at)
            loss = objective(changed(CALLS[name], path, at))
        gradient = tf.convert_to_tensor(tape.gradient(loss, at, unconnected_gradients="zero")).numpy()
        if name in WITHOUT_GRADIENT:
            assert not gradient.any()
            continue
        random = np.random.RandomState(2)
        for _ in range(3):
            direction = random.standard_normal(array.shape)
            sides = [float(objective(changed(CALLS[name], path, array + s * 1e-6 * direction))) for s in (1, -1)]
            expected = (sides[0] - sides[1]) / 2e-6
            assert (gradient * direction).sum() == pytest.approx(expected, rel=1e-5, abs=1e-7), path


# Adversarial: the sides, and pairs.


@pytest.mark.parametrize("loss", list(LOSSES))
def test_the_sides_add_up_to_the_discriminators_loss(loss):
    whole = value(f"{loss}.discriminator")
    assert float(whole) == pytest.approx(float(value(f"{loss}.real", of=X) + value(f"{loss}.fake", of=Y)), abs=1e-12)
    assert float(whole) == pytest.approx(float(LOSSES.get(loss)().discriminator(X, Y)), abs=1e-12)
    plain = evaluate(f"{loss}.generator", {"fake": tf.constant(Y)})
    assert float(plain) == pytest.approx(float(LOSSES.get(loss)().generator(Y)), abs=1e-12)


def test_a_pairing_sees_differences_alone():
    """Huang et al. 2024: E softplus(-(D(x) - D(G(z)))) for D, the same with the sides exchanged for G."""
    d = value("non_saturating.discriminator", relativistic="pairing")
    g = value("non_saturating.generator")
    assert float(d) == pytest.approx(np.mean(np.log1p(np.exp(Y - X))), abs=1e-12)
    assert float(g) == pytest.approx(np.mean(np.log1p(np.exp(X - Y))), abs=1e-12)
    moved = value("non_saturating.discriminator", real=X + 5.0, fake=Y + 5.0, relativistic="pairing")
    assert float(moved) == pytest.approx(float(d), abs=1e-12)


def test_the_average_is_that_of_the_other_side():
    """Jolicoeur-Martineau 2018, eqs. 9 and 10, with the hinge."""
    d = value("hinge.discriminator", relativistic="average")
    expected = np.maximum(0, 1 - (X - Y.mean())).mean() + np.maximum(0, 1 + (Y - X.mean())).mean()
    assert float(d) == pytest.approx(expected, abs=1e-12)
    g = value("hinge.generator", relativistic="average")
    expected = np.maximum(0, 1 - (Y - X.mean())).mean() + np.maximum(0, 1 + (X - Y.mean())).mean()
    assert float(g) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", [name for name in LOSSES if LOSSES.get(name)().zero_sum])
def test_a_relativistic_zero_sum_game_stays_one(loss):
    for how in ("pairing", "average"):
        d, g = (value(f"{loss}.{side}", relativistic=how) for side in ("discriminator", "generator"))
        assert float(d) == pytest.approx(-float(g), abs=1e-12)


def test_a_relativistic_generator_needs_real_logits():
    with pytest.raises(UsageError, match="needs `real`"):
        call("hinge.generator", real=None)


def test_the_arguments_of_a_loss_are_those_of_its_functions():
    assert float(value("lsgan.generator", relativistic=None, c=0.5, weight=2.0)) == pytest.approx(
        2 * np.mean((Y - 0.5) ** 2), abs=1e-12
    )
    assert "discriminator_weight" not in signature_of(FUNCTIONS.get("minimax.real")).parameters


# Distances and likelihoods.


def test_distances_by_hand():
    assert float(value("l1")) == pytest.approx(np.abs(X - Y).mean(), abs=1e-12)
    assert float(value("l2")) == pytest.approx(((X - Y) ** 2).mean(), abs=1e-12)
    assert float(value("feature_matching")) == pytest.approx(np.abs(X.mean(0) - Y.mean(0)).mean(), abs=1e-12)
    squares = (X.mean(0) - Y.mean(0)) ** 2
    assert float(value("feature_matching", norm="l2")) == pytest.approx(squares.mean(), abs=1e-12)


def test_gram_by_hand():
    """Gatys et al. 2015: products of channels over all places, here divided by their number."""
    a, b = (np.einsum("nhwc,nhwd->ncd", x, x) / (6 * 6 * 2) for x in (IMAGES, OTHERS))
    assert float(value("gram")) == pytest.approx(((a - b) ** 2).mean(), abs=1e-12)
    two = evaluate("gram", {"between": tensors(((IMAGES, X3), (OTHERS, X3))), "layers": ("one", "two")})
    assert float(two) == pytest.approx(((a - b) ** 2).mean() / 2, abs=1e-12)  # the second layers are equal


X3 = RANDOM.standard_normal((3, 2, 2, 5))


def test_total_variation_by_hand():
    image = np.zeros((1, 2, 2, 1))
    image[0, 0, 0, 0] = 2.0  # one pixel of four: one of two differences down, one of two across
    assert float(value("total_variation", of=image)) == pytest.approx(2.0 + 2.0, abs=1e-12)


def test_likelihoods_by_hand():
    probabilities = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    expected = -np.log(probabilities[range(3), LABELS]).mean()
    assert float(value("cross_entropy")) == pytest.approx(expected, abs=1e-12)
    p = 1 / (1 + np.exp(-X))
    expected = -(0.9 * np.log(p) + 0.1 * np.log(1 - p)).mean()
    assert float(value("binary_cross_entropy")) == pytest.approx(expected, abs=1e-12)
    density = np.exp(-((X - Y) ** 2) / (2 * np.exp(U))) / np.sqrt(2 * math.pi * np.exp(U))
    assert float(value("gaussian_nll")) == pytest.approx(-np.log(density).mean(), abs=1e-12)
    assert float(value("gaussian_kl", mean=0 * X, log_variance=0.0)) == pytest.approx(0, abs=1e-12)
    assert float(value("gaussian_kl", log_variance=0.0)) == pytest.approx((X**2).mean() / 2, abs=1e-12)
    told = [-(np.log(p[0, 1]) + np.log(p[0, 3])) / 2, -np.log(p[1, 2]), 0.0]  # of each word once; of none nothing
    np.testing.assert_allclose(value("words_nll", per="example"), told, rtol=1e-12)


# Penalties: `wrt` is the derivative itself.


def norms(*arrays):
    return np.sqrt(sum((a.reshape(3, -1) ** 2).sum(1) for a in arrays))


def test_penalties_by_hand():
    slopes = norms(IMAGES, Y)
    assert float(value("gradient_penalty")) == pytest.approx(((slopes - 1) ** 2).mean(), rel=1e-9)
    assert float(value("gradient_penalty", target=2.0)) == pytest.approx(((slopes / 2 - 1) ** 2).mean(), rel=1e-9)
    one = value("gradient_penalty", wrt=(Y / norms(Y)[:, None] * [[0.5], [1.0], [3.0]],), one_sided=True)
    assert float(one) == pytest.approx(4 / 3, rel=1e-6)
    sixth = value("gradient_penalty", target=0.0, power=6)
    assert float(sixth) == pytest.approx((slopes**6).mean(), rel=1e-9)
    assert float(value("r1")) == pytest.approx((norms(IMAGES) ** 2).mean() / 2, rel=1e-9)


def test_path_lengths_by_hand():
    """With styles for each layer the root of the mean over the layers; one number for each example."""
    np.testing.assert_allclose(value("path_lengths"), norms(Y), rtol=1e-9)
    layers = np.stack([Y, 2 * Y], 1)  # [B, layers, features]
    np.testing.assert_allclose(value("path_lengths", wrt=(layers,)), norms(Y) * np.sqrt(2.5), rtol=1e-9)


def test_orthogonal_by_hand():
    """Products of different rows, squared; rows of an identity cost nothing, and biases do not count."""
    import keras

    x = keras.Input((2,))
    network = keras.Model(x, keras.layers.Dense(2)(x))
    kernel = np.array([[1.0, 2.0], [0.5, -1.0]], "float32")  # units are columns: 1 * 2 + 0.5 * -1 = 1.5, twice
    network.set_weights([kernel, np.ones(2)])
    assert float(evaluate("orthogonal", {"network": network})) == pytest.approx(2 * 1.5**2, rel=1e-6)
    network.set_weights([np.eye(2), np.ones(2)])
    assert float(evaluate("orthogonal", {"network": network})) == 0


# Drawing.


def test_shuffled_is_another_example_with_another_label():
    labels = np.array([0, 0, 1, 1, 1, 2])
    rows = np.arange(6.0)[:, None]
    for seed in range(5):
        chance = np.random.RandomState(seed).uniform(size=(6, 1))
        ids = value("shuffled", of=rows, unlike=labels, chance=chance)[:, 0].astype(int)
        assert (labels[ids] != labels).all()
        others = value("shuffled", of=rows, unlike=None, chance=chance)[:, 0].astype(int)
        assert (others != np.arange(6)).all()
    alone = value("shuffled", of=rows, unlike=0 * labels, chance=chance)[:, 0]
    assert list(alone) == [1, 2, 3, 4, 5, 0]  # no other has another label: the next one


def test_all_other_examples_are_equally_likely():
    rows = np.arange(3.0)[:, None]
    drawn = [value("shuffled", of=rows, unlike=None, chance=np.full((3, 1), u))[0, 0] for u in np.arange(20) / 20]
    assert drawn.count(1) == drawn.count(2) == 10


def test_categorical_is_a_class_of_each_interval():
    chance = np.array([[0.0], [0.34], [0.999]])
    assert list(value("categorical", chance=chance)) == [0, 1, 2]
    assert list(value("categorical", classes=None, like=np.array([7, 8, 9]), chance=chance)) == [7, 8, 9]


def test_style_mixing_cuts_between_the_first_and_the_last_layer():
    kept = value("style_mixing", chance=np.array([[0.95, 0.5]] * 3))  # above the probability: no mixing
    np.testing.assert_array_equal(kept, np.stack([X] * 3, 1))
    early, late = (value("style_mixing", chance=np.array([[0.0, u]] * 3)) for u in (0.0, 0.99))
    np.testing.assert_array_equal(early, np.stack([X, Y, Y], 1))
    np.testing.assert_array_equal(late, np.stack([X, X, Y], 1))


def test_a_pool_shows_new_ones_until_it_is_full():
    pool = Pool((1,), size=2, name="pool")
    shown = [
        np.array(pool.query(tf.constant([[float(i)]]), tf.constant([[0.0, die]]), 0.5))[0, 0]
        for i, die in enumerate((0.0, 0.0, 0.0, 0.9, 0.0))
    ]
    assert shown == [0, 1, 0, 1, 2]  # then the third takes the place of the first, and the first is shown
    never = np.array(pool.query(tf.constant([[9.0]]), tf.constant([[0.7, 0.0]]), 0.5))[0, 0]
    assert never == 9 and float(pool.count) == 2


def augmented(*policy, probability=1.0, images=IMAGES, **numbers):
    chance = np.full((len(images), 12), 0.5)
    for place, number in numbers.items():
        chance[:, int(place[1:])] = number
    return value("augmented", of=images, policy=policy, probability=probability, chance=chance)


def test_changes_of_images_by_hand():
    """Zhao et al. 2020, DiffAugment: ranges and order of the authors' code."""
    np.testing.assert_array_equal(augmented("flip", n4=0.2), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(augmented("flip", n4=0.7), IMAGES)
    np.testing.assert_allclose(augmented("color", n5=0.9, n6=0.5, n7=0.5), IMAGES + 0.4, atol=1e-12)
    grey = np.broadcast_to(IMAGES.mean(3, keepdims=True), IMAGES.shape)
    np.testing.assert_allclose(augmented("color", n6=0.0), grey, atol=1e-12)
    middle = IMAGES.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(augmented("color", n7=0.0), middle + 0.5 * (IMAGES - middle), atol=1e-12)
    rgba = np.concatenate([IMAGES, IMAGES], axis=3)  # of two channels each
    changed = augmented("color", images=rgba, n5=0.9, n6=0.5, n7=0.5)
    np.testing.assert_allclose(changed[..., :3], rgba[..., :3] + 0.4, atol=1e-12)
    np.testing.assert_array_equal(changed[..., 3], rgba[..., 3])  # alpha is no colour
    moved = augmented("translation", n8=0.99, n9=0.0)  # 6 pixels: by at most one
    np.testing.assert_allclose(moved[:, 1:, :-1], IMAGES[:, :-1, 1:], atol=1e-12)
    assert not moved[:, 0].any() and not moved[:, :, -1].any()
    holes = augmented("cutout", n10=0.5, n11=0.5, images=np.ones((1, 6, 6, 1)))[0, :, :, 0]
    assert holes.sum() == 36 - 9 and not holes[2:5, 2:5].any()


def test_each_image_has_its_own_coin():
    chance = np.full((3, 12), 0.1)
    chance[:, 0] = [0.1, 0.9, 0.3]
    changed = value("augmented", policy=("flip",), probability=0.5, chance=chance)
    assert [not np.array_equal(a, b) for a, b in zip(changed, IMAGES, strict=True)] == [True, False, True]
    np.testing.assert_array_equal(value("augmented", probability=0.0), IMAGES)


def test_what_a_function_draws_follows_from_its_call():
    def prior(name, of_one, **arguments):
        return CHANCE[name](Call("x", "", name, arguments, of_one, {}, None, ""), of_one)

    assert prior("uniform", (1,), shape=(1,), low=0, high=1).args == {"shape": (1,), "low": 0, "high": 1}
    assert prior("perturbed", (4, 4, 1)).args == {"shape": [4, 4, 1]}
    assert prior("another", (4,), of=Reference("z")).args == {"of": "z"}
    assert prior("pool", (4,)).args["shape"] == [2]
    assert {name for name, rule in RULES.items() if rule.draws} | {"path_lengths"} == CHANCE.keys()


# Pure.


def test_pure_functions_by_hand(tmp_path):
    np.testing.assert_allclose(value("lerp"), CHANCE_12[:, :1] * Y + (1 - CHANCE_12[:, :1]) * X, rtol=1e-12)
    np.testing.assert_allclose(value("sum"), 2 * X - Y + 3, rtol=1e-12)
    np.testing.assert_allclose(value("product"), X * Y * U, rtol=1e-12)
    np.testing.assert_array_equal(value("slice"), X[:, 1:3])
    np.testing.assert_array_equal(value("tiled"), np.stack([X] * 3, 1))
    np.testing.assert_allclose(value("log"), X, atol=1e-12)
    np.testing.assert_array_equal(value("sign"), np.sign(X))
    rows = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    np.testing.assert_allclose(value("softmax"), rows, rtol=1e-12)
    np.testing.assert_array_equal(value("one_hot"), [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(value("word_set"), [[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
    assert evaluate("input", {"default": 0.7}) == 0.7


def test_a_small_copy_is_the_mean_of_pixels():
    """Nearest neighbours would keep one pixel of four."""
    image = np.zeros((1, 8, 8, 1))
    image[:, ::2, ::2] = 4.0
    small = value("resized", of=image, size=4)
    assert small.shape == (1, 4, 4, 1) and small.mean() == pytest.approx(1.0, abs=0.05) and small.max() < 1.7


def test_a_picture_is_a_constant(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((6, 12, 3), 255, np.uint8)).save(tmp_path / "white.png")
    found = evaluate("picture", {"path": str(tmp_path / "white.png"), "size": 4})
    assert found.shape == (1, 4, 4, 3) and (found == 1).all()
    grey = evaluate("picture", {"path": str(tmp_path / "white.png"), "size": (4, 2), "channels": 1})
    assert grey.shape == (1, 4, 2, 1)


def test_a_number_of_each_example_broadcasts():
    assert like(ops.ones((3, 1)), ops.ones((3, 4, 4, 1))).shape == (3, 1, 1, 1)
    assert like(ops.ones((3,)), ops.ones((3, 4))).shape == (3, 1)
    assert like(0.5, ops.ones((3, 4))) == 0.5


def test_numbers_of_each_example_meet_images_and_columns_example_by_example():
    """Three examples of 3 x 3 pixels: [B] beside [B, 3, 3, 1] would broadcast along the wrong axis without a word."""
    row, column, images = np.arange(3.0), np.arange(3.0)[:, None], RANDOM.standard_normal((3, 3, 3, 1))
    spread = row[:, None, None, None]
    expected = images + 2 * spread
    np.testing.assert_allclose(value("sum", terms=((row, 2.0), (images, 1.0)), constant=0.0), expected, rtol=1e-12)
    np.testing.assert_allclose(value("sum", terms=((images, row),), constant=0.0), images * spread, rtol=1e-12)
    np.testing.assert_allclose(value("product", of=(row, images)), images * spread, rtol=1e-12)
    np.testing.assert_allclose(value("product", of=(row, column)), column**2, rtol=1e-12)
    mixed = value("lerp", **{"from": images, "to": 1.0, "share": row})
    np.testing.assert_allclose(mixed, spread + (1 - spread) * images, rtol=1e-12)
    cross = np.logaddexp(0, column) - column * column
    assert float(value("binary_cross_entropy", of=column, target=row)) == pytest.approx(cross.mean(), rel=1e-12)
    kl = 0.5 * (row**2 + 1 - 1.0)
    assert float(value("gaussian_kl", mean=column, log_variance=0 * row)) == pytest.approx(kl.mean(), rel=1e-12)


def test_a_shape_is_a_default_nowhere():
    """Arguments have names alone: what a spec writes is what a function gets."""
    for name, part in FUNCTIONS.items():
        kinds = {p.kind for p in signature_of(part).parameters.values()}
        assert kinds <= {inspect.Parameter.KEYWORD_ONLY}, name
