"""Folders of tiny artifacts, and a server over them that the tests of a module share."""

import pytest
from cases import LIMITS
from live import Live, save_all


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """An exported/ of tiny nets. Shared: change nothing in it."""
    return save_all(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(folder):
    with Live(folder, LIMITS) as running:
        yield running
