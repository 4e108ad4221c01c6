"""Progressive growing, Karras, Aila, Laine, Lehtinen 2017: small images first, then twice the size, again and again.

    4 px          8 px                16 px
    stabilise     fade    stabilise   fade    stabilise  ...    the last one goes on until the run ends

A fade mixes the new layers in by alpha, from 0 to 1 linearly in images (figure 2), in G, in D and in the real images.
The unit is kimg: thousands of real images shown to D.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.nn import networks
from zoo.nn.autodiff import Tensor
from zoo.nn.layers import Fade
from zoo.nn.phases import Batch, PlayerConfig
from zoo.spec import growth
from zoo.spec.plan import Plan
from zoo.spec.types import PositiveFloat, PositiveInt
from zoo.train.algorithms.alternating import alternating
from zoo.train.algorithms.base import ALGORITHMS

ALPHA = "alpha"


@dataclass(frozen=True)
class Stage:
    """Steps `first` to before `last` (None: until the run ends) on images of `size` pixels."""

    size: int
    fading: bool
    first: int
    last: int | None

    def __str__(self) -> str:
        """`16 px, fading`."""
        return f"{self.size} px{', fading' if self.fading else ''}"

    def alpha(self, step: int) -> float:
        """Return the weight of the new layers in step `step`, in [0, 1]."""
        return (step - self.first) / (self.last - self.first) if self.fading and self.last is not None else 1.0


def schedule(sizes: Sequence[int], *, stabilise_images: float, fade_images: float, step_images: int) -> list[Stage]:
    """Return the stages of a run whose steps show D `step_images` real images each; stages begin at whole steps."""
    stages: list[Stage] = []
    images = 0.0  # before the stage
    for number, size in enumerate(sizes):
        for fading in (True, False) if number else (False,):
            first = math.ceil(images / step_images)
            images += fade_images if fading else stabilise_images
            last = None if size == sizes[-1] and not fading else math.ceil(images / step_images)
            if last != first:  # not shorter than a step
                stages.append(Stage(size, fading, first, last))
    return stages


@ALGORITHMS.register
class progressive(alternating):  # noqa: N801 - the name is a word of the spec language
    """The two-player game on images that grow from `start` pixels to those of the spec, which describes the final
    networks and marks their heads with `as: features`.

    Every size is trained for `stabilise_kimg` and, but for the first, fades in over `fade_kimg` before. A new stage
    starts with new optimizer moments (appendix A.1); G's average continues over all of them. The exported G is that of
    the last step: of full size if the run reached it, mixed by alpha if the run ended within a fade.
    """

    def __init__(
        self, plans: Mapping[str, Plan], *, generator: PlayerConfig, discriminator: PlayerConfig,
        start: PositiveInt = 4, stabilise_kimg: PositiveFloat = 800.0, fade_kimg: PositiveFloat = 800.0, **kwargs: Any,
    ) -> None:  # fmt: skip
        g, d = plans["generator"], plans["discriminator"]
        sizes = growth.sizes(g, d, start)
        super().__init__(plans, generator=generator, discriminator=discriminator, **kwargs)
        self.settings = {"generator": generator, "discriminator": discriminator}
        self.stages = schedule(
            sizes, stabilise_images=1000.0 * stabilise_kimg, fade_images=1000.0 * fade_kimg,
            step_images=self.batch_size * self.data_draws,
        )  # fmt: skip
        self.stage = self.stages[-1]
        self.stage_plans = [
            {
                **plans,
                "generator": growth.grown_generator(g, stage.size, fading=stage.fading),
                "discriminator": growth.grown_discriminator(d, stage.size, fading=stage.fading, image=g.output_name),
            }
            for stage in self.stages
        ]
        # The layers of all stages get their weights now, so that they follow from the seed in a resumed run too.
        self.stage_players = self._networks(self.players)
        self.stage_averages = self._networks(self.averages)
        for averages, players in zip(self.stage_averages, self.stage_players, strict=True):
            for name, average in averages.items():
                average.set_weights(players[name].get_weights())
                average.trainable = False

    def _networks(self, final: Mapping[str, keras.Model]) -> list[dict[str, keras.Model]]:
        """Build the networks of every stage from the layers of the `final` ones and from heads that stages share."""
        layers = {name: {layer.name: layer for layer in model.layers} for name, model in final.items()}
        return [
            {name: networks.build(plans[name], name=model.name, layers=layers[name]) for name, model in final.items()}
            for plans in self.stage_plans
        ]

    def begin(self, step: int) -> None:
        number = self._stage_number(step)
        if self.stages[number] is self.stage:
            return
        self.stage, self.plans = self.stages[number], self.stage_plans[number]
        self.players, self.averages = self.stage_players[number], self.stage_averages[number]
        self._phases = tuple(
            dataclasses.replace(
                phase, networks=(self.players[phase.name],),
                optimizer=self.make_optimizer(self.settings[phase.name].optimizer, phase.name),
            )
            for phase in self._phases
        )  # fmt: skip

    def pause(self, step: int) -> int | None:
        return self.stages[self._stage_number(step)].last

    def step_inputs(self, step: int) -> dict[str, np.ndarray]:
        alpha = self.stages[self._stage_number(step)].alpha(step)
        return {**super().step_inputs(step), ALPHA: np.array([alpha], "float32")}

    def extra_state(self) -> dict[str, keras.Variable]:
        """Return the weights of the layers of other stages; those of later stages have their initial values."""
        present = {id(v) for model in (*self.players.values(), *self.averages.values()) for v in model.variables}
        return {
            f"waiting/{model.name}/{variable.path}": variable
            for models in (*self.stage_players, *self.stage_averages)
            for model in models.values()
            for variable in model.variables
            if id(variable) not in present
        }

    def _stage_number(self, step: int) -> int:
        return max(i for i, stage in enumerate(self.stages) if stage.first <= step)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Make one step at the present size, on real images that are reduced and faded as G's are."""
        alpha = batch[ALPHA][0]
        for player in self.players.values():
            for layer in player.layers:
                if isinstance(layer, Fade):
                    layer.alpha.assign(alpha)
        return super().step({**batch, self.example: self.shown(batch[self.example], alpha)})

    def shown(self, images: Tensor, alpha: Tensor) -> Tensor:
        """Reduce real images [draws, B, H, W, C] to the present size, and fade them as G's images are."""
        flat = ops.reshape(images, (-1, *images.shape[2:]))
        flat = reduced(flat, flat.shape[1] // self.stage.size)
        if self.stage.fading:
            coarse = ops.repeat(ops.repeat(reduced(flat, 2), 2, axis=1), 2, axis=2)
            flat = coarse + alpha * (flat - coarse)
        return ops.reshape(flat, (self.data_draws, -1, *flat.shape[1:]))

    def ema_beta(self, steps: Any) -> Tensor:
        """Add the steps of earlier stages, which the optimizers of this stage have not counted."""
        return super().ema_beta(steps + self.stage.first)


def reduced(images: Tensor, factor: int) -> Tensor:
    """Return means over squares of `factor` x `factor` pixels: [B, H, W, C] -> [B, H / factor, W / factor, C]."""
    return ops.average_pool(images, factor, strides=factor) if factor > 1 else images
