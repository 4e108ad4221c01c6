"""The metrics of models with several labels: does the reader see in an image what was asked for?"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.core.arrays import Array
from zoo.data.catalogue import DATASETS
from zoo.data.critters import unseen
from zoo.evaluate.measures import Metric, Numbers, measure
from zoo.evaluate.subject import Subject
from zoo.metrics.networks.reader import READERS, Reader, load_reader

PAIR = ("body", "color")  # of which training leaves some out, see `zoo.data.critters`


def _read(subject: Subject) -> bool:
    """Return True for a generator that is asked for all labels of a source with a reader, at the reader's size."""
    if subject.kind != "images" or subject.source not in READERS or subject.no_reference:
        return False
    asked = {tensor.name for tensor in subject.manifest.inputs if tensor.classes}
    side, shape = READERS[subject.source], subject.drawn_shape
    return asked >= set(DATASETS[subject.source].labels) and shape == (side, side, 3)


@measure(
    Metric("labels_right", "the reader sees the labels asked for", "higher", ".1%", gallery="right labels"),
    Metric("unseen_right", "of pairs of body and colour that training never saw", "higher", ".1%"),
    applies=_read, network="reader", least=100,
)  # fmt: skip
def labels_right(subject: Subject) -> Numbers:
    """Measure the share of labels in which the reader agrees, in the mean over the labels; asked are those of the test
    images in turn, with a latent of their own. The second number is the same for pairs that are not in training."""
    reader = load_reader(subject.source)
    asked = {name: np.resize(ids, subject.n) for name, ids in subject.test.ids.items()}
    wishes: dict[str, Any] = {name: list(ids) for name, ids in asked.items()}
    images = subject.generator().sample(subject.n, subject.seed, **wishes)
    right = _agreement(reader, images, asked)
    new = unseen(*(asked[name] for name in PAIR))
    real = float(np.mean(list(reader.accuracy.values())))
    about = {"reader_sha256": reader.sha256, "of_the_real": real}
    each = {name: round(float(values.mean()), 4) for name, values in right.items()}
    means = np.mean(list(right.values()), axis=0)  # [n]
    return {
        "labels_right": (float(means.mean()), {**about, "by_label": each}),
        "unseen_right": (float(means[new].mean()), {**about, "pairs": int(new.sum())}),
    }


def _agreement(reader: Reader, images: Array, asked: dict[str, Array]) -> dict[str, Array]:
    """Return by label in which images the reader sees the class that was asked for, bool [N]."""
    read = reader(images)
    return {name: read[name] == ids for name, ids in asked.items() if name in read}
