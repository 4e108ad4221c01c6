"""VGG-16's weights: what may lie in the checkpoint, and that the arrays come out by the names of papers."""

import io
import pickle

import given
import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.networks import vgg


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """The network with fewer filters: 60 MB take their time to be pickled."""
    monkeypatch.setattr(vgg, "WIDTHS", (4, 6, 8, 10, 10))


@pytest.fixture
def checkpoint():
    """As the package has it, {"VGG16_0": {"Conv_0": {"kernel": ..., "bias": ...}, ...}}, of zeros but for one each."""
    made = {}
    for number, (name, shape) in enumerate(shapes().items()):
        kernel = np.zeros(shape, "f4")
        kernel[0, 0, 0, 0] = number + 1
        made[f"Conv_{number}"] = {"kernel": kernel, "bias": np.full(shape[3], number, "f4")}
        assert name in vgg.names()
    return {"VGG16_0": made}


def pickled(content):
    """As the package was written, by a NumPy before 2."""
    return pickle.dumps(content, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def shapes():
    widths = [3, 4, 4, 6, 6, 8, 8, 8, 10, 10, 10, 10, 10, 10]
    return {name: (3, 3, *widths[i : i + 2]) for i, name in enumerate(vgg.names())}


def test_the_arrays_have_the_names_of_papers(checkpoint, tmp_path):
    assert vgg.names()[:3] == ["relu1_1", "relu1_2", "relu2_1"] and vgg.names()[9] == "relu4_3"
    file = tmp_path / "vgg16.ckpt"
    file.write_bytes(pickled(checkpoint))
    made = vgg.convert(file)
    assert made == vgg.convert(file)  # the same bytes
    with np.load(io.BytesIO(made), allow_pickle=False) as arrays:
        assert {name: arrays[f"{name}/kernel"].shape for name in vgg.names()} == shapes()
        assert [arrays[f"{name}/kernel"][0, 0, 0, 0] for name in vgg.names()] == list(range(1, 14))
        assert arrays["relu3_1/bias"][0] == 4


def test_other_files_are_refused(checkpoint, tmp_path):
    file, net = tmp_path / "vgg16.ckpt", checkpoint["VGG16_0"]
    narrow = {**net, "Conv_1": {"kernel": np.zeros((3, 3, 4, 2), "f4"), "bias": np.zeros(2, "f4")}}
    fewer = {name: layer for name, layer in net.items() if name != "Conv_12"}
    for content, reason in (
        ({"VGG16_0": narrow}, "relu1_2 has the shapes"), ({"VGG16_0": fewer}, "Conv_12"), ({"AlexNet_0": net}, ""),
        ({"VGG16_0": print}, "it asks for builtins.print"),
    ):  # fmt: skip
        file.write_bytes(pickled(content))
        with pytest.raises(DataError, match=rf"vgg16\.ckpt: not the weights of VGG-16: .*{reason}"):
            vgg.convert(file)


@pytest.mark.slow
def test_the_real_network():
    """Known of it: the first kernels see contrasts, so that a grey picture hardly excites them; ReLUs are not dead."""
    arrays = given.real_load()
    kernels = arrays["relu1_1/kernel"]
    assert kernels.shape == (3, 3, 3, 64) and np.abs(kernels).max() > 10 * np.abs(kernels.mean())
    assert sum(array.size for array in arrays.values()) == 14_714_688
