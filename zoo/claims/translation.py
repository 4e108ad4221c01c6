"""Translation without pairs, compared with pairs that training never saw."""

from __future__ import annotations

import numpy as np

from zoo.artifact.claim_results import Row
from zoo.claims.base import Options, Outcome, claim, figure_png, new_figure, onnx_machine, provenance, shipped_artifact
from zoo.core.arrays import Array, evenly_spaced
from zoo.core.errors import UsageError
from zoo.metrics import ssim

WAYS = {"a_to_b": ("a", "b"), "b_to_a": ("b", "a")}
SHOWN = 8


@claim(
    title="Unpaired images teach a translation that pairs confirm",
    source="Zhu et al. 2017, sections 3.2 and 5.1.4 (the paper measures on Cityscapes and on people; ours are emoji)",
    states="Without having seen a pair, G brings an image nearer to its unseen partner in the other domain, and the "
    "way there and back ends where it began. Held-out symbols, the same symbol drawn by both vendors.",
    spec="cyclegan",
    takes=("1 minute", ""),
    seeds=0,
)
def translation(options: Options) -> Outcome:
    """Translate the test images with the exported networks, there and back."""
    import zoo
    from zoo.spec import feeds
    from zoo.spec.read import read_spec

    artifact = shipped_artifact(options, "cyclegan")
    test = feeds.load_data(read_spec(artifact / "spec.yaml"), split="test")
    if not getattr(test, "paired", False):
        raise UsageError(f"{artifact}: its data '{test.name}' has no pairs to compare a translation with")
    images: dict[str, Array] = {name: part.images for name, part in test.parts.items()}  # type: ignore[misc]
    networks = {way: zoo.load(artifact, network=way) for way in WAYS}
    there = {way: networks[way].translate(images[source]) for way, (source, _) in WAYS.items()}
    back = {way: networks[f"{target}_to_{source}"].translate(there[way]) for way, (source, target) in WAYS.items()}
    rows = tuple(row for way in WAYS for row in _rows(way, images, there[way], back[way]))
    manifest = networks["a_to_b"].manifest
    return Outcome(
        rows=rows, seeds=(manifest.weights["seed"],), machine=onnx_machine(), picture=_picture(images, there, back),
        notes=(f"{len(images['a']):,} pairs. L1 is a share of the full range, SSIM that of Wang et al. 2004.",
               provenance(manifest)),
        about=tuple(artifact / f"{way}.onnx" for way in WAYS),
    )  # fmt: skip


def _rows(way: str, images: dict[str, Array], there: Array, back: Array) -> list[Row]:
    source, truth = (images[name] for name in WAYS[way])
    before, after = ssim.l1(source, truth), ssim.l1(there, truth)
    like_before, like_after = ssim.ssim(source, truth), ssim.ssim(there, truth)
    return [
        Row(quantity=f"{way}: L1 to the unseen partner of the input itself", paper="", ours=float(before.mean()),
            form=".3f"),
        Row(quantity=f"{way}: L1 to it of the translation", paper="less", ours=float(after.mean()), form=".3f",
            high=float(before.mean())),
        Row(quantity=f"{way}: share of pairs that came nearer (L1)", paper="", ours=float((after < before).mean()),
            form=".1%"),
        Row(quantity=f"{way}: SSIM to the unseen partner of the input itself", paper="", ours=float(like_before.mean()),
            form=".3f"),
        Row(quantity=f"{way}: SSIM to it of the translation", paper="more", ours=float(like_after.mean()), form=".3f",
            low=float(like_before.mean())),
        Row(quantity=f"{way}: L1 of there and back", paper="0", ours=float(ssim.l1(back, source).mean()), form=".3f",
            high=0.05),
    ]  # fmt: skip


def _picture(images: dict[str, Array], there: dict[str, Array], back: dict[str, Array]) -> bytes:
    """Draw for each direction the input, the output, the unseen partner, and the translation back."""
    figure, axes = new_figure(1, 2, width=3.2, height=5.2)
    for panel, (way, (source, target)) in zip(axes.flat, WAYS.items(), strict=True):
        columns = [images[source], there[way], images[target], back[way]]
        rows = np.concatenate([evenly_spaced(column, SHOWN) for column in columns], axis=2)
        panel.imshow(np.concatenate(rows, axis=0))
        width = columns[0].shape[2]
        panel.set(title=way, yticks=[], xticks=width * (np.arange(4) + 0.5))
        panel.set_xticklabels(["input", "output", "partner", "and back"], fontsize=7)
    return figure_png(figure)
