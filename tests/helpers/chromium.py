"""A real Chromium for the tests of the page: it starts without a window, and looks at what a person would see."""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.artifact.manifest import MANIFEST_FILE, read_manifests

PAGE = Path(zoo.__file__).parent / "serve" / "page"
EXPORTED = Path(__file__).resolve().parents[2] / "exported"
SHIPPED = {facts.model: (folder, facts) for folder in sorted(EXPORTED.iterdir())
           if (folder / MANIFEST_FILE).is_file() for facts in read_manifests(folder)}  # fmt: skip
FLAGS = (
    "--headless", "--no-sandbox", "--no-first-run", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion", "--window-size=1280,900",
)  # fmt: skip
NO_GPU = ("--disable-gpu",)
EMULATED_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
PATIENCE_SECONDS = 60
READ = "return [...document.querySelectorAll(arguments[0])].map((canvas) => canvas.toDataURL().split(',')[1])"


class Page:
    """The page at `url` in a browser."""

    def __init__(self, driver: Any, url: str, downloads: Path) -> None:
        self.driver, self.url, self.downloads = driver, url, downloads

    def open(self, place: str = "", *, url: str | None = None) -> str:
        """Go to "#/place" as if the address had been typed; what the status line says when it is there."""
        self.driver.get("about:blank")
        self.driver.get(f"{url or self.url}/#/{place}")
        self.wait(lambda: self.all("main h1"))
        return self.settled() if self.all(".grid, .view .plot") else ""

    def js(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        found = self.all(selector)
        assert found, f"there is no {selector} in the page"
        return found[0]

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def wait(self, condition: Any) -> Any:
        """The first truthy value of `condition()`. Fails with what the page says after a minute."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (value := condition()):
            assert time.monotonic() < end, f"still waiting; the page says: {self.text('main')[:600]!r}"
            time.sleep(0.02)
        return value

    def settled(self) -> str:
        """What the status line says when nothing is under way."""
        return self.wait(lambda: (said := self.text(".status")) and not said.startswith("Waiting") and said)

    def after(self, act: Any) -> str:
        """What the status line says when that which `act()` asks for is done."""
        self.js("document.querySelector('.status').textContent = ''")
        act()
        return self.settled()

    def choose(self, label: str, text: str) -> None:
        """Choose an option of the <select> below `label`."""
        options = self.driver.find_elements("xpath", f"//label[span='{label}']//option[.='{text}']")
        assert options, f"{label} does not offer {text}"
        options[0].click()

    def run_on(self, engine: str) -> str:
        if self.one(f"input[value={engine}]").is_selected():
            return self.settled()
        return self.after(lambda: self.js(f"document.querySelector('input[value={engine}]').click()"))

    def press(self, text: str, within: str = "main") -> None:
        button = next(b for b in self.all(f"{within} button, {within} a") if b.text == text)
        self.js("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()

    def slide(self, selector: str, value: float) -> None:
        code = "const [slider, value] = arguments; slider.value = value; slider.dispatchEvent(new Event('input'))"
        self.js(code, self.one(selector), value)

    def pixels(self, selector: str) -> np.ndarray:
        """RGB of the canvases, uint8 [n, H, W, 3]."""
        files = [io.BytesIO(base64.b64decode(text)) for text in self.js(READ, selector)]
        return np.array([np.asarray(Image.open(file).convert("RGBA"))[..., :3] for file in files])

    def downloaded(self, name: str) -> bytes:
        file = self.downloads / name
        self.wait(lambda: file.is_file() and file.stat().st_size)
        data = file.read_bytes()
        file.unlink()
        return data

    def errors(self) -> list[str]:
        """What the browser has complained about since it was asked last: a broken script, a breach of the policy.

        Not that onnxruntime-web is missing: the page asks for it, and says so itself.
        """
        told = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [text for text in told if not ("/page/vendor/" in text and "404" in text)]

    @contextlib.contextmanager
    def blocked(self, *patterns: str) -> Iterator[None]:
        """As if the network lost what the patterns match."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(patterns)})
        yield
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        self.driver.execute_cdp_cmd("Network.disable", {})
        self.errors()  # it complains about them, rightly

    @contextlib.contextmanager
    def patched(self, code: str) -> Iterator[None]:
        """`code` runs before the page's own scripts."""
        made = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": code})
        yield
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)


@contextlib.contextmanager
def chromium(folder: Path, flags: Sequence[str] = NO_GPU) -> Iterator[Any]:
    """A driver; skips the test where there is no browser. `folder` holds what it needs and what it downloads."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install '.[test]'")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, *flags, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    (folder / "profile").mkdir(parents=True)
    opened = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    try:
        behaviour = {"behavior": "allow", "downloadPath": str(folder)}
        opened.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        yield opened
    finally:
        opened.quit()
