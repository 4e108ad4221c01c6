"""All metrics of `zoo evaluate`: the registration of each, in the order of the tables of cards and reports.

To add a metric, write its function in zoo/metrics/ and one function here, below `@measure`, which states the metric's
name, title, better direction and format, and what it needs. `--metrics`, cards, gallery, comparison and the rounding of
`--check` follow from it. The function takes a Subject and returns {name: (value, protocol)}, where the protocol adds to
what all of them state (see scoring). Names that scale with the number of samples get it as their end: fid -> fid_10k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.artifact.scores import SPEED
from zoo.core.arrays import Array
from zoo.core.images import fitted
from zoo.evaluate.subject import FeaturePair, Subject, direction, extract, split_judge
from zoo.metrics import classifier, modes, smoothness, ssim
from zoo.metrics import kid as kernel
from zoo.metrics import prdc as neighbours
from zoo.metrics import swd as patches
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks.judge import CLASSES, FEATURES

Numbers = Mapping[str, tuple[float, Mapping[str, Any]]]
SWD_IMAGES = 2048  # of each set: the sorting of so many takes a minute
WALKS, FRAMES = 16, 33
SIDE = 8  # of the pictures whose pixels are compared
HALVES = "of_two_halves_of_the_real"  # in a protocol: the number of real images against as many others of their split


@dataclass(frozen=True)
class Metric:
    """The name of a number, and how it is shown.

    Args:
        name: in metrics.json, without the number of samples: "fid" for "fid_10k".
        title: in cards.
        better: "lower", "higher", or the value of a perfect generator.
        form: the format of its values, such as ".1f" or ".1%"; `--check` compares to half a unit of its last digit.
        gallery: its title in the column "besides" of the gallery and of README; empty where it is not shown.
    """

    name: str
    title: str
    better: str
    form: str
    gallery: str = ""


@dataclass(frozen=True)
class Measure:
    """A registered function, with the metrics that it returns and what it needs; see `measure`."""

    metrics: tuple[Metric, ...]
    run: Callable[[Subject], Numbers]
    applies: Callable[[Subject], bool]
    counted: bool
    network: str
    least: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its metrics."""
        return tuple(metric.name for metric in self.metrics)

    def shortage(self, subject: Subject) -> str:
        """Return what there is too little of, or an empty string."""
        if not self.counted or min(subject.n, subject.reference_count) >= self.least:
            return ""
        there = f"there are {subject.n:,} and {subject.reference_count:,}"
        return f"{', '.join(self.names)}: needs {self.least:,} samples and as many test images; {there}"


METRICS: dict[str, Metric] = {}  # by name, in the order of the tables
MEASURES: dict[str, Measure] = {}  # by the name of the first metric


def measure(
    *metrics: Metric, applies: Callable[[Subject], bool], counted: bool = True, network: str = "", least: int = 1
) -> Callable[[Callable[[Subject], Numbers]], Callable[[Subject], Numbers]]:
    """Register a function that measures one or more metrics.

    Args:
        metrics: the numbers that the function returns, in the order of the tables.
        applies: True for an artifact that can be measured so.
        counted: True if the number of samples is part of the names.
        network: "inception", "judge" or "lpips", where images are looked at through one.
        least: the smallest number of samples, and of test images.

    Returns:
        A decorator that returns its function unchanged.

    Raises:
        ValueError: for a name that is registered already.
    """

    def register(run: Callable[[Subject], Numbers]) -> Callable[[Subject], Numbers]:
        for metric in metrics:
            if metric.name in METRICS:
                raise ValueError(f"metric '{metric.name}' is registered twice")
            METRICS[metric.name] = metric
        MEASURES[metrics[0].name] = Measure(metrics, run, applies, counted, network, least)
        return run

    return register


def stem(name: str) -> str:
    """Return the name of the metric that a score is of.

    Args:
        name: of a score, such as "fid_10k" or "l1_a_to_b".

    Returns:
        "fid" or "l1"; a name that is not a metric's comes back as it is.
    """
    return max((key for key in METRICS if name == key or name.startswith(f"{key}_")), key=len, default=name)


