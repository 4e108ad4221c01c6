"""A builder of ONNX graphs, node by node. Methods take and return names of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

OPSET, IR_VERSION = 17, 8


class Graph:
    """Collects nodes and weights, and becomes a model."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def op(self, operator: str, inputs: Sequence[str], **settings: Any) -> str:
        """Add a node. Returns the name of its output."""
        from onnx import helper

        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **settings))
        return output

    def constant(self, value: Any) -> str:
        """Add a weight or another constant. Returns its name."""
        from onnx import numpy_helper

        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def bytes(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
        """Return the checked ONNX file with these value infos."""
        from onnx import checker, helper

        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
