"""Named parts: taken out by name, with a hint for the mistyped; bound by their own signatures."""

import pytest

from zoo.core.registry import Registry, suggest


@pytest.fixture
def shapes():
    shapes = Registry("shape")

    @shapes.register
    def circle(*, radius=1.0): ...

    @shapes.register
    def square(side, *, filled=False, **more): ...

    return shapes


def test_register_hands_the_part_back_unchanged():
    parts = Registry("part")

    def one(): ...

    assert parts.register(one) is one and parts.get("one") is one


def test_a_name_is_given_once(shapes):
    def circle(): ...

    with pytest.raises(ValueError, match="shape 'circle' is registered twice"):
        shapes.register(circle)
    assert shapes.get("circle") is not circle


def test_order_is_the_order_of_registration(shapes):
    assert list(shapes) == ["circle", "square"] and [name for name, _ in shapes.items()] == ["circle", "square"]
    assert "circle" in shapes and "cube" not in shapes


def test_an_unknown_name_is_told_with_the_nearest(shapes):
    with pytest.raises(KeyError) as error:
        shapes.get("Sqare")
    assert error.value.args == ("unknown shape 'Sqare'. Did you mean 'square'? Known: circle, square",)


def test_bind_completes_with_defaults_and_keeps_what_is_given(shapes):
    assert shapes.bind("circle", {}) == {"radius": 1.0}
    assert shapes.bind("square", {"side": 2}) == {"side": 2, "filled": False, "more": {}}


def test_bind_refuses_what_the_signature_does_not_name(shapes):
    with pytest.raises(TypeError, match=r"shape 'circle' has no argument 'raduis'. Did you mean 'radius'\?"):
        shapes.bind("circle", {"raduis": 2})
    with pytest.raises(TypeError, match="no argument 'colour'"):
        shapes.bind("square", {"colour": 1})


@pytest.mark.parametrize(
    "name, hint",
    [("stride", " Did you mean 'strides'?"), ("STRIDES", " Did you mean 'strides'?"), ("zzz", ""), (None, "")],
)
def test_suggest(name, hint):
    assert suggest(name, ["strides", "padding"]) == hint
