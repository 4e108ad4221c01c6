"""Every shape rule against the Keras layer of the same name: output shape and number of trainable weights."""

from __future__ import annotations

import math
import re
from typing import Any

import keras
import pytest

from zoo.nn.layers import LAYERS
from zoo.spec.keras_layers import elsewhere
from zoo.spec.shapes import RULES, Cost, ShapeError
from zoo.spec.validate import completed, names_of

IMAGE, ODD, WIDE, VECTOR, SEQUENCE = (8, 8, 4), (7, 7, 6), (9, 6, 4), (12,), (5, 3)
KERNELS: list[dict[str, Any]] = [
    {"kernel_size": k, "strides": s, "padding": p}
    for k, s in ((1, 1), (3, 1), (3, 2), (4, 2), (5, 3), ([3, 5], [2, 1]))
    for p in ("same", "valid")
]
DILATED = [{"kernel_size": 3, "dilation_rate": d, "padding": p} for d in (2, [2, 1]) for p in ("same", "valid")]
POOLS: list[dict[str, Any]] = [
    *({"pool_size": 2, "padding": p, "strides": s} for p in ("same", "valid") for s in (None, 1, 3)),
    {"pool_size": [3, 2], "strides": [2, 1]},
]
WINDOWS: list[dict[str, Any]] = [
    *(
        {"kernel_size": k, "strides": s, "padding": p}
        for k, s in ((1, 1), (3, 1), (3, 2), (4, 2))
        for p in ("same", "valid")
    ),
    *({"kernel_size": 3, "dilation_rate": 2, "padding": p} for p in ("same", "valid")),
]
PLAIN: list[dict[str, Any]] = [{}]

