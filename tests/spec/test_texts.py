"""Captions in a spec: the fields that they add, and what cannot be read by them, at its place."""

import pytest
import texts

from zoo.core.errors import SpecError


def test_captions_are_fields_of_ids(spec_of):
    spec = spec_of(texts.SPEC)
    assert {name: spec.fields[name] for name in ("text", "full_text", "wrong_text")} == dict.fromkeys(
        ("text", "full_text", "wrong_text"), (17,)
    )
    assert "text" not in spec.labels and spec.captions.vocabulary.words[0] == "amber"
    (plan,) = spec.leaving.values()
    assert plan.inputs == {"z": (4,), "text": (17,)} and plan.id_types == {"text": "int32"}
    plain = spec_of(texts.SPEC.replace("  text: {longest: 17}\n", "  text: {longest: 20, fewest: 3}\n"))
    assert plain.captions.fewest == 3 and plain.fields["text"] == (20,) and plain.sha256 != spec.sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "longest: 17",
            "longest: 16",
            "data.text.longest: a whole caption has up to 17 words, received 16: set longest",
        ),
        (
            "source: critters",
            "source: fashion_mnist",
            "data.text: 'fashion_mnist' has no captions. Sources that have: cri",
        ),
        ("longest: 17", "longst: 17", "data.text: unknown key 'longst'. Did you mean 'longest'?"),
        ("{longest: 17}", "{longest: 17, fewest: 0}", "data.text.fewest: expected an integer at least 1, received 0"),
        (
            "{longest: 17}",
            "{longest: 17, fewest: 50}",
            "data.text.fewest: a caption of 'critters' has at most 8 phrases",
        ),
        ("inputs: text", "inputs: txt", "networks.reader.inputs: 'txt' is neither a latent nor a field"),
        ("input_dim: 106", "input_dim: 105", "BagOfWords: input_dim 105 is too few: 'text' has 106"),
        ("inputs: text", "inputs: body", "networks.reader.layers[0].BagOfWords"),
        (
            "      g_made: {",
            "      x: {word_set: {of: text, size: 9}}\n      g_made: {",
            "word_set of 9 classes is too few",
        ),
        (
            "      g_made: {",
            "      x: {word_set: {of: image, size: 106}}\n      g_made: {",
            "takes ids of words, such as text",
        ),
        (
            "      g_made: {",
            "      x: {words_nll: {of: image, text: text}}\n      g_made: {",
            "takes a logit for each id",
        ),
        ("generator: fake", "generator: wrong", "export.values.generator"),
    ],
)
def test_mistakes_are_located(spec_of, old, new, message):
    assert old in texts.SPEC
    with pytest.raises(SpecError) as error:
        spec_of(texts.SPEC.replace(old, new, 1))
    assert message in str(error.value), str(error.value)
    assert all(line.count(":") >= 4 for line in str(error.value).splitlines())