def ordered(names: Iterable[str]) -> list[str]:
    """Sort names of scores in the order of the tables.

    Args:
        names: of scores.

    Returns:
        The names without those of times; unknown ones come last.
    """
    order = {key: i for i, key in enumerate(METRICS)}
    return sorted((name for name in names if name not in SPEED), key=lambda n: (order.get(stem(n), len(order)), n))


def format_score(name: str, value: float) -> str:
    """Format a value as tables show it.

    Args:
        name: of the score.
        value: of the score.

    Returns:
        The text; four digits for a name that is not a metric's.
    """
    metric = METRICS.get(stem(name))
    return format(value, metric.form if metric else ".4g")


def rounding(name: str) -> float:
    """Return half a unit of the last digit that tables show: the largest difference that rounding hides.

    Args:
        name: of a score.

    Returns:
        A positive number in the unit of the score.
    """
    form = METRICS[stem(name)].form if stem(name) in METRICS else ".4f"
    return 0.5 * 10.0 ** -int(form[1]) * (0.01 if form.endswith("%") else 1.0)


def _images(subject: Subject) -> bool:
    return subject.kind == "images" and not subject.no_reference


def _judged(subject: Subject) -> bool:
    return subject.judged


def _protocol(pair: FeaturePair, **more: Any) -> dict[str, Any]:
    return {"n_real": len(pair.real), "split": "test", **pair.network.protocol, **more}


def _frechet_of_halves(real: Array) -> dict[str, float]:
    """Frechet distance of real images from others of their kind; above 0, because they are finitely many."""
    half, width = len(real) // 2, real.shape[1]
    return {HALVES: frechet_distance(real[:half], real[half:])} if half > width else {}


@measure(Metric("fid", "FID", "lower", ".1f"), applies=_images, network="inception", least=2049)  # features, one more
def fid(subject: Subject) -> Numbers:
    """Measure the Frechet distance of Inception's features (Heusel et al. 2017)."""
    pair = subject.inception
    about = _protocol(pair, **subject.inception_input, **_frechet_of_halves(pair.real))
    return {"fid": (frechet_distance(pair.real, pair.fake), about)}


@measure(Metric("kid", "KID", "lower", ".4f"), applies=_images, network="inception", least=1000)
def kid(subject: Subject) -> Numbers:
    """Measure KID (Binkowski et al. 2018), as it is (their tables show 1,000 times that)."""
    pair = subject.inception
    result = kernel.kid(pair.real, pair.fake, subsets=100, size=1000)
    about = _protocol(pair, **subject.inception_input, subsets=100, subset_size=1000, std=result.std)
    return {"kid": (result.value, about)}


@measure(
    Metric("precision", "precision", "higher", ".3f", gallery="precision"),
    Metric("recall", "recall", "higher", ".3f", gallery="recall"),
    Metric("density", "density", "1", ".3f"),
    Metric("coverage", "coverage", "higher", ".3f"),
    applies=_images, network="inception", least=12,
)  # fmt: skip
def prdc(subject: Subject) -> Numbers:
    """Measure these four (Kynkaanniemi et al. 2019, Naeem et al. 2020) with Inception's features instead of VGG16's."""
    pair = subject.inception
    half = len(pair.real) // 2
    result = neighbours.prdc(pair.real, pair.fake, k=3, k_density=5)._asdict()
    best = neighbours.prdc(pair.real[:half], pair.real[half:], k=3, k_density=5)._asdict()
    k = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}
    return {
        name: (value, {**_protocol(pair, **subject.inception_input, k=k[name]), HALVES: best[name]})
        for name, value in result.items()
    }


