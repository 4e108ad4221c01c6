"""Two normal densities, real p and generated q: what D learns between them, and what it then tells G."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import COLOURS, Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import copy_state, make_game, play, player, restore_state
from zoo.core.arrays import Array

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm


class Normal(NamedTuple):
    """A normal density."""

    mean: float
    std: float

    def density(self, x: Array) -> Array:
        """Return p(x), of the shape of x."""
        return np.exp(-0.5 * ((x - self.mean) / self.std) ** 2) / (self.std * np.sqrt(2 * np.pi))

    def __str__(self) -> str:
        """Return N(mean, standard deviation)."""
        return f"N({self.mean:g}, {self.std:g})"


REAL = Normal(0, 1)
FAKES = (Normal(0, 1), Normal(1, 1), Normal(2, 0.5), Normal(0, 2))
DISTANCES = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
NEAR = 2.0  # up to here enough real points lie among the generated ones to teach D its slope there
BATCH, STEPS, FRESH = 512, 1000, 100_000
X, DX = np.linspace(-20, 20, 40_001, retstep=True)  # for integrals


@claim(
    title="The best D is p / (p + q), and G's loss is then the Jensen-Shannon divergence",
    source="Goodfellow et al. 2014, proposition 1 and theorem 1",
    states="Between known densities p and q a trained D comes to p / (p + q). The value of the game is then "
    "-log 4 + 2 JS(p, q); where q equals p, D says 1/2 everywhere and the value is -log 4.",
    spec="vanilla",
    takes=("30 seconds", ""),
)
def optimal_discriminator(options: Options) -> Outcome:
    """Train D from one start against each q, while G does not move."""
    from zoo.train import loop

    seed = options.seeds[0] if options.seeds else 0
    algorithm, start = _game(seed)
    rows, curves = [], []
    for fake in FAKES:
        _train(algorithm, start, fake, seed)
        p, q = REAL.density(X), fake.density(X)
        ours, best = _probability(algorithm, X), p / (p + q + 1e-300)
        error = float((np.abs(ours - best) * (p + q) / 2).sum() * DX)
        value, exact = _value(algorithm, fake, seed), -np.log(4) + 2 * jensen_shannon(REAL, fake)
        rows += [
            Row(quantity=f"q = {fake}: mean |D - p / (p + q)|", paper="0", ours=error, high=0.025, form=".3f"),
            Row(quantity=f"q = {fake}: value of the game", paper=f"{exact:.4f}", ours=value, low=exact - 0.015,
                high=exact + 0.015, form=".4f"),
        ]  # fmt: skip
        curves.append((fake, ours, best))
    note = "In the place of the paper's numbers stand integrals of the two densities."
    return Outcome(rows=tuple(rows), seeds=(seed,), machine=loop.machine(), picture=_draw_d(curves), notes=(note,))


@claim(
    title="The saturating loss has no slope where D is sure, the other one has",
    source="Goodfellow et al. 2014, section 3; Arjovsky and Bottou 2017, theorem 2.4",
    states="The farther q = N(theta, 1) is from p = N(0, 1), the surer is D, and the smaller is the slope of "
    "log(1 - D(G(z))) by theta. That of -log D(G(z)) comes near to theta instead.",
    spec="vanilla",
    takes=("30 seconds", ""),
)
def vanishing_gradient(options: Options) -> Outcome:
    """Train D for each distance, and differentiate both losses of G by its mean."""
    from zoo.train import loop

    seed = options.seeds[0] if options.seeds else 0
    algorithm, start = _game(seed)
    found = []
    for theta in DISTANCES:
        _train(algorithm, start, Normal(theta, 1), seed)
        found.append([_slope(algorithm, loss, seed) for loss in ("minimax", "non_saturating")])
    ours, exact = np.abs(found), np.array([slopes(theta) for theta in DISTANCES])
    rows = []
    for column, name in enumerate(("saturating", "non-saturating")):
        for theta, value, right in zip(DISTANCES, ours[:, column], exact[:, column], strict=True):
            margin = 0.15 * right + 0.02
            bounds = (1.0, None) if column and theta > NEAR else (right - margin, right + margin)
            rows.append(Row(quantity=f"{name}, theta = {theta:g}: slope", paper=f"{right:.3g}", ours=float(value),
                            low=bounds[0], high=bounds[1], form=".3g"))  # fmt: skip
    note = (
        "In the place of the paper's numbers stand integrals for the best D. "
        f"Beyond theta = {NEAR:g} few real points lie among the generated ones, so that D is sure there without the "
        "slope of the best D; of the non-saturating loss only a slope above 1 is asked for there."
    )
    return Outcome(
        rows=tuple(rows), seeds=(seed,), machine=loop.machine(), picture=_draw_slopes(ours, exact), notes=(note,)
    )


def jensen_shannon(one: Normal, other: Normal) -> float:
    """Return the Jensen-Shannon divergence of two densities in nats, by their integral."""
    p, q = one.density(X), other.density(X)
    middle = (p + q) / 2 + 1e-300
    parts = (x * np.log(np.where(x > 0, x, 1.0) / middle) for x in (p, q))
    return float(sum(part.sum() for part in parts) * DX / 2)


def slopes(theta: float) -> tuple[float, float]:
    """Return the sizes of d/dtheta of both losses of G at the best D between N(0, 1) and N(theta, 1).

    D's logit is theta^2 / 2 - theta x, so its slope is -theta; the rest is the chance by which D is wrong, or right.
    """
    wrong = float((Normal(theta, 1).density(X) / (1 + np.exp(theta * X - theta**2 / 2))).sum() * DX)  # E_q D(x)
    return theta * wrong, theta * (1 - wrong)


def _game(seed: int) -> tuple[Algorithm, dict[str, Array]]:
    """Return the game and its first state. D's learning rate falls to 0: its last weights are near an optimum."""
    schedule = {"linear": {"initial": 1e-2, "final": 0.0, "updates": STEPS}}
    learns = {"optimizer": {"Adam": {"learning_rate": schedule, "beta_1": 0.5}}}
    rests = player(1e-30)
    algorithm = make_game("two_densities", "alternating", seed, loss="minimax", generator=rests, discriminator=learns)
    return algorithm, copy_state(algorithm)