# layer -> (input shapes, sets of arguments): every input meets every set
CASES: dict[str, tuple[list[Any], list[dict[str, Any]]]] = {
    **{
        name: ([IMAGE, VECTOR], PLAIN)
        for name in ("ReLU", "ELU", "Identity")
    },
    "Dropout": ([IMAGE, VECTOR], [{"rate": 0.5}]),
    "GaussianDropout": ([IMAGE, VECTOR], [{"rate": 0.5}]),
    "GaussianNoise": ([IMAGE, VECTOR], [{"stddev": 0.1}]),
    "Rescaling": ([IMAGE, VECTOR], [{"scale": 2.0, "offset": 1.0}]),
    "Activation": ([IMAGE, VECTOR], [{"activation": "tanh"}]),
    "LeakyReLU": ([IMAGE, VECTOR], [{}, {"negative_slope": 0.2}]),
    "Softmax": ([IMAGE, VECTOR], [{}, {"axis": 1}]),
    "UnitNormalization": ([IMAGE, VECTOR], [{}, {"axis": 1}]),
    "SpatialDropout2D": ([IMAGE], [{"rate": 0.5}]),
    "PixelNorm": ([IMAGE, VECTOR], PLAIN),
    "Fade": ([IMAGE, VECTOR], [{}, {"alpha": 0.25}]),
    "PReLU": ([ODD], [{}, {"shared_axes": [1, 2]}, {"shared_axes": [3]}]),
    "BatchNormalization": (
        [IMAGE, ODD],
        [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}, {"axis": 1}, {"axis": -2}],
    ),
    "LayerNormalization": ([IMAGE, WIDE], [{}, {"axis": [1, 2, 3]}, {"axis": [-1, -2]}, {"scale": False}, {"axis": 2}]),
    "GroupNormalization": (
        [IMAGE],
        [{"groups": g, "center": c, "scale": s} for g in (-1, 1, 2, 4) for c in (True, False) for s in (True, False)],
    ),
    "Dense": ([VECTOR, SEQUENCE, IMAGE], [{"units": 5}, {"units": 5, "use_bias": False}]),
    "SpectralDense": ([VECTOR, SEQUENCE], [{"units": 5}, {"units": 5, "use_bias": False}]),
    "EqualizedDense": ([VECTOR], [{"units": 5}, {"units": 5, "use_bias": False, "gain": 1}]),
    "Maxout": ([VECTOR], [{"units": 5, "pieces": 3}, {"units": 5, "pieces": 3, "use_bias": False}]),
    "Conv2D": (
        [IMAGE, (7, 7, 6), WIDE],
        [{"filters": 4, **k} for k in KERNELS + DILATED]
        + [{"filters": 6, "kernel_size": 3, "groups": 2}, {"filters": 3, "kernel_size": 3, "use_bias": False}],
    ),
    "SpectralConv2D": (
        [IMAGE, ODD],
        [{"filters": 5, **k} for k in KERNELS[::3]]
        + [{"filters": 4, "kernel_size": 3, "groups": 2}, {"filters": 5, "kernel_size": 3, "use_bias": False}],
    ),
    "EqualizedConv2D": (
        [IMAGE, ODD],
        [{"filters": 5, **k} for k in KERNELS] + [{"filters": 5, "kernel_size": 3, "use_bias": False}],
    ),
    "Conv2DTranspose": (
        [IMAGE, ODD, WIDE],
        [{"filters": 5, **k} for k in KERNELS]
        + [
            {"filters": 5, "kernel_size": k, "strides": s, "padding": p, "output_padding": o}
            for k, s, o in ((3, 2, 0), (3, 2, 1), (4, 2, 0), (5, 3, 2), ([3, 4], [2, 3], [1, 2]))
            for p in ("same", "valid")
            if (k, p) != (4, "same")
        ]
        + [{"filters": 5, "kernel_size": 4, "strides": 2, "use_bias": False}],
    ),
    "DepthwiseConv2D": (
        [IMAGE, ODD],
        [k for k in KERNELS if k["strides"] != [2, 1]]
        + DILATED
        + [{"kernel_size": 3, "depth_multiplier": 2}, {"kernel_size": 3, "use_bias": False}],
    ),
    "AveragePooling2D": ([IMAGE, ODD, WIDE], POOLS),
    "MaxPooling2D": ([IMAGE, ODD, WIDE], POOLS),
    "GlobalAveragePooling2D": ([IMAGE], [{}, {"keepdims": True}]),
    "GlobalMaxPooling2D": ([IMAGE], [{}, {"keepdims": True}]),
    "UpSampling2D": ([ODD], [{}, {"size": 3}, {"size": [1, 2], "interpolation": "bilinear"}]),
    "ZeroPadding2D": ([ODD], [{}, {"padding": 2}, {"padding": [0, 3]}, {"padding": [[1, 0], [2, 3]]}]),
    "ReflectionPadding2D": ([ODD], [{}, {"padding": 3}, {"padding": [0, 6]}]),
    "Cropping2D": ([ODD], [{}, {"cropping": 2}, {"cropping": [0, 3]}, {"cropping": [[1, 0], [2, 3]]}]),
    "Flatten": ([IMAGE, VECTOR, ()], PLAIN),
    "Reshape": ([(12,), (2, 6)], [{"target_shape": [3, 4]}, {"target_shape": [2, -1]}, {"target_shape": [1, 1, 12]}]),
    "Permute": ([IMAGE], [{"dims": [3, 1, 2]}, {"dims": [1, 2, 3]}]),
    "RepeatVector": ([VECTOR], [{"n": 3}]),
    "Embedding": ([(), (4,)], [{"input_dim": 10, "output_dim": 3}]),
    "BagOfWords": ([(4,)], [{"input_dim": 10, "output_dim": 3}]),
    "OneHot": ([()], [{"classes": 10}]),
    "Concatenate": ([[IMAGE, (8, 8, 2)], [VECTOR, (3,), (1,)], [IMAGE, (8, 3, 4), 2]], [{}]),
    **{
        name: ([[IMAGE, IMAGE, IMAGE], [IMAGE, (1, 1, 4)]], PLAIN)
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
    },
    "Subtract": ([[IMAGE, IMAGE], [VECTOR, VECTOR]], PLAIN),
    "MinibatchStdDev": ([IMAGE], [{}, {"group_size": 4}]),
    "LSTM": ([SEQUENCE], [{"units": 4}, {"units": 4, "return_sequences": True}, {"units": 4, "use_bias": False}]),
    "Conv1D": (
        [(8, 4), (9, 6)],
        [{"filters": 4, **k} for k in WINDOWS] + [{"filters": 4, "kernel_size": 3, "groups": 2, "use_bias": False}],
    ),
    "Conv1DTranspose": (
        [(8, 4), (9, 6)],
        [{"filters": 5, **k} for k in WINDOWS if "dilation_rate" not in k]
        + [{"filters": 5, "kernel_size": 3, "strides": 2, "output_padding": 1, "padding": p} for p in ("same", "valid")]
        + [{"filters": 5, "kernel_size": 3, "use_bias": False}],
    ),
    "SeparableConv1D": (
        [(8, 4)],
        [{"filters": 5, **k} for k in WINDOWS]
        + [{"filters": 5, "kernel_size": 3, "depth_multiplier": 2},
           {"filters": 5, "kernel_size": 3, "use_bias": False}],
    ),
    **{
        name: ([(8, 4), (9, 6)], [{"pool_size": 2, "padding": p, "strides": s} for p in ("same", "valid")
                                  for s in (None, 1, 3)])
        for name in ("AveragePooling1D", "MaxPooling1D")
    },
    **{name: ([SEQUENCE], [{}, {"keepdims": True}]) for name in ("GlobalAveragePooling1D", "GlobalMaxPooling1D")},
    "UpSampling1D": ([SEQUENCE], [{}, {"size": 3}]),
    "ZeroPadding1D": ([SEQUENCE], [{}, {"padding": 2}, {"padding": [0, 3]}]),
    "Cropping1D": ([SEQUENCE], [{}, {"cropping": 2}, {"cropping": [0, 3]}]),
    "SpatialDropout1D": ([SEQUENCE], [{"rate": 0.5}]),
    "SeparableConv2D": (
        [IMAGE, ODD],
        [{"filters": 5, **k} for k in KERNELS if k["strides"] != [2, 1]]
        + [{"filters": 5, "kernel_size": 3, "depth_multiplier": 2},
           {"filters": 5, "kernel_size": 3, "use_bias": False}],
    ),
    "Dot": (
        [[VECTOR, VECTOR], [(5, 3), (4, 3)], [(3, 5), (3, 4)]],
        [{"axes": a} for a in (1, -1, [-1, -1], [1, 1])],
    ),
    "SpectralEmbedding": ([(), (4,)], [{"input_dim": 10, "output_dim": 3}]),
    "SelfAttention": ([(8, 8, 16), (6, 10, 8)], [{}, {"spectral": False}]),
    "ConditionalBatchNormalization": ([[IMAGE, ()], [VECTOR, ()], [IMAGE, (6,)], [VECTOR, (6,)]], PLAIN),
    "NoiseDropout": ([[IMAGE, IMAGE], [IMAGE, (1, 1, 4)], [VECTOR, VECTOR]], [{"rate": 0.5}]),
    "MinibatchDiscrimination": ([VECTOR], [{}, {"kernels": 7, "dimensions": 3}, {"use_bias": False}]),
    "Scale": ([IMAGE, VECTOR], [{}, {"per_channel": True}]),
    "Bias": ([IMAGE, VECTOR], [{}, {"per_channel": False}]),
    "LearnedMap": ([VECTOR], [{}, {"size": [2, 3]}]),
    "Slice": (
        [IMAGE, VECTOR, SEQUENCE],
        [{"end": 2}, {"begin": 1, "axis": 1}, {"begin": -2}, {"begin": -3, "end": -1, "axis": 1}],
    ),
    "FilteredUpSampling2D": ([ODD, WIDE], PLAIN),
    "FilteredDownSampling2D": ([IMAGE, (2, 6, 3)], PLAIN),
}  # fmt: skip


