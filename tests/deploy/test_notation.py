"""The two notations against the parsers of others."""

import pytest
import yaml as pyyaml

from zoo.deploy.notation import Word, pbtxt, yaml

VALUES = [
    {"a": 1, "b": "two", "c": True, "d": None, "e": 0.5},
    {"words": ["no", "1:30", "0o17", "", " a", "#", "a: b", 'say "x"', "\\n", "Zürich", "- x"]},
    {"empty": {}, "none": [], "deep": {"list": [{"a": [1, [2, 3]], "b": {"c": "d"}}, "x", []]}},
]


@pytest.mark.parametrize("value", VALUES)
def test_yaml_says_what_it_was_told(value):
    assert pyyaml.safe_load(yaml(value)) == value


def test_pbtxt_is_read_by_protobuf():
    text_format = pytest.importorskip("google.protobuf.text_format", reason="protobuf is not installed")
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    text = pbtxt({
        "name": 'a "quoted" \\ name',
        "dependency": ["one", "two"],
        "public_dependency": [],
        "message_type": [{"name": "M", "field": {"name": "f", "number": 7, "label": Word("LABEL_REPEATED")}}],
        "options": {"deprecated": True},
    })  # fmt: skip
    read = text_format.Parse(text, FileDescriptorProto())
    assert read.name == 'a "quoted" \\ name' and list(read.dependency) == ["one", "two"]
    (message,) = read.message_type
    assert message.name == "M" and message.field[0].number == 7 and message.field[0].label == 3
    assert read.options.deprecated is True and not read.public_dependency
