"""The page in a real browser: what a person does on it, and that server and browser draw the same."""

import io
import re

import numpy as np
import pytest
from chromium import SHIPPED
from PIL import Image

import zoo
from zoo.core import pictures

TIME = re.compile(r"[\d.]+ m?s( for \d+)?")


def drawn(folder, name, n, seed, **more):
    """What the runtime draws: uint8 [n, H, W, 3], grey as three equal channels."""
    images = zoo.load(folder / name).sample(n, seed, **more)
    return np.broadcast_to(images, (*images.shape[:3], 3))


def apart(a, b):
    """The largest difference of two stacks of images that must be pictures of something."""
    assert a.shape == b.shape and a.std() > 5
    return np.abs(a.astype(int) - b).max()


def test_the_gallery_shows_every_generator_with_its_picture(page, everything):
    page.open()
    cards = page.wait(lambda: page.all(".card"))
    names = [card.find_element("css selector", "code").text for card in cards]
    assert sorted(names) == sorted([*SHIPPED, "tiny", "fashion", "points", "photos_a_to_b", "photos_b_to_a"])
    loaded = "return [...document.querySelectorAll('.card img')].every((img) => img.complete && img.naturalWidth > 0)"
    page.js("document.querySelectorAll('.card img').forEach((image) => { image.loading = 'eager'; })")
    assert page.wait(lambda: page.js(loaded))
    for name, (_, manifest) in SHIPPED.items():
        text = cards[names.index(name)].text
        assert manifest.title in text and manifest.licence in text and str(manifest.paper["year"]) in text


def test_one_opens_a_generator_and_goes_back(page):
    page.open()
    page.wait(lambda: page.all(".card"))[0].click()
    page.wait(lambda: page.all(".model"))
    focused = "return document.activeElement.tagName + document.activeElement.textContent"
    assert page.js(focused) == f"H1{page.text('h1')}"  # a screen reader goes on there
    page.driver.back()
    assert page.wait(lambda: page.all(".card")) and not page.all(".model")
    page.driver.forward()
    page.wait(lambda: page.all(".model"))


def test_a_generator_shows_the_game_that_it_learnt_by(page):
    page.open("dcgan")
    shown = "return [...document.querySelectorAll('.game img')].map((image) => image.naturalWidth > 100)"
    assert page.wait(lambda: page.js(shown) == [True])
    page.open("points")  # came without a drawing
    page.wait(lambda: page.all(".facts"))
    assert not page.all(".game")


@pytest.mark.parametrize("place", ["nobody", "%3Cimg%20src=x%20onerror=alert(1)%3E", "%"])
def test_an_address_without_a_generator_says_so(page, place):
    page.open(place)
    assert page.text("[role=alert]") and not page.all("main img")
    page.press("All generators")
    page.wait(lambda: page.all(".card"))


IMAGES = [name for name, (_, manifest) in SHIPPED.items() if manifest.kind == "images"]
FEW = ("cgan", "dcgan", "progressive")  # with labels, plain, grown


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FEW else pytest.mark.slow) for name in IMAGES])
def test_a_seed_gives_the_pictures_of_the_runtime_on_the_server_and_here(page, everything, here, name):
    said = page.open(f"{name}?seed=7&n=9")
    expected, server = drawn(everything, name, 9, 7), page.pixels(".grid canvas")
    assert re.fullmatch(r"9 pictures from the server in [\d.]+ m?s\.", said)
    assert apart(server, expected) <= 1
    said = page.run_on("browser")
    local = page.pixels(".grid canvas")
    assert apart(local, server) <= 2 and apart(local, expected) <= 2
    assert said.endswith(f"differ by at most {apart(local, server)} of 255.")
    for engine in ("server", "browser"):  # the time of each stands in the switch
        assert TIME.fullmatch(page.text(f"[data-time={engine}]"))
    assert "WebAssembly" in page.text(".engines .note")


def test_another_seed_number_and_class_draw_other_pictures_and_change_the_address(page, everything):
    page.open("cgan")
    assert apart(page.pixels(".grid canvas"), drawn(everything, "cgan", 16, 0)) <= 1
    page.after(lambda: page.choose("Class", "Sneaker"))
    page.after(lambda: page.choose("How many", "4"))
    assert apart(page.pixels(".grid canvas"), drawn(everything, "cgan", 4, 0, label="Sneaker")) <= 1
    page.after(lambda: page.press("Another seed"))
    seed = int(page.one("input[type=number]").get_attribute("value"))
    assert page.driver.current_url.endswith(f"#/cgan?seed={seed}&n=4&label=7")
    assert apart(page.pixels(".grid canvas"), drawn(everything, "cgan", 4, seed, label="Sneaker")) <= 1
    page.open(f"cgan?seed={seed}&n=4&label=99")  # no such class: mixed
    assert apart(page.pixels(".grid canvas"), drawn(everything, "cgan", 4, seed)) <= 1


