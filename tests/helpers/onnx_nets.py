"""Tiny generators for the tests: real ONNX graphs of a few kilobytes, with the manifest that describes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import zoo
from zoo.artifact.manifest import MODEL_FILE, Manifest, write_manifests
from zoo.artifact.onnx_header import onnx_metadata
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError
from zoo.core.files import sha256_file, write_whole
from zoo.core.text import RULE, RULE_IN_WORDS, Vocabulary, split

LATENT, SIDE = 8, 8
IMAGE = Tensor("image", "float32", ("batch", SIDE, SIDE, 3), range=(-1.0, 1.0), layout="NHWC")
Z = Tensor("z", "float32", ("batch", LATENT), prior={"normal": {}})
LABEL = Tensor("label", "int64", ("batch",), classes=("ankle boot", "bag", "coat"))


def describe(*inputs: Tensor, output: Tensor = IMAGE, name: str = "tiny", **changes: Any) -> Manifest:
    manifest = Manifest(
        name=name, title="Tiny GAN", paper={"authors": "Nobody et al.", "year": 2014}, inputs=inputs or (Z,),
        outputs=(output,), weights={"parameters": 1234}, data={"source": "blobs"}, licence="MIT", spec_sha256="ab" * 32,
        versions={"keras": "3.15.1"}, training={"seconds": 1.5},
        parity={"max_abs_difference": 1e-7, "cases": {"batch_1": 1e-7}, "tolerance": 1e-4},
    )  # fmt: skip
    return replace(manifest, **changes)


def images(*, seed: int = 0, label: bool = False) -> onnx.ModelProto:
    """z [batch, 8] (+ label) -> MatMul -> Reshape -> ConvTranspose -> Tanh -> Transpose -> image [batch, 8, 8, 3]."""
    random = np.random.RandomState(seed)
    weights = {
        "dense": random.standard_normal((LATENT, 4 * 4 * 6)) * 0.5,
        "kernel": random.standard_normal((6, 3, 4, 4)) * 0.2,
        "bias": random.standard_normal(3) * 0.1,
        "embedding": random.standard_normal((3, LATENT)),
    }
    initializers = [numpy_helper.from_array(w.astype(np.float32), k) for k, w in weights.items()]
    initializers.append(numpy_helper.from_array(np.array([-1, 6, 4, 4], np.int64), "shape"))
    nodes = [
        helper.make_node("MatMul", ["latent" if label else "z", "dense"], ["d"]),
        helper.make_node("Reshape", ["d", "shape"], ["r"]),
        helper.make_node("ConvTranspose", ["r", "kernel", "bias"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["c"], ["t"]),
        helper.make_node("Transpose", ["t"], ["image"], perm=[0, 2, 3, 1]),
    ]
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", LATENT])]
    if label:
        nodes[:0] = [
            helper.make_node("Gather", ["embedding", "label"], ["e"]),
            helper.make_node("Add", ["z", "e"], ["latent"]),
        ]
        inputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    output = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])
    return model(nodes, inputs, output, initializers)


def points() -> onnx.ModelProto:
    """z [batch, 2] -> tanh(z A) -> point [batch, 2]."""
    matrix = numpy_helper.from_array(np.array([[2, 0], [0, 3]], np.float32), "A")
    nodes = [helper.make_node("MatMul", ["z", "A"], ["m"]), helper.make_node("Tanh", ["m"], ["point"])]
    value = helper.make_tensor_value_info
    return model(nodes, [value("z", TensorProto.FLOAT, ["batch", 2])],
                 value("point", TensorProto.FLOAT, ["batch", 2]), [matrix])  # fmt: skip


WORDS, LONGEST = Vocabulary(("critter", "horns", "lilac", "mint", "smile")), 6


def words() -> onnx.ModelProto:
    """z [batch, 8], text [batch, 6] -> z and a bag of words -> image [batch, 8, 8, 3]."""
    random, count = np.random.RandomState(3), len(WORDS.words) + 1
    table = random.standard_normal((count, LATENT)) * (np.arange(count) > 0)[:, None]
    dense = random.standard_normal((LATENT, SIDE * SIDE * 3)) * 0.3
    initializers = [numpy_helper.from_array(w.astype(np.float32), k) for k, w in {"E": table, "D": dense}.items()]
    initializers += [
        numpy_helper.from_array(np.array(v, np.int64), k) for k, v in {"one": [1], "shape": [-1, SIDE, SIDE, 3]}.items()
    ]
    nodes = [
        helper.make_node("Gather", ["E", "text"], ["e"]),
        helper.make_node("ReduceSum", ["e", "one"], ["s"], keepdims=0),
        helper.make_node("Add", ["z", "s"], ["a"]),
        helper.make_node("MatMul", ["a", "D"], ["m"]),
        helper.make_node("Tanh", ["m"], ["t"]),
        helper.make_node("Reshape", ["t", "shape"], ["image"]),
    ]
    value = helper.make_tensor_value_info
    inputs = [value("z", TensorProto.FLOAT, ["batch", LATENT]), value("text", TensorProto.INT32, ["batch", LONGEST])]
    return model(nodes, inputs, value("image", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3]), initializers)


def describe_words() -> Manifest:
    examples = ["mint critter, horns", "lilac critter", "critter, smile"]
    facts = {
        "rule": RULE, "rule_in_words": RULE_IN_WORDS, "vocabulary": "vocabulary.txt", "sha256": WORDS.sha256,
        "words": len(WORDS.words), "examples": examples,
        "example_ids": [[WORDS.index[word] for word in split(text)] for text in examples],
    }  # fmt: skip
    return describe(Z, Tensor("text", "int32", ("batch", LONGEST), text=facts), name="words", title="Tiny words")


def save_words(folder: Path) -> Path:
    """Write an artifact that reads words, with golden vectors that start from them."""
    save(folder, words(), describe_words())
    write_whole(folder / "vocabulary.txt", WORDS.to_bytes())
    texts = ["Mint critter!", "horns, lilac SMILE", "critter", "smile smile"]
    z = np.random.RandomState(0).standard_normal((4, LATENT)).astype(np.float32)
    ids = np.array([WORDS.read(text, LONGEST).ids for text in texts], np.int32)
    image = zoo.load(folder)(z=z, text=ids)
    lines = np.frombuffer("".join(f"{text}\n" for text in texts).encode(), np.uint8)
    np.savez(folder / "golden.npz", z=z, text=ids, image=image, **{"text.words": lines})
    return folder


SIZES = {axis: {"multiple": 4, "minimum": 8, "trained": 16} for axis in ("height", "width")}


def negative() -> onnx.ModelProto:
    """a [batch, height, width, 3] -> -a: with the ranges of `describe_negative`, the negative of a photograph."""
    nodes, value = [helper.make_node("Neg", ["a"], ["b"])], helper.make_tensor_value_info
    shape = ["batch", "height", "width", 3]
    return model(nodes, [value("a", TensorProto.FLOAT, shape)], value("b", TensorProto.FLOAT, shape), [])


def describe_negative(network: str = "") -> Manifest:
    shape = ("batch", "height", "width", 3)
    a = Tensor("a", "float32", shape, range=(0.0, 1.0), layout="NHWC", sizes=SIZES)
    return describe(a, output=replace(a, name="b", range=(-1.0, 0.0), sizes=None), name="photos", network=network)


def model(nodes: list[Any], inputs: list[Any], output: Any, initializers: list[Any]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, [output], initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def describe_points() -> Manifest:
    z = Tensor("z", "float32", ("batch", 2), prior={"uniform": {"low": -1.0, "high": 1.0}})
    return describe(z, output=Tensor("point", "float32", ("batch", 2), layout="NC"), name="points")


def save(folder: Path, net: onnx.ModelProto, manifest: Manifest, *, embed: bool = True) -> Path:
    """Write an artifact folder as the exporter does."""
    folder.mkdir(parents=True, exist_ok=True)
    if embed:
        helper.set_model_props(net, onnx_metadata(manifest))
    file = write_whole(folder / MODEL_FILE, net.SerializeToString())
    write_manifests(replace(manifest, files={file.name: sha256_file(file)}), folder)
    return folder


def save_several(folder: Path, nets: list[onnx.ModelProto], manifests: list[Manifest]) -> Path:
    """Write an artifact folder of several networks as the exporter does."""
    folder.mkdir(parents=True, exist_ok=True)
    stated = []
    for net, one in zip(nets, manifests, strict=True):
        helper.set_model_props(net, onnx_metadata(one))
        file = write_whole(folder / one.file, net.SerializeToString())
        stated.append(replace(one, files={file.name: sha256_file(file)}))
    write_manifests(stated, folder)
    return folder


def fails(message: str, call: Any, *args: Any, **kwargs: Any) -> None:
    """Check that the call raises a ServeError of one line that matches."""
    with pytest.raises(ServeError, match=message) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
