"""Pictures need not be square: height and width keep their order from the folder to the file and the server."""

import io
import json

import numpy as np
import own_pictures
import pytest
from live import Live
from PIL import Image

import zoo


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The artifact of pictures of 24 x 36 pixels, whose left half is white and whose right half is black."""

    folder = tmp_path_factory.mktemp("wide")
    pixels = np.zeros((24, 36, 3), np.uint8)
    pixels[:, :18] = 255
    layers = """[Dense: {units: 48}, Reshape: {target_shape: [4, 6, 2]},
        Conv2DTranspose: {filters: 3, kernel_size: 4, strides: 2, padding: same, activation: tanh}]"""
    return own_pictures.build(folder, "wide", pixels, data="size: [8, 12], fit: crop", layers=layers, steps=150)


def test_samples_have_the_data_s_height_and_width(built, zoo_says, tmp_path):
    images = zoo.load(built).sample(16, seed=0)
    assert images.shape == (16, 8, 12, 3)
    left, right = images[:, :, :6].mean(), images[:, :, 6:].mean()
    assert left > right + 60  # a network that mixed up its axes would have bands from top to bottom
    code, _, _ = zoo_says("sample", built, "-n", "1", "--out", tmp_path / "one.png")
    assert code == 0 and Image.open(tmp_path / "one.png").size == (96, 64)  # each pixel as 8 x 8


def test_the_server_draws_them(built):
    with Live(built) as server:
        status, headers, body = server.ask("POST", "/models/wide/sample", {"n": 1, "seed": 0})
        assert (status, headers["content-type"]) == (200, "image/png"), body
        assert Image.open(io.BytesIO(body)).size == (96, 64)
        described = json.loads(server.ask("GET", "/v2/models/wide")[2])
    assert described["outputs"][0]["shape"] == [-1, 8, 12, 3]