def cost(layer: str, shapes: list[tuple[int, ...]], args: dict[str, Any]) -> Cost:
    return RULES[layer](shapes, completed(args, names_of("layer")[layer]))


def built(layer: str, shapes: list[tuple[int, ...]], args: dict[str, Any]) -> tuple[tuple[int, ...], int]:
    """Output shape and trainable weights of the Keras layer, built on inputs of these shapes."""
    keras_class = LAYERS.get(layer) if layer in LAYERS else getattr(keras.layers, layer)
    inputs = [keras.Input(shape, dtype="float32" if shape else "int64") for shape in shapes]
    made = keras_class(**args)
    output = made(inputs if len(inputs) > 1 else inputs[0])
    return tuple(output.shape[1:]), sum(math.prod(weight.shape) for weight in made.trainable_weights)


def test_every_rule_has_cases() -> None:
    assert set(CASES) == set(RULES) == set(names_of("layer"))


def _differ(shapes: list[tuple[int, ...]], axes: int | list[int]) -> bool:
    """Two shapes have other sizes along the axes of a Dot."""
    pair = [axes, axes] if isinstance(axes, int) else axes
    return len({shape[axis if axis < 0 else axis - 1] for shape, axis in zip(shapes, pair, strict=True)}) > 1


@pytest.mark.parametrize("layer", CASES)
def test_rule_agrees_with_keras(layer: str) -> None:
    inputs, argument_sets = CASES[layer]
    for shape in inputs:
        shapes = [s for s in shape if not isinstance(s, int)] if isinstance(shape, list) else [shape]
        axis = {"axis": shape[-1]} if isinstance(shape, list) and isinstance(shape[-1], int) else {}
        if layer == "ConditionalBatchNormalization":
            axis = {"classes": 10} if shape[-1] == () else {"spectral": True}
        for args in argument_sets:
            if layer == "Dot" and _differ(shapes, args["axes"]):
                continue
            found = cost(layer, shapes, {**args, **axis})
            assert (found.shape, found.parameters) == built(layer, shapes, {**args, **axis}), (shapes, args)
            assert found.macs >= 0


