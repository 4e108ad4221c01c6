"""Functions of a game that draw, for each example apart. What they draw comes with the batch, as `chance`: a step is a
pure function of weights, states and batch on every backend. Its stream is named after the value.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.core.errors import UsageError
from zoo.nn import augment
from zoo.nn.autodiff import Tensor
from zoo.nn.functions import aligned, function, like
from zoo.spec.game_plan import Call
from zoo.spec.shapes import Shape
from zoo.spec.types import Amount, Number, Part, PositiveInt, Value

Policy = augment.Policy


def _prior(call: Call, shape: Shape) -> Part:
    return Part(call.function, {key: value for key, value in call.arguments.items() if value is not None})


def _latent(call: Call, shape: Shape) -> Part:
    return Part("another", {"of": call.arguments["of"].name})


def _noise(call: Call, shape: Shape) -> Part:
    return Part("normal", {"shape": list(shape or (1,))})


def _uniform(count: int) -> Any:
    return lambda call, shape: Part("uniform", {"shape": [count], "low": 0.0, "high": 1.0})


@function(chance=_prior)
def normal(*, shape: tuple[PositiveInt, ...], chance: Any = None) -> Tensor:
    """N(0, 1), of a shape."""
    return chance


@function(chance=_prior)
def uniform(*, shape: tuple[PositiveInt, ...], low: float = -1.0, high: float = 1.0, chance: Any = None) -> Tensor:
    """U(low, high), of a shape."""
    return chance


@function(chance=_uniform(1))
def categorical(*, classes: PositiveInt | None = None, like: Value | None = None, chance: Any = None) -> Tensor:
    """An id of one of `classes`, all equally likely; or with `like: label` the id of an example of the batch."""
    if like is not None:
        return ops.take(like, _index(chance, ops.shape(like)[0]), axis=0)
    if classes is None:
        raise UsageError("categorical takes one of `classes: 10` and `like: label`")
    return _index(chance, classes)


def _index(chance: Tensor, count: Any) -> Tensor:
    """Return whole numbers below `count` from uniform ones, [B, 1] -> [B]."""
    place = ops.floor(chance[:, 0] * ops.cast(count, chance.dtype))
    return ops.cast(ops.minimum(place, ops.cast(count, chance.dtype) - 1), "int32")


@function(chance=_latent)
def another(*, of: Value = None, chance: Any = None) -> Tensor:
    """Another draw of a latent."""
    return chance


@function(chance=_uniform(1))
def shuffled(*, of: Value, unlike: Value | None = None, chance: Any = None) -> Tensor:
    """For each example the value of another one of the batch, with another label where `unlike: label` is stated.

    All others are equally likely; where no other has another label, it is the next one.
    """
    count = chance.shape[0]
    others = 1 - ops.eye(count, dtype="int32")  # [B, B]
    if unlike is not None:
        ids = ops.reshape(unlike, (count, -1))
        differ = ops.any(ops.not_equal(ids[:, None], ids[None]), axis=-1)
        others = others * ops.cast(differ, "int32")
    number = ops.sum(others, axis=1)  # of candidates, [B]
    place = ops.cast(ops.floor(chance[:, 0] * ops.cast(number, chance.dtype)), "int32")
    place = ops.minimum(place, number - 1)
    chosen = ops.argmax(ops.cast(ops.cumsum(others, axis=1) > place[:, None], "int32"), axis=1)
    following = (ops.arange(count, dtype="int32") + 1) % count
    return ops.take(of, ops.where(number > 0, ops.cast(chosen, "int32"), following), axis=0)


@function(chance=_uniform(augment.NUMBERS))
def augmented(*, of: Value, policy: tuple[Policy, ...], probability: Amount = 1.0, chance: Any = None) -> Tensor:
    """Images as D sees them, changed at random, each change of the policy with `probability`; gradients pass.

    Zhao et al. 2020 (DiffAugment): flip; color: brightness, saturation, contrast; translation by up to 1/8 of a side;
    cutout of a square of half a side.
    """
    return augment.augmented(of, policy, probability, chance)


@function(chance=_noise)
def perturbed(*, of: Value, scale: Amount, chance: Any = None) -> Tensor:
    """The value plus normal noise of a standard deviation."""
    return of + like(scale, of) * ops.reshape(chance, ops.shape(of))


@function(chance=_noise)
def gaussian(*, mean: Value, log_variance: Amount, chance: Any = None) -> Tensor:
    """A draw of a normal distribution, through which gradients pass. Kingma and Welling 2013, section 2.4."""
    mean, log_variance = aligned(mean, log_variance)
    return mean + ops.exp(0.5 * log_variance) * ops.reshape(chance, ops.shape(mean))


@function(chance=_uniform(2))
def style_mixing(
    *, of: Value, with_: Value, layers: PositiveInt, probability: Number = 0.9, chance: Any = None
) -> Tensor:
    """Styles for each of `layers`, [layers, features]: with `probability` the second from a random layer on.

    Karras et al. 2018, section 3.1.
    """
    cut = 1.0 + ops.floor(chance[:, 1] * (layers - 1))  # 1 .. layers - 1
    cut = ops.where(chance[:, 0] < probability, cut, float(layers))  # [B]
    first = ops.cast(ops.arange(layers), cut.dtype)[None, :] < cut[:, None]  # [B, layers]
    return ops.where(first[:, :, None], of[:, None, :], with_[:, None, :])


class Pool(keras.layers.Layer):
    """`size` stored examples (Shrivastava et al. 2017). While it fills, D is shown each new one; then, with
    `probability`, a new one replaces a stored one, which D is shown instead: example by example.

    The examples and their count are variables, so that they are part of a checkpoint; random numbers are arguments.
    """

    def __init__(self, shape: tuple[int, ...], *, size: int, name: str) -> None:
        super().__init__(name=name, trainable=False, dtype=keras.config.floatx())
        self.size = size
        self.images = self._variable((size, *shape), "images")  # [P, ...]
        self.count = self._variable((), "count")  # of those that are stored
        self.built = True

    def _variable(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, autocast=False, name=name)

    def query(self, fakes: Tensor, chance: Tensor, probability: Any = 0.5) -> Tensor:
        """Return what D is shown for new `fakes`, [B, ...] both, and store the new ones.

        `chance` [B, 2] in [0, 1) decides for each whether to swap, and with which stored one.
        """
        images, count = ops.convert_to_tensor(self.images), ops.convert_to_tensor(self.count)
        shown = []
        for image, (coin, die) in zip(_rows(fakes), map(_rows, _rows(chance)), strict=True):
            full = count >= self.size
            place = ops.where(full, ops.floor(die * self.size), count)
            place = ops.cast(ops.minimum(place, self.size - 1.0), "int32")
            swap = ops.logical_and(full, coin < probability)
            shown.append(ops.where(swap, ops.take(images, place, axis=0), image))
            kept = ops.logical_or(swap, ops.logical_not(full))
            replaced = ops.logical_and(ops.equal(ops.arange(self.size, dtype="int32"), place), kept)  # [P]
            images = ops.where(ops.reshape(replaced, (-1, *(1,) * (len(images.shape) - 1))), image, images)
            count = ops.minimum(count + 1.0, float(self.size))
        self.images.assign(images)
        self.count.assign(count)
        return ops.stack(shown)


def _rows(tensor: Tensor) -> list[Tensor]:
    return [tensor[i] for i in range(tensor.shape[0])]


@function(chance=_uniform(2))
def pool(
    *, of: Value, size: PositiveInt = 50, probability: Number = 0.5, chance: Any = None, memory: Any = None
) -> Tensor:
    """Older examples beside new ones, see `Pool`. Gradients end here."""
    return memory.query(ops.stop_gradient(of), chance, probability)