@pytest.mark.parametrize("engine", ["server", "browser"])
def test_sliders_change_the_chosen_picture_and_lead_back(page, everything, here, engine):
    page.open("dcgan?n=4")
    page.run_on(engine)
    page.all(".grid button")[0].send_keys("\ue014")  # arrow to the right: the second picture is chosen
    chosen = page.pixels(".shape canvas")
    assert apart(chosen, drawn(everything, "dcgan", 4, 0)[1:2]) <= 2
    for slider in (1, 2):
        before = page.pixels(".shape canvas")
        page.slide(f".shape label:nth-of-type({slider}) input", 1)
        page.wait(lambda was=before: np.abs(page.pixels(".shape canvas").astype(int) - was).mean() > 2)
    page.press("Back to the start")
    np.testing.assert_array_equal(page.pixels(".shape canvas"), chosen)


@pytest.mark.parametrize("engine", ["server", "browser"])
def test_a_walk_plays_pauses_and_passes_through_the_samples(page, everything, here, engine):
    page.open("dcgan?n=4&seed=3")
    page.run_on(engine)
    page.press("Play")
    page.wait(lambda: "60 frames" in page.text(".status"))
    page.wait(lambda: page.one(".walk input").get_attribute("value") != "0")
    page.press("Pause")
    stops = drawn(everything, "dcgan", 4, 3)
    for frame, stop in ((15, 1), (45, 3)):
        page.slide(".walk input", frame)
        page.wait(lambda at=stop: apart(page.pixels(".walk canvas"), stops[at : at + 1]) <= 2)


def test_points_are_plotted_and_walked(page, everything, here):
    page.open("points?n=256")
    server = page.pixels(".view .plot")
    assert len(np.unique(server.reshape(-1, 3), axis=0)) > 3  # paper, axes, points
    page.run_on("browser")
    assert np.abs(page.pixels(".view .plot").astype(int) - server).mean() < 0.1
    page.after(lambda: page.press("Play"))
    page.wait(lambda: page.one(".walk input").get_attribute("value") != "0")


TRANSLATORS = ["photos_a_to_b", *(n for n, (_, manifest) in SHIPPED.items() if manifest.kind == "translation")]


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_picture_is_translated_on_the_server_and_here(page, everything, here, tmp_path, name):
    stem, _, network = name.partition("_")
    generator = zoo.load(everything / stem, network=network or None)
    trained = [size["trained"] for size in generator.manifest.inputs[0].sizes.values()]
    photo = np.random.RandomState(0).randint(0, 256, (*trained, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    page.open(name)
    page.after(lambda: page.one("input[type=file]").send_keys(str(tmp_path / "photo.png")))
    before, server = page.pixels(".pair figure:first-of-type canvas"), page.pixels(".pair figure:last-of-type canvas")
    np.testing.assert_array_equal(before[0], photo)  # of a size that is allowed: nothing is changed
    assert apart(server[0], generator.translate(photo)) <= 1
    page.run_on("browser")
    assert apart(page.pixels(".pair figure:last-of-type canvas"), server) <= 2


def test_a_photo_of_any_size_may_be_dropped_and_is_fitted(page):
    page.open("photos_b_to_a")
    drop = """
        const canvas = new OffscreenCanvas(301, 200), context = canvas.getContext("2d"), done = arguments[0];
        context.fillStyle = "rgb(200, 100, 0)";
        context.fillRect(0, 0, 301, 200);
        canvas.convertToBlob().then((blob) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([blob], "photo.png", { type: "image/png" }));
            document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
            done();
        });
    """
    page.after(lambda: page.driver.execute_async_script(drop))
    for fit in ("pad it", "stretch it", "crop it"):
        page.after(lambda chosen=fit: page.choose("If its shape does not fit", chosen))
        after = page.pixels(".pair figure:last-of-type canvas")[0]
        assert after.shape == (12, 16, 3)  # 301 x 200 at the trained size, to multiples of 4
        assert after[6, 8].tolist() == [55, 155, 255]  # the negative
    page.after(lambda: page.choose("Longer side", "64 px"))
    assert page.pixels(".pair figure:last-of-type canvas")[0].shape == (44, 64, 3)


def test_a_file_that_is_not_a_picture_is_refused(page, tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    page.open("photos_a_to_b")
    said = page.after(lambda: page.one("input[type=file]").send_keys(str(tmp_path / "notes.png")))
    assert said == "notes.png is not a picture that the browser can read"


def test_files_are_taken_along(page, everything):
    page.open("dcgan?n=9&seed=4")
    page.press("Save as PNG", ".take")
    sheet = np.asarray(Image.open(io.BytesIO(page.downloaded("dcgan-seed-4.png"))).convert("RGB"))
    expected = pictures.picture(zoo.load(everything / "dcgan").sample(9, 4))
    assert apart(sheet, np.broadcast_to(expected, sheet.shape)) <= 1
    page.press("Save as PNG", ".shape")
    assert Image.open(io.BytesIO(page.downloaded("dcgan-seed-4-shaped.png"))).size == (32, 32)
    page.press(next(link.text for link in page.all(".take a")), ".take")
    assert page.downloaded("dcgan.onnx") == (everything / "dcgan" / "generator.onnx").read_bytes()
