"""Sources of two domains, and windows of larger images: what a spec knows of them before any data is read."""

import pytest

from zoo.core.errors import SpecError
from zoo.spec.read import read_spec

TEXT = """
name: translator
title: One translator
data: DATA
networks:
  a_to_b: {inputs: a, output: b, layers: [Identity]}
"""


def data(folder, section):
    path = folder / "translator.yaml"
    path.write_text(TEXT.replace("DATA", section))
    return read_spec(path)


@pytest.mark.parametrize(
    ("section", "shape"),
    [
        ("{source: {emoji: {a: noto, b: fluent}}}", (64, 64, 3)),
        ("{source: {emoji: {a: noto, b: fluent}}, size: 48, channels: 1, jitter_from: 54}", (48, 48, 1)),
        ("{source: {cifar10_pair: {a: horse, b: deer}}}", (32, 32, 3)),
        ("{source: {folders: {a: summer, b: winter}}, size: [32, 48]}", (32, 48, 3)),
    ],
)
def test_a_source_of_two_domains_has_the_fields_a_and_b_and_no_labels(tmp_path, section, shape):
    spec = data(tmp_path, section)
    assert spec.fields == {"a": shape, "b": shape} and spec.classes == ()
    assert spec.plans["a_to_b"].inputs == {"a": shape} and spec.plans["a_to_b"].output_shape == shape


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{source: {folders: {a: summer, b: winter}}}", "state one, such as size: 64"),
        ("{source: {emoji: {a: noto}}}", "'b' is missing"),
        ("{source: {cifar10_pair: {a: horse, b: hores}}}", "Did you mean 'horse'"),
        ("{source: {cifar10_pair: {a: horse, b: deer}}, size: 32, jitter_from: [40, 31]}", r"Received: \[40, 31\]"),
        ("{source: cifar10}", "'a' is neither a latent nor a field of the data"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, section, message):
    with pytest.raises(SpecError, match=message):
        data(tmp_path, section)
