"""A ring of Gaussians: an unrolled G keeps all modes, an ordinary one moves from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import COLOURS, Options, Outcome, claim, figure_png, new_figure
from zoo.claims.trainings import Snapshots, forward, machine_of, seconds_of, train_with_snapshots
from zoo.core.arrays import Array
from zoo.metrics.modes import SAMPLES, Modes, coverage

if TYPE_CHECKING:
    from zoo.train.algorithms.base import Algorithm


SPEC = "unrolled"
VEEGAN = {0: ("1", "99.3 %"), 5: ("7.6", "35.6 %"), 10: ("", "")}  # their table 1: GAN, and Unrolled with K = 5
Trainings = dict[tuple[int, int], Snapshots]  # {(K, seed): {step: {"point": [2500, 2]}}}


@claim(
    title="On a ring of 8 Gaussians, looking ahead keeps all modes",
    source="Metz et al. 2016, section 3.1 and figure 1; numbers of Srivastava et al. 2017, table 1",
    states="An unrolled G (K = 10) spreads over and settles on all 8 modes; the ordinary GAN (K = 0) rotates between "
    "them and holds about one at a time. VEEGAN's protocol: 2,500 samples, of high quality within 3 deviations.",
    spec=SPEC,
    takes=("an hour", "5 minutes"),
    seeds=100,
)
def ring(options: Options) -> Outcome:
    """Train the committed spec with K = 0, 5, 10 and five seeds each; nothing else differs."""
    ks = (0, 10) if options.quick else (0, 5, 10)
    seeds = options.seeds or tuple(range(1 if options.quick else 5))
    steps = (1000, 2500, 5000) if options.quick else (2500, 5000, 10_000, 15_000, 20_000, 25_000)
    data, trainings = _data(), {}
    for number, (k, seed) in enumerate([(k, seed) for seed in seeds for k in ks], start=1):
        options.log(f"ring: training {number} of {len(ks) * len(seeds)}, K = {k}, seed {seed}")
        trainings[k, seed] = _train(options, k, seed, steps)
    last = {key: coverage(snapshots[steps[-1]]["point"], *data) for key, snapshots in trainings.items()}
    return Outcome(
        rows=tuple(row for k in ks for row in _rows(k, [last[k, seed] for seed in seeds])),
        seeds=seeds,
        machine=machine_of(list(trainings.values())),
        picture=_picture(trainings, seeds[0], data[0]),
        notes=tuple(_each_seed(k, [last[k, seed] for seed in seeds], steps[-1]) for k in ks),
        seconds=sum(map(seconds_of, trainings.values())),
    )


def _data() -> tuple[Array, float]:
    """Return the centres [8, 2] and the standard deviation of the committed spec."""
    from zoo.spec import feeds
    from zoo.spec.read import read_spec, spec_file

    data = feeds.load_data(read_spec(spec_file(SPEC)), split="test")
    return data.centres, data.std  # type: ignore[union-attr, return-value]


def _train(options: Options, k: int, seed: int, steps: Sequence[int]) -> Snapshots:
    from zoo.spec.feeds import draw_inputs
    from zoo.spec.read import read_spec, spec_file

    inputs = {"z": draw_inputs(read_spec(spec_file(SPEC)), SAMPLES, seed=0)["z"]}

    def take(algorithm: Algorithm) -> dict[str, Array]:
        return {"point": forward(algorithm.exported("generator"), inputs, "point", batch_size=SAMPLES)}

    overrides = [f"algorithm.unrolled.unrolled_updates={k}", f"training.seed={seed}"]
    return train_with_snapshots(options, f"ring-k{k}-seed{seed}", SPEC, overrides, at=steps, take=take)


def _rows(k: int, found: list[Modes]) -> list[Row]:
    """Return the rows of one K: of the mean modes, K = 10 must reach 7, K = 0 at most 2; the rest is only reported."""
    modes, share, kl = np.mean([list(one) for one in found], axis=0)
    metz, veegan = {0: "about 1 at a time", 10: "all 8"}.get(k), VEEGAN[k][0] and f"VEEGAN {VEEGAN[k][0]}"
    paper = "; ".join(filter(None, (metz, veegan)))
    bounds = {0: (None, 2.0), 10: (7.0, None)}.get(k, (None, None))
    return [
        Row(quantity=f"modes of 8, K = {k}", paper=paper, ours=float(modes), low=bounds[0], high=bounds[1], form=".1f"),
        Row(quantity=f"high-quality share, K = {k}", paper=VEEGAN[k][1], ours=float(share), form=".1%"),
        Row(quantity=f"reverse KL, K = {k}", paper="", ours=float(kl), form=".2f"),
    ]


def _each_seed(k: int, found: list[Modes], step: int) -> str:
    each = ", ".join(f"{one.found} ({one.high_quality:.0%})" for one in found)
    return f"K = {k}, modes (share of high quality) at step {step:,}, seed by seed: {each}."


def _picture(trainings: Trainings, seed: int, centres: Array) -> bytes:
    """Draw rows of K and columns of steps, as the paper's figure; the last column shows the data."""
    ks = sorted({k for k, _ in trainings})
    steps = sorted(trainings[ks[0], seed])
    figure, axes = new_figure(len(ks), len(steps) + 1, width=1.5, height=1.55, sharex=True, sharey=True)
    reach = float(np.abs(centres).max()) * 1.5
    for row, k in zip(axes, ks, strict=True):
        for panel, step in zip(row, steps, strict=False):
            points = trainings[k, seed][step]["point"]
            panel.plot(*points.T, ".", markersize=1, alpha=0.3, color=COLOURS[0])
            panel.set_title(f"step {step:,}", fontsize=8)
        row[-1].plot(*centres.T, ".", color="black")
        row[-1].set_title("the data", fontsize=8)
        row[0].set_ylabel(f"K = {k}")
        for panel in row:
            panel.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    return figure_png(figure)
