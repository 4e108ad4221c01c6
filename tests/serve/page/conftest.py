"""The page in a browser, and its modules under node. Both skip, with the reason, where they cannot run."""

import shutil

import chromium
import javascript
import pytest
from live import Live


@pytest.fixture(scope="session")
def everything(folder, tmp_path_factory):
    """A folder of all shipped artifacts and of the tiny ones, which have points and translators both ways."""
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
    """Check that no test of the page leaves an error in the console, from a script or from the policy."""
    page = request.getfixturevalue("page") if "page" in request.fixturenames else None
    yield
    assert not (page and page.errors())


@pytest.fixture
def here():
    """Skip tests that run networks in the browser where its runtime is not installed."""
    if not (chromium.PAGE / "vendor").is_dir():
        pytest.skip("onnxruntime-web is not set up: npm --prefix zoo/serve/page run setup")


@pytest.fixture(scope="module")
def node():
    """node("latents.js", "return draw(...)") returns the JavaScript value; the code sees the module's exports."""
    with javascript.node() as run:
        yield run
