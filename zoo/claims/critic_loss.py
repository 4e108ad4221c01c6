"""The loss of a critic against the quality of the images, over a training, and that of an ordinary discriminator.

The quality is a Frechet distance in the features of the judge; the agreement of two curves is Spearman's rank
correlation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import COLOURS, Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import SECONDS, Snapshots, forward, machine_of, seconds_of, train_with_snapshots
from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks.judge import FEATURES, SOURCE, Judge, load_judge

if TYPE_CHECKING:
    from zoo.spec.read import Spec
    from zoo.train.algorithms.base import Algorithm

SPEC = "wgan_gp"
CRITIC, ORDINARY = "critic with gradient penalty", "ordinary GAN, same networks"
# Changes for the ordinary GAN: its loss, and no penalty. Minus its loss bounds 2 JS - 2 log 2 from below.
OVERRIDES = {CRITIC: [], ORDINARY: ["algorithm.alternating.loss=non_saturating", "algorithm.alternating.penalties=[]"]}
FAKES, HELD_OUT, SNAPSHOTS = 5000, 2000, 24


def spearman(a: Array, b: Array) -> float:
    """Return Spearman's rank correlation of two curves [N], in -1..1; equal values share the mean of their ranks.

    Raises DataError for fewer than 3 points, and for a constant curve, which has no order.
    """
    if a.ndim != 1 or a.shape != b.shape or len(a) < 3:
        raise DataError(f"a rank correlation takes two curves of 3 points or more, received {a.shape} and {b.shape}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise DataError("a constant curve has no rank correlation")
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Array) -> Array:
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)  # the highest rank of each distinct value
    return (last - (counts - 1) / 2)[positions]


@claim(
    title="The critic's loss falls as the images get better",
    source="Arjovsky et al. 2017, section 4.2 and figures 3, 4; Gulrajani et al. 2017, figure 5",
    states="The critic's estimate of the Wasserstein distance falls as the samples get better; the estimate of the "
    "Jensen-Shannon divergence by an ordinary discriminator stays or rises. Quality is measured here, not looked at.",
    spec=SPEC,
    takes=("half an hour", "10 minutes"),
)
def critic_loss(options: Options) -> Outcome:
    """Correlate the held-out loss with a Frechet distance over the snapshots of two trainings."""
    judge, seed = load_judge(), options.seeds[0] if options.seeds else 0
    steps = 60 if options.quick else 1000
    at = sorted({round(step) for step in np.geomspace(steps // 20, steps, SNAPSHOTS)})  # a critic must first learn
    trainings = {name: _train(options, name, seed, at, judge) for name in OVERRIDES}
    correlation = {name: spearman(*_curves(snapshots)) for name, snapshots in trainings.items()}
    distances = _curves(trainings[CRITIC])[1]
    rows = (
        Row(quantity=f"rank correlation, {CRITIC}", paper="1: they fall together", ours=correlation[CRITIC], low=0.8,
            form=".2f"),
        Row(quantity=f"rank correlation, {ORDINARY}", paper="not positive", ours=correlation[ORDINARY], form=".2f"),
        Row(quantity=f"Frechet distance, first, {CRITIC}", paper="", ours=float(distances[0])),
        Row(quantity=f"Frechet distance, last, {CRITIC}", paper="", ours=float(distances[-1])),
        Row(quantity="Frechet distance of real images, train to test", paper="", ours=_distance_of_real(judge)),
    )  # fmt: skip
    notes = (
        f"Frechet distances: {FEATURES} features of the judge, {FAKES:,} images against 10,000 real test images. "
        f"The judge: {judge}.",
        f"Losses: {HELD_OUT:,} test images against as many samples. {len(at)} snapshots, steps {at[0]} to {at[-1]:,}.",
    )
    return Outcome(
        rows=rows, seeds=(seed,), machine=machine_of(list(trainings.values())), notes=notes,
        picture=_picture(trainings), seconds=sum(map(seconds_of, trainings.values())),
    )  # fmt: skip


def _train(options: Options, name: str, seed: int, at: Sequence[int], judge: Judge) -> Snapshots:
    from zoo.core.images import from_uint8, to_uint8
    from zoo.nn.losses import LOSSES
    from zoo.spec.feeds import draw_inputs, load_data
    from zoo.spec.read import read_spec, spec_file

    overrides = [*OVERRIDES[name], f"training.seed={seed}"]
    spec: Spec = read_spec(spec_file(SPEC), overrides)
    assert spec.sections.data is not None
    images = load_data(spec, split="test").images  # type: ignore[union-attr]
    limits, inputs = spec.sections.data.range, {"z": draw_inputs(spec, FAKES, seed=0)["z"]}
    held_out = from_uint8(images[:HELD_OUT], limits)  # type: ignore[index]
    real_features = judge(images).features  # type: ignore[arg-type]
    loss_of = LOSSES.get("wasserstein" if name == CRITIC else "non_saturating")()

    def take(algorithm: Algorithm) -> dict[str, Array]:
        algorithm.exported("generator")  # JAX fills the variables
        players, plans = algorithm.players, spec.plans
        fake = forward(players["generator"], inputs, plans["generator"].output_name)
        scores = [
            forward(players["discriminator"], {"image": batch}, plans["discriminator"].output_name)
            for batch in (held_out, fake[:HELD_OUT])
        ]
        loss = float(loss_of.discriminator(*scores))
        distance = frechet_distance(judge(to_uint8(fake, limits)).features, real_features)
        return {"estimate": np.array(-loss if name == CRITIC else np.log(2) - loss / 2), "frechet": np.array(distance)}

    label = f"critic_loss-{'critic' if name == CRITIC else 'ordinary'}-seed{seed}"
    return train_with_snapshots(options, label, SPEC, overrides, at=at, take=take)


def _curves(snapshots: Snapshots) -> tuple[Array, Array]:
    """Return the estimates and the Frechet distances in the order of the steps."""
    in_order = [snapshots[step] for step in sorted(snapshots)]
    estimates, distances = (np.array([float(taken[key]) for taken in in_order]) for key in ("estimate", "frechet"))
    return estimates, distances


def _distance_of_real(judge: Judge) -> float:
    """Return the distance of as many training images as there are fakes from the test images."""
    from zoo.data import sources

    train, test = (sources.load_dataset(SOURCE, split=split).images for split in ("train", "test"))  # type: ignore[union-attr]
    return frechet_distance(judge(train[:FAKES]).features, judge(test).features)  # type: ignore[index, arg-type]


def _picture(trainings: dict[str, Snapshots]) -> bytes:
    figure, axes = new_figure(2, 2, width=4.2, height=2.8)
    names = {CRITIC: "estimate of the Wasserstein distance", ORDINARY: "estimate of the Jensen-Shannon divergence"}
    for row, (name, snapshots) in zip(axes, trainings.items(), strict=True):
        steps, (estimates, distances) = sorted(snapshots), _curves(snapshots)
        row[0].semilogx(steps, estimates, ".-")
        row[0].set(xlabel="step", ylabel=names[name].replace(" of ", " of\n"), title=name)
        row[1].loglog(steps, distances, ".-", color=COLOURS[1])
        minutes = float(snapshots[steps[-1]][SECONDS]) / 60
        row[1].set(xlabel="step", ylabel="Frechet distance", title=f"{minutes:.0f} minutes")
    return figure_png(figure)
