"""CycleGAN (Zhu et al. 2017): two translators that undo each other, each against a discriminator of its target domain.

`a` and `b` are batches of two domains of unpaired images, in the range of the spec, [-1, 1] in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import keras
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.losses import LOSSES, distance
from zoo.spec.plan import Plan
from zoo.spec.types import (
    Limits,
    Loss,
    NonNegativeFloat,
    NonNegativeInt,
    Optimizer,
    Part,
    PositiveFloat,
    construct_part,
)
from zoo.train.algorithms.base import ALGORITHMS, Algorithm, Batch, Phase

Probability = Annotated[float, Limits(minimum=0, maximum=1)]
DOMAINS = ("a", "b")


@dataclass(frozen=True, kw_only=True)
class TranslatorConfig:
    """Two networks of a kind: one optimizer moves both, once in a step."""

    optimizer: Optimizer


class ImagePool(keras.layers.Layer):
    """`size` stored fakes of one domain (Shrivastava et al. 2017). While it fills, D is shown each new fake; then, with
    `probability`, a new fake replaces a stored one, which D is shown instead: image by image.

    The images and their count are variables, so that they are part of a checkpoint; random numbers are arguments.
    """

    def __init__(self, shape: tuple[int, ...], *, size: int, probability: float, name: str) -> None:
        super().__init__(name=name, trainable=False, dtype=keras.config.floatx())
        self.size, self.probability = size, probability
        self.images = self._variable((size, *shape), "images")  # [P, H, W, C]
        self.count = self._variable((), "count")  # of those that are stored
        self.built = True

    def _variable(self, shape: tuple[int, ...], name: str) -> keras.Variable:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, autocast=False, name=name)

    def query(self, fakes: Tensor, chance: Tensor) -> Tensor:
        """Return the images that D is shown for new `fakes`, [B, H, W, C] both, and store the new ones.

        `chance` [B, 2] in [0, 1) decides for each image whether to swap, and with which stored one.
        """
        images, count = ops.convert_to_tensor(self.images), ops.convert_to_tensor(self.count)
        shown = []
        for image, (coin, die) in zip(_rows(fakes), map(_rows, _rows(chance)), strict=True):
            full = count >= self.size
            place = ops.where(full, ops.floor(die * self.size), count)
            place = ops.cast(ops.minimum(place, self.size - 1.0), "int32")
            swap = ops.logical_and(full, coin < self.probability)
            shown.append(ops.where(swap, ops.take(images, place, axis=0), image))
            kept = ops.logical_or(swap, ops.logical_not(full))
            replaced = ops.logical_and(ops.equal(ops.arange(self.size, dtype="int32"), place), kept)  # [P]
            images = ops.where(ops.reshape(replaced, (-1, 1, 1, 1)), image, images)
            count = ops.minimum(count + 1.0, float(self.size))
        self.images.assign(images)
        self.count.assign(count)
        return ops.stack(shown)


def _rows(tensor: Tensor) -> list[Tensor]:
    return [tensor[i] for i in range(tensor.shape[0])]


@ALGORITHMS.register
class cyclegan(Algorithm):  # noqa: N801 - the name is a word of the spec language
    """Phases `generators` and `discriminators`, each of two networks at once. The paper: `lsgan` with weight 1, a cycle
    weight of 10, identity 5 (0: no identity passes), D's objective halved, pools of 50 images (0: no pools).

    `cycle_a` weighs |b_to_a(a_to_b(a)) - a|, `cycle_b` the way from b and back, `identity` |a_to_b(b) - b| and
    |b_to_a(a) - a|. Each is a mean over pixels.
    """

    roles = ("a_to_b", "b_to_a", "discriminator_a", "discriminator_b")
    data_draws = latent_draws = 1

    def __init__(
        self, plans: Mapping[str, Plan], *, loss: Loss, generators: TranslatorConfig, discriminators: TranslatorConfig,
        cycle_a: NonNegativeFloat = 10.0, cycle_b: NonNegativeFloat = 10.0, identity: NonNegativeFloat = 5.0,
        discriminator_weight: PositiveFloat = 0.5, pool_size: NonNegativeInt = 50,
        pool_probability: Probability = 0.5, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(plans, **kwargs)
        self.game = construct_part(LOSSES, loss)
        self.cycle_weights, self.identity = {"a": cycle_a, "b": cycle_b}, identity
        self.discriminator_weight = discriminator_weight
        self.pools = {
            x: ImagePool(
                plans[_translator_into(x)].output_shape, size=pool_size, probability=pool_probability, name=f"pool_{x}"
            )
            for x in (DOMAINS if pool_size else ())
        }
        self.noise = {f"pool_{x}": Part("uniform", {"shape": [2], "low": 0.0, "high": 1.0}) for x in self.pools}
        translator_roles, discriminator_roles = self.roles[:2], self.roles[2:]
        self._phases = (
            Phase("generators", tuple(self.players[role] for role in translator_roles),
                  self.make_optimizer(generators.optimizer, *translator_roles), self.generators_loss),
            Phase("discriminators", (*(self.players[role] for role in discriminator_roles), *self.pools.values()),
                  self.make_optimizer(discriminators.optimizer, *discriminator_roles), self.discriminators_loss),
        )  # fmt: skip

    def phases(self) -> tuple[Phase, ...]:
        return self._phases

    def generators_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        """Return the loss of both translators: adversarial, cycle consistency, identity. Extras: the fakes."""
        loss, fakes = 0.0, {}
        for x, y in (DOMAINS, DOMAINS[::-1]):
            real = ops.cast(batch[x][i], keras.config.floatx())
            fake = self.run(_translator_into(y), batch, i)  # of x, in y
            back = self.run(_translator_into(x), batch, i, **{y: fake})
            loss += self.game.generator(self.run(f"discriminator_{y}", batch, i, **{y: fake}))
            loss += self.cycle_weights[x] * distance(back, real)
            if self.identity:
                loss += self.identity * distance(self.run(_translator_into(x), batch, i, **{y: real}), real)
            fakes[f"fake_{y}"] = fake
        return loss, fakes

    def discriminators_loss(self, batch: Batch, i: int) -> tuple[Tensor, Batch]:
        """Return the summed loss of both discriminators: real images and fakes, new or pooled, in separate passes."""
        loss = 0.0
        for x in DOMAINS:
            fake = ops.stop_gradient(batch[f"fake_{x}"])
            if x in self.pools:
                fake = self.pools[x].query(fake, batch[f"pool_{x}"][i])
            role = f"discriminator_{x}"
            loss += self.game.discriminator(self.run(role, batch, i), self.run(role, batch, i, **{x: fake}))
        return self.discriminator_weight * loss, {}

    def extra_state(self) -> dict[str, keras.Variable]:
        return {f"pool_{x}/{v.name}": v for x, pool in self.pools.items() for v in pool.non_trainable_weights}


def _translator_into(domain: str) -> str:
    return {"a": "b_to_a", "b": "a_to_b"}[domain]
