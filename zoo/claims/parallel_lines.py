"""Two parallel lines: the Wasserstein distance grows with their distance, the Jensen-Shannon divergence does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import copy_state, make_game, play, player, restore_state
from zoo.core.arrays import Array

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm


THETAS = (-1.0, -0.5, 0.0, 0.5, 1.0)
BATCH, STEPS, LOG_2 = 128, 400, 0.693147
LAMBDA = 10.0  # the paper's weight of the penalty; with it the optimum is |theta| (1 + |theta| / (2 lambda))


class Kind(NamedTuple):
    """One way to compare the lines: arguments of the algorithm, and the distance that D's loss then estimates."""

    args: dict[str, Any]
    estimate: Any  # (loss of D without penalties) -> distance


def _settling(rate: float, optimizer: str, **args: Any) -> dict[str, Any]:
    """Return a player whose learning rate falls to 0: the last weights are then an optimum, and not near it."""
    schedule = {"linear": {"initial": rate, "final": 0.0, "updates": STEPS}}
    return {"optimizer": {optimizer: {"learning_rate": schedule, **args}}}


KINDS = {
    "gradient penalty": Kind(
        {"loss": "wasserstein", "penalties": [{"gradient_penalty": {"weight": LAMBDA}}],
         "discriminator": _settling(1e-2, "Adam", beta_1=0.0, beta_2=0.9)}, lambda loss: -loss),
    "weight clipping": Kind(
        {"loss": "wasserstein", "weight_clip": {"c": 0.1}, "discriminator": _settling(5e-3, "RMSprop")},
        lambda loss: -loss),
    "Jensen-Shannon": Kind(
        {"loss": "minimax", "discriminator": player(1e-2, "Adam", beta_1=0.5)}, lambda loss: LOG_2 - loss / 2),
}  # fmt: skip


@claim(
    title="Two parallel lines: only the Wasserstein distance has a slope",
    source="Arjovsky et al. 2017, example 1 and figure 1; Gulrajani et al. 2017, algorithm 1",
    states="Between the lines x = 0 and x = theta the Wasserstein distance is |theta|, with slope sign(theta); the "
    "Jensen-Shannon divergence is log 2 for every theta but 0, with slope 0: nothing tells G where to go.",
    spec="wgan_gp",
    takes=("30 seconds", ""),
)
def parallel_lines(options: Options) -> Outcome:
    """Train D from the same start to separate the lines, for each theta, while G does not move."""
    from zoo.train import loop

    seed = options.seeds[0] if options.seeds else 0
    found = {name: compare(kind, seed) for name, kind in KINDS.items()}  # {name: [thetas, (estimate, slope)]}
    rows = [*_wasserstein_rows(found["gradient penalty"]), *_divergence_rows(found["Jensen-Shannon"])]
    clipped = found["weight clipping"][:, 0]
    scale = clipped[-1] / THETAS[-1]
    rows += [
        Row(quantity=f"clipped critic, theta = {theta:g}: estimate / (scale |theta|)", paper="1: W up to a constant",
            ours=float(value / abs(theta) / scale), low=0.75, high=1.25)
        for theta, value in zip(THETAS, clipped, strict=True) if theta not in (0.0, THETAS[-1])
    ]  # fmt: skip
    notes = (
        f"A penalised critic gains by a slope above 1: its optimum is |theta| (1 + |theta| / {2 * LAMBDA:g}).",
        f"The clipped critic's scale here is {scale:.3g}.",
    )
    return Outcome(rows=tuple(rows), seeds=(seed,), machine=loop.machine(), picture=_picture(found), notes=notes)


def _wasserstein_rows(found: Array) -> list[Row]:
    rows = []
    for theta, (estimate, slope) in zip(THETAS, found, strict=True):
        sign, optimum = float((theta > 0) - (theta < 0)), abs(theta) * (1 + abs(theta) / (2 * LAMBDA))
        margin = max(0.03 * abs(theta), 0.02)
        rows.append(Row(quantity=f"W, theta = {theta:g}", paper=f"{abs(theta):g}", ours=float(estimate),
                        low=abs(theta) - margin, high=optimum + margin, form=".3f"))  # fmt: skip
        if theta:
            rows.append(Row(quantity=f"dW / dtheta, theta = {theta:g}", paper=f"{sign:g}", ours=float(slope),
                            low=sign - 0.15, high=sign + 0.15, form=".3f"))  # fmt: skip
    return rows


