import keras
import pytest


@pytest.fixture
def play(spec_of):
    """`play(phases, values=..., rest=...)` -> the steps of a small game, see tests/helpers/small_games.py."""
    from small_games import Play, text

    return lambda *arguments, **more: Play(spec_of(text(*arguments, **more)))


@pytest.fixture
def double():
    """Everything that is built and computed in float64."""
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(policy)
