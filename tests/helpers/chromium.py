"""A real Chromium without a window, for the tests of the page."""

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
from zoo.artifact.artifact_folders import find_artifacts
from zoo.artifact.manifest import read_manifests

PAGE = Path(zoo.__file__).parent / "serve" / "page"
EXPORTED = Path(__file__).resolve().parents[2] / "exported"
SHIPPED = {manifest.model: (folder, manifest) for folder in find_artifacts(EXPORTED)
           for manifest in read_manifests(folder)}  # fmt: skip
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
        """Go to "#/place" as if the address had been typed. Returns the status line when the page is ready."""
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
        """Return the first truthy value of `condition()`. Fails after a minute, with the text of the page."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (value := condition()):
            assert time.monotonic() < end, f"still waiting; the page reads: {self.text('main')[:600]!r}"
            time.sleep(0.02)
        return value

    def settled(self) -> str:
        """Return the status line once nothing is under way."""
        return self.wait(lambda: (line := self.text(".status")) and not line.startswith("Waiting") and line)

    def after(self, act: Any) -> str:
        """Call `act()` and return the status line once its work is done."""
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
        """Return the pixels of the canvases: RGB, uint8 [n, H, W, 3]."""
        files = [io.BytesIO(base64.b64decode(text)) for text in self.js(READ, selector)]
        return np.array([np.asarray(Image.open(file).convert("RGBA"))[..., :3] for file in files])

    def downloaded(self, name: str) -> bytes:
        file = self.downloads / name
        self.wait(lambda: file.is_file() and file.stat().st_size)
        data = file.read_bytes()
        file.unlink()
        return data

    def errors(self) -> list[str]:
        """Return the browser's new error messages: a broken script, a violated policy.

        A missing onnxruntime-web is left out: the page reports that itself.
        """
        texts = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [text for text in texts if not ("/page/vendor/" in text and "404" in text)]

    @contextlib.contextmanager
    def blocked(self, *patterns: str) -> Iterator[None]:
        """Let requests whose address matches a pattern fail."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(patterns)})
        yield
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        self.driver.execute_cdp_cmd("Network.disable", {})
        self.errors()  # these requests are among them

    @contextlib.contextmanager
    def patched(self, code: str) -> Iterator[None]:
        """Run `code` before the page's own scripts."""
        made = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": code})
        yield
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)


@contextlib.contextmanager
def chromium(folder: Path, flags: Sequence[str] = NO_GPU) -> Iterator[Any]:
    """Yield a driver with its profile and downloads in `folder`; skip the test where there is no browser."""
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
