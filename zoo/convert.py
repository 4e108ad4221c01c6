"""Keras -> ONNX: traced by TensorFlow at the sizes of the spec, converted by tf2onnx, cleaned by `onnx_graph`.

tf2onnx makes poor graphs of two of Keras's layers: instance norm becomes reshapes to fixed sizes and a dozen nodes,
nearest up-sampling Tile and Reshape. Those are traced as another TensorFlow operator with the same inputs and shapes,
which no network of the zoo contains otherwise, and which a handler of ours turns into the ONNX operator that means the
layer: InstanceNormalization, Resize. Nothing in the graph then knows the height and width, so that they may be dynamic.
"""

from __future__ import annotations

from typing import Any

import keras

from zoo import __version__, manifest, networks, onnx_graph
from zoo.manifest import Manifest
from zoo.sizes import is_instance_norm
from zoo.spec import Plan
from zoo.spec.rule import pair

NHWC_TO_NCHW, NCHW_TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class TracedInstanceNorm(keras.layers.GroupNormalization):
    """The weights of a GroupNormalization with one channel per group; computes nothing, only marks its place."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        channels = x.shape[-1]
        scale = self.gamma if self.scale else tf.ones(channels)
        offset = self.beta if self.center else tf.zeros(channels)
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        ).y


class TracedUpSampling(keras.layers.UpSampling2D):
    """Nearest neighbours."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        size = [side * factor for side, factor in zip(x.shape[1:3], self.size, strict=True)]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)


def layers(plan: Plan) -> dict[str, keras.layers.Layer]:
    """The layers that stand for others in a traced network, by their names; `networks.build` takes them."""
    made: dict[str, keras.layers.Layer] = {}
    for step in plan.steps:
        name = networks.layer_name(step)
        if is_instance_norm(step):
            args = {key: value for key, value in step.args.items() if not key.endswith("_initializer")}
            made[name] = TracedInstanceNorm(**args, name=name)
        elif step.layer == "UpSampling2D" and step.args.get("interpolation", "nearest") == "nearest":
            made[name] = TracedUpSampling(pair(step.args.get("size", 2)), name=name)
    return made


def onnx_bytes(network: keras.Model, plan: Plan, facts: Manifest, opset: int) -> bytes:
    """The file of a network that was built with `layers`, on TensorFlow. Raises ExportError."""
    import tensorflow as tf
    import tf2onnx

    names, output = list(plan.inputs), plan.output_name
    dtypes = {tensor.name: tensor.dtype for tensor in facts.inputs}
    signature = [tf.TensorSpec((None, *shape), dtypes[tap], name=tap) for tap, shape in plan.inputs.items()]

    @tf.function(input_signature=signature)
    def generate(*tensors: Any) -> Any:
        return {output: network(dict(zip(names, tensors, strict=True)), training=False)[output]}

    handlers: dict[str, Any] = {"FusedBatchNormV3": (_instance_norm, []), "ResizeNearestNeighbor": (_resize, [])}
    model, _ = tf2onnx.convert.from_function(
        generate, input_signature=signature, opset=opset, custom_op_handlers=handlers
    )
    shapes = {tensor.name: tensor.shape for tensor in (*facts.inputs, *facts.outputs)}
    return onnx_graph.clean(
        model, name=facts.model, inputs=names, output=output, shapes=shapes, metadata=manifest.metadata(facts),
        producer=__version__,
    )  # fmt: skip


def _instance_norm(graph: Any, node: Any, name: str, _: Any) -> None:
    """Each example by itself, unlike the operator that stood for it."""
    epsilon = node.get_attr_value("epsilon")
    _replace(graph, node, lambda x: ("InstanceNormalization", [x, *node.input[1:3]], {"epsilon": epsilon}))


def _resize(graph: Any, node: Any, name: str, _: Any) -> None:
    """By factors, not to a size: every pixel becomes a block."""
    import numpy as np

    before, after = graph.get_shape(node.input[0]), graph.get_shape(node.output[0])
    factors = np.array([1, 1, after[1] / before[1], after[2] / before[2]], np.float32)
    scales = graph.make_const(f"{name}_scales", factors).output[0]
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    _replace(graph, node, lambda x: ("Resize", [x, "", scales], how))


def _replace(graph: Any, node: Any, made: Any) -> None:
    """`node`, an operator on [B, H, W, C], by the ONNX one that `made(x)` describes for x [B, C, H, W]."""
    name, source, outputs = node.name, node.input[0], node.output[:1]
    shapes, dtypes = [graph.get_shape(outputs[0])], [graph.get_dtype(outputs[0])]
    graph.remove_node(name)
    x = graph.make_node("Transpose", [source], attr={"perm": NHWC_TO_NCHW}).output[0]  # tf2onnx cancels pairs of these
    kind, inputs, attributes = made(x)
    y = graph.make_node(kind, inputs, attr=attributes).output[0]
    graph.make_node(
        "Transpose", [y], attr={"perm": NCHW_TO_NHWC}, name=name, outputs=outputs, shapes=shapes, dtypes=dtypes
    )
