"""The Inception-v3 of 2015-12-05, whose 2,048 pooled features FID and KID are defined with, as an ONNX file.

Not the Inception of torchvision or of keras.applications: other weights, another last block, other numbers by a point
or two. The weights come from a TorchScript copy of the original graph. Images are resized inside the file as that
graph resizes them: bilinear, without antialiasing, corners not aligned (TensorFlow 1), then (x - 128) / 128.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import DataError
from zoo.features.graph import Graph
from zoo.features.torchscript import Module, read

SIDE, FEATURES = 299, 2048
EPSILON = 1e-3  # of its batch norms, which have no scale
POOLS: dict[
    str, tuple[str, dict[str, Any]]
] = {  # name in the network -> operator, and what the archive keeps in code instead of data
    "pool0": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2]}),
    "pool1": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2]}),
    "pool": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2]}),
    "AvgPool2d": ("AveragePool", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1] * 4, "count_include_pad": 0}),
    "MaxPool2d": ("MaxPool", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1] * 4}),
}


def convert(archive: Path) -> bytes:
    """The bytes of the ONNX file: `image` uint8 [batch, height, width, 3] -> `features` float32 [batch, 2048].

    Raises DataError for an archive that is not this network.
    """
    try:
        return _Graph().model(read(archive).net.layers)  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{archive}: not the Inception of 2015-12-05: {error}") from error


class _Graph(Graph):
    """Collects nodes and weights while it walks the modules."""

    def model(self, layers: Module) -> bytes:
        from onnx import TensorProto, helper

        x = self._prepared("image")
        for name, layer in layers.children():
            if name == "pool2":
                break
            x = self.layer(name, layer, x)
        pooled = self.op("GlobalAveragePool", [x])  # 8 x 8
        self.nodes.append(helper.make_node("Flatten", [pooled], ["features"]))
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])
        features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FEATURES])
        return self.bytes("inception_2015_12_05", [image], [features])

    def _prepared(self, image: str) -> str:
        from onnx import TensorProto

        x = self.op("Transpose", [self.op("Cast", [image], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
        shape = self.op("Shape", [x], start=0, end=2)
        sizes = self.op("Concat", [shape, self.constant(np.array([SIDE, SIDE], np.int64))], axis=0)
        rule = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
        x = self.op("Resize", [x, "", "", sizes], **rule)
        middle = self.constant(np.float32(128))
        return self.op("Div", [self.op("Sub", [x, middle]), middle])

    def layer(self, name: str, layer: Module, x: str) -> str:
        """One of the layers that follow each other."""
        if layer.kind == "Conv2dLayer":
            return self.convolution(layer, x)
        if layer.kind == "InceptionE":
            return self.last_blocks(layer, x)
        if layer.kind.startswith("Inception"):
            branches = [self.branch(inner, part, x) for inner, part in layer.children()]
            return self.op("Concat", branches, axis=1)
        return self.branch(name, layer, x)

    def branch(self, name: str, part: Module, x: str) -> str:
        """A tower of layers, or a single one."""
        if part.kind == "Sequential":
            for inner, layer in part.children():
                x = self.branch(inner, layer, x)
            return x
        if part.kind == "Conv2dLayer":
            return self.convolution(part, x)
        operator, settings = POOLS[name if name in POOLS and part.kind == "MaxPool2d" else part.kind]
        return self.op(operator, [x], **settings)

    def last_blocks(self, block: Any, x: str) -> str:
        """The two blocks of 8 x 8, whose towers fork at their ends."""
        a = self.convolution(block.tower_conv, x)
        b = self.convolution(block.tower_1_conv_1, self.convolution(block.tower_1_conv, x))
        pooled = self.branch("tower_2_pool", block.tower_2_pool, x)
        forks = [(block.tower_mixed_conv, a), (block.tower_mixed_conv_1, a)]
        forks += [(block.tower_1_mixed_conv, b), (block.tower_1_mixed_conv_1, b), (block.tower_2_conv, pooled)]
        parts = [self.convolution(block.conv, x), *(self.convolution(layer, source) for layer, source in forks)]
        return self.op("Concat", parts, axis=1)

    def convolution(self, layer: Any, x: str) -> str:
        """A convolution with its batch norm folded into it, and ReLU."""
        scale = 1 / np.sqrt(layer.var.astype(np.float64) + EPSILON)
        kernel = self.constant((layer.weight * scale[:, None, None, None]).astype(np.float32))
        bias = self.constant((layer.beta - layer.mean * scale).astype(np.float32))
        pad = layer.padding if isinstance(layer.padding, list) else [layer.padding] * 2
        y = self.op("Conv", [x, kernel, bias], strides=[layer.stride] * 2, pads=[*pad, *pad],
                    kernel_shape=list(layer.weight.shape[2:]))  # fmt: skip
        return self.op("Relu", [y])
