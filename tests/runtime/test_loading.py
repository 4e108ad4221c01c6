"""The way to a generator: a folder, a file, bytes; and one clear line for everything that can be wrong with it."""

import doctest
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_nets as nets
import pytest
from onnx import helper
from onnx_nets import fails

import zoo
from zoo.artifact.manifest import MANIFEST_FILE, MODEL_FILE, write_manifests
from zoo.artifact.onnx_header import onnx_metadata
from zoo.artifact.tensor import Tensor
from zoo.core.files import sha256_file, write_whole
from zoo.runtime.generator import Generator


def test_a_generator_describes_itself(generator, folder):
    assert (generator.name, generator.title) == ("tiny", "Tiny GAN")
    assert generator.outputs["image"].range == (-1, 1) and list(generator.inputs) == ["z"]
    assert repr(generator) == "<Generator tiny: z float32 [batch, 8] -> image float32 [batch, 8, 8, 3] in [-1, 1]>"
    assert generator.manifest.training == {"seconds": 1.5}


def test_a_lone_file_carries_its_contract(generator, folder, tmp_path):
    lone = tmp_path / "any name.onnx"
    lone.write_bytes((folder / MODEL_FILE).read_bytes())
    alone = zoo.load(str(lone), threads=1)
    np.testing.assert_array_equal(alone.sample(4), generator.sample(4))
    assert alone.manifest.training == {} and alone.outputs == generator.outputs


def test_bytes_and_open_files(generator, folder, tmp_path):
    data = (folder / MODEL_FILE).read_bytes()
    with (folder / MODEL_FILE).open("rb") as file:
        sources = [data, bytearray(data), memoryview(data), io.BytesIO(data), file]
        for each in map(zoo.load, sources):
            np.testing.assert_array_equal(each.sample(4), generator.sample(4))
            assert (each.name, each.precision, each.provider) == ("tiny", "float32", "cpu")
    fails("generator.onnx: cannot be read: read of closed file", zoo.load, file)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "0 bytes: not an ONNX file, or a damaged one .it is empty"),
        (b"junk" * 500, "2,000 bytes: not an ONNX file"),
        (io.BytesIO(b"junk"), "the open file: not an ONNX file"),
        (io.StringIO("text"), "the open file: is open for text: open it for binary reading, mode 'rb'"),
        (7, "a generator is loaded from a path, bytes or an open file, received 7"),
        (None, "received None"),
    ],
)
def test_what_is_no_file(source, message):
    fails(message, zoo.load, source)


def test_bytes_of_others_and_of_another_network(folder):
    fails("bytes: not a gan-zoo file", zoo.load, nets.images().SerializeToString())
    fails(
        "there is no network 'b' in it. It holds generator", zoo.load, (folder / MODEL_FILE).read_bytes(), network="b"
    )


def test_a_variant_is_loaded_by_its_precision(generator, copy):
    """The file of another precision differs from the float32 one in its weights."""
    net = nets.images(seed=1)
    manifest = nets.describe()
    helper.set_model_props(net, onnx_metadata(manifest) | {"gan.precision": "fp16"})
    file = write_whole(copy / "generator_fp16.onnx", net.SerializeToString())
    variants = {"fp16": {"file": file.name, "bytes": file.stat().st_size, "parity": {}}}
    files = {path.name: sha256_file(path) for path in copy.glob("*.onnx")}
    write_manifests(replace(manifest, variants=variants, files=files), copy)
    half = zoo.load(copy, precision="fp16")
    assert half.precision == "fp16" and (half.sample(2) != generator.sample(2)).any()
    for source in (file, file.read_bytes()):
        np.testing.assert_array_equal(zoo.load(source).sample(2), half.sample(2))
        assert zoo.load(source, precision="fp16").precision == zoo.load(source).precision == "fp16"
    for precision in (None, "float32"):
        np.testing.assert_array_equal(zoo.load(copy, precision=precision).sample(2), generator.sample(2))
    fails("generator_fp16.onnx: computes in fp16, not in float32", zoo.load, file, precision="float32")
    fails("generator.onnx: computes in float32, not in fp16", zoo.load, copy / MODEL_FILE, precision="fp16")
    fails("there is no variant 'fp1'. Did you mean 'fp16'. It has float32, fp16", zoo.load, copy, precision="fp1")
    file.write_bytes(net.SerializeToString() + b" ")
    fails("generator_fp16.onnx: changed or damaged", zoo.load, copy, precision="fp16")
    fails("generator_fp16.onnx: changed or damaged", zoo.load, file)
    zoo.load(copy)  # the other file is whole


