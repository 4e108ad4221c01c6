"""The page of a generator that reads words, in a real browser: a text box, and what is not known is said."""

import chromium
import numpy as np
import onnx_nets as nets
import pytest
from live import Live

import zoo


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    nets.save_words((place := tmp_path_factory.mktemp("served")) / "words")
    return place


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    downloads = tmp_path_factory.mktemp("browser")
    with chromium.chromium(downloads) as driver, Live(folder) as server:
        yield chromium.Page(driver, f"http://127.0.0.1:{server.port}", downloads)


def write(page, text):
    """Write a text in its box."""
    script = """
        const [box, text] = [document.querySelector('.controls input[type=text]'), arguments[0]];
        box.value = text;
        box.dispatchEvent(new Event('change'));
    """
    page.driver.execute_script(script, text)


def test_words_are_written_drawn_and_reported(page, folder):
    page.open("words?seed=5&n=4")
    generator = zoo.load(folder / "words")
    page.wait(lambda: "4 pictures from" in page.text(".status"))
    assert np.abs(page.pixels(".grid canvas").astype(int) - generator.sample(4, seed=5)).max() <= 1  # of examples
    write(page, "Mint critter, wings")
    page.wait(lambda: "Of the text: skipped unknown words: wings." in page.text(".status"))
    assert np.abs(page.pixels(".grid canvas").astype(int) - generator.sample(4, seed=5, text="mint critter")).max() <= 1
    assert "text=Mint+critter%2C+wings" in page.js("return location.hash")
    write(page, "xyzzy")
    page.wait(lambda: "None of the words is in the vocabulary: xyzzy." in page.text(".status"))
    write(page, "lilac")
    page.wait(lambda: "Of the text" not in page.text(".status") and "4 pictures from" in page.text(".status"))


def test_an_address_has_the_words(page, folder):
    page.open("words?seed=1&n=1&text=smile%20wings")
    page.wait(lambda: "skipped unknown words: wings" in page.text(".status"))
    expected = zoo.load(folder / "words").sample(1, seed=1, text="smile")
    assert np.abs(page.pixels(".grid canvas").astype(int) - expected).max() <= 1


def test_an_address_of_unknown_words_is_said_with_every_seed(page, folder):
    page.open("words?seed=1&n=1&text=xyzzy")
    told = "None of the words is in the vocabulary: xyzzy."
    page.wait(lambda: told in page.text(".status"))
    page.press("Another seed")
    page.wait(lambda: "seed=1&" not in page.js("return location.hash") and told in page.text(".status"))
    assert not page.errors()
    write(page, "mint")
    page.wait(lambda: "1 picture from" in page.text(".status"))
