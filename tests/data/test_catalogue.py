import inspect
import subprocess
import sys

import pytest

from zoo.data import CARDS, describe, final_shape
from zoo.data.sources import SOURCES
from zoo.errors import DataError


def test_every_source_has_a_card_and_every_card_a_source():
    assert set(CARDS) == set(SOURCES)


def test_every_argument_of_a_source_is_keyword_only_and_annotated():
    for name, source in SOURCES.items():
        for parameter in inspect.signature(source).parameters.values():
            assert parameter.kind is parameter.KEYWORD_ONLY, (name, parameter)
            assert parameter.annotation is not parameter.empty, (name, parameter)


def test_the_catalogue_needs_no_numpy():
    code = "import sys, zoo.data.catalogue; sys.exit(any(m in sys.modules for m in ('numpy', 'PIL', 'yaml', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("native", "size", "channels", "expected"),
    [
        ((28, 28, 1), None, None, (28, 28, 1)),
        ((28, 28, 1), 32, None, (32, 32, 1)),
        ((28, 28, 1), (32, 48), 3, (32, 48, 3)),
        ((32, 32, 3), None, 1, (32, 32, 1)),
        (None, 64, None, (64, 64, 3)),
        ((2,), None, None, (2,)),
    ],
)
def test_final_shape(native, size, channels, expected):
    assert final_shape(native, size, channels) == expected


@pytest.mark.parametrize(
    ("native", "size", "channels", "message"),
    [
        (None, None, None, "state one"),
        ((2,), 32, None, "points"),
        ((2,), None, 3, "points"),
        ((28, 28, 1), 0, None, "at least 1 pixel. Received: 0"),
        ((28, 28, 1), (32, 32, 3), None, "at least 1 pixel"),
        ((28, 28, 1), 32, 4, "Received: 4"),
    ],
)
def test_impossible_shapes_are_refused(native, size, channels, message):
    with pytest.raises(DataError, match=message):
        final_shape(native, size, channels)


@pytest.mark.parametrize(
    ("source", "args"), [("ring", {"modes": 3}), ("ring", {}), ("grid", {"side": 4}), ("grid", {})]
)
def test_the_card_of_a_mixture_follows_its_arguments(source, args):
    card, data = describe(source, args), SOURCES.get(source)(**args)
    assert card.classes == data.classes
    assert card.splits["train"] == len(data)
    assert card.shape == data.points.shape[1:]
