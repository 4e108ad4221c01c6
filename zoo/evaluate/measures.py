"""Every number that `zoo evaluate` can measure: its name, what it needs, what stands in its protocol.

A measure takes a Subject and returns its numbers by the stems of their names, each with what its protocol adds to what
all of them state. Stems that scale with the number of samples get it as their end: fid -> fid_10k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.core.arrays import Array
from zoo.evaluate.subject import FeaturePair, Subject, extract, halves, way
from zoo.metrics import classifier, modes, prdc, smoothness, ssim
from zoo.metrics import kid as kernel
from zoo.metrics import swd as patches
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks.judge import CLASSES, FEATURES

Numbers = Mapping[str, tuple[float, Mapping[str, Any]]]
PATCHED = 2048  # images of each set for SWD: its sorting takes a minute for so many
WALKS, STEPS = 16, 33
# in a protocol: the number of real images against as many others of the test split
HALVES = "of_two_halves_of_the_real"


@dataclass(frozen=True)
class Measure:
    """`names` of its numbers; `counted` if they end with the number of samples; `looks` through that network.

    It needs `least` samples, and as many test images.
    """

    names: tuple[str, ...]
    applies: Callable[[Subject], bool]
    run: Callable[[Subject], Numbers]
    counted: bool = True
    looks: str = ""
    least: int = 1

    def lacks(self, subject: Subject) -> str:
        """What there is too little of; nothing where there is enough."""
        if not self.counted or min(subject.n, subject.reference_count) >= self.least:
            return ""
        there = f"there are {subject.n:,} and {subject.reference_count:,}"
        return f"{', '.join(self.names)}: needs {self.least:,} samples and as many test images; {there}"


MEASURES: dict[str, Measure] = {}  # by the first of its names


def measure(
    *names: str, applies: Callable[[Subject], bool], counted: bool = True, looks: str = "", least: int = 1
) -> Callable[[Callable[[Subject], Numbers]], Callable[[Subject], Numbers]]:
    """Register a function under the stems of the numbers that it returns."""

    def register(run: Callable[[Subject], Numbers]) -> Callable[[Subject], Numbers]:
        MEASURES[names[0]] = Measure(names, applies, run, counted, looks, least)
        return run

    return register


def _images(subject: Subject) -> bool:
    return subject.kind == "images" and not subject.no_reference


def _judged(subject: Subject) -> bool:
    return subject.judged


def _seen(views: FeaturePair, **more: Any) -> dict[str, Any]:
    return {"n_real": len(views.real), "split": "test", **views.network.protocol, **more}


def _halves(real: Array) -> dict[str, float]:
    """The Frechet distance that real images have from others of their kind; above 0, for there are only so many."""
    half, width = len(real) // 2, real.shape[1]
    return {HALVES: frechet_distance(real[:half], real[half:])} if half > width else {}


@measure("fid", applies=_images, looks="inception", least=2049)  # features, and one more
def fid(subject: Subject) -> Numbers:
    """Heusel et al. 2017."""
    views = subject.inception
    return {"fid": (frechet_distance(views.real, views.fake), _seen(views, **subject.seen_as, **_halves(views.real)))}


@measure("kid", applies=_images, looks="inception", least=1000)
def kid(subject: Subject) -> Numbers:
    """Binkowski et al. 2018, as it is (their tables show 1,000 times that)."""
    views = subject.inception
    found = kernel.kid(views.real, views.fake, subsets=100, size=1000)
    about = _seen(views, **subject.seen_as, subsets=100, subset_size=1000, std=found.std)
    return {"kid": (found.value, about)}


@measure("precision", "recall", "density", "coverage", applies=_images, looks="inception", least=12)
def manifolds(subject: Subject) -> Numbers:
    """Kynkaanniemi et al. 2019 and Naeem et al. 2020, with Inception's features in the place of VGG16's."""
    views = subject.inception
    half = len(views.real) // 2
    (first, second), (best, densest) = (
        prdc.both(real, fake, k=3, k_density=5)
        for real, fake in ((views.real, views.fake), (views.real[:half], views.real[half:]))
    )
    near, dense = (_seen(views, **subject.seen_as, k=k) for k in (3, 5))
    return {
        "precision": (first.precision, {**near, HALVES: best.precision}),
        "recall": (first.recall, {**near, HALVES: best.recall}),
        "density": (second.density, {**dense, HALVES: densest.density}),
        "coverage": (second.coverage, {**dense, HALVES: densest.coverage}),
    }


@measure("judge_frechet", "judge_score", applies=_judged, looks="judge", least=FEATURES + 1)
def judge_scores(subject: Subject) -> Numbers:
    """Frechet distance of the judge's 64 features, and the formula of the Inception score on its 10 classes."""
    views = subject.judge_features
    (real, real_logits), (fake, logits) = halves(views.real), halves(views.fake)
    score, std = classifier.inception_score(logits)
    best, _ = classifier.inception_score(real_logits)
    return {
        "judge_frechet": (frechet_distance(real, fake), _seen(views, **_halves(real))),
        "judge_score": (score, {**views.network.protocol, "splits": 10, "std": std, "of_the_real": best}),
    }


