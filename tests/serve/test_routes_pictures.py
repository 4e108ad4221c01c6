"""Cards, files and pictures: what arrives is what `zoo.load` makes."""

import hashlib
import io
import json
import zipfile

import numpy as np
import onnx_nets as nets
import pytest
from live import Live
from PIL import Image

import zoo
from zoo.artifact.manifest import MODEL_FILE
from zoo.core import pictures
from zoo.serve.settings import Settings


@pytest.fixture(scope="module")
def tiny(folder):
    return zoo.load(folder / "tiny")


@pytest.fixture(scope="module")
def fashion(folder):
    return zoo.load(folder / "fashion")


def asked(server, path, body=None, media_type="image/png", headers=None):
    code, received, data = server.ask("POST", path, body, headers)
    assert code == 200, data
    assert received["content-type"] == media_type
    return data


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def photo(h, w, channels=3, seed=0):
    return np.random.RandomState(seed).randint(256, size=(h, w, channels)).astype(np.uint8)


def encoded(array, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def test_cards(server, folder):
    code, _, body = server.ask("GET", "/models")
    cards = {card["name"]: card for card in json.loads(body)["models"]}
    assert code == 200 and set(cards) == {"tiny", "fashion", "points", "photos_a_to_b", "photos_b_to_a"}
    kinds = {name: card["kind"] for name, card in cards.items()}
    assert kinds == {"tiny": "images", "fashion": "images", "points": "points",
                     "photos_a_to_b": "translation", "photos_b_to_a": "translation"}  # fmt: skip
    data = (folder / "fashion" / MODEL_FILE).read_bytes()
    assert cards["fashion"]["file"] == {
        "url": "/models/fashion/model.onnx", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()
    }  # fmt: skip
    assert cards["fashion"]["inputs"][1]["classes"] == ["ankle boot", "bag", "coat"]
    assert cards["photos_a_to_b"]["inputs"][0]["sizes"]["height"] == {"multiple": 4, "minimum": 8, "trained": 16}
    assert (cards["tiny"]["parity"], cards["tiny"]["licence"], cards["tiny"]["parameters"]) == (1e-7, "MIT", 1234)
    assert json.loads(server.ask("GET", "/models/tiny")[2]) == cards["tiny"]


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A server over an artifact that has a picture and a card."""
    home = nets.save(tmp_path_factory.mktemp("complete") / "tiny", nets.images(), nets.describe())
    pictures.write_png(home / "samples.png", photo(8, 8))
    (home / "README.md").write_text("# Tiny\n")
    (home / "game.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>\n')
    keys = json.loads((home / "manifest.json").read_text())
    keys["files"]["samples.png"] = hashlib.sha256((home / "samples.png").read_bytes()).hexdigest()
    (home / "manifest.json").write_text(json.dumps(keys))
    with Live(home, Settings(workers=2)) as running:
        running.home = home
        yield running


@pytest.mark.parametrize(
    ("url", "file", "media_type"),
    [("samples.png", "samples.png", "image/png"), ("card", "README.md", "text/markdown; charset=utf-8"),
     ("game.svg", "game.svg", "image/svg+xml"), ("model.onnx", MODEL_FILE, "application/octet-stream")],
)  # fmt: skip
def test_files_and_their_tags(complete, url, file, media_type):
    path, data = f"/models/tiny/{url}", (complete.home / file).read_bytes()
    code, headers, body = complete.ask("GET", path)
    assert (code, body, headers["content-type"]) == (200, data, media_type)
    assert headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"' and headers["x-content-type-options"] == "nosniff"
    for tag, expected in ((headers["etag"], 304), (f'"a", W/{headers["etag"]}', 304), ('"a"', 200), ("*", 304)):
        code, _, body = complete.ask("GET", path, headers={"If-None-Match": tag})
        assert code == expected and body == (b"" if code == 304 else data)


def test_a_grid(server, tiny):
    data = asked(server, "/models/tiny/sample", {"n": 5, "seed": 3})
    np.testing.assert_array_equal(pixels(data), pictures.picture(tiny.sample(5, seed=3)))
    one = asked(server, "/models/tiny/sample")  # no body: one picture of seed 0
    np.testing.assert_array_equal(pixels(one), pictures.picture(tiny.sample(1, seed=0)))


def test_single_pictures(server, tiny):
    data = asked(server, "/models/tiny/sample", {"n": 12, "seed": 3, "format": "zip"}, "application/zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == [f"{i:03}.png" for i in range(12)]
        made = np.stack([pixels(archive.read(name)) for name in archive.namelist()])
    np.testing.assert_array_equal(made, tiny.sample(12, seed=3))
    assert data == asked(server, "/models/tiny/sample", {"n": 12, "seed": 3, "format": "zip"}, "application/zip")


@pytest.mark.parametrize("label", [None, 2, "bag", [0, 2, 1], ["bag", "coat", "bag"]])
def test_arrays_and_labels(server, fashion, label):
    data = asked(
        server, "/models/fashion/sample", {"n": 3, "seed": 1, "label": label, "format": "npy"}, "application/x-npy"
    )
    np.testing.assert_array_equal(np.load(io.BytesIO(data)), fashion.sample(3, seed=1, label=label))


def test_points(server, folder):
    points = zoo.load(folder / "points").sample(50, seed=2)
    data = asked(server, "/models/points/sample", {"n": 50, "seed": 2, "format": "npy"}, "application/x-npy")
    np.testing.assert_array_equal(np.load(io.BytesIO(data)), points)
    data = asked(server, "/models/points/sample", {"n": 50, "seed": 2})
    np.testing.assert_array_equal(pixels(data), pictures.picture(points))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_walk(server, fashion, kind):
    options = {"n": 8, "seed": 5, "stops": 4, "label": "coat", "format": kind, "fps": 10}
    data = asked(server, "/models/fashion/walk", options, f"image/{kind}")
    with Image.open(io.BytesIO(data)) as animation:
        assert animation.n_frames == 8 and animation.info["loop"] == 0
        frames = []
        for index in range(8):
            animation.seek(index)
            frames.append(np.asarray(animation.convert("RGB")))
            assert animation.info["duration"] == 100
    expected = pictures.scale(fashion.walk(8, seed=5, stops=4, label="coat"))
    if kind == "webp":
        np.testing.assert_array_equal(frames, expected)
    else:  # 256 colours
        assert np.abs(np.array(frames, int) - expected).mean() < 12


def test_a_translation(server):
    image = photo(8, 16)
    for name, headers in (
        ("photos_a_to_b", {"Content-Type": "image/png"}),
        ("photos_b_to_a", {"Content-Type": "image/x"}),
    ):
        made = pixels(asked(server, f"/models/{name}/translate", encoded(image), headers=headers))
        np.testing.assert_array_equal(made, 255 - image)


@pytest.mark.parametrize(
    ("fit", "size"), [("crop", (12, 12)), ("resize", (12, 12)), ("pad", (12, 12)), (None, (13, 11))]
)
def test_images_of_other_sizes(server, fit, size):
    """13 x 11 keep their size, unless a fit brings them to the nearest that is computed as it is, 12 x 12."""
    path = "/models/photos_a_to_b/translate" + (f"?fit={fit}" if fit else "")
    code, _, data = server.ask("POST", path, encoded(photo(13, 11)), {"Content-Type": "image/png"})
    assert code == 200 and pixels(data).shape == (*size, 3)
    if fit is None:
        np.testing.assert_array_equal(pixels(data), 255 - photo(13, 11))


def test_a_picture_that_is_too_small_is_refused_and_the_next_one_served(server):
    path, headers = "/models/photos_a_to_b/translate", {"Content-Type": "image/png"}
    code, _, data = server.ask("POST", path, encoded(photo(1, 1)), headers)
    assert code == 400 and b"expected images of 8 x 8 or more, received 1 x 1" in data and data.count(b"\n") <= 1
    assert server.ask("POST", path, encoded(photo(9, 8)), headers)[0] == 200


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP"])
def test_other_formats(server, kind):
    flat = np.full((8, 8, 3), 100, np.uint8)
    made = pixels(
        asked(server, "/models/photos_a_to_b/translate", encoded(flat, kind), headers={"Content-Type": "image/x"})
    )
    assert np.abs(made.astype(int) - 155).max() <= 3


def test_images_that_would_be_too_large_are_not_unpacked(server):
    """1,000 x 1,000 pixels of one colour are 3 kB."""
    data = encoded(np.zeros((1000, 1000, 3), np.uint8))
    assert len(data) < 10_000
    code, _, body = server.ask("POST", "/models/photos_a_to_b/translate?fit=crop", data, {"Content-Type": "image/png"})
    assert code == 413 and b"at most 400 pixels, received 1000 x 1000" in body
    truncated = encoded(photo(8, 8))[:-40]
    code, _, body = server.ask("POST", "/models/photos_a_to_b/translate", truncated, {"Content-Type": "image/png"})
    assert code == 400 and b"not a readable image" in body
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"  # Pillow would start Ghostscript
    code, _, body = server.ask("POST", "/models/photos_a_to_b/translate", eps, {"Content-Type": "image/png"})
    assert code == 400 and b"send PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or JPEG 2000" in body
    tiff = encoded(photo(8, 8), "TIFF")
    assert server.ask("POST", "/models/photos_a_to_b/translate", tiff, {"Content-Type": "image/tiff"})[0] == 200


def test_inputs_by_name_are_fixed(server, fashion):
    body = {"n": 3, "seed": 5, "format": "npy", "inputs": {"label": "bag", "z": 0.25}}
    made = np.load(io.BytesIO(asked(server, "/models/fashion/sample", body, "application/x-npy")))
    np.testing.assert_array_equal(made, fashion.sample(3, seed=5, label="bag", z=0.25))
    each = {**body, "inputs": {"label": ["coat", "ankle boot", "bag"]}}
    made = np.load(io.BytesIO(asked(server, "/models/fashion/sample", each, "application/x-npy")))
    np.testing.assert_array_equal(made, fashion.sample(3, seed=5, label=[2, 0, 1]))
    for wrong, message in (
        ({"inputs": {"colour": 1}}, "no input 'colour'"),
        ({"inputs": {"seed": 1}}, "there is no input 'seed'"),
        ({"inputs": {"label": 1}, "label": 1}, "given twice"),
        ({"inputs": {"label": {}}}, "inputs"),
        ({"inputs": {"z": True}}, "inputs"),
    ):
        code, _, data = server.ask("POST", "/models/fashion/sample", wrong)
        assert code in (400, 422) and message in json.loads(data)["error"], data