def test_multiply_adds_by_hand() -> None:
    assert cost("Dense", [(10,)], {"units": 7}).macs == 70
    assert cost("Dense", [(5, 10)], {"units": 7}).macs == 350
    assert cost("Maxout", [(10,)], {"units": 7, "pieces": 3}).macs == 210
    # a 4 x 4 map of sums over 3 * 3 * 2 numbers, for 5 filters
    assert (
        cost("Conv2D", [(8, 8, 2)], {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}).macs
        == 16 * 18 * 5
    )
    assert cost("Conv2D", [(8, 8, 2)], {"filters": 4, "kernel_size": 3, "groups": 2}).macs == 36 * 9 * 1 * 4
    # each of the 8 * 8 * 2 inputs is spread over 4 * 4 places in 5 filters
    args = {"filters": 5, "kernel_size": 4, "strides": 2, "padding": "same"}
    assert cost("Conv2DTranspose", [(8, 8, 2)], args).macs == 64 * 2 * 16 * 5
    assert cost("DepthwiseConv2D", [(8, 8, 2)], {"kernel_size": 3}).macs == 36 * 9 * 2
    assert cost("ReLU", [(8, 8, 2)], {}).macs == 0
    # Zhang et al. 2018 at 32 x 32 with 128 channels: 1,024 pixels x 20,480 weights, and 1,024 x 256 pairs of 80 numbers
    assert cost("SelfAttention", [(32, 32, 128)], {})[1:] == (20_481, 1024 * 20_480 + 1024 * 256 * 80)
    assert cost("SelfAttention", [(32, 32, 256)], {}).parameters == 81_921
    assert cost("Dot", [(5, 3), (4, 3)], {"axes": -1}) == ((5, 4), 0, 60)
    assert cost("SeparableConv2D", [(8, 8, 2)], {"filters": 5, "kernel_size": 3}).macs == 36 * (9 * 2 + 2 * 5)


