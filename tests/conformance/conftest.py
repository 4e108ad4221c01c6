"""What every file here looks at: the spec that its `read` reads, and that spec's algorithm, untouched."""

import pytest

from zoo.train import loop


@pytest.fixture(scope="module")
def spec(request):
    return request.module.read()


@pytest.fixture(scope="module")
def algorithm(spec):
    """For looking at only: tests that take a step make their own."""
    return loop.make(spec)
