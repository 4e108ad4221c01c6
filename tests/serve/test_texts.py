"""A served model that reads words: as text for people, as BYTES or ids in the protocol; bad texts, then good ones."""

import io
import json
import struct
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import onnx_nets as nets
import pytest
from live import Live
from onnx import TensorProto, helper
from PIL import Image

import zoo
from zoo.artifact.tensor import Tensor
from zoo.core.text import Vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("words")
    nets.save_words(place / "words")
    nets.save(place / "tiny", nets.images(), nets.describe())
    two_texts(place / "two")
    return place


STYLES = Vocabulary(("cubist", "etched"))


def two_texts(folder):
    """Two inputs of words, each with a vocabulary of its own, under names of their own; the second changes nothing."""
    net, manifest = nets.words(), nets.describe_words()
    net.graph.input.append(helper.make_tensor_value_info("style", TensorProto.INT32, ["batch", 4]))
    z, text = manifest.inputs
    facts = {**text.text, "vocabulary": "styles.txt", "sha256": STYLES.sha256, "words": 2}
    facts |= {"examples": ["etched"], "example_ids": [[2]]}
    inputs = z, replace(text, text={**text.text, "vocabulary": "ours.txt"})
    style = Tensor("style", "int32", ("batch", 4), text=facts)
    nets.save(folder, net, replace(manifest, name="two", inputs=(*inputs, style)))
    (folder / "ours.txt").write_bytes(nets.WORDS.to_bytes())
    (folder / "styles.txt").write_bytes(STYLES.to_bytes())


@pytest.fixture(scope="module")
def server(folder):
    with Live(folder) as running:
        yield running


@pytest.fixture(scope="module")
def generator(folder):
    return zoo.load(folder / "words")


def drawn(server, body, path="/models/words/sample"):
    return server.ask("POST", path, body)


def array(data):
    return np.load(io.BytesIO(data))


def infer(server, *entries, binary=b"", **request):
    body = json.dumps({"inputs": [*entries], **request}).encode()
    headers = {"Inference-Header-Content-Length": str(len(body))} if binary else {}
    return server.ask("POST", "/v2/models/words/infer", body + binary, headers)


Z = np.random.RandomState(1).standard_normal((2, nets.LATENT)).astype(np.float32)
LATENT = {"name": "z", "shape": [2, nets.LATENT], "datatype": "FP32", "data": Z.ravel().tolist()}


def told(data, **entry):
    return {"name": "text", "datatype": "BYTES", "shape": [2], "data": data} | entry


def test_pictures_of_words(server, generator):
    code, headers, data = drawn(server, {"n": 3, "seed": 2, "text": "Mint critter", "format": "npy"})
    assert code == 200 and "X-Text-Left-Out" not in headers
    np.testing.assert_array_equal(array(data), generator.sample(3, seed=2, text="mint critter"))
    several = {"n": 2, "text": ["mint", "lilac"], "format": "npy"}
    np.testing.assert_array_equal(array(drawn(server, several)[2]), generator.sample(2, text=["mint", "lilac"]))
    by_name = {"n": 2, "inputs": {"text": "lilac"}, "format": "npy"}
    np.testing.assert_array_equal(array(drawn(server, by_name)[2]), generator.sample(2, text="lilac"))
    code, _, data = drawn(server, {"n": 4, "stops": 2, "text": "mint"}, "/models/words/walk")
    assert code == 200 and Image.open(io.BytesIO(data)).n_frames == 4


def test_words_that_are_left_out_are_reported(server):
    code, headers, _ = drawn(server, {"text": "mint wings \u7ffc horns"})
    assert code == 200 and unquote(headers["X-Text-Left-Out"]) == "skipped unknown words: wings, \u7ffc"
    code, _, data = infer(server, LATENT, told(["mint " * 8, "wings lilac"]))
    answer = json.loads(data)
    left = "cut after 6 words: mint, mint; skipped unknown words: wings"
    assert code == 200 and answer["parameters"] == {"text_left_out": left}


@pytest.mark.parametrize("letters", ["w", "\U00020000" * 30], ids=["short", "long"])
def test_the_report_of_many_texts_fits_in_a_header(server, letters):
    """A letter of the second plane is 12 bytes there; eight such words alone would be 3 kB."""
    texts = ["mint " + " ".join(f"{i}{k}{letters}" for k in range(len(letters) % 22)) for i in range(300)]
    code, headers, _ = drawn(server, {"n": 300, "text": texts, "format": "npy"})
    told = unquote(headers["X-Text-Left-Out"])
    assert code == 200 and len(headers["X-Text-Left-Out"]) < 3100
    assert told.startswith(f"skipped unknown words: 00{letters[:20]}")
    left = len(told.split("; ")) - 1
    assert left and told.endswith(f"; and {300 - left} more")


def test_each_input_of_words_has_its_own_vocabulary(server):
    body = {"text": "mint wings", "inputs": {"style": "etched, mint"}}
    code, headers, _ = drawn(server, body, "/models/two/sample")
    assert code == 200, headers
    assert unquote(headers["X-Text-Left-Out"]) == "skipped unknown words: wings; skipped unknown words: mint"
    code, _, data = server.ask("GET", "/models/two/vocabulary.txt")
    assert code == 200 and data == nets.WORDS.to_bytes()


