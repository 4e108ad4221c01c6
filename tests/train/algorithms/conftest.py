import pytest


@pytest.fixture
def play(spec_of):
    """`play(phases, values=..., rest=...)` -> the steps of a small game, see tests/helpers/small_games.py."""
    from small_games import Play, text

    return lambda *arguments, **more: Play(spec_of(text(*arguments, **more)))