@measure("memorisation", "copies", applies=_judged, looks="judge")
def memorisation(subject: Subject) -> Numbers:
    """How near generated images are to training images, where unseen real images set the measure."""
    views = subject.judge_features
    train = halves(extract(subject.judge, subject.cropped(subject.real("train").items), "training"))[0]
    found = prdc.memorisation(halves(views.fake)[0], train, halves(views.real)[0])
    about = _seen(views, n_train=len(train))
    return {"memorisation": (found.ratio, about), "copies": (found.share_nearer, about)}


@measure("conditional_accuracy", applies=lambda s: s.judged and s.labelled, looks="judge", least=CLASSES)
def conditional_accuracy(subject: Subject) -> Numbers:
    """The share of images in which the judge sees the class that was asked for; as many of each class."""
    classes = subject.judge.width - halves(subject.judge_features.real)[0].shape[1]
    asked = np.arange(subject.n) % classes
    images = subject.generator().sample(subject.n, subject.seed, label=asked)
    logits = halves(extract(subject.judge, subject.cropped(images), "labelled"))[1]
    found = classifier.agreement(asked, logits.argmax(axis=1), classes=classes)
    about = {**subject.judge.protocol, "weakest_class": float(found.by_class.min())}
    return {"conditional_accuracy": (found.overall, about)}


def _patchable(subject: Subject) -> bool:
    sides = subject.manifest.outputs[0].shape[1:3] if _images(subject) else (0, 1)
    side = sides[0] if isinstance(sides[0], int) and sides[0] == sides[1] else 0
    return side >= patches.SMALLEST and not side & (side - 1)


@measure("swd", applies=_patchable, counted=False)
def swd(subject: Subject) -> Numbers:
    """Karras et al. 2018, mean over the levels, for an eighth of their 16,384 images; with the border, if padded."""
    count = min(PATCHED, subject.n, len(subject.test))
    real, others = subject.test.items[:count], subject.test.items[count : 2 * count]
    levels = patches.sliced_wasserstein(real, subject.fakes[:count])
    height, width = subject.fakes.shape[1:3]
    about = {"n_real": count, "n_fake": count, "split": "test", "input": f"{height} x {width} pixels as they are made",
             "levels": {str(k): v for k, v in levels.items()}}  # fmt: skip
    if len(others) == count:
        about[HALVES] = _mean(patches.sliced_wasserstein(real, others))
    return {"swd": (_mean(levels), about)}


def _mean(levels: dict[int, float]) -> float:
    return float(np.mean(list(levels.values())))


@measure("walk_jump", applies=_judged, counted=False, looks="judge")
def walk_jump(subject: Subject) -> Numbers:
    """The largest step of a walk between two latents over its mean step, in the judge's features."""
    generator = subject.generator()
    frames = [generator.interpolate(STEPS, seed=subject.seed + i) for i in range(WALKS)]
    seen = subject.judge(subject.cropped(np.concatenate(frames)))
    features = halves(seen)[0].reshape(WALKS, STEPS, -1)
    about = {**subject.judge.protocol, "n_fake": WALKS * STEPS, "walks": WALKS, "frames": STEPS}
    return {"walk_jump": (smoothness.largest_jump(features), about)}


@measure("modes", "high_quality", "reverse_kl", applies=lambda s: s.kind == "points")
def mode_coverage(subject: Subject) -> Numbers:
    """VEEGAN's protocol: within 3 standard deviations of a centre."""
    test = subject.test
    assert test.centres is not None and test.std is not None
    found = modes.coverage(subject.fakes, test.centres, test.std)
    about = {"of": len(test.centres), "within_standard_deviations": 3}
    return {
        "modes": (found.found, about),
        "high_quality": (found.high_quality, about),
        "reverse_kl": (found.reverse_kl, about),
    }


def _translates(subject: Subject) -> bool:
    return subject.kind == "translation" and not subject.no_reference


@measure("l1", "ssim", "cycle_l1", applies=_translates, counted=False)
def translations(subject: Subject) -> Numbers:
    """Against the partners that training never saw, and there and back; `of_the_input` is what doing nothing gets."""
    made: dict[str, tuple[float, Mapping[str, Any]]] = {}
    for manifest, given, truth, there in subject.translations():
        about = {"n_real": len(truth), "split": "test", "file": manifest.file}
        for name, compare in (("l1", ssim.l1), ("ssim", ssim.ssim)):
            idle = float(compare(given, truth).mean())
            made[f"{name}_{way(manifest)}"] = (float(compare(there, truth).mean()), {**about, "of_the_input": idle})
        for back in subject.networks:
            if back.inputs[0].name == manifest.outputs[0].name:
                again = subject.generator(back.network).translate(there)
                made[f"cycle_l1_{way(manifest)}"] = (float(ssim.l1(again, given).mean()), about)
    return made


@measure("lpips", applies=_translates, counted=False, looks="lpips")
def perceptual(subject: Subject) -> Numbers:
    """Zhang et al. 2018, against the partners that training never saw."""
    from zoo.metrics.networks import lpips

    compare, made = lpips.load(subject.threads), {}
    for manifest, given, truth, there in subject.translations():
        about = {"n_real": len(truth), "split": "test", "file": manifest.file, **compare.protocol}
        idle = float(compare(given, truth).mean())
        made[f"lpips_{way(manifest)}"] = (float(compare(there, truth).mean()), {**about, "of_the_input": idle})
    return made