@measure(
    Metric("conditional_accuracy", "the judge sees the class asked for", "higher", ".1%", gallery="right class"),
    applies=lambda subject: subject.judged and subject.labelled, network="judge", least=CLASSES,
)  # fmt: skip
def conditional_accuracy(subject: Subject) -> Numbers:
    """Measure the share of images in which the judge sees the class that was asked for; as many of each class."""
    asked = np.arange(subject.n) % CLASSES
    images = subject.generator().sample(subject.n, subject.seed, label=asked)
    logits = split_judge(extract(subject.judge, subject.cropped(images), "labelled"))[1]
    result = classifier.agreement(asked, logits.argmax(axis=1), classes=CLASSES)
    about = {**subject.judge.protocol, "weakest_class": float(result.by_class.min())}
    return {"conditional_accuracy": (result.overall, about)}


@measure(
    Metric("judge_frechet", "Frechet distance of the judge's features", "lower", ".2f"),
    Metric("judge_score", "Inception score's formula on the judge's classes", "higher", ".2f"),
    applies=_judged, network="judge", least=FEATURES + 1,
)  # fmt: skip
def judge_scores(subject: Subject) -> Numbers:
    """Measure both on the judge's 64 features and its 10 classes."""
    pair = subject.judge_features
    (real, real_logits), (fake, fake_logits) = split_judge(pair.real), split_judge(pair.fake)
    score, std = classifier.inception_score(fake_logits)
    best, _ = classifier.inception_score(real_logits)
    return {
        "judge_frechet": (frechet_distance(real, fake), _protocol(pair, **_frechet_of_halves(real))),
        "judge_score": (score, {**pair.network.protocol, "splits": 10, "std": std, "of_the_real": best}),
    }


def _has_pyramid(subject: Subject) -> bool:
    height, width = subject.drawn_shape[:2] if _images(subject) else (0, 0)
    side = height if height == width else 0
    return side >= patches.SMALLEST and not side & (side - 1)


@measure(Metric("swd", "sliced Wasserstein distance x 1000", "lower", ".1f"), applies=_has_pyramid, counted=False)
def swd(subject: Subject) -> Numbers:
    """Measure SWD (Karras et al. 2018), mean over the levels, for an eighth of their 16,384 images, border included."""
    count = min(SWD_IMAGES, subject.n, len(subject.test))
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


@measure(
    Metric("memorisation", "distance to the nearest training image (unseen real images: 1)", "1", ".2f"),
    Metric("copies", "share that is nearer to a training image than 99 % of unseen real images", "0.01", ".3f"),
    applies=_judged, network="judge",
)  # fmt: skip
def memorisation(subject: Subject) -> Numbers:
    """Measure distances of generated images from the training images, relative to those of unseen real images."""
    pair = subject.judge_features
    train = split_judge(extract(subject.judge, subject.cropped(subject.real("train").items), "training"))[0]
    result = neighbours.memorisation(split_judge(pair.fake)[0], train, split_judge(pair.real)[0])
    about = _protocol(pair, n_train=len(train))
    return {"memorisation": (result.ratio, about), "copies": (result.share_nearer, about)}


@measure(
    Metric("pixel_memorisation", "distance in pixels to the nearest training image (unseen ones: 1)", "1", ".2f"),
    Metric("pixel_copies", "share nearer in pixels to a training image than 99 % of unseen ones", "0.01", ".3f"),
    applies=_images, least=neighbours.LEAST_TEST,
)  # fmt: skip
def pixel_memorisation(subject: Subject) -> Numbers:
    """Measure the same in the pixels of small pictures, which fine detail does not count in."""
    test, train = (thumbnails(subject.cropped(images)) for images in (subject.test.items, subject.real("train").items))
    result = neighbours.memorisation(thumbnails(subject.cropped(subject.fakes)), train, test)
    about = {"n_real": len(test), "split": "test", "n_train": len(train), "input": f"at most {SIDE} x {SIDE} pixels"}
    return {"pixel_memorisation": (result.ratio, about), "pixel_copies": (result.share_nearer, about)}


def thumbnails(images: Array) -> Array:
    """Return small pictures as rows, for distances between pixels.

    Args:
        images: uint8 [N, H, W, C].

    Returns:
        float32 [N, D], 0..255: the pixels of images with sides of at most SIDE.
    """
    height, width = (min(side, SIDE) for side in images.shape[1:3])
    return fitted(images, height, width, "resize").reshape(len(images), -1).astype(np.float32)


