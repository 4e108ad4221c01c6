"""tools/clients/triton_client.py: the same file asks our server and a real Triton, and gets the same numbers."""

import sys
from importlib.util import find_spec

import goldens
import numpy as np
import pytest
import serving

from zoo.deploy import triton

CLIENT = goldens.CLIENTS / "triton_client.py"
pytestmark = pytest.mark.skipif(find_spec("tritonclient") is None, reason="tritonclient is not installed")
NO_TRITON, NO_SERVER = serving.why_no_triton(), serving.why_no_zoo_server()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("zoo", marks=pytest.mark.skipif(bool(NO_SERVER), reason=NO_SERVER)),
        pytest.param("triton", marks=pytest.mark.skipif(bool(NO_TRITON), reason=NO_TRITON)),
    ],
)
def server(request, artifacts, tmp_path_factory):
    if request.param == "zoo":
        with serving.zoo_server(artifacts) as address:
            yield address
        return
    repository = tmp_path_factory.mktemp("repository")
    triton.write(artifacts, repository, triton.Options(threads=1))
    with serving.triton_server(repository, tmp_path_factory.mktemp("triton")) as address:
        yield address


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["binary", "json"])
def test_it_gets_the_golden_images(server, artifact, tmp_path, run, check, flags):
    check(run(sys.executable, CLIENT, server, artifact, "--out", tmp_path, *flags), artifact)
    for manifest, _, raw in goldens.networks(artifact):
        np.testing.assert_array_equal(np.load(tmp_path / f"{manifest.model}.npy"), raw)  # as `zoo.load` computes them


def test_it_fails_where_the_images_differ(server, disturbed, run):
    done = run(sys.executable, CLIENT, server, disturbed)
    assert done.returncode == 1 and "1.0e-03" in done.stdout


def test_it_says_what_the_server_lacks(server, disturbed, run):
    manifest = disturbed / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "points"', '"name": "absent"'))
    done = run(sys.executable, CLIENT, server, disturbed)
    assert done.returncode == 1 and "absent" in done.stderr and "Traceback" not in done.stderr


def test_it_says_that_nobody_listens(disturbed, run):
    address = f"127.0.0.1:{serving.free_port()}"
    done = run(sys.executable, CLIENT, address, disturbed)
    assert done.returncode == 1 and done.stderr.startswith(f"{address}: ") and "Traceback" not in done.stderr


@pytest.mark.skipif(bool(NO_TRITON), reason=NO_TRITON)
def test_triton_gathers_requests_as_its_config_says(artifacts, tmp_path):
    """Many small requests run as fewer, larger batches; a request above the largest batch is refused."""
    from tritonclient.http import InferenceServerClient, InferInput
    from tritonclient.utils import InferenceServerException

    repository, scratch = tmp_path / "repository", tmp_path / "triton"
    scratch.mkdir()
    triton.write(artifacts / "points", repository, triton.Options(max_batch=8, delay_microseconds=20_000, threads=1))
    with serving.triton_server(repository, scratch) as address:
        client = InferenceServerClient(address, concurrency=16)

        def counts():
            (counted,) = client.get_inference_statistics("points")["model_stats"]
            return np.array([counted["inference_count"], counted["execution_count"]])  # rows, batches

        def ask(rows):
            z = InferInput("z", [rows, 2], "FP32")
            z.set_data_from_numpy(np.full((rows, 2), 0.5, np.float32))
            return client.async_infer("points", [z])

        before = counts()  # the warm-up
        for waiting in [ask(1) for _ in range(64)]:
            np.testing.assert_allclose(waiting.get_result().as_numpy("point"), np.tanh([[1, 1.5]]), atol=1e-6)
        rows, batches = counts() - before
        assert rows == 64 and 8 <= batches < 64
        assert ask(8).get_result().as_numpy("point").shape == (8, 2)
        with pytest.raises(InferenceServerException, match="batch"):
            ask(9).get_result()
        client.close()
