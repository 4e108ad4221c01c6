"""The page in a browser, its modules under node; both skip with the reason where they cannot be."""

import shutil

import chromium
import javascript
import pytest
from live import Live


@pytest.fixture(scope="session")
def everything(folder, tmp_path_factory):
    """A folder of all that is shipped, and of the tiny artifacts, which have points and translators both ways."""
    made = tmp_path_factory.mktemp("everything")
    for source in {source for source, _ in chromium.SHIPPED.values()} | {*folder.iterdir()}:
        shutil.copytree(source, made / source.name)
    return made


@pytest.fixture(scope="module")
def page(everything, tmp_path_factory):
    """The page of a server over `everything`, in a browser without a graphics card."""
    downloads = tmp_path_factory.mktemp("browser")
    with chromium.chromium(downloads) as driver, Live(everything) as server:
        yield chromium.Page(driver, f"http://127.0.0.1:{server.port}", downloads)


@pytest.fixture(autouse=True)
def quiet(request):
    """No test of the page may leave an error in the console: a script that failed, or that the policy stopped."""
    page = request.getfixturevalue("page") if "page" in request.fixturenames else None
    yield
    assert not (page and page.errors())


@pytest.fixture
def here():
    """Skips what runs in the browser where the runtime for it was not set up."""
    if not (chromium.PAGE / "vendor").is_dir():
        pytest.skip("onnxruntime-web is not set up: npm --prefix zoo/serve/page run setup")


@pytest.fixture(scope="module")
def node():
    """node("latents.js", "return draw(...)"): what JavaScript returns with all that a module of the page exports."""
    with javascript.node() as run:
        yield run
