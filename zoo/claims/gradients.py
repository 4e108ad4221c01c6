"""Gradients of gradients: those of the zoo against an independent computation of the same mathematics.

The latter is NumPy in float64: networks and D's updates by hand, derivatives by central differences of the values. It
shares no line with Keras or with the zoo's algorithms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import COLOURS, Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import make_game, player, weights
from zoo.core.arrays import Array

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm


RATE, BATCH, LAMBDA, STEP = 0.3, 6, 10.0, 1e-5


class Comparison(NamedTuple):
    """One gradient in both computations, and its value without the term that is easily lost."""

    quantity: str
    ours: Array
    exact: Array
    without: Array

    def error(self, other: Array) -> float:
        """Return the largest difference to `other`, divided by the largest exact number."""
        return float(abs(other - self.exact).max() / abs(self.exact).max())


@claim(
    title="Gradients through gradients are exact",
    source="Metz et al. 2016, eq. 6 (G's gradient through K updates of D); Gulrajani et al. 2017, eq. 3 (the penalty)",
    states="G's unrolled gradient has a second term, through what D will have learned from G; the gradient penalty "
    "moves D's weights by a second derivative. Both must agree with central differences in double precision.",
    spec="unrolled",
    takes=("10 seconds", ""),
)
def gradients(options: Options) -> Outcome:
    """Compare float32 with float64: 5 digits agree. A lost term would change the first digit."""
    from zoo.train import loop

    seed = options.seeds[0] if options.seeds else 0
    comparisons = [*(unrolled(k, seed) for k in (1, 5)), penalty(seed)]
    rows = []
    for one in comparisons:
        rows.append(Row(quantity=f"{one.quantity}: largest relative error", paper="0", ours=one.error(one.ours),
                        high=1e-4, form=".1e"))  # fmt: skip
        rows.append(Row(quantity=f"{one.quantity}: error if the second term were lost", paper="", form=".2f",
                        ours=one.error(one.without), low=0.01))  # fmt: skip
    return Outcome(rows=tuple(rows), seeds=(seed,), machine=loop.machine(), picture=_picture(comparisons))


def unrolled(k: int, seed: int = 0) -> Comparison:
    """Compare d f_K / d theta_G of the minimax game; D looks ahead by plain gradient descent."""
    config = player(RATE)
    algorithm = make_game("gradients", "unrolled", seed, loss="minimax", generator=config, discriminator=config,
                          unrolled_updates=k)  # fmt: skip
    g, d, batch = _away_from_zero(algorithm, seed)
    real, z = batch["point"][0], batch["z"][1]  # G's phase takes the draw of noise that D has not seen

    def ahead(theta_g: list[Array]) -> list[Array]:
        theta_d, fake = d, _generator(theta_g, z)
        for _ in range(k):
            theta_d = [w - RATE * slope for w, slope in zip(theta_d, _d_gradient(theta_d, real, fake), strict=True)]
        return theta_d

    fixed = ahead(g)
    return Comparison(
        f"unrolled G, K = {k}",
        _zoo_gradient(algorithm, 1, batch),
        _differences(lambda theta: -_d_loss(ahead(theta), real, _generator(theta, z)), g),
        _differences(lambda theta: -_d_loss(fixed, real, _generator(theta, z)), g),
    )


def penalty(seed: int = 0) -> Comparison:
    """Compare d / d theta_D of the critic's loss with its penalty on the slopes between real and fake points."""
    config = player(RATE)
    algorithm = make_game("gradients", "alternating", seed, loss="wasserstein", generator=config, discriminator=config,
                          penalties=[{"gradient_penalty": {"weight": LAMBDA}}])  # fmt: skip
    g, d, batch = _away_from_zero(algorithm, seed)
    real, epsilon = batch["point"][0], batch["share"][0]
    fake = _generator(g, batch["z"][0])
    between = epsilon * real + (1 - epsilon) * fake

    def loss(theta: list[Array], weight: float = LAMBDA) -> float:
        slopes = (_slopes(theta, between) ** 2).sum(axis=1) ** 0.5  # [B]
        critic = _discriminator(theta, fake).mean() - _discriminator(theta, real).mean()
        return float(critic + weight * ((slopes - 1) ** 2).mean())

    return Comparison(
        "critic with gradient penalty",
        _zoo_gradient(algorithm, 0, batch),
        _differences(loss, d),
        _differences(lambda theta: loss(theta, 0.0), d),
    )


