"""Does the loss say how good the images are? For a critic it should; for an ordinary discriminator it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo import judge
from zoo.claims import figures
from zoo.claims.base import Options, Outcome, claim
from zoo.claims.film import SECONDS, Array, cost, film, forward, machine_of
from zoo.claims.result import Row
from zoo.metrics import frechet
from zoo.metrics.ranks import spearman

if TYPE_CHECKING:
    from zoo.algorithms import Algorithm
    from zoo.spec import Spec

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
    expert, seed = judge.load(), options.seeds[0] if options.seeds else 0
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
        f"Frechet distances: {judge.FEATURES} features of the judge, {FAKES:,} images against 10,000 real test images. "
        f"The judge: {expert}.",
        f"Losses: {HELD_OUT:,} test images against as many samples. {len(at)} snapshots, steps {at[0]} to {at[-1]:,}.",
    )
    return Outcome(
        rows=rows, seeds=(seed,), machine=machine_of(list(films.values())), notes=notes, picture=_picture(films),
        seconds=sum(map(cost, films.values())),
    )  # fmt: skip


def _film(options: Options, name: str, seed: int, at: Sequence[int], expert: judge.Judge) -> Film:
    from zoo import examples, latents
    from zoo import spec as language
    from zoo.arrays import from_uint8, to_uint8
    from zoo.losses import LOSSES

    overrides = [*OVERRIDES[name], f"training.seed={seed}"]
    spec: Spec = language.read(language.find(SPEC), overrides)
    assert spec.sections.data is not None
    images = examples.load(spec, split="test").images  # type: ignore[union-attr]
    limits, inputs = spec.sections.data.range, {"z": latents.drawn(spec, FAKES, seed=0)["z"]}
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
        quality = frechet.distance(expert(to_uint8(fake, limits)).features, truth)
        return {"estimate": np.array(-loss if name == CRITIC else np.log(2) - loss / 2), "frechet": np.array(quality)}

    return film(options, f"critic_loss-{'critic' if name == CRITIC else 'ordinary'}-seed{seed}", SPEC, overrides,
                at=at, take=take)  # fmt: skip


def _curves(shots: Film) -> tuple[Array, Array]:
    """Estimates and Frechet distances in the order of the steps."""
    estimates, distances = (np.array([float(shots[s][key]) for s in sorted(shots)]) for key in ("estimate", "frechet"))
    return estimates, distances


def _floor(expert: judge.Judge) -> float:
    """The distance that real images have: as many training images as there are fakes."""
    from zoo import data

    train, test = (data.load(judge.SOURCE, split=split).images for split in ("train", "test"))  # type: ignore[union-attr]
    return frechet.distance(expert(train[:FAKES]).features, expert(test).features)  # type: ignore[index, arg-type]


def _picture(films: dict[str, Film]) -> bytes:
    sheet, axes = figures.new(2, 2, width=4.2, height=2.8)
    names = {CRITIC: "estimate of the Wasserstein distance", ORDINARY: "estimate of the Jensen-Shannon divergence"}
    for row, (name, shots) in zip(axes, films.items(), strict=True):
        steps, (estimates, distances) = sorted(shots), _curves(shots)
        row[0].semilogx(steps, estimates, ".-")
        row[0].set(xlabel="step", ylabel=names[name].replace(" of ", " of\n"), title=name)
        row[1].loglog(steps, distances, ".-", color=figures.COLOURS[1])
        row[1].set(
            xlabel="step", ylabel="Frechet distance", title=f"{float(shots[steps[-1]][SECONDS]) / 60:.0f} minutes"
        )
    return figures.png(sheet)
