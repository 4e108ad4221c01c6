"""The Inception-v3 of 2015-12-05, whose 2,048 pooled features FID and KID are defined with, as an ONNX file.

Not the Inception of torchvision or of keras.applications: other weights, another last block, other numbers by a point
or two. The weights come from a TorchScript copy of the original graph. Images are resized inside the file as that
graph resizes them: bilinear, without antialiasing, corners not aligned (TensorFlow 1), then (x - 128) / 128.

The TorchScript archive is read without PyTorch, and no code in it is run. It is a zip: `data.pkl` pickles a tree of
modules, each an object with a state, and names its tensors, whose numbers are plain files below `data/`. Only the few
names that such a tree needs may be unpickled.

    load -> convert -> read_torchscript (modules and weights) -> graph (ONNX nodes)
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from zoo.core.arrays import Array
from zoo.core.errors import DataError
from zoo.metrics.networks import download
from zoo.metrics.networks.network import FeatureNetwork, kept_network
from zoo.metrics.networks.onnx_builder import Graph
from zoo.runtime.session import open_session

NAME, RECIPE = "inception_2015_12_05", 1  # another conversion is another network
SIDE, FEATURES = 299, 2048
RESIZE = f"bilinear to {SIDE} x {SIDE} as in TensorFlow 1, without antialiasing"
EPSILON = 1e-3  # of its batch norms, which have no scale
DTYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "DoubleStorage": "<f8"}
POOLS: dict[str, tuple[str, dict[str, Any]]] = {  # name -> operator, and what the archive keeps in code, not data
    **dict.fromkeys(("pool0", "pool1", "pool"), ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2]})),
    "AvgPool2d": ("AveragePool", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1] * 4, "count_include_pad": 0}),
    "MaxPool2d": ("MaxPool", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1] * 4}),
}


def load(threads: int | None = None) -> FeatureNetwork:
    """Load the network that FID and KID are defined with; it is fetched and converted once.

    Args:
        threads: cores for ONNX Runtime; None: all.

    Returns:
        The network: uint8 [N, H, W, 1 or 3] of any size -> float32 [N, 2048]; grey images are repeated to RGB.

    Raises:
        DataError: where its weights cannot be had.
    """
    content = kept_network(NAME, RECIPE, download.INCEPTION, "the Inception of 2015-12-05 (81 MB)", convert)
    session = open_session(content, source=NAME, threads=threads)

    def run(images: Array) -> Array:
        rgb = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
        features: Array = session.run(["features"], {"image": rgb})[0]
        return features

    return FeatureNetwork(NAME, FEATURES, hashlib.sha256(content).hexdigest(), run, RESIZE)


def convert(archive: Path) -> bytes:
    """Return the bytes of the ONNX file: `image` uint8 [batch, height, width, 3] -> `features` float32 [batch, 2048].

    Raises DataError for an archive that is not this network.
    """
    try:
        return graph(read_torchscript(archive).net.layers)  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{archive}: not the Inception of 2015-12-05: {error}") from error


def read_torchscript(path: Path) -> Module:
    """Return the outermost module of an archive.

    Raises DataError for a file that is not one, or that asks for something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            root = _Unpickler(archive.open(index), archive, index.removesuffix("data.pkl")).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path}: not a TorchScript archive that can be read: {error}") from error
    if not isinstance(root, Module):
        raise DataError(f"{path}: holds a {type(root).__name__}, not a module")
    return root


class Module:
    """A module of the network: its attributes are its tensors, its settings and the modules below it, in order."""

    @property
    def kind(self) -> str:
        """The name of its class in the network's own code."""
        return type(self).__name__

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules below it by name, in the order of the code."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value


