"""The page without runtime, graphics card or server, with a screen reader, and on a small screen."""

import re

import numpy as np
import pytest
from chromium import EMULATED_GPU, Page, chromium
from live import Live

from zoo.serve.settings import Settings

KINDS = ("", "fashion", "points", "photos_a_to_b")  # the gallery, and a generator of each kind
REAL = """
    const facts = globalThis.GPUAdapterInfo?.prototype;
    if (facts) Object.defineProperty(facts, "isFallbackAdapter", { value: false });
"""


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    """Of the tiny artifacts, in a browser whose graphics card is emulated."""
    downloads = tmp_path_factory.mktemp("browser")
    with chromium(downloads, EMULATED_GPU) as driver, Live(folder) as server:
        yield Page(driver, f"http://127.0.0.1:{server.port}", downloads)


def test_without_the_runtime_the_page_says_why_and_uses_the_server(page):
    with page.blocked("*/page/vendor/*"):
        page.open("tiny")
        assert page.one("input[value=server]").is_selected() and not page.one("input[value=browser]").is_enabled()
        assert re.search("Not on this browser: .*npm --prefix zoo/serve/page run setup", page.text(".engines .note"))
        assert page.all(".grid canvas")


def test_an_emulated_graphics_card_is_not_used(page, here):
    page.open("tiny")
    page.run_on("browser")
    assert re.fullmatch(
        r"WebAssembly, \d+ threads?\. Not WebGPU: the graphics card is only emulated\.", page.text(".engines .note")
    )


def test_webgpu_draws_the_same(page, here):
    with page.patched(REAL):
        page.open("fashion?n=4")
        if not page.driver.execute_async_script("navigator.gpu.requestAdapter().then(arguments[0])"):
            pytest.skip("this chromium has no emulated graphics card")
        server = page.pixels(".grid canvas")
        page.run_on("browser")
    assert page.text(".engines .note") == "WebGPU."
    assert server.std() > 5 and abs(page.pixels(".grid canvas").astype(int) - server).max() <= 2


def test_where_webgpu_fails_webassembly_takes_over(page, here):
    """The worker is made to answer as if the graphics card were lost."""
    lost = """
        const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (job) {
            if (job.provider === "wasm") return post.call(this, job);
            this.onmessage({ data: { id: job.id, error: "the device was lost" } });
        };
    """
    with page.patched(REAL), page.patched(lost):
        page.open("tiny?n=4")
        said = page.run_on("browser")
    assert said.startswith("4 pictures from this browser")
    assert "Not WebGPU: the device was lost." in page.text(".engines .note")


def test_a_server_that_is_gone_is_reported_and_may_come_back(page):
    page.open("tiny")
    with page.blocked("*/infer"):
        assert "server does not answer" in page.after(lambda: page.press("Another seed"))
    assert re.match("16 pictures", page.after(lambda: page.press("Another seed")))
    with page.blocked("*/models"):
        page.open()
        assert "server does not answer" in page.text("[role=alert]")
    page.press("Try again")
    page.wait(lambda: page.all(".card"))


def test_a_server_that_refuses_is_quoted(page):
    page.open("tiny")
    code = "const real = fetch; fetch = (path, o) => real(path.replace('infer', 'infer/none'), o)"
    page.js(code)
    assert page.after(lambda: page.press("Another seed")) == "there is no such page: GET /docs lists all routes"
    assert len(page.errors()) == 1  # the 404 itself


def test_a_key_is_asked_for_and_opens_everything(page, folder, here):
    with Live(folder, Settings(api_key="open sesame")) as server:
        page.open(url=f"http://127.0.0.1:{server.port}")
        for attempt in ("wrong", "open sesame"):
            page.wait(lambda: page.all("input[type=password]") and not page.all(".card"))
            page.errors()  # 401, rightly
            page.one("input[type=password]").send_keys(attempt)
            page.press("Open")
            page.wait(lambda: page.errors() or page.all(".card"))
        page.wait(lambda: page.all(".card"))[0].click()
        assert page.settled()
        page.run_on("browser")
        page.press(next(link.text for link in page.all(".take a")), ".take")
        assert page.downloaded("fashion.onnx") == (folder / "fashion" / "generator.onnx").read_bytes()
        page.errors()


@pytest.mark.parametrize("place", KINDS)
def test_everything_that_can_be_used_has_a_name(page, place):
    """In the accessibility tree; and the keyboard reaches all of it."""
    page.open(place)
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    used = [n for n in tree if n.get("role", {}).get("value") in
            ("button", "link", "slider", "radio", "combobox", "spinbutton", "image", "img", "radiogroup")]  # fmt: skip
    assert len(used) > 2
    assert not [node for node in used if not node.get("name", {}).get("value")]
    assert page.js("return document.querySelectorAll('h1').length") == 1
    unreachable = (
        "return [...document.querySelectorAll('main button, main a, main input')].filter((x) => x.tabIndex < 0"
    )
    assert not page.js(f"{unreachable} && x.getAttribute('role') !== 'radio').map((x) => x.outerHTML)")


@pytest.mark.parametrize("place", KINDS)
def test_a_small_screen_is_enough(page, place):
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True}
    )
    page.open(place)
    assert page.js("return document.documentElement.scrollWidth") <= 320
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_arrow_keys_choose_a_picture(page):
    page.open("tiny?n=9")
    page.js("document.querySelector('.grid [aria-checked=true]').focus()")
    right, left, up, down = "\ue014", "\ue012", "\ue013", "\ue015"
    for keys, place in ((down, 4), (right, 5), (up, 2), (up, 1), (left, 1), (down + down + right * 3, 9)):
        for key in keys:
            page.driver.switch_to.active_element.send_keys(key)
        assert page.one(".grid [aria-checked=true]").get_attribute("aria-label") == f"picture {place} of 9"


def test_code_is_copied(page):
    page.open("fashion")
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    page.choose("Class", "bag")
    page.js("document.querySelector('.take input[value=curl]').click()")
    page.press("Copy")
    page.wait(lambda: "Copied" in page.text(".take"))
    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == page.text("pre") and '"label":"bag"' in copied


@pytest.mark.parametrize("place", ["tiny?n=4", "fashion?n=4", "fashion?n=9&label=1", "points?n=256", "photos_a_to_b"])
def test_the_javascript_that_is_offered_runs(page, here, place):
    """In the page itself, whose onnxruntime-web stands in for the package."""
    page.open(place)
    page.js("document.querySelector('.take input[value=JavaScript]').click()")
    package, module = 'import * as ort from "onnxruntime-web";', "/page/vendor/ort.wasm.bundle.min.mjs"
    code = page.text("pre")
    assert package in code
    body = code.replace(package, f'const ort = await import("{module}");')
    body += "\nreturn [made.dims, Array.from(made.data)];"
    shape, numbers = page.driver.execute_async_script(
        f"const told = arguments[0]; (async () => {{{body}}})().then(told, (error) => told(['failed', error.stack]))"
    )
    rows = int((re.search(r"n=(\d+)", place) or ["", "1"])[1])
    assert shape == [rows, *{"points": [2], "photos": [16, 16, 3]}.get(re.split("[_?]", place)[0], [8, 8, 3])]
    assert len(numbers) == np.prod(shape) and np.isfinite(numbers).all()
    assert np.ptp(numbers) > 0.1 or place.startswith("photos")  # a black picture has a negative of one colour
    page.errors()  # the runtime remarks on a weight of the tiny file that nothing uses
