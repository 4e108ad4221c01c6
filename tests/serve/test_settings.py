"""Limits, as they are typed on a command line."""

import dataclasses

import pytest

from zoo.core.errors import UsageError
from zoo.serve.settings import Settings


def test_values_of_each_kind():
    changed = Settings().changed(["max_batch=32", "slice_seconds=0.25", "provider=cuda"])
    assert (changed.max_batch, changed.slice_seconds, changed.provider) == (32, 0.25, "cuda")
    expected = dataclasses.replace(Settings(), max_batch=32, slice_seconds=0.25, provider="cuda")
    assert changed == expected and Settings().changed([]) == Settings()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("max_bach=1", "Did you mean 'max_batch'"), ("max_batch", "expected NAME=VALUE, received 'max_batch'"),
        ("max_batch=1.5", "expected a whole number, received '1.5'"), ("max_batch=", "expected a whole number"),
        ("max_batch=-1", "above 0"), ("send_seconds=nan", "above 0"), ("send_seconds=inf", "above 0"),
        ("send_seconds=soon", "expected a number"), ("api_key=x", "no setting 'api_key'"),
    ],
)  # fmt: skip
def test_wrong_settings(change, message):
    with pytest.raises(UsageError, match=message) as caught:
        Settings().changed([change])
    assert "\n" not in str(caught.value)


def test_the_key_is_not_shown():
    assert "sesame" not in repr(Settings(api_key="sesame"))
