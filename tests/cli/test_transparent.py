"""Pictures with alpha: a folder of PNGs that are transparent around something, to a PNG that is so too."""

import io
import json

import numpy as np
import own_pictures
import pytest
from live import Live
from PIL import Image

import zoo
from zoo.artifact.manifest import read_manifests


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The artifact of red discs: 16 x 16 pixels, transparent outside, where the file has green."""
    folder = tmp_path_factory.mktemp("sprites")
    y, x = np.mgrid[:16, :16] - 7.5
    inside = x**2 + y**2 < 36
    pixels = np.where(inside[..., None], [250, 0, 0, 255], [0, 255, 0, 0]).astype(np.uint8)
    layers = "[Dense: {units: 256, activation: tanh}, Reshape: {target_shape: [8, 8, 4]}]"
    return own_pictures.build(folder, "sprites", pixels, data="size: 8, channels: 4", layers=layers, steps=400)


def test_what_is_transparent_is_learnt(built):
    """The hidden green of the files is nothing that anybody sees: it is not learnt."""
    images = zoo.load(built).sample(16, seed=0).astype(int)
    assert images.shape == (16, 8, 8, 4)
    middle, corner = images[:, 3:5, 3:5].mean((0, 1, 2)), images[:, 0, 0].mean(0)
    assert middle[3] > 200 and corner[3] < 60
    assert middle[0] > 200 and middle[1] < 60 and corner[1] < 60
    assert read_manifests(built)[0].outputs[0].channels == "RGBA"


def test_files_and_answers_have_alpha(built, zoo_says, tmp_path):
    for name in ("one.png", "walk.webp"):
        asked = ["-n", "1"] if name == "one.png" else ["-n", "8", "--walk"]
        code, _, err = zoo_says("sample", built, *asked, "--out", tmp_path / name)
        assert code == 0, err
        assert np.asarray(Image.open(tmp_path / name).convert("RGBA"))[0, 0, 3] < 60
    with Image.open(built / "samples.png") as sheet:
        assert sheet.mode in ("RGBA", "P", "PA") and sheet.has_transparency_data
    with Live(built) as server:
        status, _, body = server.ask("POST", "/models/sprites/sample", {"n": 1, "seed": 0})
        assert status == 200 and Image.open(io.BytesIO(body)).mode == "RGBA"
        assert json.loads(server.ask("GET", "/v2/models/sprites")[2])["outputs"][0]["shape"] == [-1, 8, 8, 4]
