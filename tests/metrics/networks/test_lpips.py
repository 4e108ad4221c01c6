"""LPIPS as ONNX against its definition in NumPy, and what may lie in its checkpoint."""

import pickle

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.networks import lpips
from zoo.runtime.session import open_session

WIDTHS, KERNELS = (3, 8, 12, 10, 6, 4), (11, 5, 3, 3, 3)  # AlexNet's kernels with fewer filters


@pytest.fixture(scope="module")
def weights():
    random = np.random.RandomState(0)
    net, made = {}, {}
    for i, size in enumerate(KERNELS):
        shape = (size, size, WIDTHS[i], WIDTHS[i + 1])
        kernel = random.standard_normal(shape) / np.sqrt(size * size * WIDTHS[i])
        net[f"Conv_{i}"] = {"kernel": kernel.astype("f4"), "bias": 0.1 * random.standard_normal(shape[3]).astype("f4")}
        made[f"NetLinLayer_{i}"] = {"Conv_0": {"kernel": random.uniform(0, 1, (1, 1, shape[3], 1)).astype("f4")}}
    return {"AlexNet_0": net, **made}


@pytest.fixture(scope="module")
def network(weights):
    return lpips.Lpips(open_session(lpips.graph(weights), source="lpips"), "s" * 64)


def pictures(count=3, side=64, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (count, side, side, channels)).astype("u1")


def windows(x, size, stride):
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def depths(weights, x):
    """The five ReLUs, NHWC, as the paper's code has them: scaled input, pooling before the second and third."""
    x = (x / 127.5 - 1 - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
    for i, (stride, pad) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))):
        if i in (1, 2):
            x = windows(x, 3, 2).max(axis=(-1, -2))
        layer = weights["AlexNet_0"][f"Conv_{i}"]
        x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
        x = np.einsum("nhwcij,ijco->nhwo", windows(x, KERNELS[i], stride), layer["kernel"]) + layer["bias"]
        yield (x := np.maximum(x, 0))


def distance(weights, a, b):
    total = 0
    for i, (x, y) in enumerate(zip(depths(weights, a), depths(weights, b), strict=True)):
        x, y = (z / (np.sqrt((z**2).sum(axis=-1, keepdims=True)) + 1e-10) for z in (x, y))
        share = weights[f"NetLinLayer_{i}"]["Conv_0"]["kernel"][0, 0, :, 0]
        total = total + ((x - y) ** 2 @ share).mean(axis=(1, 2))
    return total


def test_the_definition(weights, network, monkeypatch):
    monkeypatch.setattr(lpips, "BATCH", 2)  # the last one is smaller
    a, b = pictures(), pictures(seed=1) // 2
    found = network(a, b)
    np.testing.assert_allclose(found, distance(weights, a, b), rtol=1e-4)
    assert found.shape == (3,) and found.min() > 0.01
    np.testing.assert_array_equal(network(a, a), 0)
    np.testing.assert_allclose(network(b, a), found, rtol=1e-5)


def test_small_pictures_are_enlarged_and_large_ones_are_not(weights, network):
    from PIL import Image

    a, b = pictures(1, 32), pictures(1, 32, seed=1)
    larger = [
        np.stack([np.asarray(Image.fromarray(x[0, ..., c].astype("f4")).resize((64, 64), Image.Resampling.BILINEAR))
                  for c in range(3)], axis=-1)[None] for x in (a, b)
    ]  # fmt: skip
    np.testing.assert_allclose(network(a, b), distance(weights, *larger), rtol=1e-3)
    a, b = pictures(1, 80), pictures(1, 80, seed=1)
    np.testing.assert_allclose(network(a, b), distance(weights, a, b), rtol=1e-4)


def test_grey_is_the_same_in_three_channels(network):
    a, b = pictures(2, channels=1), pictures(2, channels=1, seed=1)
    np.testing.assert_array_equal(network(a, b), network(a.repeat(3, axis=3), b.repeat(3, axis=3)))
    assert network.protocol["resize"] == "bilinear to 64 x 64 at least"


@pytest.mark.parametrize("b", [pictures(2), pictures(3, 65), pictures().astype("f4"), pictures()[..., :2]])
def test_what_are_no_pairs(network, b):
    with pytest.raises(DataError, match=r"LPIPS takes two sets of pictures uint8 \[N, H, W, 1 or 3\], received uint8"):
        network(pictures(), b)


class Evil:
    def __reduce__(self):
        return print, ("this must not run",)


def test_a_checkpoint_is_read_as_data(weights, tmp_path, capsys, monkeypatch):
    file = tmp_path / "weights.ckpt"
    file.write_bytes(pickle.dumps(weights, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    np.testing.assert_array_equal(
        lpips.Lpips(open_session(lpips.convert(file), source="x"), "")(pictures(), pictures(seed=1)),
        lpips.Lpips(open_session(lpips.graph(weights), source="x"), "")(pictures(), pictures(seed=1)),
    )
    for content in (pickle.dumps({"AlexNet_0": Evil()}), b"", pickle.dumps({"other": {}}), file.read_bytes()[:-500]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"weights\.ckpt: not the weights of LPIPS with AlexNet"):
            lpips.convert(file)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_real_network():
    """Known of it: more noise is farther, another picture is farther still."""
    compare, random = lpips.load(), np.random.RandomState(0)
    a = np.repeat(np.repeat(pictures(8, 8), 16, axis=1), 16, axis=2)  # 128 x 128, patches of 16
    noisy = [np.clip(a + random.normal(0, sd, a.shape), 0, 255).astype("u1") for sd in (5, 25, 75)]
    means = [compare(a, b).mean() for b in (a, *noisy)]
    assert means[0] == 0 and means == sorted(means) and 0.3 < means[-1] < 1.5
