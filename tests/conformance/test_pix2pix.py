"""specs/pix2pix.yaml against Isola et al. 2016/17 and the authors' code."""

from dataclasses import replace

import numpy as np
import pytest
from games import images, layers
from played import Played

from zoo.data.dataset import Domains
from zoo.train import loop


def test_d_sees_the_condition_beside_the_picture(monkeypatch):
    played = Played("pix2pix").watch(monkeypatch)
    a, b = played.batch()["a"][0], played.batch()["b"][0]
    played.step()
    for phase, real in (("discriminator", [False, True]), ("generator", [False])):
        seen = [inputs for name, inputs, _ in played.passes[phase] if name == "discriminator"]
        assert all(np.allclose(inputs["a"], a, atol=1e-6) for inputs in seen)
        assert sorted(np.allclose(inputs["b"], b, atol=1e-6) for inputs in seen) == real


def test_the_pixel_loss_is_a_mean_and_weighs_a_hundred():
    played = Played("pix2pix")
    batch = played.batch()
    by_hand = np.abs(played.net("generator", a=batch["a"][0]) - batch["b"][0]).mean(dtype="float64")
    logs = played.step()
    assert logs["pixel"] == pytest.approx(by_hand, rel=1e-4)
    assert logs["generator_loss"] == pytest.approx(logs["g_loss"] + 100 * by_hand, rel=1e-4)
    assert logs["discriminator_loss"] < 10  # D has no part in it


def test_no_norm_at_the_bottleneck_nor_at_the_first_layer_nor_at_the_pixels():
    """A batch of 1 would have zeros behind a batch norm of one position."""
    played = Played("pix2pix")
    kinds, last = played.kinds("generator"), played.spec.plans["generator"].steps[-1]
    narrow = max(i for i, kind in enumerate(kinds) if kind == "Conv2D")
    assert kinds[narrow : narrow + 2] == ["Conv2D", "Conv2DTranspose"]
    assert kinds[:2] == ["Conv2D", "LeakyReLU"]
    assert (last.layer, last.args["activation"]) == ("Conv2DTranspose", "tanh")
    assert played.kinds("discriminator")[:3] == ["Concatenate", "Conv2D", "LeakyReLU"]
    assert played.kinds("discriminator")[-1] == "Conv2D"  # logits of patches


def test_skips_join_encoder_and_decoder_of_a_size():
    joined = layers(Played("pix2pix").algorithm, "Concatenate", role="generator")
    assert [layer.output.shape[1:] for layer in joined] == [(8, 8, 256), (16, 16, 128), (32, 32, 64)]
    assert all(len({x.shape for x in layer.input}) == 1 for layer in joined)


def test_map_and_picture_share_window_and_mirror():
    """With b = a in the data, each row of a batch has the same window of both; some are mirrored, windows differ."""
    played = Played("pix2pix")
    large = np.random.RandomState(0).randint(0, 256, (16, 72, 72, 3)).astype("uint8")
    one = replace(images(played.spec, 16, field="a"), images=large)
    batches = loop.make_batches(played.spec, played.algorithm, Domains("same", one, one, paired=True, together=True))
    found = set()
    for number in range(8):
        drawn = batches.pixels(number)
        a, b = drawn["a"][0], drawn["b"][0]
        np.testing.assert_array_equal(a, b)
        for row in a:
            found |= {(top, left, flip) for top, left, flip in _windows(large, row)}
    assert {flip for *_, flip in found} == {False, True}
    assert len({place[:2] for place in found}) > 4


def _windows(images, row):
    """Where `row` [64, 64, 3] is a window of one of the images, and whether it is mirrored."""
    for flip in (False, True):
        seen = row[:, ::-1] if flip else row
        for top in range(9):
            for left in range(9):
                if any(np.array_equal(image[top : top + 64, left : left + 64], seen) for image in images):
                    yield top, left, flip