def test_a_variant_that_is_not_there(folder):
    fails(
        r"tiny: there is no variant 'fp16'\. `zoo convert .* makes it\. It has float32$",
        zoo.load,
        folder,
        precision="fp16",
    )


def test_a_folder_whose_file_has_no_metadata_is_fine(tmp_path):
    assert zoo.load(nets.save(tmp_path / "a", nets.images(), nets.describe(), embed=False)).name == "tiny"


@pytest.fixture
def copy(folder, tmp_path):
    """An artifact of one's own, to be damaged."""
    target = tmp_path / "copy"
    target.mkdir()
    for name in (MODEL_FILE, MANIFEST_FILE):
        (target / name).write_bytes((folder / name).read_bytes())
    return target


def test_paths_that_lead_nowhere(copy, tmp_path):
    fails("cpy: there is no such file or folder. Did you mean 'copy'", zoo.load, tmp_path / "cpy")
    fails("none.a: there is no such file", zoo.load, tmp_path / "none" / "a")
    fails("a{300}: cannot be read: File name too long", zoo.load, "a" * 300)
    fails("there is no such file", zoo.load, "a\0b")
    fails("not an exported generator: it has no manifest.json", zoo.load, tmp_path)
    (copy / MODEL_FILE).unlink()
    fails("generator.onnx: cannot be read: No such file", zoo.load, copy)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_wrong_threads(folder, threads):
    fails("threads must be a whole number from 1 up", zoo.load, folder, threads=threads)


def damages(good: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "shorter by a byte": good[:-1],
        "text": b"<!DOCTYPE html><html>not found</html>",
        "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "junk": bytes(np.random.RandomState(0).randint(256, size=4096, dtype=np.uint8)),
        "zeros": bytes(64),
        "endless varint": b"\xff" * 64,
    }


@pytest.mark.parametrize("damage", list(damages(b"")))
def test_damaged_files(copy, damage):
    file = copy / MODEL_FILE
    file.write_bytes(damages(file.read_bytes())[damage])
    fails("generator.onnx: changed or damaged: its SHA-256 is not the one in manifest.json", zoo.load, copy)
    fails("generator.onnx: (not an ONNX file|ONNX Runtime cannot load it)", zoo.load, copy, verify=False)
    fails("generator.onnx: changed or damaged: its SHA-256 is not the one in manifest.json", zoo.load, file)
    lone = file.rename(file.with_name("lone.onnx"))  # no manifest knows it
    fails("lone.onnx: (not an ONNX file|ONNX Runtime cannot load it)", zoo.load, lone)


def test_changed_files(copy):
    file, stated = copy / MODEL_FILE, copy / MANIFEST_FILE
    original = stated.read_text()
    stated.write_text(original.replace("-1.0", "0.0"))
    fails("manifest.json: changed: it differs from the contract inside generator.onnx", zoo.load, copy)
    assert zoo.load(copy, verify=False).outputs["image"].range == (0, 1)
    stated.write_text(original.replace('"manifest_version": 1', '"manifest_version": 9'))
    fails(
        "manifest.json: manifest_version must be 1, 2, 3, 4, 5, 6, 7 or 8; a later gan-zoo .* received 9",
        zoo.load,
        copy,
    )
    stated.write_text(original[:-20])
    fails("manifest.json: not JSON", zoo.load, copy)
    stated.write_text(original)
    file.write_bytes(nets.images(seed=1).SerializeToString())
    fails("SHA-256", zoo.load, copy)
    assert zoo.load(copy, verify=False).name == "tiny"


