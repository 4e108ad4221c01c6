"""How fast batches reach a step that does nothing: what no card can exceed. On two cores that do nothing else."""

import numpy as np
import pytest
import tiny
from games import images
from PIL import Image

from zoo.data import folder_cache
from zoo.data.sources import load_dataset
from zoo.spec.read import read_spec, spec_file
from zoo.train import feeding, loop, speed

ROUNDS = 5
IN_COLOUR = ("data.channels=3", "networks.generator.layers.5.Conv2DTranspose.filters=3")
SPECS = {32: ("dcgan", IN_COLOUR), 64: ("terrain", ())}


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """`photos(side)`: 2,000 pictures that were read before, so that their pixels come from the cache."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(folder_cache, "LEAST", 0)

    def load(side):
        (tmp_path / "photos").mkdir()
        for number, pixels in enumerate(np.random.RandomState(0).randint(0, 256, (2000, side, side, 3), np.uint8)):
            Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.bmp")
        for _ in range(2):
            found = load_dataset("folder", {"path": str(tmp_path / "photos")}, size=side)
        assert not found.items.flags.writeable
        return found

    return load


def fastest(spec, dataset):
    """The images per second of the best round: other work on the machine only slows it."""
    algorithm = loop.make(spec)
    algorithm.begin(0)
    batches = loop.make_batches(spec, algorithm, dataset)
    feeding.empty(algorithm)
    rounds = [
        next(speed.race("feeding", {"empty step": lambda: feeding.fit(algorithm, batches)}, 1, 2.0,
                        per_call=feeding.STEPS * algorithm.step_images))
        for _ in range(ROUNDS)
    ]  # fmt: skip
    return max(one.images_per_second for one in rounds)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["memory", "cache"])
@pytest.mark.parametrize(("side", "least"), [(32, 50_000), (64, 10_000)])
def test_an_empty_step_under_fit_is_fed(place, side, least, photos):
    name, changes = SPECS[side]
    spec = read_spec(spec_file(name), changes)
    dataset = images(spec, 2000) if place == "memory" else photos(side)
    assert fastest(spec, dataset) >= least


def test_the_measured_step_does_nothing(tmp_path):
    """Otherwise it is the step that is measured: no weight moves, and each phase still has its loss in the logs."""
    spec = tiny.read(tmp_path, tiny.DENSE)
    algorithm = loop.make(spec)
    algorithm.begin(0)
    before = [v.numpy() for v in algorithm.trainable_variables]
    batches = loop.make_batches(spec, algorithm, loop.feeds.load_data(spec))
    feeding.empty(algorithm)
    assert feeding.fit(algorithm, batches, steps=5) == {"discriminator_loss": [0.0], "generator_loss": [0.0]}
    assert all(np.array_equal(x, v.numpy()) for x, v in zip(before, algorithm.trainable_variables, strict=True))
