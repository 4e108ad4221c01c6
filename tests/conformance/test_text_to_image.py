"""specs/text_to_image.yaml against Reed et al. 2016: three kinds of pairs for D, and captions in between for G."""

import pytest
from played import Played, softplus

from zoo.spec.read import read_spec, spec_file


@pytest.fixture(scope="module")
def first():
    """(the batch, the player before the step, what the step logged)."""
    played = Played("text_to_image", batch=4)
    return played.batch(), played, Played("text_to_image", batch=4).step()


def judged(played, image, words):
    """D's logits of images with codes of words, by its three networks."""
    features = played.net("discriminator", image=image)
    return played.net("discriminator_head", features=features, code=words)


def test_d_sees_real_pictures_with_the_right_and_with_a_wrong_caption_and_fakes(first):
    """Algorithm 1: log s_r + (log(1 - s_w) + log(1 - s_f)) / 2."""
    batch, played, logs = first
    text, wrong = batch["text"][0], batch["wrong_text"][0]
    heard, heard_wrong = (played.net("discriminator_reader", text=ids) for ids in (text, wrong))
    fake = played.net("generator", z=batch["z"][0], code=played.net("reader", text=text))
    right, other, made = (
        judged(played, image, words)
        for image, words in ((batch["image"][0], heard), (batch["image"][0], heard_wrong), (fake, heard))
    )
    expected = [softplus(-right).mean(), softplus(other).mean(), softplus(made).mean()]
    assert [logs[name] for name in ("d_right", "d_wrong", "d_made")] == pytest.approx(expected, rel=1e-4)
    assert logs["discriminator_loss"] == pytest.approx(expected[0] + (expected[1] + expected[2]) / 2, rel=1e-4)


def test_g_learns_from_captions_and_from_those_in_between(first):
    """Section 4.4: beta is 1/2, and there is no picture that D could be shown for it."""
    _, _, logs = first
    assert logs["generator_loss"] == pytest.approx(logs["g_made"] + logs["g_between"], rel=1e-5)
    values = read_spec(spec_file("text_to_image")).game.values
    for name, ends in {"code_between": ("code", "code_wrong"), "heard_between": ("heard", "heard_wrong")}.items():
        lerp = values[name]
        assert lerp.function == "lerp" and lerp.arguments["share"] == 0.5
        assert tuple(str(lerp.arguments[end]) for end in ("from", "to")) == ends


@pytest.mark.parametrize("name", ["text_to_image", "text_to_image_matching"])
def test_d_and_g_have_tables_of_their_own(name, monkeypatch):
    played = Played(name, batch=4).watch(monkeypatch)
    before = played.weights()
    played.step()
    after = played.weights()
    assert (before["reader"][0] != after["reader"][0]).any()
    assert (before["discriminator_reader"][0] != after["discriminator_reader"][0]).any()
    readers = {phase: [network for network, _, _ in passes] for phase, passes in played.passes.items()}
    assert readers["discriminator"].count("discriminator") == 2  # a wrong caption costs no pass of D over the picture
    assert readers["discriminator"].count("discriminator_head") == 3


def test_both_players_of_the_variant_lower_the_error_of_words():
    played = Played("text_to_image_matching", batch=4)
    batch = played.batch()
    logs = played.step()
    values = played.spec.game.values
    assert logs["discriminator_loss"] == pytest.approx(
        logs["d_right"] + (logs["d_wrong"] + logs["d_made"]) / 2 + 50 * logs["d_words"], rel=1e-5
    )
    assert logs["generator_loss"] == pytest.approx(logs["g_made"] + 4 * logs["g_words"], rel=1e-5)
    assert str(values["d_words"].arguments["target"].arguments["of"]) == "full_text"  # unsaid words are true as well
    assert str(values["g_words"].arguments["text"]) == "text"
    assert all(set(text) <= {*full, 0} for text, full in zip(batch["text"][0], batch["full_text"][0], strict=True))
