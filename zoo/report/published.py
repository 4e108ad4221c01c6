"""What others report, and what this zoo aims at: the numbers that stand beside ours in cards and in README."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LUCIC = "Lucic et al. 2018 (arXiv 1711.10337), table 2"
LUCIC_HOW = (
    "best of a wide search, mean and sd over restarts, 10,000 samples against the 10,000 test images, TensorFlow's "
    "Inception, 28 x 28 pixels; one convolutional network and 20 epochs for all losses, no average of weights"
)


@dataclass(frozen=True)
class Published:
    """A number as its source prints it, for a method on a data set; `how` is the source's protocol."""

    text: str
    value: float
    source: str = LUCIC
    how: str = LUCIC_HOW


# (metric, data set) -> spec -> number
PUBLISHED: Mapping[tuple[str, str], Mapping[str, Published]] = {
    ("fid_10k", "Fashion-MNIST"): {
        "vanilla": Published("29.6 +- 1.6 (minimax loss, convolutional networks)", 29.6),
        "dcgan": Published("26.5 +- 1.6 (non-saturating loss)", 26.5),
        "lsgan": Published("30.7 +- 2.2", 30.7),
        "wgan": Published("21.5 +- 1.6", 21.5),
        "wgan_gp": Published("24.5 +- 2.1", 24.5),
    },
}

# (metric, data set) -> spec -> what we aim at: at most so much
AIMS: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("fid_10k", "Fashion-MNIST"): {
        "dcgan": 18.0, "lsgan": 20.0, "wgan": 21.5, "wgan_gp": 15.0, "sngan": 13.0, "progressive": 10.0,
    },
}  # fmt: skip

# spec -> what was tried on the way to an aim, for its card
TRIED: Mapping[str, str] = {
    "wgan": (
        "distance of the judge's features after 1,000 steps with learning rates of G and of the critic of 8e-4 and "
        "2e-5 (182, the recipe), 2e-4 and 5e-5 (260; 250 with twice the filters in the critic), both 2e-4 (295; 450 "
        "without batch norm in the critic), all with seed 0; trained on after looks at this number (26.9, 22.6)"
    ),
    "wgan_gp": "fewer steps (24.7, 16.1): trained on after looks at this number",
    "sngan": "fewer steps (13.9): trained on after a look at this number",
    "lsgan": "a learning rate of 2e-4 instead of the authors' 1e-3",
    "progressive": "a last stage of 40 thousand images (51.4) and of 275 thousand (27.1) instead of 560 thousand",
}


def published(metric: str, data: str, name: str) -> Published | None:
    """What others report for the method of spec `name`."""
    return PUBLISHED.get((metric, data), {}).get(name)


def aim(metric: str, data: str, name: str) -> float | None:
    """What this zoo wants of spec `name`."""
    return AIMS.get((metric, data), {}).get(name)
