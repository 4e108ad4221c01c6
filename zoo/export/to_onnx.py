"""Keras -> ONNX: traced by TensorFlow at the sizes of the spec, converted by tf2onnx, put into forms that many engines
read by `rewrites`, cleaned by `onnx_graph`.

tf2onnx makes poor graphs of some layers: instance norm becomes reshapes to fixed sizes and a dozen nodes, nearest
up-sampling Tile and Reshape, pixel norm transposes and reshapes between two convolutions. These layers are traced as
another TensorFlow operator with the same inputs and shapes, which no network of the zoo contains otherwise, and a
handler replaces that one by the ONNX operators of the layer: InstanceNormalization, Resize, a mean square over axis 1.
Nothing in the graph then depends on height and width, so that they may be dynamic. Convolutions in groups, which Keras
compiles by XLA, are traced as plain operators. Transposed convolutions and Erfc, which tf2onnx converts wrongly or not
at all, have handlers too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from zoo import __version__
from zoo.artifact.manifest import Manifest
from zoo.artifact.onnx_header import doc_strings, onnx_metadata
from zoo.export import onnx_graph, rewrites
from zoo.export.opset import HIGHEST_RELABELLED, change_opset, lower_opset
from zoo.nn import networks
from zoo.nn.layers import EqualizedDense, OneHot, PixelNorm
from zoo.nn.layers_spectral import SpectralDense
from zoo.spec.plan import LayerCall, Plan
from zoo.spec.sections import LOWEST
from zoo.spec.shapes import Shape, pair
from zoo.spec.sizes import is_instance_norm

NHWC_TO_NCHW, NCHW_TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class TracedInstanceNorm(keras.layers.GroupNormalization):
    """Marks the place of a GroupNormalization with one channel per group, and has its weights."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        channels = x.shape[-1]
        scale = self.gamma if self.scale else tf.ones(channels)
        offset = self.beta if self.center else tf.zeros(channels)
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        ).y


class TracedUpSampling(keras.layers.UpSampling2D):
    """Marks the place of an UpSampling2D by nearest neighbours."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        size = [side * factor for side, factor in zip(x.shape[1:3], self.size, strict=True)]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)


class TracedPixelNorm(PixelNorm):
    """Marks the place of a PixelNorm of images; of latents [B, d] tf2onnx makes a good graph."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.raw_ops.LRN(input=x, bias=self.epsilon)


class TracedOneHot(OneHot):
    """OneHot without its cast to 32 bits, which tf2onnx would follow by one to 64: the ids have 64 already."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.one_hot(x, self.classes)


class TracedGroupedConv(keras.layers.Conv2D):
    """Conv2D in groups as one operator, which TensorFlow cannot run on every CPU, but can trace."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        import tensorflow as tf

        padding = self.padding.upper()
        return tf.nn.conv2d(inputs, kernel, list(self.strides), padding, dilations=list(self.dilation_rate))


