"""What makes another run: words and length do not, a default that is spelled out does not."""

import pytest

from zoo.spec.sections import differences


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({"title": "a"}, {"title": "b", "about": "c", "export": {"opset": 18}}, []),
        ({"training": {"steps": 1}}, {"training": {"steps": 9, "budget": "5m", "xla": True}}, []),
        ({"training": {"seed": 1}}, {"training": {}}, ["training.seed"]),
        ({"training": {"seed": 0, "precision": "float32"}}, {"training": {}}, []),  # the defaults, spelled out
        ({"training": {"precision": "mixed_bfloat16"}}, {}, ["training.precision"]),
        ({"networks": {"g": 1}}, {"networks": {"g": 2}}, ["networks"]),
        ({"data": {}}, {"algorithm": {}}, ["algorithm", "data"]),
    ],
)
def test_differences(old, new, changed):
    assert differences(old, new) == changed
    assert differences(new, old) == changed
