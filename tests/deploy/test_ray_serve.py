"""`zoo deploy ray`: its config, and two replicas under real load of which one is killed."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from importlib.util import find_spec
from pathlib import Path

import goldens
import numpy as np
import pytest
import serving
import yaml

from zoo.core.errors import ServeError
from zoo.deploy import ray

PATIENCE = 400  # seconds: a busy machine starts Ray and its replicas slowly


@pytest.fixture
def folder(tmp_path):
    goldens.save_points(tmp_path / "points")
    (tmp_path / "dcgan").symlink_to(goldens.ROOT / "exported" / "dcgan")
    return tmp_path


def test_the_config_starts_between_so_many_replicas(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    made = yaml.safe_load(ray.text(folder.name, ray.Options(min_replicas=2, max_replicas=5, cpus=4, gpu=True)))
    (application,) = made["applications"]
    assert application["args"] == {"folder": str(folder), "cpus": 4, "provider": "cuda"}  # from anywhere
    (deployment,) = application["deployments"]
    scaling = deployment["autoscaling_config"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (2, 5)
    assert 0 < scaling["target_ongoing_requests"] < deployment["max_ongoing_requests"]
    assert deployment["ray_actor_options"] == {"num_cpus": 4, "num_gpus": 1}
    assert list(made) == ["http_options", "applications"] and list(application)[:3] == [
        "name", "route_prefix", "import_path",
    ]  # fmt: skip


def test_the_comment_at_the_top_names_what_every_machine_needs(folder):
    first, second = ray.text(folder, ray.Options()).splitlines()[:2]
    needs = f"every machine of the cluster needs gan-zoo[cpu,serve,ray] and {folder}"
    assert first == f"# serve run THIS_FILE; {needs}" and second == "http_options:"


def test_artifacts_that_cannot_be_trusted_are_not_described(folder):
    (folder / "points" / "generator.onnx").write_bytes(b"")
    with pytest.raises(ServeError, match="changed or damaged"):
        ray.text(folder, ray.Options())


@pytest.mark.skipif(bool(serving.why_no_zoo_server()), reason=serving.why_no_zoo_server())
def test_a_replica_takes_part_when_its_models_are_loaded(folder):
    """No request reaches it before; one without any model does not start at all."""

    async def models_at_start():
        app = ray.replica_app(folder, workers=1, provider="cpu")
        async with app.router.lifespan_context(app):
            return [*app.state.service.repository.models], app.state.service.settings.workers

    assert asyncio.run(models_at_start()) == (["dcgan", "points"], 1)
    (folder / "dcgan").unlink()
    (folder / "points" / "generator.onnx").write_bytes(b"damaged")
    with pytest.raises(ServeError, match="none of its generators can be served"):
        asyncio.run(models_at_start())


PYTHON = os.environ.get("RAY_PYTHON") or (sys.executable if find_spec("ray") else "")


@pytest.fixture
def cluster(folder):
    """Two replicas. Yields (address, the pids of the replicas as they are now)."""
    mark, address = f"ZOO_TEST={uuid.uuid4()}", f"127.0.0.1:{serving.free_port()}"
    config = folder / "ray.yaml"
    config.write_text(ray.text(folder, ray.Options(min_replicas=2, max_replicas=2, port=int(address.split(":")[1]))))
    command = [PYTHON, "-c", "from ray.serve.scripts import cli; cli()", "run", str(config)]
    name, value = mark.split("=")
    environment = {
        name: value, "PYTHONPATH": str(goldens.ROOT), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": str(PATIENCE),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as scratch:  # sockets want short paths
        try:
            with serving.running(command, address, {**environment, "RAY_TMPDIR": scratch}, PATIENCE):
                yield address, lambda: marked(mark, "ServeReplica")
        finally:
            for pid in marked(mark):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def marked(mark, title=""):
    """The processes that inherited the mark, with `title` in their command line."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if mark.encode() in (place / "environ").read_bytes() and title.encode() in (place / "cmdline").read_bytes():
                found.add(int(place.name))
    return found


class Load(threading.Thread):
    """A client that asks one thing after another and tries again for a while when there is no answer."""

    def __init__(self, address, path, requests, end):
        super().__init__(daemon=True)
        self.url, self.requests, self.end = f"http://{address}{path}", requests, end
        self.answered, self.retried, self.lost = 0, 0, []

    def run(self):
        while not self.end.is_set():
            body, check = next(self.requests)
            try:
                check(self.ask(body))
                self.answered += 1
            except (AssertionError, OSError) as error:
                self.lost.append(repr(error))
            time.sleep(0.02)

    def ask(self, body):
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.read()
            except (OSError, http.client.HTTPException) as error:
                refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
                if refused or time.monotonic() > deadline:
                    raise
                self.retried += 1
                time.sleep(0.2)


def points(seed):
    """Requests of a few milliseconds: (body, the check of its answer)."""
    random = np.random.default_rng(seed)
    while True:
        z = random.uniform(-1, 1, (1, 2)).astype(np.float32)
        tensor = {"name": "z", "shape": [1, 2], "datatype": "FP32", "data": z.ravel().tolist()}

        def check(answer, z=z):
            point = json.loads(answer)["outputs"][0]["data"]
            np.testing.assert_allclose(point, np.tanh(z * [2, 3]).ravel(), rtol=0, atol=1e-6)

        yield {"inputs": [tensor]}, check


def walks():
    """Requests of a second or so, in whose middle a replica can die; all of them have the same answer."""
    answers = set()

    def check(answer):
        answers.add(answer)
        assert answer[:4] == b"RIFF" and len(answers) == 1

    while True:
        yield {"n": 60, "format": "webp"}, check


def until(holds, what):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(
    not PYTHON, reason="Ray is not installed here, and $RAY_PYTHON names no interpreter with ray[serve]"
)
def test_no_request_is_lost_when_a_replica_is_killed(cluster):
    address, replicas = cluster
    until(lambda: len(replicas()) == 2, "two replicas")
    first, end = replicas(), threading.Event()
    load = [Load(address, "/v2/models/points/infer", points(seed), end) for seed in range(2)]
    load += [Load(address, "/models/dcgan/walk", walks(), end) for _ in range(4)]
    for client in load:
        client.start()

    def more(n):
        goal = sum(client.answered for client in load) + n
        until(lambda: sum(client.answered for client in load) >= goal, f"{n} more answers")

    more(50)
    killed = min(first)
    os.kill(killed, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: len(replicas() - {killed}) == 2, "a replica in the place of the killed one")
    took = time.monotonic() - began
    more(50)
    end.set()
    for client in load:
        client.join(PATIENCE)
    answered, retried = sum(client.answered for client in load), sum(client.retried for client in load)
    print(f"{answered} answers, {retried} tries again, a new replica after {took:.1f} s")
    assert not [line for client in load for line in client.lost]
    assert retried > 0  # what was in the killed replica; it was busy
    assert killed not in replicas() and len(replicas() & first) == 1