def test_a_text_is_as_long_by_its_name_as_elsewhere(server, generator):
    long = "mint critter" + " " * 300
    code, _, data = drawn(server, {"inputs": {"text": long}, "format": "npy"})
    assert code == 200, data
    np.testing.assert_array_equal(array(data), generator.sample(1, text="mint critter"))
    assert drawn(server, {"n": 2, "inputs": {"text": [long, "lilac"]}})[0] == 200
    for body in ({"text": ["m" * 20_001]}, {"inputs": {"z": "m" * 201}}, {"inputs": {"z": [0, "m" * 201]}}):
        code, _, data = drawn(server, {**body, "n": 1})
        assert code == 422 and b"characters" in data, data


def test_the_protocol_takes_texts_and_ids(server, generator):
    ids = np.array([generator.read("mint critter").ids, generator.read("lilac").ids], np.int32)
    expected = generator(z=Z, text=ids)
    packed = b"".join(struct.pack("<I", len(one)) + one for one in (b"Mint critter", b"lilac!"))
    raw = told(None, parameters={"binary_data_size": len(packed)})
    del raw["data"]
    for entry, binary in (
        (told(["Mint critter", "lilac!"]), b""),
        (told([["mint critter"], ["lilac"]], shape=[2, 1]), b""),
        ({"name": "text", "datatype": "INT32", "shape": [2, 6], "data": ids.tolist()}, b""),
        (raw, packed),
    ):
        code, _, data = infer(server, LATENT, entry, binary=binary)
        assert code == 200, data
        answer = json.loads(data)
        assert "parameters" not in answer
        np.testing.assert_array_equal(np.float32(answer["outputs"][0]["data"]).reshape(2, 8, 8, 3), expected)


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"text": ""}, 400, "text has no word in it"),
        ({"text": "xyzzy"}, 400, "none of its words is in the vocabulary: xyzzy"),
        ({"text": "m" * 20_001}, 422, "text"),
        ({"text": 7}, 422, "text"),
        ({"n": 3, "text": ["mint", "lilac"]}, 400, "text must be a text, 3 texts, or ids of words"),
        ({"text": "mint", "inputs": {"text": "mint"}}, 400, "the text is given twice"),
        (b'{"text": "\xff"}', 400, "byte 10 is not UTF-8"),
    ],
)
def test_bad_texts_and_then_a_good_one(server, body, code, reason):
    got, _, data = drawn(server, body)
    assert got == code and reason in data.decode() and b"\n" not in data
    assert drawn(server, {"text": "mint"})[0] == 200


@pytest.mark.parametrize(
    ("entry", "binary", "reason"),
    [
        (told([]), b"", "data must be 2 texts, received 0"),
        (told(["mint", 3]), b"", "data must be 2 texts, received 3"),
        (told("mint"), b"", "data must be 2 texts, received 1"),
        (told(["mint", ""]), b"", "text has no word in it"),
        (told(["a", "b"], shape=[2, 6]), b"", "BYTES have a text in each row, shape [n]"),
        (told(["a", "b"], shape=[]), b"", "BYTES have a text in each row, shape [n]"),
        (
            told(["a", "b"], datatype="FP32", shape=[2, 6]),
            b"",
            "must be INT32 (ids of words) or BYTES (texts)",
        ),
        (told(None, parameters={"binary_data_size": 8}), b"\x04\0\0\0mint", "data must be 2 texts, received 1"),
        (told(None, parameters={"binary_data_size": 6}), b"\xff\0\0\0mi", "not 2 texts"),
        (told(None, parameters={"binary_data_size": 2}), b"\1\0", "not 2 texts"),
        (told(None, parameters={"binary_data_size": 99}), b"\1\0", "binary_data_size must be in 1..2"),
        (told(None, parameters={"binary_data_size": 10}), b"\1\0\0\0\xff\1\0\0\0m", "byte 0 of 1 is not UTF-8"),
    ],
)
def test_bad_tensors_of_texts(server, entry, binary, reason):
    if entry["data"] is None:
        del entry["data"]
    code, _, data = infer(server, LATENT, entry, binary=binary)
    assert code == 400 and reason in json.loads(data)["error"]
    assert infer(server, LATENT, told(["mint", "lilac"]))[0] == 200


def test_other_models_read_no_words(server):
    code, _, data = drawn(server, {"text": "mint"}, "/models/tiny/sample")
    assert code == 400 and b"tiny reads no words" in data


def test_the_card_has_the_vocabulary(server):
    card = json.loads(server.ask("GET", "/models/words")[2])
    text = next(one for one in card["inputs"] if one["name"] == "text")["text"]
    assert text["vocabulary"] == "vocabulary.txt" and text["examples"][0] == "mint critter, horns"
    code, _, data = server.ask("GET", "/models/words/vocabulary.txt")
    assert code == 200 and data == nets.WORDS.to_bytes()
    assert server.ask("GET", "/models/tiny/vocabulary.txt")[0] == 404
