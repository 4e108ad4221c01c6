"""The catalogue: each entry is whole, arguments change what they should, and impossible shapes are errors."""

import dataclasses
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from zoo.core.errors import DataError
from zoo.data import catalogue
from zoo.data.catalogue import DATASETS, describe, final_shape, window_shape
from zoo.data.places import DOWNLOADS
from zoo.data.sources import SOURCES


def test_every_source_has_an_entry_and_every_entry_a_source():
    assert set(DATASETS) == set(SOURCES)


@pytest.mark.parametrize("info", DATASETS.values(), ids=lambda info: info.name)
def test_an_entry_is_whole(info):
    users = info.shape is None  # the user's own files
    assert info.title and info.licence and bool(info.splits) == (not users)
    assert info.range == "points" or users or len(info.shape) == 3
    assert bool(info.homepage) == bool(info.citation)
    if info.name in DOWNLOADS:
        assert len(info.sha256 or info.files_sha256) == 64
        assert DOWNLOADS[info.name].layouts and DOWNLOADS[info.name].places
    assert info.domains in ((), ("a", "b"))
    if info.choices:
        hints = typing.get_type_hints(SOURCES.get(info.name))["a"]
        assert typing.get_args(hints) == info.choices  # the words of a spec


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
        ((28, 28, 1), 32, 5, "Received: 5"),
    ],
)
def test_impossible_shapes_are_refused(native, size, channels, message):
    with pytest.raises(DataError, match=message):
        final_shape(native, size, channels)


@pytest.mark.parametrize(("source", "args"), [("ring", {"modes": 3, "samples": 9}), ("grid", {"side": 4})])
def test_the_facts_of_a_mixture_follow_its_arguments(source, args):
    info, data = describe(source, args), SOURCES.get(source)(**args)
    assert info.classes == data.classes and info.splits["train"] == len(data)


def test_a_finite_set_of_points_keeps_the_counts_of_its_splits(monkeypatch):
    known = catalogue.DATASETS["ring"]
    monkeypatch.setitem(catalogue.DATASETS, "ring", dataclasses.replace(known, splits={"train": 40, "test": 7}))
    assert describe("ring", {}).splits == {"train": 40, "test": 7}
    assert describe("ring", {"samples": 9}).splits == {"train": 9, "test": 9}


def test_a_source_of_two_domains_states_the_licences_of_both():
    info = describe("emoji", {"a": "twemoji", "b": "noto"})
    assert info.title == "Twemoji and Noto Emoji" and info.classes == ()
    assert info.licence == "CC-BY-4.0 (Twemoji), Apache-2.0 (Noto Emoji)"
    assert "Twitter" in info.citation and "Google" in info.citation  # CC-BY-4.0 wants the authors named
    assert describe("cifar10_pair", {"a": "cat", "b": "dog"}).title == "Two classes of CIFAR-10: cat and dog"


@pytest.mark.parametrize(
    ("source", "a", "b", "message"),
    [
        ("emoji", "noto", "noto", "a and b are both 'noto'"),
        ("emoji", "noto", "apple", "unknown 'apple'. Known: noto, twemoji, fluent"),
        ("cifar10_pair", "horse", "zebra", "unknown 'zebra'. Known: airplane"),
        ("folders", "photos", "photos", "nothing to translate"),
    ],
)
def test_impossible_domains_are_refused(source, a, b, message):
    with pytest.raises(DataError, match=message):
        describe(source, {"a": a, "b": b})


def test_window_shape():
    assert window_shape((256, 256, 3), None) is None
    assert window_shape((256, 256, 3), 286) == (286, 286)
    assert window_shape((32, 48, 1), (32, 50)) == (32, 50)
    for shape, jitter_from in (((256, 256, 3), 255), ((32, 48, 3), (40, 47)), ((2,), 4), ((8, 8, 1), 0)):
        with pytest.raises(DataError, match="jitter_from|at least 1"):
            window_shape(shape, jitter_from)


def test_every_source_stands_on_the_page_of_data():
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
    assert [name for name in sorted(SOURCES) if f"`{name}`" not in text] == []
