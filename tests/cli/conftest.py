"""Where commands are tried: a folder of the test, with a small spec in it."""

import pytest
import tiny

from zoo.cli import requirements


@pytest.fixture(autouse=True)
def loud(monkeypatch, tmp_path):
    """stderr stays pytest's own, and every relative path is in a folder of the test."""
    monkeypatch.setattr(requirements, "silence", lambda: None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def dense(tmp_path):
    return str(tiny.read(tmp_path / "specs", tiny.DENSE).path)