class _Unpickler(pickle.Unpickler):
    """Reads modules and tensors, and refuses everything else."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        """Return an empty class for a module, the function that rebuilds a tensor; refuse everything else."""
        if module.startswith("__torch__"):
            return type(name, (Module,), {})
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch.jit._pickle", "build_intlist"): list,
            **{("torch", storage): dtype for storage, dtype in DTYPES.items()},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Array:
        """Return the numbers, flat, of ("storage", dtype, key, device, count)."""
        _, dtype, key, _, count = pid
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype, count)


def _tensor(storage: Array, offset: int, shape: Any, strides: Any, *_: Any) -> Array:
    """Rebuild a tensor, which may be a view on a larger storage; strides count numbers."""
    if any(s < 0 for s in (*shape, *strides, offset)):
        raise ValueError(f"a tensor of shape {list(shape)} with strides {list(strides)}")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if all(shape) and last >= len(storage):
        raise ValueError(f"a tensor of shape {list(shape)} reaches beyond its {len(storage)} numbers")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], list(shape), [s * storage.itemsize for s in strides], writeable=False
    )


def graph(layers: Module) -> bytes:
    """Return the ONNX file of the network's layers: `image` uint8 [batch, height, width, 3] -> `features`."""
    from onnx import TensorProto, helper

    built = _Graph()
    x = built.prepared("image")
    for name, layer in layers.children():
        if name == "pool2":
            break
        x = built.layer(name, layer, x)
    pooled = built.op("GlobalAveragePool", [x])  # 8 x 8
    built.nodes.append(helper.make_node("Flatten", [pooled], ["features"]))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FEATURES])
    return built.bytes(NAME, [image], [features])


class _Graph(Graph):
    """Adds nodes and weights while `graph` walks the modules. Methods take and return names of tensors."""

    def prepared(self, image: str) -> str:
        """Add the resizing and scaling of images."""
        from onnx import TensorProto

        x = self.op("Transpose", [self.op("Cast", [image], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
        shape = self.op("Shape", [x], start=0, end=2)
        sizes = self.op("Concat", [shape, self.constant(np.array([SIDE, SIDE], np.int64))], axis=0)
        rule = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
        x = self.op("Resize", [x, "", "", sizes], **rule)
        middle = self.constant(np.float32(128))
        return self.op("Div", [self.op("Sub", [x, middle]), middle])

    def layer(self, name: str, layer: Module, x: str) -> str:
        """Add one of the layers that follow each other."""
        if layer.kind == "Conv2dLayer":
            return self.convolution(layer, x)
        if layer.kind == "InceptionE":
            return self.last_blocks(layer, x)
        if layer.kind.startswith("Inception"):
            branches = [self.branch(inner, part, x) for inner, part in layer.children()]
            return self.op("Concat", branches, axis=1)
        return self.branch(name, layer, x)

    def branch(self, name: str, part: Module, x: str) -> str:
        """Add a tower of layers, or a single one."""
        if part.kind == "Sequential":
            for inner, layer in part.children():
                x = self.branch(inner, layer, x)
            return x
        if part.kind == "Conv2dLayer":
            return self.convolution(part, x)
        operator, settings = POOLS[name if name in POOLS and part.kind == "MaxPool2d" else part.kind]
        return self.op(operator, [x], **settings)

    def last_blocks(self, block: Any, x: str) -> str:
        """Add one of the two blocks of 8 x 8, whose towers fork at their ends."""
        a = self.convolution(block.tower_conv, x)
        b = self.convolution(block.tower_1_conv_1, self.convolution(block.tower_1_conv, x))
        pooled = self.branch("tower_2_pool", block.tower_2_pool, x)
        forks = [(block.tower_mixed_conv, a), (block.tower_mixed_conv_1, a)]
        forks += [(block.tower_1_mixed_conv, b), (block.tower_1_mixed_conv_1, b), (block.tower_2_conv, pooled)]
        parts = [self.convolution(block.conv, x), *(self.convolution(layer, source) for layer, source in forks)]
        return self.op("Concat", parts, axis=1)

    def convolution(self, layer: Any, x: str) -> str:
        """Add a convolution with its batch norm folded into it, and ReLU."""
        scale = 1 / np.sqrt(layer.var.astype(np.float64) + EPSILON)
        kernel = self.constant((layer.weight * scale[:, None, None, None]).astype(np.float32))
        bias = self.constant((layer.beta - layer.mean * scale).astype(np.float32))
        pad = layer.padding if isinstance(layer.padding, list) else [layer.padding] * 2
        y = self.op("Conv", [x, kernel, bias], strides=[layer.stride] * 2, pads=[*pad, *pad],
                    kernel_shape=list(layer.weight.shape[2:]))  # fmt: skip
        return self.op("Relu", [y])