def _away_from_zero(algorithm: Algorithm, seed: int) -> tuple[list[Array], list[Array], dict[str, Array]]:
    """Return weights of both players and a batch, all entries random, biases too: a zero would hide a mistake."""
    random = np.random.RandomState([seed, 17])
    for role in algorithm.roles:
        shapes = [w.shape for w in weights(algorithm, role)]
        algorithm.players[role].set_weights([random.standard_normal(shape) * 0.7 for shape in shapes])
    drawn = {"point": random.standard_normal((1, BATCH, 2)), "z": random.standard_normal((2, BATCH, 3)),
             "share": random.random_sample((2, BATCH, 1))}  # fmt: skip
    batch = {name: values.astype("float32") for name, values in drawn.items()}
    g, d = ([w.astype("float64") for w in weights(algorithm, role)] for role in algorithm.roles)
    return g, d, batch


def _zoo_gradient(algorithm: Algorithm, phase: int, batch: dict[str, Array]) -> Array:
    """Return all gradients of one phase in one array."""
    from keras import ops

    from zoo.nn import autodiff

    tensors: dict[str, Any] = {name: ops.convert_to_tensor(values) for name, values in batch.items()}
    played = algorithm.phases()[phase]
    result = autodiff.value_and_grad(lambda: played.loss(tensors, 0), played.variables)
    return np.concatenate([ops.convert_to_numpy(part).ravel() for part in result.gradients])


def _differences(value: Any, theta: list[Array]) -> Array:
    """Return central differences of value(theta) by every number in theta."""
    slopes = []
    for part in theta:
        for index in np.ndindex(part.shape):
            centre, values = part[index], []
            for sign in (1, -1):
                part[index] = centre + sign * STEP
                values.append(value(theta))
            part[index] = centre
            slopes.append((values[0] - values[1]) / (2 * STEP))
    return np.array(slopes)


def _network(theta: list[Array], x: Array) -> Array:
    """Two dense layers: G is [B, 3] -> [B, 2], D is [B, 2] -> [B, 1]."""
    w1, b1, w2, b2 = theta
    return np.tanh(x @ w1 + b1) @ w2 + b2


_generator = _discriminator = _network


def _slopes(theta: list[Array], x: Array) -> Array:
    """Return d D / d x of every example, [B, 2], by the chain rule."""
    w1, b1, w2, _ = theta
    hidden = np.tanh(x @ w1 + b1)  # [B, 5]
    return ((1 - hidden**2) * w2[:, 0]) @ w1.T


def _d_loss(theta: list[Array], real: Array, fake: Array) -> float:
    """Return -log D(x) - log(1 - D(G(z))), means over the batch (Goodfellow et al. 2014, eq. 1)."""
    loss = np.logaddexp(0, -_discriminator(theta, real)).mean() + np.logaddexp(0, _discriminator(theta, fake)).mean()
    return float(loss)


def _d_gradient(theta: list[Array], real: Array, fake: Array) -> list[Array]:
    """Return d _d_loss / d theta, by the chain rule."""
    w1, b1, w2, _ = theta
    total = [np.zeros_like(part) for part in theta]
    for x, sign in ((real, -1.0), (fake, 1.0)):
        hidden = np.tanh(x @ w1 + b1)
        out = sign / (1 + np.exp(-sign * _discriminator(theta, x))) / len(x)  # [B, 1]
        back = (out @ w2.T) * (1 - hidden**2)  # [B, 5]
        parts = (x.T @ back, back.sum(axis=0), hidden.T @ out, out.sum(axis=0))
        total = [a + b for a, b in zip(total, parts, strict=True)]
    return total


def _picture(comparisons: list[Comparison]) -> bytes:
    figure, axes = new_figure(1, len(comparisons), width=3.4, height=3.2)
    for panel, one in zip(axes.flat, comparisons, strict=True):
        panel.axline((0, 0), slope=1, color="grey", linewidth=0.5)
        panel.plot(one.exact, one.without, "x", label="second term lost", markersize=4, color=COLOURS[1])
        panel.plot(one.exact, one.ours, ".", label="the zoo", color=COLOURS[0])
        panel.set(title=one.quantity, xlabel="central differences, float64")
    axes[0, 0].legend(fontsize=7)
    return figure_png(figure)