@measure(
    Metric("walk_jump", "largest step of a latent walk over its mean step", "1", ".1f"),
    applies=_judged, counted=False, network="judge",
)  # fmt: skip
def walk_jump(subject: Subject) -> Numbers:
    """Measure walks between two latents in the judge's features."""
    generator = subject.generator()
    frames = [generator.interpolate(FRAMES, seed=subject.seed + i) for i in range(WALKS)]
    outputs = subject.judge(subject.cropped(np.concatenate(frames)))
    features = split_judge(outputs)[0].reshape(WALKS, FRAMES, -1)
    about = {**subject.judge.protocol, "n_fake": WALKS * FRAMES, "walks": WALKS, "frames": FRAMES}
    return {"walk_jump": (smoothness.largest_jump(features), about)}


@measure(
    Metric("modes", "modes found", "higher", ".0f", gallery="modes found"),
    Metric("high_quality", "samples within 3 standard deviations of a mode", "0.989", ".1%", gallery="high quality"),
    Metric("reverse_kl", "reverse KL to the even mixture", "lower", ".3f"),
    applies=lambda subject: subject.kind == "points" and subject.test.centres is not None,  # a mixture of Gaussians
)
def mode_coverage(subject: Subject) -> Numbers:
    """Measure by VEEGAN's protocol: within 3 standard deviations of a centre."""
    test = subject.test
    assert test.centres is not None and test.std is not None
    result = modes.coverage(subject.fakes, test.centres, test.std)
    about = {"of": len(test.centres), "within_standard_deviations": 3}
    return {
        "modes": (result.found, about),
        "high_quality": (result.high_quality, about),
        "reverse_kl": (result.reverse_kl, about),
    }


def _translates(subject: Subject) -> bool:
    return subject.kind == "translation" and not subject.no_reference


def _against_partners(subject: Subject, name: str, compare: Callable[[Array, Array], Array], **more: str) -> Numbers:
    """Compare results with the partners that training never saw; `of_the_input` is the number of doing nothing."""
    numbers = {}
    for one in subject.translations:
        value, idle = (float(compare(images, one.truth).mean()) for images in (one.made, one.given))
        about = {"n_real": len(one.truth), "split": "test", "file": one.manifest.file, **more, "of_the_input": idle}
        numbers[f"{name}_{direction(one.manifest)}"] = (value, about)
    return numbers


@measure(
    Metric("l1", "L1 to the unseen partner", "lower", ".3f"),
    Metric("ssim", "SSIM to the unseen partner", "higher", ".3f", gallery="SSIM to the unseen partner"),
    applies=_translates, counted=False,
)  # fmt: skip
def pixels(subject: Subject) -> Numbers:
    """Measure the mean absolute difference, and the structural similarity of Wang et al. 2004."""
    return {**_against_partners(subject, "l1", ssim.l1), **_against_partners(subject, "ssim", ssim.ssim)}


@measure(
    Metric("lpips", "LPIPS to the unseen partner", "lower", ".3f"), applies=_translates, counted=False, network="lpips"
)
def perceptual(subject: Subject) -> Numbers:
    """Measure LPIPS (Zhang et al. 2018)."""
    from zoo.metrics.networks import lpips

    compare = lpips.load(subject.threads)
    return _against_partners(subject, "lpips", compare, **compare.protocol)


@measure(Metric("cycle_l1", "L1 of there and back", "lower", ".3f"), applies=_translates, counted=False)
def cycle(subject: Subject) -> Numbers:
    """Measure the mean absolute difference between images and their translations there and back."""
    numbers = {}
    for one in subject.translations:
        for back in subject.networks:
            if back.inputs[0].name == one.manifest.outputs[0].name:
                again = subject.generator(back.network).translate(one.made)
                about = {"n_real": len(one.given), "split": "test", "file": one.manifest.file}
                numbers[f"cycle_l1_{direction(one.manifest)}"] = (float(ssim.l1(again, one.given).mean()), about)
    return numbers
