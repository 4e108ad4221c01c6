"""Folders of tiny artifacts, and a server over them that the tests of a module share."""

import onnx_nets as nets
import pytest
from cases import LIMITS
from live import Live


def save_all(folder):
    """tiny (images), fashion (with classes), points, photos_a_to_b and photos_b_to_a (translators)."""
    nets.save(folder / "tiny", nets.images(), nets.describe())
    nets.save(folder / "fashion", nets.images(label=True), nets.describe(nets.Z, nets.LABEL, name="fashion"))
    nets.save(folder / "points", nets.points(), nets.describe_points())
    facts = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    nets.save_several(folder / "photos", [nets.negative(), nets.negative()], facts)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """An exported/ of tiny nets. Shared: change nothing in it."""
    return save_all(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(folder):
    with Live(folder, LIMITS) as running:
        yield running
