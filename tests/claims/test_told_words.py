"""The measurement of words: grounds by hand, generators that listen to nothing, to words alone, to noise alone."""

import numpy as np
import pytest
import texts
import tiny

from zoo.claims.measurements import make_take
from zoo.claims.told_words import seen_grounds
from zoo.core.errors import UsageError
from zoo.data.catalogue import DATASETS
from zoo.spec.types import Part
from zoo.train import loop

GROUNDS = DATASETS["critters"].labels["ground"]
PART = Part("told_words", {"samples": 24})


def test_grounds_are_the_colours_of_the_upper_corners():
    images = np.full((3, 4, 4, 3), 255, np.uint8)
    images[0, 0, [0, -1]] = [0x6D, 0x28, 0xD9]  # purple
    images[1, 0, [0, -1]] = [[0x1E, 0x29, 0x3B], [0x20, 0x2B, 0x39]]  # about slate
    images[2, 0, [0, -1]] = [0x04, 0x78, 0x57]  # green
    assert [GROUNDS[i] for i in seen_grounds(images)] == ["purple", "slate", "green"]


def test_words_and_noise_are_told_apart(tmp_path):
    """The untrained network adds both; without its rows for z, or for the code, only the other one counts."""
    spec = tiny.read(tmp_path, texts.SPEC)
    algorithm = loop.make(spec)
    take = make_take(spec, [PART])
    both = take(algorithm)
    assert both["by_words"] > 0 and both["by_noise"] > 0 and 0 <= both["right_ground"] <= 1
    (dense,) = (one for one in algorithm.players["generator"].layers if one.name.startswith("dense"))
    kernel, bias = dense.get_weights()
    for rows, zero, other in ((slice(0, 4), "by_noise", "by_words"), (slice(4, None), "by_words", "by_noise")):
        changed = kernel.copy()
        changed[rows] = 0
        dense.set_weights([changed, bias])
        found = take(algorithm)
        assert found[zero] == 0 < found[other]


def test_other_generators_are_refused(tmp_path):
    with pytest.raises(UsageError, match="`told_words` needs a generator that reads captions of critters"):
        make_take(tiny.read(tmp_path, tiny.DENSE), [PART])
