"""The files of the page: they ask for nothing from elsewhere, and the lines of Python and curl that it offers run."""

import re
import shutil
import subprocess
import urllib.request

import numpy as np
import pytest
from chromium import PAGE
from live import Live
from PIL import Image

import zoo
from zoo.core import pictures

FILES = [file for file in sorted(PAGE.iterdir()) if file.suffix in (".html", ".css", ".js", ".mjs", ".svg")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_loads_nothing_from_elsewhere(file):
    """A link is for people to click, and a namespace is a name."""
    text = file.read_text()
    for address in re.findall(r"""["'`( ]((?:https?:)?//\w[^"'`)\s]*)""", text):
        assert address.startswith(("https://arxiv.org/abs/", "http://www.w3.org/2000/svg")), address
    for module in re.findall(r"""(?:from|import\() ?["'](\./[\w./-]+)["']""", text):
        assert (PAGE / module).is_file() or module.startswith("./vendor/"), module


def test_no_script_and_no_style_stand_inside_the_page():
    text = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", text) == [""]


def test_no_module_parses_html_or_evaluates_text():
    for file in FILES:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", file.read_text()), (
            file.name
        )


@pytest.fixture(scope="module")
def server(folder):
    with Live(folder) as running:
        yield running


@pytest.fixture
def snippets(server, node, tmp_path):
    """The snippets for a model, and its file where they look for it."""

    def made(name, place):
        address = f"http://127.0.0.1:{server.port}"
        card = server.models[name].card
        with urllib.request.urlopen(f"{address}{card['file']['url']}") as answer:
            (tmp_path / f"{name}.onnx").write_bytes(answer.read())
        return node(
            "snippets.js",
            "return snippets(given.card, given.address, given.place)",
            card=dict(card),
            address=address,
            place=place,
        )

    return made


PLACES = [
    ("tiny", {"seed": 3, "n": 4, "label": None}, {}),
    ("fashion", {"seed": 0, "n": 2, "label": 0}, {"label": "ankle boot"}),
    ("points", {"seed": 1, "n": 256, "label": None}, {}),
]


@pytest.mark.parametrize(("name", "place", "more"), PLACES)
def test_python_that_draws(snippets, folder, tmp_path, monkeypatch, name, place, more):
    code = snippets(name, place)["Python"]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    expected = zoo.load(folder / name).sample(place["n"], place["seed"], **more)
    made = names["points" if name == "points" else "images"]
    np.testing.assert_array_equal(made, expected)
    assert f"{made.dtype} {list(made.shape)}" in code


@pytest.mark.parametrize(("name", "place", "more"), PLACES)
def test_curl_that_draws(snippets, folder, tmp_path, name, place, more):
    _shell(snippets(name, place)["curl"], tmp_path)
    expected = pictures.picture(zoo.load(folder / name).sample(place["n"], place["seed"], **more))
    made = np.asarray(Image.open(tmp_path / f"{name}.png"))
    np.testing.assert_array_equal(made.reshape(expected.shape), expected)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 30)])
def test_a_translator_in_python_and_by_curl(snippets, folder, tmp_path, monkeypatch, height, width):
    code = snippets("photos_a_to_b", {})
    monkeypatch.chdir(tmp_path)
    photo = np.random.randint(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    expected = zoo.load(folder / "photos", network="a_to_b").translate(photo)
    for run in (lambda: exec(code["Python"], {}), lambda: _shell(code["curl"], tmp_path)):
        run()
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "translated.png")), expected)
        (tmp_path / "translated.png").unlink()


def _shell(code, folder):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    subprocess.run(["sh", "-ec", code.replace("curl ", "curl -sS --fail ", 1)], cwd=folder, check=True, timeout=60)
