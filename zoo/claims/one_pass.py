"""Style transfer in one pass, beside the optimisation of every picture that it takes the place of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import Options, Outcome, claim, figure_png, new_figure, provenance, shipped_artifact
from zoo.core.arrays import Array, evenly_spaced
from zoo.core.errors import UsageError
from zoo.core.images import fitted, from_uint8, to_uint8

if TYPE_CHECKING:
    from zoo.spec.read import Spec

Losses = Callable[[Any], Mapping[str, Any]]  # of pictures [B, H, W, 3], in the range of the data: terms by name
RATE, BETA_1, BETA_2, EPSILON = 0.02, 0.9, 0.999, 1e-8  # of Adam on pixels


class Scale(NamedTuple):
    """How much is tried: photographs, their sides in pixels, steps of the optimisation."""

    photos: int
    side: int
    steps: int


FULL, QUICK = Scale(5, 128, 300), Scale(2, 64, 60)


@claim(
    title="One pass of a network does most of what an optimisation of every picture does",
    source="Johnson et al. 2016, section 4.1, with the optimisation of Gatys et al. 2015",
    states="On photographs that training never saw, the network's pictures have a lower loss than the photographs "
    "themselves, by the same content, style and variation terms that Gatys's optimisation lowers pixel by pixel. The "
    "optimisation, which the network does without, is the reference.",
    spec="style_transfer",
    takes=("10 minutes", "1 minute"),
    seeds=0,
)
def one_pass(options: Options) -> Outcome:
    """Paint held-out photographs by the exported network, and optimise the same photographs."""
    import zoo
    from zoo.spec import feeds
    from zoo.spec.read import read_spec
    from zoo.train import loop

    artifact, scale = shipped_artifact(options, "style_transfer"), QUICK if options.quick else FULL
    spec, generator = read_spec(artifact / "spec.yaml"), zoo.load(artifact)
    test = feeds.load_data(spec, split="test").parts["image"].items
    photos = fitted(evenly_spaced(test, scale.photos), scale.side, scale.side, "resize")
    painted = generator.translate(photos)
    assert spec.sections.data is not None
    limits = spec.sections.data.range
    losses = losses_of(spec, from_uint8(photos, limits))
    options.log(f"one_pass: {scale.steps} steps on {scale.photos} photographs of {scale.side} x {scale.side} pixels")
    optimised, curve = optimise(losses, from_uint8(photos, limits), scale.steps, limits)
    pictures = {"photograph": photos, "network": painted, "optimisation": to_uint8(optimised, limits)}
    found = {name: terms(losses, from_uint8(images, limits)) for name, images in pictures.items()}
    return Outcome(
        rows=_rows(found, curve, scale.steps), seeds=(generator.manifest.weights["seed"],), machine=loop.machine(),
        picture=_picture(pictures, curve, found),
        notes=(
            f"{scale.photos} held-out photographs of {scale.side} x {scale.side} pixels; losses are means over them, "
            "of pictures with whole pixels, with the weights of the training.",
            f"The optimisation is Adam on the pixels, step {RATE}, from the photograph itself; the paper takes L-BFGS.",
            *([] if _reached(found, curve) is not None else [
                f"The optimisation did not reach the network's loss within {scale.steps} steps."
            ]),
            provenance(generator.manifest),
        ),
        about=(artifact / generator.manifest.file,),
    )  # fmt: skip


def losses_of(spec: Spec, photos: Array) -> Losses:
    """Return the losses of a style transfer as functions of the pictures that are made of given photographs.

    Args:
        spec: A game of one phase, whose network `generator` is called by one value.
        photos: float32 [B, H, W, 3], in the range of the data.

    Returns:
        A function from pictures of the same shape to {term: its loss, weighted as in training}.

    Raises:
        UsageError: The spec is another game.
    """
    from keras import ops

    from zoo.nn.calls import Update, following
    from zoo.train import loop

    game = spec.game
    made = [name for name, call in (game.values if game else {}).items() if call.network in spec.trained]
    if game is None or len(game.phases) != 1 or len(made) != 1:
        raise UsageError(f"{spec.path}: a style transfer has one phase, and calls what it trains once")
    (phase,), players = game.phases, loop.make(spec).players
    values = [game.values[name] for name in phase.values if name not in made]
    late = following(values, set(made))  # the rest depends on photographs and style alone

    def run(call: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return players[call.network](dict(inputs), training=False)

    def computed(calls: list[Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
        update = Update(calls, run, players, {}, {}, None, dict(tensors))
        update.compute()
        return update.tensors

    given = {name: ops.convert_to_tensor(photos) for name in phase.fields}
    known = computed([call for call in values if call.name not in late], given)
    weights = {name: float(np.prod([float(x) for x in w.factors])) for name, w in phase.minimise.items()}  # type: ignore[arg-type]

    def losses(pictures: Any) -> Mapping[str, Any]:
        tensors = computed([call for call in values if call.name in late], {**known, made[0]: pictures})
        return {name: weight * tensors[name] for name, weight in weights.items()}

    return losses


def terms(losses: Losses, pictures: Array) -> dict[str, float]:
    """Return the weighted terms of pictures, and their sum as `total`."""
    from keras import ops

    found = {name: float(value) for name, value in losses(ops.convert_to_tensor(pictures)).items()}
    return {**found, "total": sum(found.values())}


def optimise(losses: Losses, start: Array, steps: int, limits: tuple[float, float]) -> tuple[Array, list[float]]:
    """Lower the sum of the losses by Adam on pixels, which stay between black and white.

    Args:
        losses: See `losses_of`.
        start: The first pictures, float32 [B, H, W, 3].
        steps: Steps of the optimisation.
        limits: The numbers of black and white.

    Returns:
        The last pictures, and the loss before each step.
    """
    from keras import ops

    from zoo.nn.autodiff import input_gradient

    pictures, first, second, curve = start.copy(), np.zeros_like(start), np.zeros_like(start), list[float]()
    rate = RATE * (limits[1] - limits[0]) / 2

    def total(x: Any) -> Any:
        found = sum(losses(x).values())
        curve.append(float(found))
        return found

    for step in range(1, steps + 1):
        gradient = np.array(input_gradient(total, ops.convert_to_tensor(pictures)))
        first = BETA_1 * first + (1 - BETA_1) * gradient
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        root = np.sqrt(second / (1 - BETA_2**step)) + EPSILON
        pictures = np.clip(pictures - rate * first / (1 - BETA_1**step) / root, *limits).astype("float32")
    return pictures, curve


def _rows(found: Mapping[str, Mapping[str, float]], curve: list[float], steps: int) -> tuple[Row, ...]:
    photo, network, optimised = (found[name]["total"] for name in ("photograph", "network", "optimisation"))
    rows = [
        Row(quantity=f"{term} of the {name}", paper="", ours=value)
        for term in found["network"] if term != "total"
        for name, value in ((name, one[term]) for name, one in found.items())
    ]  # fmt: skip
    rows += [
        Row(quantity="all terms of the photograph", paper="", ours=photo),
        Row(quantity="all terms of the network", paper="less", ours=network, high=photo),
        Row(quantity=f"all terms of {steps} steps of the optimisation", paper="the reference", ours=optimised,
            high=photo),
    ]  # fmt: skip
    if optimised < photo:  # otherwise there is no way to go
        share = (photo - network) / (photo - optimised)
        way = "share of the way from the photograph to it that one pass goes"
        rows.append(Row(quantity=way, paper="most", ours=share, form=".1%", low=0.5))
    if (reached := _reached(found, curve)) is not None:
        quantity = "steps of the optimisation for the network's loss"
        rows.append(Row(quantity=quantity, paper="", ours=float(reached), form=".0f"))
    return tuple(rows)


def _reached(found: Mapping[str, Mapping[str, float]], curve: list[float]) -> int | None:
    """Return the steps after which the optimisation had the network's loss, or None where it never had."""
    return next((step for step, loss in enumerate(curve) if loss <= found["network"]["total"]), None)


def _picture(pictures: Mapping[str, Array], curve: list[float], found: Mapping[str, Mapping[str, float]]) -> bytes:
    figure, ((left, right),) = new_figure(1, 2, width=4.2, height=4.6)
    columns = np.concatenate(list(pictures.values()), axis=2)  # [B, H, 3 W, 3]
    left.imshow(np.concatenate(list(columns), axis=0))
    width = columns.shape[2] / len(pictures)
    left.set(yticks=[], xticks=width * (np.arange(len(pictures)) + 0.5))
    left.set_xticklabels(list(pictures), fontsize=7)
    right.semilogy(curve, linewidth=1.2, label="optimisation")
    right.axhline(found["network"]["total"], color="k", linewidth=0.8, linestyle="--", label="one pass")
    right.set(xlabel="step", ylabel="loss, all terms")
    right.legend(fontsize=7)
    return figure_png(figure)
