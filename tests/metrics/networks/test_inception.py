"""The graph that is built from an archive's modules, against Keras on small ones and PyTorch on the real one."""

import numpy as np
import onnxruntime
import pytest

from zoo.metrics.networks import download, inception
from zoo.metrics.networks.inception import Module

KINDS = {}


def made(kind, **attributes):
    cls = KINDS.setdefault(kind, type(kind, (Module,), {}))
    one = cls()
    vars(one).update(attributes)
    return one


def conv(into, out, kernel, *, stride=1, padding=0, seed=0):
    random = np.random.RandomState(seed)
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    return made(
        "Conv2dLayer",
        weight=(random.standard_normal((out, into, *kernel)) / np.sqrt(into * kernel[0] * kernel[1])).astype("f4"),
        beta=random.standard_normal(out).astype("f4"),
        mean=random.standard_normal(out).astype("f4"),
        var=random.uniform(0.5, 2, out).astype("f4"),
        stride=stride,
        padding=padding,
    )


def last_block(pool):
    return made(
        "InceptionE",
        conv=conv(8, 2, 1, seed=10),
        tower_conv=conv(8, 3, 1, seed=11),
        tower_mixed_conv=conv(3, 2, (1, 3), padding=[0, 1], seed=12),
        tower_mixed_conv_1=conv(3, 2, (3, 1), padding=[1, 0], seed=13),
        tower_1_conv=conv(8, 3, 1, seed=14),
        tower_1_conv_1=conv(3, 3, 3, padding=1, seed=15),
        tower_1_mixed_conv=conv(3, 2, (1, 3), padding=[0, 1], seed=16),
        tower_1_mixed_conv_1=conv(3, 2, (3, 1), padding=[1, 0], seed=17),
        tower_2_pool=made(pool),
        tower_2_conv=conv(8, 2, 1, seed=18),
    )


def applied(layer, x):
    """A convolution with batch norm and ReLU by Keras, NHWC."""
    from keras import ops

    pad = layer.padding if isinstance(layer.padding, list) else [layer.padding] * 2
    x = np.pad(x, [(0, 0), (pad[0], pad[0]), (pad[1], pad[1]), (0, 0)]).astype("f4")
    y = ops.convert_to_numpy(ops.conv(x, layer.weight.transpose(2, 3, 1, 0), strides=layer.stride, padding="valid"))
    return np.maximum((y - layer.mean) / np.sqrt(layer.var + 1e-3) + layer.beta, 0)


def windows(x, size):
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))


def mean_without_border(x):
    """3 x 3, and only what lies inside counts."""
    ones = np.pad(np.ones_like(x), [(0, 0), (1, 1), (1, 1), (0, 0)])
    return windows(np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)]), 3).sum((-1, -2)) / windows(ones, 3).sum((-1, -2))


def largest(x, pad=1, stride=1):
    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)], constant_values=-np.inf)
    return windows(padded, 3).max((-1, -2))[:, ::stride, ::stride]


def upscaled(images):
    """TensorFlow 1's bilinear: source = target * in / out, not centred; the last pixel is repeated."""
    x = images.astype("f4")
    for axis in (1, 2):
        at = np.arange(299, dtype="f4") * np.float32(x.shape[axis] / 299)
        low = np.floor(at).astype(int)
        high, share = np.minimum(low + 1, x.shape[axis] - 1), (at - low).astype("f4")
        share = share.reshape([-1 if i == axis else 1 for i in range(4)])
        x = x.take(low, axis) * (1 - share) + x.take(high, axis) * share
    return (x - 128) / 128


@pytest.mark.parametrize("pool", ["AvgPool2d", "MaxPool2d"])
def test_every_kind_of_block_does_what_keras_does(pool, monkeypatch):
    monkeypatch.setattr(inception, "FEATURES", 12)
    tower = made("Sequential", pool=made("AvgPool2d"), conv=conv(4, 2, 1, seed=3))
    wide = made("Sequential", conv=conv(4, 3, 3, padding=1, seed=5))
    mixed = made("InceptionA", conv=conv(4, 3, 1, seed=4), tower=wide, tower_2=tower)
    layers = made(
        "Sequential", conv=conv(3, 4, 3, stride=8), pool0=made("MaxPool2d"), mixed=mixed,
        mixed_9=last_block(pool), pool2=made("AvgPool2d"),
    )  # fmt: skip
    session = onnxruntime.InferenceSession(inception.graph(layers), providers=["CPUExecutionProvider"])
    images = np.random.RandomState(1).randint(0, 256, (2, 28, 20, 3)).astype("u1")
    found = session.run(["features"], {"image": images})[0]

    x = largest(applied(layers.conv, upscaled(images)), pad=0, stride=2)
    x = np.concatenate(
        [applied(mixed.conv, x), applied(mixed.tower.conv, x), applied(tower.conv, mean_without_border(x))], axis=-1
    )
    last = layers.mixed_9
    a, b = applied(last.tower_conv, x), applied(last.tower_1_conv_1, applied(last.tower_1_conv, x))
    pooled = mean_without_border(x) if pool == "AvgPool2d" else largest(x)
    parts = [applied(last.conv, x), applied(last.tower_mixed_conv, a), applied(last.tower_mixed_conv_1, a)]
    parts += [applied(last.tower_1_mixed_conv, b), applied(last.tower_1_mixed_conv_1, b)]
    parts += [applied(last.tower_2_conv, pooled)]
    expected = np.concatenate(parts, axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)
    assert expected.std() > 0.1


@pytest.mark.slow
def test_the_real_network_against_pytorch(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch runs the original archive")
    with download.bring(download.INCEPTION) as archive:
        content = inception.convert(archive)
        original = torch.jit.load(str(archive)).eval()
        images = np.random.RandomState(0).randint(0, 256, (4, 28, 28, 3)).astype("u1")
        with torch.no_grad():
            expected = original(torch.from_numpy(upscaled(images).transpose(0, 3, 1, 2).copy())).numpy()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(["features"], {"image": images})[0]
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
