"""A folder that changes under a running server."""

import asyncio
import hashlib
import json
import logging
import os
import shutil
import threading

import numpy as np
import onnx_nets as nets
import pytest
from cases import inference
from live import Live, one_line, until

import zoo
from zoo.artifact.manifest import MANIFEST_FILE, MODEL_FILE
from zoo.core.errors import ServeError
from zoo.serve import repository, warm_up
from zoo.serve.batching import CostEstimate
from zoo.serve.repository import Repository, Threads, load_models
from zoo.serve.settings import Settings

QUICK = Settings(reload_seconds=0.05, workers=2)
Z = np.full((1, 8), 0.5, np.float32)


@pytest.fixture
def changing(tmp_path):
    """A server over `tiny` alone, whose folder may be changed."""
    nets.save(tmp_path / "served" / "tiny", nets.images(seed=0), nets.describe())
    with Live(tmp_path / "served", QUICK) as running:
        running.folder = tmp_path / "served"
        yield running


def answer(server, name="tiny"):
    code, _, body = server.ask("POST", f"/v2/models/{name}/infer", inference())
    assert code == 200, body
    return np.array(json.loads(body)["outputs"][0]["data"], np.float32)


def exchange(folder, **changes):
    """A new version as the exporter brings it: made aside, then renamed into place. Returns what it computes."""
    aside = nets.save(
        folder.parent / f".{folder.name}", nets.images(seed=changes.pop("seed", 1)), nets.describe(**changes)
    )
    expected = zoo.load(aside)(z=Z).reshape(-1)
    old = folder.with_name(f".{folder.name}.old")
    folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old)
    return expected


def test_a_new_version_takes_over(changing):
    before = answer(changing)
    np.testing.assert_array_equal(before, zoo.load(changing.folder / "tiny")(z=Z).reshape(-1))
    expected = exchange(changing.folder / "tiny", title="Newer")
    until(lambda: changing.models["tiny"].manifest.title == "Newer")
    np.testing.assert_array_equal(answer(changing), expected)
    assert not np.array_equal(before, expected)
    code, _, data = changing.ask("GET", "/models/tiny/model.onnx")
    assert code == 200 and data == (changing.folder / "tiny" / MODEL_FILE).read_bytes()


def test_no_request_is_dropped_while_versions_change(changing):
    """Four clients ask all the time: every answer is whole, and of one of the versions."""
    versions = [answer(changing)]
    stop, seen, failed = threading.Event(), [set() for _ in range(4)], []

    def client(mine):
        line = changing.connect()
        while not stop.is_set():
            try:
                code, _, body = changing.ask("POST", "/v2/models/tiny/infer", inference(), connection=line)
                data = np.array(json.loads(body)["outputs"][0]["data"], np.float32)
                mine.add(next(i for i, known in enumerate(list(versions)) if np.array_equal(known, data)))
                assert code == 200
            except Exception as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=client, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    for seed in (1, 2, 3):
        aside = nets.save(changing.folder.parent / f"v{seed}", nets.images(seed=seed), nets.describe())
        versions.append(zoo.load(aside)(z=Z).reshape(-1))  # known before it is served
        exchange(changing.folder / "tiny", seed=seed, title=f"v{seed}")
        until(lambda: all(len(versions) - 1 in mine for mine in seen) or failed)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_request_under_way_finishes_with_the_version_that_it_began_with(changing):
    old = changing.models["tiny"]
    expected, gate, run = answer(changing), threading.Event(), old.quick.run
    started = threading.Event()
    old.quick.run = lambda feed: (started.set(), gate.wait(30), run(feed))[2]
    result = []
    thread = threading.Thread(target=lambda: result.append(answer(changing)))
    thread.start()
    assert started.wait(30)
    newer = exchange(changing.folder / "tiny", title="Newer")
    until(lambda: changing.models["tiny"].manifest.title == "Newer")
    np.testing.assert_array_equal(answer(changing), newer)  # the new one answers while the old one computes
    gate.set()
    thread.join()
    np.testing.assert_array_equal(result[0], expected)


def break_hash(folder):
    with (folder / MODEL_FILE).open("ab") as file:
        file.write(b"\0")


def break_json(folder):
    (folder / MANIFEST_FILE).write_text("{")


def break_model(folder):
    data = b"this is not a model"
    (folder / MODEL_FILE).write_bytes(data)
    keys = json.loads((folder / MANIFEST_FILE).read_text())
    keys["files"][MODEL_FILE] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST_FILE).write_text(json.dumps(keys))


def break_name(folder):
    nets.save(folder, nets.images(), nets.describe(name="../etc"))


def lose_model(folder):
    (folder / MODEL_FILE).unlink()


@pytest.mark.parametrize("damage", [break_hash, break_json, break_model, break_name, lose_model])
def test_a_broken_version_changes_nothing_but_the_log(changing, damage, caplog):
    before = answer(changing)
    with caplog.at_level(logging.INFO, "zoo.serve"):
        damage(changing.folder / "tiny")
        until(lambda: "the previous version stays" in caplog.text)
    np.testing.assert_array_equal(answer(changing), before)
    assert changing.ask("GET", "/v2/health/ready")[0] == 200
    assert caplog.text.count("the previous version stays") == 1  # logged once, not at every check
    expected = exchange(changing.folder / "tiny", title="Whole again")
    until(lambda: changing.models["tiny"].manifest.title == "Whole again")
    np.testing.assert_array_equal(answer(changing), expected)


