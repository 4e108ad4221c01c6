"""tools/clients/web: the page of thirty lines draws in a real browser what the zoo draws."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import goldens
import numpy as np
import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REASON = (
    "onnxruntime-web is not installed: `npm ci` in tools/clients/web"
    if not (goldens.CLIENTS / "web" / "node_modules").is_dir()
    else "chromium and chromedriver are not installed"
    if not (CHROMIUM and DRIVER)
    else "selenium is not installed"
    if find_spec("selenium") is None
    else ""
)
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
PIXELS = """return [...document.querySelectorAll("canvas")].map(
  (one) => [one.height, one.width, ...one.getContext("2d").getImageData(0, 0, one.width, one.height).data])"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(artifacts):
    """A static server over the clients and the artifacts."""
    (artifacts / "clients").symlink_to(goldens.CLIENTS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=artifacts))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    (artifacts / "clients").unlink()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def test_images_of_another_size_are_compared(browser, site, artifacts):
    from selenium.webdriver.support.ui import WebDriverWait

    folder = goldens.disturbed_elsewhere(artifacts / "elsewhere")
    browser.get(f"{site}/clients/web/index.html?artifact=/{folder.name}")
    result = browser.find_element("id", "result")
    WebDriverWait(browser, 60).until(lambda _: result.text != "drawing ...")
    assert result.text.endswith("largest difference to golden.npz 1.0e-3, which is too much")


def test_it_makes_the_golden_images(browser, site, artifact):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{site}/clients/web/index.html?artifact=/{artifact.name}")
    result = browser.find_element("id", "result")
    WebDriverWait(browser, 60).until(lambda _: result.text != "drawing ...")
    lines = [line.rpartition(", largest difference to golden.npz ") for line in result.text.splitlines()]
    assert [name for name, _, _ in lines] == [
        f"{manifest.model}: {manifest.outputs[0].name} {list(raw.shape)}"
        for manifest, _, raw in goldens.networks(artifact)
    ]
    assert all(float(difference) <= 1e-4 for _, _, difference in lines)
    drawn = [np.reshape(data, (height, width, 4)) for height, width, *data in browser.execute_script(PIXELS)]
    wanted = [image for images in goldens.pictures(artifact).values() for image in images]
    for canvas, image in zip(drawn, wanted, strict=True):
        assert (canvas[..., 3] == 255).all()
        assert np.abs(canvas[..., :3] - image.astype(int)).max() <= 1  # two halves round two ways