def test_files_of_others(tmp_path):
    file = tmp_path / "foreign.onnx"
    file.write_bytes(nets.images().SerializeToString())
    fails("foreign.onnx: not a gan-zoo file: its metadata lacks 'gan.manifest'", zoo.load, file)
    net = nets.images()
    helper.set_model_props(net, {"gan.manifest": '{"manifest_version": 9}'})
    file.write_bytes(net.SerializeToString())
    fails(r"foreign.onnx \(metadata\): manifest_version must be 1, 2, 3, 4, 5, 6, 7 or 8; a later", zoo.load, file)


def test_a_model_that_is_too_new(tmp_path):
    net = nets.images()
    net.ir_version = 99
    fails("ONNX Runtime cannot load it: .*IR version", zoo.load, nets.save(tmp_path / "a", net, nets.describe()))


IMAGE, Z = nets.IMAGE, nets.Z


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (nets.describe(replace(Z, name="noise")), "the manifest states inputs noise; the model has z"),
        (nets.describe(Z, nets.LABEL), "the manifest states inputs z, label; the model has z"),
        (nets.describe(output=replace(IMAGE, name="img")), "the manifest states outputs img; the model has image"),
        (nets.describe(replace(Z, shape=("batch", 9))), r"input z float32 \[batch, 9\]; the model has tensor\(float\)"),
        (nets.describe(replace(Z, shape=("batch", 8, 1))), r"\[batch, 8, 1\]; the model has .*\['batch', 8\]"),
        (nets.describe(output=replace(IMAGE, shape=("batch", 8, 8, 1))), r"\[batch, 8, 8, 1\] in \[-1, 1\]; the model"),
        (
            nets.describe(Tensor("z", "int64", ("batch", 8), classes=("a", "b"))),
            r"z int64 .* the model has tensor\(float\)",
        ),
        (nets.describe(replace(Z, prior={"norml": {}})), "input 'z': wrong prior: unknown prior 'norml'. Did you mean"),
        (nets.describe(replace(Z, prior={"normal": {"std": 2}})), "wrong prior: prior 'normal' has no argument 'std'"),
        (nets.describe(replace(Z, prior={"uniform": {"low": 3}})), "wrong prior: uniform needs finite low < high"),
        (nets.describe(replace(Z, prior={"normal": {"shape": [9]}})), r"wrong prior: its shape is \[9\], the tensor's"),
    ],
)
def test_a_contract_that_the_model_does_not_keep(tmp_path, manifest, message):
    fails(message, zoo.load, nets.save(tmp_path / "a", nets.images(), manifest))


def test_a_lone_file_beside_the_words_of_another_takes_ids(tmp_path):
    """Files of several models end in one folder of downloads: a vocabulary there is not of each of them."""
    folder = nets.save_words(tmp_path / "words")
    expected, lone = zoo.load(folder).sample(2, text="mint"), tmp_path / "downloads" / "words.onnx"
    ids = list(zoo.load(folder).read("mint").ids)
    lone.parent.mkdir()
    words = write_whole(lone.with_name("vocabulary.txt"), b"other\nwords\n")
    write_whole(lone, (folder / MODEL_FILE).read_bytes())
    for verify in (True, False):
        np.testing.assert_array_equal(zoo.load(lone, verify=verify).sample(2, text=ids), expected)
        fails("vocabulary.txt is not beside the .onnx file", zoo.load(lone, verify=verify).sample, 2, text="mint")
    write_whole(words, nets.WORDS.to_bytes())
    np.testing.assert_array_equal(zoo.load(lone).sample(2, text="mint"), expected)


def test_a_frozen_batch_axis_is_refused(tmp_path):
    net = nets.images()
    for value in (net.graph.input[0], net.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    fails(r"the model has tensor\(float\) \[4, 8\]", zoo.load, nets.save(tmp_path / "a", net, nets.describe()))


@pytest.mark.parametrize("part", [zoo.load, *map(vars(Generator).get, ["sample", "seeded", "translate", "walk"])])
def test_the_examples_of_the_docstrings_run(part, monkeypatch):
    monkeypatch.chdir(Path(zoo.__file__).parents[1])
    (example,) = doctest.DocTestFinder().find(part, globs={"zoo": zoo})
    result = doctest.DocTestRunner(verbose=False).run(example)
    assert result.attempted > 0 and result.failed == 0