class _OneRowEach:
    """A dense layer of vectors alone, with the same weights: tf2onnx does not know the sizes behind one of images."""

    def __init__(self, shape: Shape, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.made = shape

    def call(self, x: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        rows = super().call(tf.reshape(x, [-1, self.kernel.shape[0]]), **kwargs)  # type: ignore[misc, attr-defined]
        return tf.reshape(rows, [-1, *self.made])


class TracedDense(_OneRowEach, keras.layers.Dense):
    """A Dense of images or sequences."""


class TracedEqualizedDense(_OneRowEach, EqualizedDense):
    """The same of an EqualizedDense."""


class TracedSpectralDense(_OneRowEach, SpectralDense):  # type: ignore[misc]
    """The same of a SpectralDense."""


def _dense_layer(step: LayerCall) -> keras.layers.Layer | None:
    if len(step.cost.shape) == 1:
        return None
    args = {key: value for key, value in step.args.items() if not key.endswith("_initializer")}
    kinds = {"Dense": TracedDense, "EqualizedDense": TracedEqualizedDense, "SpectralDense": TracedSpectralDense}
    return kinds[step.layer](step.cost.shape, **args, name=networks.layer_name(step))


def _instance_norm_layer(step: LayerCall) -> keras.layers.Layer | None:
    args = {key: value for key, value in step.args.items() if not key.endswith("_initializer")}
    return TracedInstanceNorm(**args, name=networks.layer_name(step)) if is_instance_norm(step) else None


def _up_sampling_layer(step: LayerCall) -> keras.layers.Layer | None:
    nearest = step.args.get("interpolation", "nearest") == "nearest"
    return TracedUpSampling(pair(step.args.get("size", 2)), name=networks.layer_name(step)) if nearest else None


def _pixel_norm_layer(step: LayerCall) -> keras.layers.Layer | None:
    return TracedPixelNorm(**step.args, name=networks.layer_name(step)) if len(step.cost.shape) == 3 else None


def _one_hot_layer(step: LayerCall) -> keras.layers.Layer | None:
    return TracedOneHot(**step.args, name=networks.layer_name(step))


def _grouped_conv_layer(step: LayerCall) -> keras.layers.Layer | None:
    args = {key: value for key, value in step.args.items() if not key.endswith("_initializer")}
    return TracedGroupedConv(**args, name=networks.layer_name(step)) if step.args.get("groups", 1) > 1 else None


STAND_INS = {
    "GroupNormalization": _instance_norm_layer, "UpSampling2D": _up_sampling_layer, "PixelNorm": _pixel_norm_layer,
    "OneHot": _one_hot_layer, "Conv2D": _grouped_conv_layer,
    **dict.fromkeys(("Dense", "EqualizedDense", "SpectralDense"), _dense_layer),
}  # fmt: skip


def traced_layers(plan: Plan) -> dict[str, keras.layers.Layer]:
    """Return the layers that `networks.build` puts in the place of others in the traced network, by their names."""
    layers = {networks.layer_name(step): STAND_INS[step.layer](step) for step in plan.steps if step.layer in STAND_INS}
    return {name: layer for name, layer in layers.items() if layer is not None}


def onnx_bytes(network: keras.Model, plan: Plan, manifest: Manifest, opset: int | str) -> bytes:
    """Convert a network to an ONNX file.

    Args:
        network: A Keras network on TensorFlow that was built with `traced_layers`.
        plan: Its plan.
        manifest: Its manifest, whose contract becomes the metadata of the file.
        opset: The version of the operators; "lowest" stands for the lowest from 13 that the graph needs.

    Returns:
        The bytes of the file, the same for the same weights.

    Raises:
        ExportError: The graph does not have the inputs and the output of the plan, or is not valid ONNX.
    """
    import tensorflow as tf
    import tf2onnx

    names = list(plan.inputs)
    dtypes = {tensor.name: tensor.dtype for tensor in manifest.inputs}
    signature = [
        tf.TensorSpec((None, *shape), dtypes[input_name], name=input_name) for input_name, shape in plan.inputs.items()
    ]

    @tf.function(input_signature=signature)
    def generate(*tensors: Any) -> Any:
        made = network(dict(zip(names, tensors, strict=True)), training=False)
        return {output: made[output] for output in plan.outputs}

    handlers: dict[str, Any] = {name: (handler, []) for name, handler in HANDLERS.items()}
    traced = HIGHEST_RELABELLED if opset == LOWEST else min(int(opset), HIGHEST_RELABELLED)  # what handlers write for
    with _transposes_kept():
        model, _ = tf2onnx.convert.from_function(
            generate, input_signature=signature, opset=traced, custom_op_handlers=handlers
        )
    shapes = {tensor.name: tensor.shape for tensor in (*manifest.inputs, *manifest.outputs)}
    onnx_graph.name_axes(model, shapes)  # rewrites go by what the graph knows of its sizes
    rewrites.rewrite(model)
    if opset == LOWEST:
        lower_opset(model)
    else:
        change_opset(model, int(opset), source=manifest.model)
    return onnx_graph.clean(
        model, name=manifest.model, inputs=names, outputs=list(plan.outputs), shapes=shapes,
        metadata=onnx_metadata(manifest), producer=__version__, words=doc_strings(manifest),
    )  # fmt: skip


@contextmanager
def _transposes_kept() -> Iterator[None]:
    """Keep tf2onnx from writing a Reshape for a Transpose that moves axes of size one alone.

    It does so by shapes that it tracks while it moves nodes, and some are wrong: images of one pixel that are
    normalised become as many examples as they have channels. `rewrites` does it by shapes that are inferred.
    """
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    kept = TransposeOptimizer.post_optimize_action
    TransposeOptimizer.post_optimize_action = lambda self: None
    try:
        yield
    finally:
        TransposeOptimizer.post_optimize_action = kept


Nodes = Callable[[Any, Any, str], str]  # (tf2onnx's graph, the node, x [B, C, H, W]) -> the name of y [B, C, H, W]


def _instance_norm(graph: Any, node: Any, x: str) -> str:
    """InstanceNormalization: each example by itself, unlike the operator that marked its place."""
    epsilon = {"epsilon": node.get_attr_value("epsilon")}
    return _node(graph, "InstanceNormalization", x, *node.input[1:3], **epsilon)


def _resize(graph: Any, node: Any, x: str) -> str:
    """Resize by factors, not to a size: every pixel becomes a block."""
    before, after = graph.get_shape(node.input[0]), graph.get_shape(node.output[0])
    factors = _constant(graph, node, [1, 1, after[1] / before[1], after[2] / before[2]])
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return _node(graph, "Resize", x, "", factors, **how)


def _pixel_norm(graph: Any, node: Any, x: str) -> str:
    """x / sqrt(mean over C of x^2 + epsilon)."""
    mean = _node(graph, "ReduceMean", _node(graph, "Mul", x, x), axes=[1], keepdims=1)  # [B, 1, H, W]
    epsilon = _constant(graph, node, [node.get_attr_value("bias")])
    return _node(graph, "Div", x, _node(graph, "Sqrt", _node(graph, "Add", mean, epsilon)))


def _transposed_conv(graph: Any, node: Any, x: str) -> str:
    """ConvTranspose, cropped as TensorFlow does it: half of the difference at the beginning, the rest at the end."""
    inner, outer = graph.get_shape(node.input[2])[1:3], graph.get_shape(node.output[0])[1:3]
    kernel = graph.get_shape(node.input[1])[:2]  # [kH, kW, out, in]
    strides, dilations = (node.get_attr_value(name, [1] * 4)[1:3] for name in ("strides", "dilations"))
    crops = [(i - 1) * s + (k - 1) * d + 1 - o
             for i, s, k, d, o in zip(inner, strides, kernel, dilations, outer, strict=True)]  # fmt: skip
    begins = [max(crop, 0) // 2 for crop in crops]
    pads = rewrites.transposed_pads(begins, [crop - begin for crop, begin in zip(crops, begins, strict=True)])
    weights = [_node(graph, "Transpose", node.input[1], perm=[3, 2, 0, 1]), *node.input[3:]]  # tf2onnx adds the bias
    return _node(graph, "ConvTranspose", x, *weights, kernel_shape=kernel, strides=strides, dilations=dilations, **pads)


def _constant(graph: Any, node: Any, values: Sequence[float]) -> str:
    import numpy as np

    return str(graph.make_const(f"{node.name}_constant", np.array(values, np.float32)).output[0])


def _node(graph: Any, kind: str, *inputs: str, **attributes: Any) -> str:
    return str(graph.make_node(kind, list(inputs), attr=attributes).output[0])


def _erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """1 - Erf(x)."""
    outputs, erf = node.output[:1], _node(graph, "Erf", node.input[0])
    shapes, dtypes = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
    inputs = [_constant(graph, node, [1]), erf]
    graph.remove_node(node.name)
    graph.make_node("Sub", inputs, name=node.name, outputs=outputs, shapes=shapes, dtypes=dtypes)


def _channels_first(nodes: Nodes, image: int = 0) -> Callable[..., None]:
    """tf2onnx's handler that replaces an operator on input `image` [B, H, W, C] by `nodes` on [B, C, H, W]."""

    def handle(graph: Any, node: Any, name: str, _: Any) -> None:
        outputs = node.output[:1]
        shapes, dtypes = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
        x = _node(graph, "Transpose", node.input[image], perm=NHWC_TO_NCHW)  # tf2onnx cancels pairs of these
        y = nodes(graph, node, x)
        graph.remove_node(node.name)
        graph.make_node(
            "Transpose", [y], attr={"perm": NCHW_TO_NHWC}, name=node.name, outputs=outputs, shapes=shapes, dtypes=dtypes
        )

    return handle


HANDLERS = {
    "FusedBatchNormV3": _channels_first(_instance_norm),
    "ResizeNearestNeighbor": _channels_first(_resize),
    "LRN": _channels_first(_pixel_norm),
    "Conv2DBackpropInput": _channels_first(_transposed_conv, image=2),
    "Erfc": _erfc,
}
