"""The warm-up measures speed, and which sizes of batches agree."""

import json

import numpy as np
import onnx_nets as nets
import pytest

import zoo
from zoo.core import host
from zoo.runtime.generator import Generator
from zoo.serve import warm_up
from zoo.serve.settings import Settings


class Moody:
    """A runtime whose rows depend on `what`: the size of the batch, or the place in it."""

    def __init__(self, what):
        self.what = what

    def run(self, names, feed):
        z = feed["z"]
        rows = np.arange(len(z), dtype=np.float32)[:, None]
        change = {"nothing": 0, "size": np.float32(len(z)), "place": rows}
        change |= {f"below {n}": np.float32(len(z) < n) for n in (2, 8, 9, 16)}
        return [z + 1e-3 * change[self.what]]


def generator(what):
    return Generator(nets.describe_points(), Moody(what))


@pytest.mark.parametrize(
    ("what", "min_batch"),
    [("nothing", 1), ("size", 17), ("place", 17), ("below 2", 2), ("below 8", 8), ("below 9", 17), ("below 16", 17)],
)
def test_rows_that_depend_on_their_batch_are_noticed(what, min_batch):
    """Between 8 and 16 not every size is tried: a network that differs at 8 is not trusted above it."""
    found = warm_up.measure(generator(what), Settings(max_batch=16))
    assert (found.min_batch, found.max_batch) == (min_batch, 16) and 0 < found.seconds_per_number < 1


def test_slow_networks_get_small_batches(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(warm_up.time, "perf_counter", lambda: next(clock) / 10)  # every call takes 0.1 s
    assert warm_up.measure(generator("nothing"), Settings(slice_seconds=0.25)).max_batch == 5
    for what, min_batch in (("nothing", 1), ("below 2", 2), ("size", 2)):
        found = warm_up.measure(generator(what), Settings(slice_seconds=0.01))
        assert (found.max_batch, found.min_batch) == (1, min_batch)


def test_the_network_takes_the_noise(tmp_path):
    fashion = zoo.load(
        nets.save(tmp_path / "a", nets.images(label=True), nets.describe(nets.Z, nets.LABEL, name="fashion"))
    )
    feed = warm_up.noise(fashion, 50)
    assert feed["z"].shape == (50, 8) and set(feed["label"]) == {0, 1, 2} and feed["label"].dtype == np.int64
    photos = zoo.load(nets.save(tmp_path / "b", nets.negative(), nets.describe_negative()))
    image = warm_up.noise(photos, 2)["a"]
    assert image.shape == (2, 16, 16, 3) and image.dtype == np.float32  # the trained size, the stated range
    assert 0 <= image.min() < 0.1 and 0.9 < image.max() <= 1
    assert warm_up.measure(photos, Settings()).min_batch == 1


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """The names of the networks that were measured, with a cache of the test's own."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    names, measure = [], warm_up.measure
    monkeypatch.setattr(warm_up, "measure", lambda one, settings: (names.append(one.name), measure(one, settings))[1])
    return names


def test_a_measurement_is_made_once_for_a_file_a_machine_and_its_settings(measured, tmp_path, monkeypatch):
    home = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    first = warm_up.remembered(zoo.load(home), Settings())
    assert warm_up.remembered(zoo.load(home), Settings()) == first and measured == ["tiny"]
    nets.save(home, nets.images(seed=1), nets.describe())  # another file
    warm_up.remembered(zoo.load(home), Settings())
    assert len(measured) == 2
    for changes in ({"max_batch": 3}, {"slice_seconds": 0.2}, {"threads": 2}):
        warm_up.remembered(zoo.load(home), Settings(**changes))
    assert len(measured) == 5
    monkeypatch.setattr(host, "cpu", lambda: "3 CPU cores")  # another machine
    warm_up.remembered(zoo.load(home), Settings())
    assert len(measured) == 6 and len(list((tmp_path / "cache" / "warm_up").iterdir())) == 6
    warm_up.remembered(zoo.load(home), Settings())
    assert len(measured) == 6


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff", b"{", b"[]", b"{}", b"7", b'{"seconds_per_number": 1e-6, "max_batch": "8", "min_batch": 1}',
     b'{"seconds_per_number": NaN, "max_batch": 8, "min_batch": 1}',
     b'{"seconds_per_number": 1e-6, "max_batch": 0, "min_batch": 1}'],
)  # fmt: skip
def test_a_damaged_entry_is_measured_again(measured, tmp_path, damage):
    home = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    warm_up.remembered(zoo.load(home), Settings())
    (entry,) = (tmp_path / "cache" / "warm_up").iterdir()
    entry.write_bytes(damage)
    found = warm_up.remembered(zoo.load(home), Settings())
    assert len(measured) == 2 and json.loads(entry.read_bytes())["max_batch"] == found.max_batch


def test_a_cache_that_cannot_be_written_does_no_harm(measured, tmp_path):
    (tmp_path / "cache").write_text("a file")
    home = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    assert warm_up.remembered(zoo.load(home), Settings()).min_batch == 1 and measured == ["tiny"]
