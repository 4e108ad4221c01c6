"""Every operator of every shipped file has a kernel on CUDA and on WebGPU, so that no layer falls back to the CPU.

gpu_kernels.json has the rows of ONNX Runtime's own documents, and the commits that they are from.
"""

import json
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).parents[2]
TABLES = json.loads(Path(__file__).with_name("gpu_kernels.json").read_text("utf-8"))
FILES = sorted(ROOT.glob("exported/*/*.onnx"))
NAMED: dict[str, dict[str, str]] = {"cuda": {}, "webgpu": {}}  # operators without a kernel, and what that costs


def covers(versions, opset):
    """Whether one of the ranges, such as `7-12,13,14+`, holds the version of the operators."""
    for part in versions.split(","):
        first, _, last = part.removesuffix("+").partition("-")
        if int(first) <= opset and (part.endswith("+") or opset <= int(last or first)):
            return True
    return False


def missing(model, provider):
    """The operators of a model that the provider has no kernel for, as name and version."""
    opsets = {each.domain: each.version for each in model.opset_import}
    known = TABLES[provider]["operators"]
    return {
        f"{node.domain}:{node.op_type} {opsets[node.domain]}".lstrip(":")
        for node in model.graph.node
        if node.domain or node.op_type not in known or not covers(known[node.op_type], opsets[node.domain])
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_operator_has_a_kernel(path):
    model = onnx.load(path)
    assert {provider: missing(model, provider) for provider in NAMED} == {p: set(named) for p, named in NAMED.items()}


def test_a_missing_kernel_is_seen():
    node = onnx.helper.make_node
    graph = onnx.helper.make_graph([node("Tanh", ["x"], ["y"]), node("Celu", ["y"], ["z"])], "net", [], [])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    assert missing(model, "cuda") == missing(model, "webgpu") == {"Celu 13"}
    model.opset_import[0].version = 5
    assert missing(model, "webgpu") == {"Tanh 5", "Celu 5"}
    assert len(FILES) >= 12
    assert all(len(table["source"].split("/blob/")[1].split("/")[0]) == 40 for table in map(TABLES.get, NAMED))