IMPOSSIBLE: list[tuple[str, list[tuple[int, ...]], dict[str, Any], str]] = [
    ("Conv2D", [VECTOR], {"filters": 4, "kernel_size": 3}, "takes an image"),
    ("Conv2D", [IMAGE], {"filters": 4, "kernel_size": 9}, "a window of 9 does not fit into 8"),
    ("Conv2D", [IMAGE], {"filters": 4, "kernel_size": 3, "groups": 3}, "do not split into 3 groups"),
    ("Conv2D", [IMAGE], {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, "cannot both be above 1"),
    ("Conv2DTranspose", [IMAGE], {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 2}, "output_padd"),
    ("Conv2DTranspose", [VECTOR], {"filters": 4, "kernel_size": 3}, "takes an image"),
    ("Conv2DTranspose", [IMAGE], {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, "dilation_rate must be 1"),
    (
        "Conv2DTranspose", [IMAGE], {"filters": 4, "kernel_size": 4, "padding": "same", "output_padding": 0},
        "output_padding 0 makes 7 of 8 pixels, which no strides of 1 lead back to: leave it out",
    ),
    ("Conv1DTranspose", [SEQUENCE], {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, "dilation_rate must be 1"),
    ("Dense", [()], {"units": 4}, "OneHot or Embedding"),
    ("Maxout", [IMAGE], {"units": 4, "pieces": 2}, "takes a vector"),
    ("LSTM", [VECTOR], {"units": 4}, "takes a sequence"),
    ("ReLU", [IMAGE, IMAGE], {}, "takes one input, received 2"),
    ("BatchNormalization", [IMAGE], {"axis": 4}, "axis must name axes 1 to 3"),
    ("BatchNormalization", [IMAGE], {"axis": 0}, "axis must name axes 1 to 3"),
    ("BatchNormalization", [()], {}, "axis must name"),
    ("BatchNormalization", [IMAGE], {"axis": [1, 3]}, "one axis"),
    ("GroupNormalization", [IMAGE], {"groups": 3}, "do not split into 3 groups"),
    ("GroupNormalization", [(8, 8, 16)], {}, "do not split into 32 groups"),
    ("PReLU", [VECTOR], {"shared_axes": [2]}, "shared_axes"),
    ("Softmax", [VECTOR], {"axis": 3}, "axis must name"),
    ("Reshape", [(63,)], {"target_shape": [8, 8]}, "cannot become [8, 8]"),
    ("Reshape", [(64,)], {"target_shape": [-1, -1]}, "cannot become"),
    ("Permute", [IMAGE], {"dims": [1, 2]}, "once each"),
    ("Cropping2D", [IMAGE], {"cropping": 4}, "nothing is left"),
    ("ReflectionPadding2D", [IMAGE], {"padding": 8}, "cannot mirror"),
    ("MaxPooling2D", [IMAGE], {"pool_size": 9}, "a window of 9"),
    ("Concatenate", [IMAGE], {}, "two or more"),
    ("Concatenate", [IMAGE, VECTOR], {}, "must agree"),
    ("Concatenate", [IMAGE, (4, 8, 4)], {}, "must agree"),
    ("Concatenate", [IMAGE, IMAGE], {"axis": 0}, "must agree"),
    ("Add", [IMAGE], {}, "two or more"),
    ("Add", [IMAGE, (8, 8, 3)], {}, "same shape"),
    ("Add", [IMAGE, VECTOR], {}, "same shape"),
    ("Subtract", [IMAGE, IMAGE, IMAGE], {}, "takes two inputs"),
    ("SpatialDropout2D", [VECTOR], {"rate": 0.5}, "takes an image"),
    ("RepeatVector", [IMAGE], {"n": 2}, "takes a vector"),
    ("DepthwiseConv2D", [IMAGE], {"kernel_size": 3, "strides": [2, 1]}, "the same stride"),
    ("SeparableConv2D", [IMAGE], {"filters": 3, "kernel_size": 3, "strides": [2, 1]}, "the same stride"),
    ("SelfAttention", [(8, 8, 12)], {}, "a multiple of 8 channels"),
    ("ConditionalBatchNormalization", [IMAGE, ()], {}, "state `classes`"),
    ("ConditionalBatchNormalization", [IMAGE, (5,)], {"classes": 10}, "`classes` is for class ids"),
    ("ConditionalBatchNormalization", [IMAGE], {"classes": 10}, "takes two inputs"),
    ("ConditionalBatchNormalization", [IMAGE, (5, 3)], {}, "a class id or a vector"),
    ("NoiseDropout", [IMAGE, (8, 8, 3)], {"rate": 0.5}, "the shape of what is dropped"),
    ("Dot", [VECTOR, (5,)], {"axes": 1}, "different lengths"),
    ("Dot", [VECTOR, VECTOR], {"axes": 2}, "axes must name"),
    ("Slice", [VECTOR], {"begin": 13}, "not inside the 12 numbers"),
    ("Slice", [VECTOR], {"begin": 5, "end": 5}, "is empty"),
    ("Slice", [VECTOR], {"axis": 0}, "axis must name axes 1 to 1"),
    ("FilteredDownSampling2D", [ODD], {}, "an even height and width"),
    ("MinibatchDiscrimination", [IMAGE], {}, "takes a vector"),
    ("LearnedMap", [IMAGE], {}, "takes a vector"),
    ("Scale", [()], {}, "received a class id"),
    ("Conv1D", [IMAGE], {"filters": 4, "kernel_size": 3}, "takes a sequence"),
    ("Conv1D", [(8, 4)], {"filters": 4, "kernel_size": 3, "groups": 3}, "do not split into 3 groups"),
    ("Cropping1D", [(5, 3)], {"cropping": 3}, "nothing is left"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shapes", "args", "piece"), IMPOSSIBLE)
def test_what_cannot_be(layer: str, shapes: list[tuple[int, ...]], args: dict[str, Any], piece: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(piece)):
        cost(layer, shapes, args)


def test_every_layer_of_keras_is_in_the_language_or_has_its_own_message() -> None:
    layers = [name for name, part in vars(keras.layers).items() if isinstance(part, type)]
    assert not [name for name in layers if name not in RULES and not elsewhere(name)]
    assert not [name for name in RULES if elsewhere(name)] and not elsewhere("Convolution")