def test_models_come_and_go(changing):
    nets.save(changing.folder / "points", nets.points(), nets.describe_points())
    until(lambda: "points" in changing.models)
    shutil.rmtree(changing.folder / "tiny")
    until(lambda: "tiny" not in changing.models)
    code, _, body = changing.ask("POST", "/v2/models/tiny/infer", inference())
    assert code == 404 and "no model 'tiny'" in one_line(body)
    shutil.rmtree(changing.folder / "points")
    until(lambda: not changing.models)
    assert changing.ask("GET", "/v2/health/ready")[0] == 503 and changing.ask("GET", "/v2/health/live")[0] == 200
    nets.save(changing.folder / "tiny", nets.images(), nets.describe())
    until(lambda: "tiny" in changing.models)
    answer(changing)


def test_the_first_of_two_folders_with_one_name_is_served(tmp_path, caplog):
    nets.save(tmp_path / "a", nets.images(seed=1), nets.describe(title="first"))
    nets.save(tmp_path / "b", nets.images(seed=2), nets.describe(title="second"))
    nets.save(tmp_path / ".hidden", nets.points(), nets.describe_points())
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").write_text("no artifact")
    with caplog.at_level(logging.WARNING, "zoo.serve"), Live(tmp_path, QUICK) as server:
        assert {name: model.manifest.title for name, model in server.models.items()} == {"tiny": "first"}
        assert "another folder already serves tiny" in caplog.text


def test_not_ready_before_everything_is_warm(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))  # nothing is measured yet
    gate, measure = threading.Event(), warm_up.measure
    monkeypatch.setattr(warm_up, "measure", lambda *args: (gate.wait(30), measure(*args))[1])
    with Live(folder, QUICK, wait=False) as server:
        until(lambda: hasattr(server.app.state, "service"))
        for path, expected in (("/v2/health/live", 200), ("/v2/health/ready", 503), ("/v2/models/tiny/ready", 503)):
            code, headers, body = server.ask("GET", path)
            assert code == expected, path
            if code == 503:
                assert "still being loaded" in one_line(body) and headers["retry-after"] == "1"
        gate.set()
        until(lambda: server.ask("GET", "/v2/health/ready")[0] == 200)


def test_files_beside_the_model_are_its_own(tmp_path):
    """A changed picture is refused, a link is not followed."""
    home = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    (tmp_path / "secret").write_text("secret")
    (home / "README.md").symlink_to(tmp_path / "secret")
    settings = Settings(workers=1)
    threads = Threads(settings)
    (model,) = load_models(home, settings, threads, lambda name, rows: None)
    assert set(model.files) == {"model.onnx"} and model.card["card"] is None
    (home / "samples.png").write_bytes(b"other")
    with pytest.raises(ServeError, match=r"samples\.png is not the one"):
        load_models(home, settings, threads, lambda name, rows: None)
    threads.close()


def test_a_change_counts_when_two_checks_agree(tmp_path, monkeypatch):
    """Files are written one after another: what is half there is not tried."""
    home = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    tried, load = [], load_models
    monkeypatch.setattr(repository, "load_models", lambda folder, *rest: tried.append(folder) or load(folder, *rest))

    async def main():
        threads = Threads(QUICK)
        served = Repository(tmp_path, QUICK, threads, lambda name, rows: None)
        await served.check(settled=True)
        assert len(tried) == 1 and list(served.models) == ["tiny"]
        for step in range(3):  # a file grows
            (home / "README.md").write_text("x" * step)
            await served.check()
        assert len(tried) == 1
        await served.check()
        assert len(tried) == 2
        await served.check()
        assert len(tried) == 2
        os.rename(home, tmp_path / ".tiny")
        await served.check()
        assert list(served.models) == ["tiny"]  # perhaps only for a moment
        await served.check()
        assert not served.models
        threads.close()

    asyncio.run(main())


def test_large_images_have_a_batcher_of_their_own(tmp_path):
    home = nets.save(tmp_path / "photos", nets.negative(), nets.describe_negative())
    settings = Settings(workers=1, slice_seconds=0.1)
    threads = Threads(settings)
    (model,) = load_models(home, settings, threads, lambda name, rows: None)

    async def main():
        lanes = []
        for lane, name in ((model.quick, "quick"), (model.slow, "slow")):
            lane.run = lambda feed, name=name: (lanes.append(name), -feed["a"])[1]
            lane.cost = CostEstimate(0.3 / (16 * 16 * 3))  # 0.3 s for an image of the trained size
            lane.cost.update = lambda numbers, seconds: None
        for side in (16, 8, 20):
            await model.infer({"a": np.zeros((2, side, side, 3), np.float32)})
        assert lanes == ["quick", "quick", "quick", "quick", "slow", "slow"]

    asyncio.run(main())
    threads.close()
