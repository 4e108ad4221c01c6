"""The saddle V(x, y) = x y: gradient descent leaves its solution, a look ahead converges to it."""

from __future__ import annotations

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import make_game, play, player, weights
from zoo.core.arrays import Array

RATE, STEPS, LOOK_AHEAD = 0.1, 100, (0, 1, 5, 10)


@claim(
    title="Unrolling turns the saddle's spiral inwards",
    source="Metz et al. 2016, section 2.2, on the game of Goodfellow's 2016 tutorial",
    states="On V(x, y) = x y simultaneous gradient steps spiral outwards for every step size; G's look ahead over K "
    "updates of D adds the term K h x^2 to its loss, and both players converge, faster with larger K.",
    spec="unrolled",
    takes=("10 seconds", ""),
    seeds=0,
)
def saddle(options: Options) -> Outcome:
    """Play with the zoo's own `unrolled`: G is a point x in the plane, D the line y, both use SGD."""
    from zoo.train import loop

    paths = {k: path(k) for k in LOOK_AHEAD}  # {K: [101, 4]}
    radii = {k: (positions**2).sum(axis=1) ** 0.5 for k, positions in paths.items()}
    rows = tuple(
        Row(quantity=f"radius after {STEPS} steps, K = {k}", paper=f"{exact:.4g}", ours=float(radii[k][-1]),
            low=exact * 0.9995, high=exact * 1.0005)
        for k in LOOK_AHEAD
        for exact in (radius(k),)
    )  # fmt: skip
    note = "No number of the paper: what stands in its place follows from x' = x - h (y + 2 K h x), y' = y + h x."
    return Outcome(rows=rows, seeds=(0,), machine=loop.machine(), picture=_picture(paths, radii), notes=(note,))


def radius(k: int) -> float:
    """Return the exact distance after simultaneous steps from (1, 1): G descends x y + K h x^2, D climbs x y."""
    x = y = 1.0
    for _ in range(STEPS):
        x, y = x - RATE * (y + 2 * k * RATE * x), y + RATE * x
    return (x * x + y * y) ** 0.5


def path(k: int) -> Array:
    """Return all positions (x, y) of both players, [101, 4], from |x| = |y| = 1."""
    config = player(RATE)
    algorithm = make_game("saddle", "unrolled", loss="wasserstein", generator=config, discriminator=config,
                          simultaneous=True, unrolled_updates=k)  # fmt: skip
    start = np.array([0.6, 0.8], "float32")  # any direction: the game is the same in all of them
    algorithm.players["generator"].set_weights([start[None]])
    algorithm.players["discriminator"].set_weights([-start[:, None]])  # the loss is -x . D's kernel
    positions = []

    def record(step: int = 0) -> None:
        positions.append(np.concatenate([w.ravel() for role in algorithm.roles for w in weights(algorithm, role)]))

    record()
    batch = {"point": np.zeros((1, 1, 2), "float32"), "z": np.ones((2, 1, 1), "float32")}
    play(algorithm, lambda step: batch, STEPS, record)
    return np.array(positions)


def _picture(paths: dict[int, Array], radii: dict[int, Array]) -> bytes:
    figure, ((left, right),) = new_figure(1, 2, width=4.2, height=3.6)
    for k, positions in paths.items():
        x, y = positions[:, :2] @ [0.6, 0.8], -positions[:, 2:] @ [0.6, 0.8]
        left.plot(x, y, label=f"K = {k}", linewidth=1)
        right.semilogy(radii[k] / 2**0.5, linewidth=1.2)
    left.plot([1], [1], "k.", label="start")
    left.set(xlabel="x, which descends", ylabel="y, which climbs", aspect="equal")
    left.legend(fontsize=7)
    right.set(xlabel="step", ylabel="distance to the solution / at the start")
    return figure_png(figure)
