"""A TorchScript archive is read as data: its tree, its tensors, and nothing else."""

import struct
import zipfile

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.metrics.networks.inception import read_torchscript


def text(string):
    """pickle: BINUNICODE."""
    data = string.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def whole(number):
    return b"J" + struct.pack("<i", number)


def several(*items):
    return b"(" + b"".join(items) + b"t"


def tensor(key, shape, strides, *, count, offset=0, storage="FloatStorage"):
    """What torch.save writes for one: a rebuilding call on a persistent id."""
    place = several(text("storage"), f"ctorch\n{storage}\n".encode(), text(key), text("cpu"), whole(count)) + b"Q"
    call = several(place, whole(offset), several(*map(whole, shape)), several(*map(whole, strides)), b"\x89")
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + call + b"R"


def module(kind, **attributes):
    state = b"}(" + b"".join(text(name) + value for name, value in attributes.items()) + b"u"
    return f"c__torch__.net\n{kind}\n".encode() + b")\x81" + state + b"b"


def archive(path, root, **storages):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", b"\x80\x02" + root + b".")
        for key, numbers in storages.items():
            file.writestr(f"net/data/{key}", numbers.tobytes())
    return path


NUMBERS = np.arange(6, dtype="<f4")


def test_tree_settings_and_tensors(tmp_path):
    inner = module("Conv", weight=tensor("a", (2, 3), (3, 1), count=6), stride=whole(2))
    root = read_torchscript(archive(tmp_path / "net.pt", module("Net", first=inner, last=module("Pool")), a=NUMBERS))
    assert root.kind == "Net" and [(name, part.kind) for name, part in root.children()] == [
        ("first", "Conv"),
        ("last", "Pool"),
    ]
    assert root.first.stride == 2 and root.first.weight.dtype == "float32"
    np.testing.assert_array_equal(root.first.weight, [[0, 1, 2], [3, 4, 5]])


def test_a_view_is_what_its_strides_say(tmp_path):
    root = read_torchscript(
        archive(tmp_path / "v", module("N", t=tensor("a", (2, 2), (1, 2), count=6, offset=1)), a=NUMBERS)
    )
    np.testing.assert_array_equal(root.t, [[1, 3], [2, 4]])


@pytest.mark.parametrize("name", ["cos\nsystem\n", "cbuiltins\neval\n", "ctorch\nload\n", "c__main__\nNet\n"])
def test_nothing_else_is_unpickled(tmp_path, name):
    root = module("Net", bad=name.encode() + several(text("true")) + b"R")
    with pytest.raises(DataError, match="it asks for " + name[1:].replace("\n", ".")[:-1]):
        read_torchscript(archive(tmp_path / "bad.pt", root))


@pytest.mark.parametrize(
    ("shape", "strides", "offset"), [((2, 4), (4, 1), 0), ((6,), (1,), 1), ((2,), (-1,), 3), ((3,), (1,), -1)]
)
def test_no_tensor_reaches_beyond_its_numbers(tmp_path, shape, strides, offset):
    root = module("Net", t=tensor("a", shape, strides, count=6, offset=offset))
    with pytest.raises(DataError, match="a tensor of shape"):
        read_torchscript(archive(tmp_path / "far.pt", root, a=NUMBERS))


def test_what_is_no_such_archive(tmp_path):
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(DataError, match="not a TorchScript archive"):
        read_torchscript(tmp_path / "text")
    with pytest.raises(DataError, match="holds a dict, not a module"):
        read_torchscript(archive(tmp_path / "dict", b"}"))
    with pytest.raises(DataError, match="not a TorchScript archive"):
        read_torchscript(archive(tmp_path / "short", module("Net", t=tensor("a", (6,), (1,), count=6)), a=NUMBERS[:2]))
