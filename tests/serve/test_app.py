"""The application as other servers run it, and its settings."""

import asyncio
import shutil

import pytest
from cases import inference
from live import Live

from zoo.core.errors import ServeError
from zoo.serve.app import create_app
from zoo.serve.settings import Settings


def test_it_starts_and_stops_without_a_server(folder):
    """Nothing happens before the start, which does not wait for the models; the same app starts again."""
    app = create_app(folder, Settings(workers=1))
    assert not hasattr(app.state, "service")

    async def main():
        async with app.router.lifespan_context(app):
            service = app.state.service
            assert not service.ready and not service.repository.models
            while not service.ready:
                await asyncio.sleep(0.01)
            assert [*service.repository.models] == ["fashion", "photos_a_to_b", "photos_b_to_a", "points", "tiny"]
        return service

    assert asyncio.run(main()) is not asyncio.run(main())


def test_a_folder_that_is_not_there(tmp_path):
    async def main():
        app = create_app(tmp_path / "nothing")
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(ServeError, match="there is no such folder"):
        asyncio.run(main())


def test_pages_of_another_origin(folder):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type,inference-header-content-length"}  # fmt: skip
    with Live(folder / "tiny", Settings(workers=1, origin="https://app.example", api_key="k")) as server:
        code, headers, _ = server.ask("OPTIONS", "/v2/models/tiny/infer", headers=asked)
        assert code == 200 and headers["access-control-allow-origin"] == "https://app.example"
        own = {"Origin": "https://app.example", "Authorization": "Bearer k"}
        code, headers, _ = server.ask("POST", "/v2/models/tiny/infer", inference(), own)
        assert code == 200 and "Inference-Header-Content-Length" in headers["access-control-expose-headers"]
        assert server.ask("OPTIONS", "/models", headers=asked | {"Origin": "https://evil.example"})[0] == 400
    with Live(folder / "tiny", Settings(workers=1)) as server:
        assert server.ask("OPTIONS", "/v2/models/tiny/infer", headers=asked)[0] == 405


def test_a_precision_that_is_not_there(folder, tmp_path, caplog):
    shutil.copytree(folder / "tiny", tmp_path / "tiny")
    with Live(tmp_path, Settings(workers=1, precision="fp16")) as server:
        assert not server.models and "fp16" in caplog.text
