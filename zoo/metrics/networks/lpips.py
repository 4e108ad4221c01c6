"""LPIPS, a distance of two images as people see it (Zhang et al. 2018, eq. 1, version 0.1 with AlexNet), as ONNX file.

At five depths of AlexNet every position's features are scaled to length 1; the squares of the differences are summed
with learned weights and averaged over the positions. Images smaller than 64 pixels are enlarged, because AlexNet's
first layer divides each side by four, and two poolings divide it further.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.networks import download
from zoo.metrics.networks.network import kept_network
from zoo.metrics.networks.onnx_builder import Graph
from zoo.metrics.networks.pickled import ODD, Weights, read_pickled
from zoo.runtime.session import Session, open_session

NAME, RECIPE = "lpips_alex_0.1", 1
LEAST, BATCH = 64, 50
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # for pixels in [-1, 1]
STRIDES, PADS = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1)
POOLED = (1, 2)  # convolutions that come after a 3 x 3 pooling of stride 2
EPSILON = 1e-10


@dataclass(frozen=True)
class Lpips:
    """The network, ready to compare images."""

    session: Session
    sha256: str

    @property
    def protocol(self) -> dict[str, str]:
        """The network's entries in the protocol of every number that rests on it."""
        resize = f"bilinear to {LEAST} x {LEAST} at least"
        return {"network": NAME, "network_sha256": self.sha256, "resize": resize}

    def __call__(self, a: Array, b: Array) -> Array:
        """Compute the distance of each pair of images.

        Args:
            a: images uint8 [N, H, W, C], C 1 or 3.
            b: their partners, of the same shape.

        Returns:
            Distances, float32 [N], from 0 up, lower is better, 0 for equal images.

        Raises:
            DataError: for other dtypes or shapes, or no images.
        """
        good = a.shape == b.shape and a.ndim == 4 and len(a) > 0 and a.shape[3] in (1, 3)
        if not good or a.dtype != np.uint8 or b.dtype != np.uint8:
            raise DataError(
                f"LPIPS takes two sets of pictures uint8 [N, H, W, 1 or 3], received {a.dtype} {list(a.shape)} and "
                f"{b.dtype} {list(b.shape)}"
            )
        a, b = (np.repeat(x, 3, axis=3) if x.shape[3] == 1 else x for x in (a, b))
        parts = [
            self.session.run(["distance"], {"a": a[i : i + BATCH], "b": b[i : i + BATCH]})[0]
            for i in range(0, len(a), BATCH)
        ]
        return np.concatenate(parts)


def load(threads: int | None = None) -> Lpips:
    """Load the network of LPIPS; it is fetched and converted once.

    Args:
        threads: cores for ONNX Runtime; None: all.

    Returns:
        A function of two sets of images; see `Lpips.__call__`.

    Raises:
        DataError: where its weights cannot be had.
    """
    content = kept_network(NAME, RECIPE, download.LPIPS, "the network of LPIPS (64 MB)", convert)
    return Lpips(open_session(content, source=NAME, threads=threads), hashlib.sha256(content).hexdigest())


def convert(checkpoint: Path) -> bytes:
    """Return the ONNX file of a pickled checkpoint. Raises DataError for one that is not this network."""
    what = "the weights of LPIPS with AlexNet"
    try:
        return graph(read_pickled(checkpoint, what))
    except ODD as error:
        raise DataError(f"{checkpoint}: not {what}: {error}") from error


def graph(weights: Weights) -> bytes:
    """Return the ONNX file: `a` and `b` uint8 [batch, height, width, 3] -> `distance` float32 [batch]."""
    from onnx import TensorProto, helper

    built = Graph()
    towers = [_depths(built, weights["AlexNet_0"], _prepared(built, name)) for name in ("a", "b")]
    total = ""
    for depth, (x, y) in enumerate(zip(*towers, strict=True)):
        difference = built.op("Sub", [_unit(built, x), _unit(built, y)])
        learned = built.constant(weights[f"NetLinLayer_{depth}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1))
        mean = built.op("GlobalAveragePool", [built.op("Conv", [built.op("Mul", [difference] * 2), learned])])
        total = built.op("Add", [total, mean]) if total else mean
    built.nodes.append(helper.make_node("Reshape", [total, built.constant(np.array([-1]))], ["distance"]))
    pictures = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", "height", "width", 3]) for name in "ab"
    ]
    return built.bytes("lpips", pictures, [helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["batch"])])


def _prepared(built: Graph, picture: str) -> str:
    """Return an image as [batch, 3, >= 64, >= 64], standardised as AlexNet was trained."""
    from onnx import TensorProto

    x = built.op("Transpose", [built.op("Cast", [picture], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
    sides = built.op("Max", [built.op("Shape", [x], start=2), built.constant(np.array([LEAST, LEAST]))])
    sizes = built.op("Concat", [built.op("Shape", [x], end=2), sides], axis=0)
    x = built.op("Resize", [x, "", "", sizes], mode="linear", coordinate_transformation_mode="half_pixel")
    scale, shift = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (SCALE, SHIFT))
    factor, offset = 1 / (127.5 * scale), (-1 - shift) / scale  # ((x / 127.5 - 1) - shift) / scale
    return built.op("Add", [built.op("Mul", [x, built.constant(factor)]), built.constant(offset)])


def _depths(built: Graph, alexnet: Weights, x: str) -> list[str]:
    """Return the outputs of AlexNet's five convolutions with ReLU."""
    depths = []
    for i, (stride, pad) in enumerate(zip(STRIDES, PADS, strict=True)):
        if i in POOLED:
            x = built.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
        layer = alexnet[f"Conv_{i}"]
        kernel, bias = built.constant(layer["kernel"].transpose(3, 2, 0, 1)), built.constant(layer["bias"])
        x = built.op("Relu", [built.op("Conv", [x, kernel, bias], strides=[stride] * 2, pads=[pad] * 4)])
        depths.append(x)
    return depths


def _unit(built: Graph, x: str) -> str:
    """Return features scaled to length 1 at every position."""
    length = built.op("ReduceL2", [x], axes=[1])
    return built.op("Div", [x, built.op("Add", [length, built.constant(np.float32(EPSILON))])])