def _train(algorithm: Algorithm, start: dict[str, Array], fake: Normal, seed: int) -> None:
    restore_state(algorithm, start)
    algorithm.players["generator"].set_weights([np.array([[fake.std]]), np.array([fake.mean])])
    play(algorithm, lambda step: _batch(seed, step, BATCH), STEPS)


def _batch(seed: int, step: int, size: int) -> dict[str, Array]:
    """Return real points of p [1, B, 1], and the numbers from which G makes those of q, [2, B, 1]."""
    random = np.random.RandomState([seed, step])
    real = REAL.mean + REAL.std * random.standard_normal((1, size, 1))
    return {"point": real.astype("float32"), "z": random.standard_normal((2, size, 1)).astype("float32")}


def _logits(algorithm: Algorithm, points: Array) -> Array:
    from keras import ops

    algorithm.state()
    inputs: dict[str, Any] = {"point": ops.convert_to_tensor(points.astype("float32").reshape(1, -1, 1))}
    return ops.convert_to_numpy(algorithm.run("discriminator", inputs, 0)).astype(float).ravel()


def _probability(algorithm: Algorithm, points: Array) -> Array:
    return 1 / (1 + np.exp(-_logits(algorithm, points)))


def _value(algorithm: Algorithm, fake: Normal, seed: int) -> float:
    """Return E_p log D + E_q log(1 - D) on fresh points."""
    random = np.random.RandomState([seed, STEPS])
    real, made = (one.mean + one.std * random.standard_normal(FRESH) for one in (REAL, fake))
    return -float(np.logaddexp(0, -_logits(algorithm, real)).mean() + np.logaddexp(0, _logits(algorithm, made)).mean())


def _slope(algorithm: Algorithm, name: str, seed: int) -> float:
    """Return the derivative of G's loss by its mean, for this D, on fresh points."""
    from keras import ops

    from zoo.nn import autodiff
    from zoo.nn.losses import LOSSES

    algorithm.state()
    batch = _batch(seed, STEPS, FRESH)
    tensors: dict[str, Any] = {key: ops.convert_to_tensor(values) for key, values in batch.items()}

    def loss() -> tuple[Any, dict[str, Any]]:
        fakes = algorithm.run("generator", tensors, 0)
        return LOSSES.get(name)().generator(algorithm.run("discriminator", {"point": fakes[None]}, 0)), {}

    result = autodiff.value_and_grad(loss, [algorithm.players["generator"].trainable_variables[1]])
    return float(result.gradients[0][0])


def _draw_d(curves: list[tuple[Normal, Array, Array]]) -> bytes:
    figure, axes = new_figure(1, len(curves), width=2.6, height=2.5, sharex=True, sharey=True)
    seen = np.abs(X) <= 5
    for panel, (fake, ours, best) in zip(axes.flat, curves, strict=True):
        for number, (name, density) in enumerate((("p", REAL), ("q", fake))):
            panel.fill_between(X[seen], density.density(X[seen]), alpha=0.3, label=name, color=COLOURS[number])
        panel.plot(X[seen], best[seen], color="black", linewidth=0.7, label="p / (p + q)")
        panel.plot(X[seen], ours[seen], "--", color=COLOURS[2], label="D")
        panel.set_title(f"q = {fake}", fontsize=8)
    axes[0, 0].legend(fontsize=6)
    return figure_png(figure)


def _draw_slopes(ours: Array, exact: Array) -> bytes:
    figure, axes = new_figure(1, 1, width=4.6, height=3.4)
    for column, name in enumerate(("log(1 - D(G(z)))", "-log D(G(z))")):
        axes[0, 0].semilogy(DISTANCES, exact[:, column], color=COLOURS[column], linewidth=1, label=f"{name}, best D")
        axes[0, 0].semilogy(DISTANCES, ours[:, column], "o", color=COLOURS[column], label=f"{name}, trained D")
    axes[0, 0].set(xlabel="distance theta of the densities", ylabel="size of the slope for G")
    axes[0, 0].legend(fontsize=7)
    return figure_png(figure)
