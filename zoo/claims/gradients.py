"""Gradients of gradients: what the zoo computes against the same mathematics written down a second time.

The second writing is NumPy in float64: networks by hand, D's updates by hand, and derivatives by central differences of
the values. It shares no line with Keras or with the zoo's algorithms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.artifact.claim_results import Row
from zoo.claims.base import COLOURS, Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import game, player, weights
from zoo.core.arrays import Array

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm


RATE, BATCH, LAMBDA, STEP = 0.3, 6, 10.0, 1e-5


class Comparison(NamedTuple):
    """One gradient twice, and what it would be without the part that is easily lost."""

    quantity: str
    ours: Array
    exact: Array
    without: Array

    def error(self, other: Array) -> float:
        """Largest difference to `other`, as a share of the largest exact number."""
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
    """Float32 against float64: 5 digits are there. A lost term shows in the first."""
    from zoo.train import loop

    seed = options.seeds[0] if options.seeds else 0
    found = [*(unrolled(k, seed) for k in (1, 5)), penalty(seed)]
    rows = []
    for one in found:
        rows.append(Row(quantity=f"{one.quantity}: largest relative error", paper="0", ours=one.error(one.ours),
                        high=1e-4, form=".1e"))  # fmt: skip
        rows.append(Row(quantity=f"{one.quantity}: error if the second term were lost", paper="", form=".2f",
                        ours=one.error(one.without), low=0.01))  # fmt: skip
    return Outcome(rows=tuple(rows), seeds=(seed,), machine=loop.machine(), picture=_picture(found))


def unrolled(k: int, seed: int = 0) -> Comparison:
    """d f_K / d theta_G of the minimax game, D's look ahead by plain gradient descent."""
    side = player(RATE)
    algorithm = game("gradients", "unrolled", seed, loss="minimax", generator=side, discriminator=side,
                     unrolled_updates=k)  # fmt: skip
    g, d, batch = _away_from_zero(algorithm, seed)
    real, z = batch["point"][0], batch["z"][1]  # G's turn takes the draw of noise that D has not seen

    def ahead(theta_g: list[Array]) -> list[Array]:
        theta_d, made = d, _generator(theta_g, z)
        for _ in range(k):
            theta_d = [w - RATE * slope for w, slope in zip(theta_d, _d_slopes(theta_d, real, made), strict=True)]
        return theta_d

    fixed = ahead(g)
    return Comparison(
        f"unrolled G, K = {k}",
        _zoo_gradient(algorithm, 1, batch),
        _differences(lambda theta: -_d_loss(ahead(theta), real, _generator(theta, z)), g),
        _differences(lambda theta: -_d_loss(fixed, real, _generator(theta, z)), g),
    )


def penalty(seed: int = 0) -> Comparison:
    """d / d theta_D of the critic's loss with its penalty on the slopes between real and made points."""
    side = player(RATE)
    algorithm = game("gradients", "alternating", seed, loss="wasserstein", generator=side, discriminator=side,
                     penalties=[{"gradient_penalty": {"weight": LAMBDA}}])  # fmt: skip
    g, d, batch = _away_from_zero(algorithm, seed)
    real, share = batch["point"][0], batch["share"][0]
    made = _generator(g, batch["z"][0])
    between = share * real + (1 - share) * made

    def loss(theta: list[Array], weight: float = LAMBDA) -> float:
        slopes = (_slopes(theta, between) ** 2).sum(axis=1) ** 0.5  # [B]
        critic = _discriminator(theta, made).mean() - _discriminator(theta, real).mean()
        return float(critic + weight * ((slopes - 1) ** 2).mean())

    return Comparison(
        "critic with gradient penalty",
        _zoo_gradient(algorithm, 0, batch),
        _differences(loss, d),
        _differences(lambda theta: loss(theta, 0.0), d),
    )


def _away_from_zero(algorithm: Algorithm, seed: int) -> tuple[list[Array], list[Array], dict[str, Array]]:
    """Weights of both players and a batch, random in all entries, biases too: a zero would hide a mistake."""
    import numpy as np

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
    """All gradients of one turn, one after the other."""
    import numpy as np
    from keras import ops

    from zoo.nn import autodiff

    tensors: dict[str, Any] = {name: ops.convert_to_tensor(values) for name, values in batch.items()}
    turn = algorithm.phases()[phase]
    result = autodiff.value_and_grad(lambda: turn.loss(tensors, 0), turn.variables)
    return np.concatenate([ops.convert_to_numpy(part).ravel() for part in result.gradients])


def _differences(value: Any, theta: list[Array]) -> Array:
    """Central differences of value(theta) by every number in theta."""
    import numpy as np

    slopes = []
    for part in theta:
        for at in np.ndindex(part.shape):
            middle, sides = part[at], []
            for sign in (1, -1):
                part[at] = middle + sign * STEP
                sides.append(value(theta))
            part[at] = middle
            slopes.append((sides[0] - sides[1]) / (2 * STEP))
    return np.array(slopes)


def _generator(theta: list[Array], z: Array) -> Array:
    import numpy as np

    w1, b1, w2, b2 = theta
    return np.tanh(z @ w1 + b1) @ w2 + b2  # [B, 2]


def _discriminator(theta: list[Array], x: Array) -> Array:
    import numpy as np

    w1, b1, w2, b2 = theta
    return np.tanh(x @ w1 + b1) @ w2 + b2  # [B, 1]


def _slopes(theta: list[Array], x: Array) -> Array:
    """d D / d x of every example, [B, 2], by the chain rule."""
    import numpy as np

    w1, b1, w2, _ = theta
    hidden = np.tanh(x @ w1 + b1)  # [B, 5]
    return ((1 - hidden**2) * w2[:, 0]) @ w1.T


def _d_loss(theta: list[Array], real: Array, made: Array) -> float:
    """-log D(x) - log(1 - D(G(z))), means over the batch (Goodfellow et al. 2014, eq. 1)."""
    import numpy as np

    plain = np.logaddexp(0, -_discriminator(theta, real)).mean() + np.logaddexp(0, _discriminator(theta, made)).mean()
    return float(plain)


def _d_slopes(theta: list[Array], real: Array, made: Array) -> list[Array]:
    """d _d_loss / d theta, by the chain rule."""
    import numpy as np

    w1, b1, w2, _ = theta
    total = [np.zeros_like(part) for part in theta]
    for x, sign in ((real, -1.0), (made, 1.0)):
        hidden = np.tanh(x @ w1 + b1)
        out = sign / (1 + np.exp(-sign * _discriminator(theta, x))) / len(x)  # [B, 1]
        back = (out @ w2.T) * (1 - hidden**2)  # [B, 5]
        parts = (x.T @ back, back.sum(axis=0), hidden.T @ out, out.sum(axis=0))
        total = [a + b for a, b in zip(total, parts, strict=True)]
    return total


def _picture(found: list[Comparison]) -> bytes:
    sheet, axes = new_figure(1, len(found), width=3.4, height=3.2)
    for panel, one in zip(axes.flat, found, strict=True):
        panel.axline((0, 0), slope=1, color="grey", linewidth=0.5)
        panel.plot(one.exact, one.without, "x", label="second term lost", markersize=4, color=COLOURS[1])
        panel.plot(one.exact, one.ours, ".", label="the zoo", color=COLOURS[0])
        panel.set(title=one.quantity, xlabel="central differences, float64")
    axes[0, 0].legend(fontsize=7)
    return figure_png(sheet)