def _divergence_rows(found: Array) -> list[Row]:
    rows = []
    for theta, (estimate, slope) in zip(THETAS, found, strict=True):
        exact = LOG_2 if theta else 0.0
        rows.append(Row(quantity=f"JS, theta = {theta:g}", paper=f"{exact:.4g}", ours=float(estimate),
                        low=exact - 0.01, high=exact + 0.01, form=".4f"))  # fmt: skip
        if theta:
            rows.append(Row(quantity=f"dJS / dtheta, theta = {theta:g}", paper="0", ours=float(slope),
                            low=-0.05, high=0.05, form=".4f"))  # fmt: skip
    return rows


def compare(kind: Kind, seed: int) -> Array:
    """Return the estimate on fresh points and its slope by theta after D has learned, [thetas, 2]."""
    algorithm = make_game("parallel_lines", "alternating", seed, generator=player(1e-30), **kind.args)  # G rests
    start, found = copy_state(algorithm), []
    for theta in THETAS:
        restore_state(algorithm, start)
        algorithm.players["generator"].set_weights([np.array([[0.0, 1.0]]), np.array([theta, 0.0])])
        play(algorithm, lambda step: _batch(seed, step, BATCH), STEPS)
        found.append(_estimate(kind, algorithm, _batch(seed, STEPS, 4096)))
    return np.array(found)


def _batch(seed: int, step: int, size: int) -> dict[str, Array]:
    """Return real points (0, U), and the numbers from which G makes (theta, U)."""
    random = np.random.RandomState([seed, step])
    real = np.stack([np.zeros((1, size)), random.random_sample((1, size))], axis=-1)  # [1, B, 2]
    drawn = {"point": real, "u": random.random_sample((2, size, 1)), "share": random.random_sample((2, size, 1))}
    return {name: values.astype("float32") for name, values in drawn.items()}


def _estimate(kind: Kind, algorithm: Algorithm, batch: dict[str, Array]) -> tuple[float, float]:
    """Return the distance that D's loss estimates, and its derivative by theta for a fixed D."""
    from keras import ops

    from zoo.nn import autodiff
    from zoo.nn.losses import LOSSES

    loss = LOSSES.get(kind.args["loss"])()
    tensors: dict[str, Any] = {name: ops.convert_to_tensor(values) for name, values in batch.items()}
    bias = algorithm.players["generator"].trainable_variables[1]

    def distance() -> tuple[Any, dict[str, Any]]:
        fakes = algorithm.run("generator", tensors, 0)
        real, fake = (
            algorithm.run("discriminator", {"point": points[None]}, 0) for points in (tensors["point"][0], fakes)
        )
        return kind.estimate(loss.discriminator(real, fake)), {}

    result = autodiff.value_and_grad(distance, [bias])
    return float(result.value), float(result.gradients[0][0])


def _picture(found: dict[str, Array]) -> bytes:
    figure, ((left, right),) = new_figure(1, 2, width=4.2, height=3.4)
    for name, values in found.items():
        left.plot(THETAS, values[:, 0], "o-", label=name, linewidth=1, markersize=3)
        slopes = [slope if theta else float("nan") for theta, slope in zip(THETAS, values[:, 1], strict=True)]
        right.plot(THETAS, slopes, "o-", linewidth=1, markersize=3)  # none at theta = 0
    left.plot(THETAS, [abs(theta) for theta in THETAS], "k:", label="|theta|")
    left.axhline(LOG_2, color="grey", linewidth=0.5)
    left.set(xlabel="theta", ylabel="estimated distance")
    left.legend(fontsize=7)
    right.set(xlabel="theta", ylabel="its slope by theta")
    return figure_png(figure)
