"""Folders of tiny artifacts, and a server over them that the tests of a module share."""

import pytest
from cases import LIMITS
from live import Live, save_all


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Measurements of the warm-up are kept in a folder of the test, not in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_DATA", str(place := tmp_path_factory.mktemp("cache")))
        yield place


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """An exported/ of tiny nets. Shared: change nothing in it."""
    return save_all(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(folder):
    with Live(folder, LIMITS) as running:
        yield running
