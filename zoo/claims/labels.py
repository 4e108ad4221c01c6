"""A conditional generator obeys its labels: a classifier of real images, the judge, sees the class asked for."""

from __future__ import annotations

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import Options, Outcome, claim, figure_png, new_figure, onnx_machine, provenance, shipped_artifact
from zoo.core.arrays import Array
from zoo.core.errors import UsageError
from zoo.metrics.classifier import Agreement, agreement

EACH = 1000  # images of each class
SHOWN = 8


@claim(
    title="The label decides what is drawn",
    source="Mirza and Osindero 2014, section 4.1 and figure 2 (digits; the paper gives no number for it)",
    states="Each row of the paper's figure shows one class, the one that G was asked for. Here a classifier that was "
    "trained on real images must see the class asked for in 90 % of all generated images, and in 75 % of every class.",
    spec="cgan",
    takes=("2 minutes", "30 seconds"),
)
def labels(options: Options) -> Outcome:
    """Classify images of the exported generator; the judge was trained on real images alone."""
    import zoo
    from zoo.artifact.manifest import MODEL_FILE
    from zoo.data import sources
    from zoo.metrics.fid import frechet_distance
    from zoo.metrics.networks.judge import SOURCE, load_judge

    artifact = shipped_artifact(options, "cgan")
    generator, judge = zoo.load(artifact), load_judge()
    label = next((tensor for tensor in generator.inputs.values() if tensor.classes), None)
    if label is None:
        raise UsageError(f"{artifact}: {generator.name} does not take a label, so that there is nothing to try")
    names, each, seed = label.classes, 100 if options.quick else EACH, options.seeds[0] if options.seeds else 0
    asked = np.repeat(np.arange(len(names)), each)
    images = generator.sample(len(asked), seed, label=asked)
    prediction = judge(images)
    real = sources.load_dataset(SOURCE, split="test")
    features = judge(real.images).features  # type: ignore[union-attr, arg-type]
    half = len(features) // 2
    found = agreement(asked, prediction.classes, classes=len(names))
    weakest = int(found.by_class.argmin())
    rows = (
        Row(quantity="images in which the judge sees the class asked for", paper="", ours=found.overall, low=0.9,
            form=".1%"),
        Row(quantity=f"the same, of the weakest class ({names[weakest]})", paper="", low=0.75, form=".1%",
            ours=float(found.by_class[weakest])),
        Row(quantity="the judge on real test images", paper="", ours=judge.test_accuracy, form=".1%"),
        Row(quantity="Frechet distance to real test images", paper="",
            ours=frechet_distance(prediction.features, features)),
        Row(quantity="the same between two halves of them", paper="",
            ours=frechet_distance(features[:half], features[half:])),
    )  # fmt: skip
    notes = (
        f"The judge: {judge}. Frechet distances are of its {features.shape[1]} features, not of Inception's.",
        f"{len(asked):,} images, {each:,} of each class. {provenance(generator.manifest)}",
    )
    shown = np.stack([images[asked == k][:SHOWN] for k in range(len(names))])  # [classes, 8, H, W, 1]
    return Outcome(
        rows=rows, seeds=(seed,), machine=onnx_machine(), notes=notes,
        picture=_picture(found, shown, names), about=(artifact / MODEL_FILE,),
    )  # fmt: skip


def _picture(found: Agreement, shown: Array, names: tuple[str, ...]) -> bytes:
    """Draw the images, a row for each class, and beside them the confusion matrix of the judge."""
    figure, ((left, right),) = new_figure(1, 2, width=4.6, height=4.6)
    classes, count, height, width = shown.shape[:4]
    left.imshow(255 - shown[..., 0].swapaxes(1, 2).reshape(classes * height, count * width), cmap="gray")
    left.set(xticks=[], yticks=height * (np.arange(classes) + 0.5), yticklabels=names, title="asked for, and drawn")
    shares = found.confusion / found.confusion.sum(axis=1, keepdims=True)
    right.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.01:
            ink = "white" if share > 0.6 else "black"
            right.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=6, color=ink)
    right.set(xticks=range(classes), yticks=range(classes), yticklabels=names, title="asked for (rows), seen")
    right.set_xticklabels(names, rotation=60, ha="right")
    for panel in (left, right):
        panel.tick_params(labelsize=7)
    return figure_png(figure)
