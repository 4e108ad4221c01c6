"""Do two curves rise and fall together?

Does the loss say how good the images are? For a critic it should; for an ordinary discriminator it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import COLOURS, Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import SECONDS, cost, forward, machine_of, train_with_snapshots
from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks import judge
from zoo.metrics.networks.judge import FEATURES, SOURCE, Judge

if TYPE_CHECKING:
    from zoo.spec.read import Spec
    from zoo.train.algorithms.base import Algorithm


def spearman(a: Array, b: Array) -> float:
    """Spearman's rank correlation of two curves [N], in -1..1; equal values share the mean of their ranks.

    Raises DataError for fewer than 3 points, or for a curve that is constant: it has no order.
    """
    if a.ndim != 1 or a.shape != b.shape or len(a) < 3:
        raise DataError(f"a rank correlation takes two curves of 3 points or more, received {a.shape} and {b.shape}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise DataError("a constant curve has no rank correlation")
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Array) -> Array:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)  # the highest rank of each distinct value
    return (last - (counts - 1) / 2)[where]


SPEC = "wgan_gp"
CRITIC, ORDINARY = "critic with gradient penalty", "ordinary GAN, same networks"
# What the ordinary GAN changes: its loss, and no penalty. Minus its loss bounds 2 JS - 2 log 2 from below.
OVERRIDES = {CRITIC: [], ORDINARY: ["algorithm.alternating.loss=non_saturating", "algorithm.alternating.penalties=[]"]}
FAKES, HELD_OUT, SHOTS = 5000, 2000, 24
Film = dict[int, dict[str, Array]]


@claim(
    title="The critic's loss falls as the images get better",
    source="Arjovsky et al. 2017, section 4.2 and figures 3, 4; Gulrajani et al. 2017, figure 5",
    states="The critic's estimate of the Wasserstein distance falls as the samples get better; the estimate of the "
    "Jensen-Shannon divergence by an ordinary discriminator stays or rises. Quality is measured here, not looked at.",
    spec=SPEC,
    takes=("half an hour", "10 minutes"),
)
def critic_loss(options: Options) -> Outcome:
    """Rank correlation of the held-out loss with a Frechet distance, over the snapshots of a training."""
    expert, seed = judge.load_judge(), options.seeds[0] if options.seeds else 0
    steps = 60 if options.quick else 1000
    at = sorted({round(step) for step in np.geomspace(steps // 20, steps, SHOTS)})  # a critic must first be one
    films = {name: _film(options, name, seed, at, expert) for name in OVERRIDES}
    found = {name: spearman(*_curves(shots)) for name, shots in films.items()}
    floor = _floor(expert)
    rows = (
        Row(
            quantity=f"rank correlation, {CRITIC}",
            paper="1: they fall together",
            ours=found[CRITIC],
            low=0.8,
            form=".2f",
        ),
        Row(quantity=f"rank correlation, {ORDINARY}", paper="not positive", ours=found[ORDINARY], form=".2f"),
        Row(quantity=f"Frechet distance, first, {CRITIC}", paper="", ours=float(_curves(films[CRITIC])[1][0])),
        Row(quantity=f"Frechet distance, last, {CRITIC}", paper="", ours=float(_curves(films[CRITIC])[1][-1])),
        Row(quantity="Frechet distance of real images, train to test", paper="", ours=floor),
    )
    notes = (
        f"Frechet distances: {FEATURES} features of the judge, {FAKES:,} images against 10,000 real test images. "
        f"The judge: {expert}.",
        f"Losses: {HELD_OUT:,} test images against as many samples. {len(at)} snapshots, steps {at[0]} to {at[-1]:,}.",
    )
    return Outcome(
        rows=rows, seeds=(seed,), machine=machine_of(list(films.values())), notes=notes, picture=_picture(films),
        seconds=sum(map(cost, films.values())),
    )  # fmt: skip


def _film(options: Options, name: str, seed: int, at: Sequence[int], expert: Judge) -> Film:
    from zoo.core.images import from_uint8, to_uint8
    from zoo.nn.losses import LOSSES
    from zoo.spec import feeds
    from zoo.spec.feeds import draw_inputs
    from zoo.spec.read import read_spec, spec_file

    overrides = [*OVERRIDES[name], f"training.seed={seed}"]
    spec: Spec = read_spec(spec_file(SPEC), overrides)
    assert spec.sections.data is not None
    images = feeds.load_data(spec, split="test").images  # type: ignore[union-attr]
    limits, inputs = spec.sections.data.range, {"z": draw_inputs(spec, FAKES, seed=0)["z"]}
    held_out = from_uint8(images[:HELD_OUT], limits)  # type: ignore[index]
    truth = expert(images).features  # type: ignore[arg-type]
    game = LOSSES.get("wasserstein" if name == CRITIC else "non_saturating")()

    def take(algorithm: Algorithm) -> dict[str, Array]:
        algorithm.exported("generator")  # JAX fills the variables
        players, plans = algorithm.players, spec.plans
        fake = forward(players["generator"], inputs, plans["generator"].output_name)
        scores = [
            forward(players["discriminator"], {"image": shown}, plans["discriminator"].output_name)
            for shown in (held_out, fake[:HELD_OUT])
        ]
        loss = float(game.discriminator(*scores))
        quality = frechet_distance(expert(to_uint8(fake, limits)).features, truth)
        return {"estimate": np.array(-loss if name == CRITIC else np.log(2) - loss / 2), "frechet": np.array(quality)}

    run = f"critic_loss-{'critic' if name == CRITIC else 'ordinary'}-seed{seed}"
    return train_with_snapshots(options, run, SPEC, overrides,
                at=at, take=take)  # fmt: skip


def _curves(shots: Film) -> tuple[Array, Array]:
    """Estimates and Frechet distances in the order of the steps."""
    estimates, distances = (np.array([float(shots[s][key]) for s in sorted(shots)]) for key in ("estimate", "frechet"))
    return estimates, distances


def _floor(expert: Judge) -> float:
    """The distance that real images have: as many training images as there are fakes."""
    from zoo.data import sources

    train, test = (sources.load_dataset(SOURCE, split=split).images for split in ("train", "test"))  # type: ignore[union-attr]
    return frechet_distance(expert(train[:FAKES]).features, expert(test).features)  # type: ignore[index, arg-type]


def _picture(films: dict[str, Film]) -> bytes:
    sheet, axes = new_figure(2, 2, width=4.2, height=2.8)
    names = {CRITIC: "estimate of the Wasserstein distance", ORDINARY: "estimate of the Jensen-Shannon divergence"}
    for row, (name, shots) in zip(axes, films.items(), strict=True):
        steps, (estimates, distances) = sorted(shots), _curves(shots)
        row[0].semilogx(steps, estimates, ".-")
        row[0].set(xlabel="step", ylabel=names[name].replace(" of ", " of\n"), title=name)
        row[1].loglog(steps, distances, ".-", color=COLOURS[1])
        row[1].set(
            xlabel="step", ylabel="Frechet distance", title=f"{float(shots[steps[-1]][SECONDS]) / 60:.0f} minutes"
        )
    return figure_png(sheet)
