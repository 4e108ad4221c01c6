"""A client that nobody here wrote, against `zoo.load`: every artifact, every encoding, equal to the last bit."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from live import Live, save_all

import zoo
from zoo.artifact.manifest import read_manifests
from zoo.serve.protocol import DATATYPES
from zoo.serve.settings import Settings
from zoo.serve.warm_up import noise

http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed: pip install '.[test]'")

EXPORTED = Path(zoo.__file__).parents[1] / "exported"
SHIPPED = sorted(file.parent.name for file in EXPORTED.glob("*/manifest.json"))
ENCODINGS = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The shipped artifacts and the tiny ones in one folder."""
    folder = save_all(tmp_path_factory.mktemp("all"))
    for name in SHIPPED:
        (folder / name).symlink_to(EXPORTED / name)
    with Live(folder, Settings(workers=2)) as running:
        running.folder = folder
        yield running


@pytest.fixture(scope="module")
def client(server):
    with http.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4) as each:
        yield each


def models(folder):
    return [(path, manifest) for path in sorted(folder.iterdir()) for manifest in read_manifests(path)]


def infer(client, manifest, feed, *, binary_in, binary_out, **more):
    inputs = []
    for name, array in feed.items():
        tensor = http.InferInput(name, list(array.shape), DATATYPES[array.dtype.name])
        tensor.set_data_from_numpy(array, binary_data=binary_in)
        inputs.append(tensor)
    name = manifest.outputs[0].name
    outputs = [http.InferRequestedOutput(name, binary_data=binary_out)]
    answer = client.infer(manifest.model, inputs, outputs=outputs, **more)
    return answer.as_numpy(name)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: f"binary_in={e[0]}-binary_out={e[1]}")
def test_every_model_agrees_exactly(server, client, encoding):
    tried = set()
    for path, manifest in models(server.folder):
        generator = zoo.load(path, network=manifest.network or None)
        for n in (1, 3):
            feed = noise(generator, n)
            made = infer(client, manifest, feed, binary_in=encoding[0], binary_out=encoding[1])
            expected = generator(**feed)
            assert made.dtype == expected.dtype and made.shape == expected.shape
            np.testing.assert_array_equal(made.view(np.uint32), expected.view(np.uint32))
            tried |= {array.dtype.name for array in feed.values()}
    assert {"float32", "int64"} <= tried


@pytest.mark.parametrize("name", SHIPPED)
def test_merged_and_cut_requests_agree_exactly(server, client, name):
    """Many at a time, so that requests share batches, and one that is larger than any batch."""
    for manifest in read_manifests(EXPORTED / name):
        generator = zoo.load(EXPORTED / name, network=manifest.network or None)
        batcher = server.models[manifest.model].quick
        merges = (
            batcher.min_batch <= batcher.max_batch
        )  # else this processor computes every size of batch in an order of its own
        small = not any(tensor.is_image for tensor in manifest.inputs)
        feed = noise(generator, 150 if small else 5)
        expected = generator(**feed)
        cuts = [slice(i, i + 1 + i % 3) for i in range(0, 24 if small else 4, 3)]
        answers = {}

        def ask(cut, feed=feed, manifest=manifest, answers=answers):
            part = {name: array[cut] for name, array in feed.items()}
            with http.InferenceServerClient(f"127.0.0.1:{server.port}") as own:  # a client belongs to one thread
                answers[cut.start] = infer(own, manifest, part, binary_in=True, binary_out=True)

        threads = [threading.Thread(target=ask, args=(cut,)) for cut in cuts]
        for thread in threads:
            thread.start()
        whole = infer(client, manifest, feed, binary_in=True, binary_out=True)
        for thread in threads:
            thread.join()
        if merges:
            np.testing.assert_array_equal(whole.view(np.uint32), expected.view(np.uint32))
        np.testing.assert_allclose(whole, expected, atol=1e-4)
        for cut in cuts:
            own = generator(**{name: array[cut] for name, array in feed.items()})
            np.testing.assert_array_equal(answers[cut.start].view(np.uint32), own.view(np.uint32))


def test_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("fashion") and client.is_model_ready("fashion", "1")
    assert not client.is_model_ready("fashion", "2") and not client.is_model_ready("fashions")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data", "model_repository"]
    metadata = client.get_model_metadata("fashion")
    assert metadata["inputs"] == [
        {"name": "z", "datatype": "FP32", "shape": [-1, 8]},
        {"name": "label", "datatype": "INT64", "shape": [-1]},
    ]
    assert metadata == client.get_model_metadata("fashion", "1") and metadata["versions"] == ["1"]
    index = client.get_model_repository_index()
    assert {"name": "photos_b_to_a", "version": "1", "state": "READY", "reason": ""} in index


def test_ids_compression_and_patience(server, client):
    manifest = server.models["tiny"].manifest
    feed = {"z": np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)}
    plain = infer(client, manifest, feed, binary_in=True, binary_out=True)
    for packed in ("gzip", "deflate"):
        made = infer(
            client, manifest, feed, binary_in=True, binary_out=True, request_compression_algorithm=packed,
            response_compression_algorithm=packed, request_id="seven", timeout=20_000_000,
        )  # fmt: skip
        np.testing.assert_array_equal(made, plain)
    tensor = http.InferInput("z", [2, 8], "FP32")
    tensor.set_data_from_numpy(feed["z"])
    answer = client.infer("tiny", [tensor], request_id="seven").get_response()
    assert answer["id"] == "seven" and answer["model_version"] == "1"
    np.testing.assert_array_equal(client.infer("tiny", [tensor]).as_numpy("image"), plain)  # no outputs named: binary


def test_errors_reach_the_client_as_one_line(client):
    tensor = http.InferInput("z", [1, 7], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 7), np.float32))
    with pytest.raises(Exception, match=r"expected z float32 \[batch, 8\], received the shape \[1, 7\]") as caught:
        client.infer("tiny", [tensor])
    assert caught.value.status() == "400" and "\n" not in caught.value.message()
    assert json.dumps(caught.value.message())
