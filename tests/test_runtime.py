"""The road that users take: load, draw, walk; and one clear line for everything that can be wrong."""

import os
import subprocess
import sys
import threading
import tracemalloc
import types
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnx_nets as nets
import pytest
from onnx import TensorProto, helper, numpy_helper

import zoo
from zoo import session as sessions
from zoo.errors import ServeError
from zoo.manifest import MANIFEST_FILE, MODEL_FILE, Tensor
from zoo.runtime import BATCH_SIZE, Generator, to_uint8

ROOT = Path(zoo.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nets.save(tmp_path_factory.mktemp("artifact") / "tiny", nets.images(), nets.describe())


@pytest.fixture(scope="module")
def generator(folder):
    return zoo.load(folder)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    facts = nets.describe(nets.Z, nets.LABEL, name="fashion")
    return zoo.load(nets.save(tmp_path_factory.mktemp("artifact") / "fashion", nets.images(label=True), facts))


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    return zoo.load(nets.save(tmp_path_factory.mktemp("artifact") / "points", nets.points(), nets.describe_points()))


def fails(message, call, *args, **kwargs):
    """The call raises ServeError whose text matches, on one line."""
    with pytest.raises(ServeError, match=message) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)


# ---- drawing


def test_sample_is_the_network_applied_to_the_latents(generator):
    raw = generator(**generator.latents(5, seed=3))
    assert raw.dtype == np.float32 and raw.shape == (5, 8, 8, 3) and 0.1 < np.abs(raw).max() < 1
    images = generator.sample(5, seed=3)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images, to_uint8(raw, (-1, 1)), atol=1)


def test_raw_output_is_what_numpy_computes(plane):
    z = np.float32([[0.5, -0.25], [0, 1]])
    np.testing.assert_allclose(plane(z=z), np.tanh(z * [2, 3]), atol=1e-6)


def test_points_come_as_they_are(plane):
    points = plane.sample(7)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, plane(**plane.latents(7)), atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 16, 17, 40])
def test_few_are_the_first_of_many(generator, conditional, n):
    for each in (generator, conditional):
        np.testing.assert_array_equal(each.sample(n, seed=1), each.sample(50, seed=1)[:n])


class MoodySession:
    """A runtime at its worst: each row's result depends on the batch size and on the row's place in the batch."""

    def __init__(self):
        self.sizes = []

    def run(self, names, feed):
        n = len(feed["z"])
        self.sizes.append(n)
        return [np.float32(feed["z"] + n / 7 + np.arange(n)[:, None] / 3)]


@pytest.mark.parametrize("batch_size", [1, 5, 16])
def test_few_are_the_first_of_many_whatever_the_kernels_do(batch_size):
    moody = Generator(nets.describe_points(), MoodySession())
    many = moody.sample(50, batch_size=batch_size)
    for n in range(1, 50):
        np.testing.assert_array_equal(moody.sample(n, batch_size=batch_size), many[:n])
    ends = moody.interpolate(20, stops=3)[[0, 19]]
    np.testing.assert_array_equal(ends, moody.sample(3)[[0, 2]])


def test_small_draws_cost_little():
    session = MoodySession()
    moody = Generator(nets.describe_points(), session)
    cost = {}
    for n in (1, 4, 5, 16, 33):
        session.sizes.clear()
        moody.sample(n)
        cost[n] = sum(session.sizes)
    assert cost == {1: 1, 4: 4, 5: 8, 16: 16, 33: 48} and max(session.sizes) == BATCH_SIZE


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batch_size_moves_no_latent(generator, conditional, batch_size):
    for each in (generator, conditional):
        difference = each.sample(30, batch_size=batch_size).astype(int) - each.sample(30)
        assert np.abs(difference).max() <= 1  # one step of 256: the last bit of float32 may fall to the other side


def test_latents_are_prefix_stable_and_seeded(conditional):
    few, many = conditional.latents(3, seed=5), conditional.latents(9, seed=5)
    assert list(few) == ["z", "label"] and few["z"].dtype == np.float32 and few["label"].dtype == np.int64
    for name in few:
        np.testing.assert_array_equal(few[name], many[name][:3])
    assert not np.array_equal(conditional.latents(3, seed=6)["z"], few["z"])
    np.testing.assert_array_equal(conditional.latents(3, seed=np.int64(5))["z"], few["z"])


def test_large_n_needs_the_result_and_little_more(generator):
    generator.sample(64)
    tracemalloc.start()
    images = generator.sample(20_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert images.nbytes == 20_000 * 8 * 8 * 3
    assert images.nbytes < peak < images.nbytes + 500_000  # float32 latents alone would add 640 000 bytes


def test_labels_by_id_name_and_array(conditional):
    images = conditional.sample(4, seed=2, label=1)
    for same in ("bag", [1, 1, 1, 1], np.full(4, 1, np.uint8), ["bag"] * 4, np.int32(1)):
        np.testing.assert_array_equal(conditional.sample(4, seed=2, label=same), images)
    mixed = conditional.sample(4, seed=2, label=["bag", "coat", "bag", "ankle boot"])
    assert [np.array_equal(a, b) for a, b in zip(mixed, images, strict=True)] == [True, False, True, False]
    drawn = conditional.latents(4, seed=2)["label"]
    np.testing.assert_array_equal(conditional.sample(4, seed=2, label=drawn), conditional.sample(4, seed=2))


def test_int32_labels_with_a_column(tmp_path):
    label = Tensor("label", "int32", ("batch", 1), classes=("a", "b", "c"))
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Cast", ["label"], ["point"], to=TensorProto.FLOAT)]
    net = nets.model(nodes, [value("label", TensorProto.INT32, ["batch", 1])],
                     value("point", TensorProto.FLOAT, ["batch", 1]), [])  # fmt: skip
    facts = nets.describe(label, output=Tensor("point", "float32", ("batch", 1)))
    each = zoo.load(nets.save(tmp_path / "a", net, facts))
    assert each.sample(3, label=["c", "a", "b"]).tolist() == [[2], [0], [1]]
    assert each.latents(3)["label"].dtype == np.int32 and each.sample(3).shape == (3, 1)
    assert each.interpolate(3, label="b").tolist() == [[1]] * 3


def test_to_uint8_at_the_ends_and_between():
    raw = np.float32([-1, 1, 0, -7, 7, -1 + 2 * 2.4 / 255, -1 + 2 * 2.6 / 255])
    assert to_uint8(raw, (-1, 1)).tolist() == [0, 255, 128, 0, 255, 2, 3]
    assert to_uint8(np.float32([0.5, 1.5, 2.5, 3.5]), (0, 255)).tolist() == [0, 2, 2, 4]  # halves go to even
    assert to_uint8(np.float32([0, 0.5, 1]), (0, 1)).tolist() == [0, 128, 255]
    fails("not finite", to_uint8, np.float32([np.nan]), (-1, 1))


# ---- walking


@pytest.mark.parametrize(("n", "stops"), [(2, 2), (9, 2), (11, 3), (10, 4)])
def test_interpolate_passes_through_samples(generator, n, stops):
    frames, ends = generator.interpolate(n, seed=4, stops=stops), generator.sample(stops, seed=4)
    assert frames.dtype == np.uint8 and len(frames) == n
    np.testing.assert_array_equal(frames[np.linspace(0, n - 1, stops).round().astype(int)[[0, -1]]], ends[[0, -1]])
    if (n - 1) % (stops - 1) == 0:
        np.testing.assert_array_equal(frames[:: (n - 1) // (stops - 1)], ends)


def test_interpolate_walks_straight_through_a_box(plane):
    (a, b), t = plane.latents(2, seed=1)["z"], np.linspace(0, 1, 5)[:, None]
    np.testing.assert_allclose(plane.interpolate(5, seed=1), np.tanh((a + t * (b - a)) * [2, 3]), atol=1e-6)


def test_interpolate_walks_round_the_shell(generator):
    (a, b) = generator.latents(2, seed=1)["z"].astype(np.float64)
    omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    middle = (a + b) * np.sin(omega / 2) / np.sin(omega)
    expected = to_uint8(generator(z=np.float32([middle])), (-1, 1))[0]
    np.testing.assert_allclose(generator.interpolate(3, seed=1)[1], expected, atol=1)


def test_interpolate_holds_the_class(conditional):
    coat = conditional.interpolate(5, seed=2, stops=3, label="coat")
    np.testing.assert_array_equal(coat[::2], conditional.sample(3, seed=2, label="coat"))
    first = int(conditional.latents(1, seed=2)["label"][0])
    np.testing.assert_array_equal(conditional.interpolate(5, seed=2, stops=3),
                                  conditional.interpolate(5, seed=2, stops=3, label=first))  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 1}, r"n must be a whole number in 2\.\.1000000000, received 1"),
        ({"n": 2, "stops": 3}, "n must be a whole number in 3.*, received 2"),
        ({"n": 5, "stops": 1}, "stops must be a whole number from 2 up"),
        ({"n": 5, "label": "bag"}, "takes no label"),
    ],
)
def test_wrong_walks(generator, wrong, message):
    fails(message, generator.interpolate, **wrong)


# ---- wrong calls


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n must be a whole number in 1\.\.1000000000, received 0"),
        ({"n": -3}, "n must be"),
        ({"n": 2.0}, r"n must be .*, received 2\.0"),
        ({"n": True}, "n must be"),
        ({"n": "4"}, "n must be .*, received '4'"),
        ({"n": None}, "n must be"),
        ({"n": 10**30}, "n must be"),
        ({"n": 1, "seed": -1}, r"seed must be a whole number in 0\.\.4294967295, received -1"),
        ({"n": 1, "seed": 2**32}, "seed must be"),
        ({"n": 1, "seed": None}, "seed must be"),
        ({"n": 1, "batch_size": 0}, "batch_size must be a whole number from 1 up"),
        ({"n": 1, "label": 0}, "tiny takes no label: it is not conditional"),
    ],
)
def test_wrong_samples(generator, wrong, message):
    fails(message, generator.sample, **wrong)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, r"input 'label': class ids lie in 0\.\.2 \(ankle boot\.\.coat\), received 3"),
        (-1, "received -1"),
        (True, "class ids are whole numbers, received bool"),
        (1.0, r"class ids are whole numbers, received float64; convert them with \.astype"),
        ("bagg", r"fashion has no class 'bagg'\. Did you mean 'bag'\? Its classes: ankle boot, bag, coat"),
        ([0, 1, 2], r"label must be one class or 2 of them, received shape \[3\]"),
        ([[0, 1]], r"received shape \[1, 2\]"),
        ([[0], [0, 1]], "'label' is not an array"),
    ],
)
def test_wrong_labels(conditional, label, message):
    fails(message, conditional.sample, 2, label=label)


def z(shape=(2, 8), dtype=np.float32):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"labels": [0, 1]}, "has no input 'labels'. Did you mean 'label'. Its inputs: z, label"),
        (
            {"z": z(dtype=np.float64)},
            r'expected z float32 \[batch, 8\], received float64 \[2, 8\]; convert it .*"float32"',
        ),
        ({"z": z(dtype=np.float16)}, "received float16"),
        ({"z": z(dtype=np.int64)}, "received int64"),
        ({"z": z(dtype=">f4")}, "received >f4"),
        ({"z": "zz"}, "input 'z': expected z float32"),
        ({"z": z((8,))}, r"expected z float32 \[batch, 8\], received float32 \[8\]"),
        ({"z": z((2, 7))}, r"received float32 \[2, 7\]"),
        ({"z": z((2, 8, 1))}, r"received float32 \[2, 8, 1\]"),
        ({"z": z((0, 8)), "label": z((0,), np.int64)}, "the batch is empty"),
        ({"z": [[1.0], [1.0, 2.0]]}, "'z' is not an array"),
        ({"z": np.full((2, 8), np.nan, np.float32)}, "input 'z': every number must be finite"),
        ({"z": np.full((2, 8), -np.inf, np.float32)}, "must be finite"),
        ({"label": [0]}, "the inputs differ in batch size: z has 2, label has 1"),
        ({"label": 0}, "input 'label': expected label int64"),
        ({"label": [0.0, 1.0]}, "class ids are whole numbers"),
        ({"label": [0, 3]}, "received 3"),
        ({"label": np.array([0, 2**64 - 1], np.uint64)}, "received 18446744073709551615"),
    ],
)
def test_wrong_calls(conditional, inputs, message):
    fails(message, lambda: conditional(**{"z": z(), "label": [0, 1], **inputs}))


def test_missing_inputs(conditional):
    fails(r"fashion lacks its input z float32 \[batch, 8\]", conditional)
    fails("fashion lacks its input label int64", conditional, z=z())


def test_every_integer_type_and_memory_order_is_a_label_or_a_latent(conditional):
    latent = np.random.RandomState(0).standard_normal((8, 2)).astype(np.float32).T  # not contiguous
    expected = conditional(z=latent.copy(), label=np.int64([0, 2]))
    for dtype in "bBhHiIlLqQ":
        np.testing.assert_array_equal(conditional(z=latent, label=np.array([0, 2], dtype)), expected)


def test_an_input_without_prior_is_called_not_drawn(tmp_path):
    photo = replace(nets.Z, prior=None)
    each = zoo.load(nets.save(tmp_path / "a", nets.images(), nets.describe(photo)))
    assert each(z=z()).shape == (2, 8, 8, 3)
    for call in (each.sample, each.latents):
        fails(r"tiny cannot draw its input 'z', it has no prior: call it with z float32 \[batch, 8\]", call, 2)


def test_more_than_memory(generator, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    fails("n=1000 asks for more memory than there is; draw fewer at a time", generator.sample, 1000)


def test_a_session_that_fails_or_returns_another_shape():
    class Broken:
        def run(self, names, feed):
            raise RuntimeError("first line\nsecond line")

    class Odd:
        def run(self, names, feed):
            return [np.zeros((1, 2), np.float32)]

    fails("points: ONNX Runtime failed: first line$", Generator(nets.describe_points(), Broken()).sample, 3)
    fails(r"returned \[1, 2\] where \[2, 2\]", Generator(nets.describe_points(), Odd()), z=z((2, 2)))


def test_threads_share_a_generator(generator):
    expected, wrong = [generator.sample(20, seed=s) for s in range(4)], []

    def work(seed):
        for _ in range(5):
            if not np.array_equal(generator.sample(20, seed=seed), expected[seed]):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


# ---- loading


def test_what_a_generator_tells(generator, folder):
    assert (generator.name, generator.title) == ("tiny", "Tiny GAN")
    assert generator.outputs["image"].range == (-1, 1) and list(generator.inputs) == ["z"]
    assert repr(generator) == "<Generator tiny: z float32 [batch, 8] -> image float32 [batch, 8, 8, 3] in [-1, 1]>"
    assert generator.manifest.training == {"seconds": 1.5}


def test_a_lone_file_carries_its_contract(generator, folder, tmp_path):
    lone = tmp_path / "any name.onnx"
    lone.write_bytes((folder / MODEL_FILE).read_bytes())
    alone = zoo.load(str(lone), threads=1)
    np.testing.assert_array_equal(alone.sample(4), generator.sample(4))
    assert alone.manifest.training == {} and alone.outputs == generator.outputs


def test_a_folder_whose_file_has_no_metadata_is_fine(tmp_path):
    assert zoo.load(nets.save(tmp_path / "a", nets.images(), nets.describe(), embed=False)).name == "tiny"


@pytest.fixture
def copy(folder, tmp_path):
    """An artifact of one's own, to be damaged."""
    target = tmp_path / "copy"
    target.mkdir()
    for name in (MODEL_FILE, MANIFEST_FILE):
        (target / name).write_bytes((folder / name).read_bytes())
    return target


def test_paths_that_lead_nowhere(copy, tmp_path):
    fails("cpy: there is no such file or folder. Did you mean 'copy'", zoo.load, tmp_path / "cpy")
    fails("none.a: there is no such file", zoo.load, tmp_path / "none" / "a")
    fails("a{300}: cannot be read: File name too long", zoo.load, "a" * 300)
    fails("there is no such file", zoo.load, "a\0b")
    fails("not an exported generator: it has no manifest.json", zoo.load, tmp_path)
    (copy / MODEL_FILE).unlink()
    fails("generator.onnx: cannot be read: No such file", zoo.load, copy)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True])
def test_wrong_threads(folder, threads):
    fails("threads must be a whole number from 1 up", zoo.load, folder, threads=threads)


def damages(good: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "shorter by a byte": good[:-1],
        "text": b"<!DOCTYPE html><html>not found</html>",
        "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "junk": bytes(np.random.RandomState(0).randint(256, size=4096, dtype=np.uint8)),
        "zeros": bytes(64),
        "endless varint": b"\xff" * 64,
    }


@pytest.mark.parametrize("damage", list(damages(b"")))
def test_damaged_files(copy, damage):
    file = copy / MODEL_FILE
    file.write_bytes(damages(file.read_bytes())[damage])
    fails("generator.onnx: changed or damaged: its SHA-256 is not the one in manifest.json", zoo.load, copy)
    fails("generator.onnx: (not an ONNX file|ONNX Runtime cannot load it)", zoo.load, copy, verify=False)
    fails("generator.onnx: changed or damaged: its SHA-256 is not the one in manifest.json", zoo.load, file)
    lone = file.rename(file.with_name("lone.onnx"))  # no manifest knows it
    fails("lone.onnx: (not an ONNX file|ONNX Runtime cannot load it)", zoo.load, lone)


def test_changed_files(copy):
    file, facts = copy / MODEL_FILE, copy / MANIFEST_FILE
    original = facts.read_text()
    facts.write_text(original.replace("-1.0", "0.0"))
    fails("manifest.json: changed: it differs from the contract inside generator.onnx", zoo.load, copy)
    assert zoo.load(copy, verify=False).outputs["image"].range == (0, 1)
    facts.write_text(original.replace('"manifest_version": 1', '"manifest_version": 7'))
    fails(
        "manifest.json: manifest_version must be 1 or 2; a later gan-zoo wrote it: upgrade, received 7", zoo.load, copy
    )
    facts.write_text(original[:-20])
    fails("manifest.json: not JSON", zoo.load, copy)
    facts.write_text(original)
    file.write_bytes(nets.images(seed=1).SerializeToString())
    fails("SHA-256", zoo.load, copy)
    assert zoo.load(copy, verify=False).name == "tiny"


def test_files_of_others(tmp_path):
    file = tmp_path / "foreign.onnx"
    file.write_bytes(nets.images().SerializeToString())
    fails("foreign.onnx: not a gan-zoo file: its metadata lacks 'gan.manifest'", zoo.load, file)
    net = nets.images()
    helper.set_model_props(net, {"gan.manifest": '{"manifest_version": 3}'})
    file.write_bytes(net.SerializeToString())
    fails(r"foreign.onnx \(metadata\): manifest_version must be 1 or 2; a later", zoo.load, file)


def test_a_model_that_is_too_new(tmp_path):
    net = nets.images()
    net.ir_version = 99
    fails("ONNX Runtime cannot load it: .*IR version", zoo.load, nets.save(tmp_path / "a", net, nets.describe()))


IMAGE, Z = nets.IMAGE, nets.Z


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (nets.describe(replace(Z, name="noise")), "the manifest states inputs noise; the model has z"),
        (nets.describe(Z, nets.LABEL), "the manifest states inputs z, label; the model has z"),
        (nets.describe(output=replace(IMAGE, name="img")), "the manifest states outputs img; the model has image"),
        (nets.describe(replace(Z, shape=("batch", 9))), r"input z float32 \[batch, 9\]; the model has tensor\(float\)"),
        (nets.describe(replace(Z, shape=("batch", 8, 1))), r"\[batch, 8, 1\]; the model has .*\['batch', 8\]"),
        (nets.describe(output=replace(IMAGE, shape=("batch", 8, 8, 1))), r"\[batch, 8, 8, 1\] in \[-1, 1\]; the model"),
        (
            nets.describe(Tensor("z", "int64", ("batch", 8), classes=("a", "b"))),
            r"z int64 .* the model has tensor\(float\)",
        ),
        (nets.describe(replace(Z, prior={"norml": {}})), "input 'z': wrong prior: unknown prior 'norml'. Did you mean"),
        (nets.describe(replace(Z, prior={"normal": {"std": 2}})), "wrong prior: prior 'normal' has no argument 'std'"),
        (nets.describe(replace(Z, prior={"uniform": {"low": 3}})), "wrong prior: uniform needs finite low < high"),
        (nets.describe(replace(Z, prior={"normal": {"shape": [9]}})), r"wrong prior: its shape is \[9\], the tensor's"),
    ],
)
def test_a_contract_that_the_model_does_not_keep(tmp_path, facts, message):
    fails(message, zoo.load, nets.save(tmp_path / "a", nets.images(), facts))


def test_a_frozen_batch_axis_is_refused(tmp_path):
    net = nets.images()
    for value in (net.graph.input[0], net.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    fails(r"the model has tensor\(float\) \[4, 8\]", zoo.load, nets.save(tmp_path / "a", net, nets.describe()))


def external(tensor: onnx.TensorProto) -> None:
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def test_external_data_is_refused_wherever_it_stands(tmp_path):
    in_initializer = nets.images()
    external(in_initializer.graph.initializer[0])
    fails(r"keeps weights in other files \(external data\)", zoo.load,
          nets.save(tmp_path / "a", in_initializer, nets.describe()))  # fmt: skip
    constant = numpy_helper.from_array(np.zeros(1, np.float32), "c")
    external(constant)
    deep = helper.make_graph([helper.make_node("Constant", [], ["c"], value=constant)], "deep", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=deep, else_branch=deep)
    in_branch = nets.images()
    in_branch.graph.node.append(node)
    in_function = nets.images()
    in_function.functions.append(helper.make_function("d", "f", ["x"], ["y"], [node], [helper.make_opsetid("", 17)]))
    for net in (in_initializer, in_branch, in_function):
        assert sessions.has_external_data(net.SerializeToString())
    assert not sessions.has_external_data(nets.images(label=True).SerializeToString())


def test_the_walk_knows_every_place_of_a_tensor():
    """MESSAGES against onnx's own descriptors: a field of a later onnx that can hold a tensor fails here."""
    names = {kind: f"{kind.title()}Proto" for kind in sessions.MESSAGES}
    names |= {"training": "TrainingInfoProto", "sparse": "SparseTensorProto"}
    kinds = {proto: kind for kind, proto in names.items()}
    for kind, proto in names.items():
        fields = getattr(onnx, proto).DESCRIPTOR.fields
        inner = {
            f.number: kinds[f.message_type.name] for f in fields if f.message_type and f.message_type.name in kinds
        }
        assert sessions.MESSAGES[kind] == inner
    assert TensorProto.DESCRIPTOR.fields_by_name["external_data"].number == sessions.EXTERNAL_DATA
    assert TensorProto.DESCRIPTOR.fields_by_name["data_location"].number == sessions.DATA_LOCATION


# ---- ONNX Runtime itself


def test_no_onnxruntime(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    fails(r'install it with `pip install "gan-zoo\[cpu\]"`, or "gan-zoo\[gpu\]"', zoo.load, folder)
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    fails("half installed", zoo.load, folder)


def test_two_onnxruntimes(monkeypatch, folder):
    monkeypatch.setattr(sessions.metadata, "distribution", lambda name: name)
    with pytest.warns(UserWarning, match="both installed and overwrite each other's files.*Uninstall both"):
        zoo.load(folder)

    def only_gpu(name):
        if name == "onnxruntime":
            raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(sessions.metadata, "distribution", only_gpu)
    sessions.import_onnxruntime()  # warnings are errors in this project: one distribution is silent


def test_sampling_leaves_the_heavy_world_alone(folder):
    code = f"""
import sys, zoo, zoo.runtime
assert "onnxruntime" not in sys.modules
assert zoo.load({str(folder)!r}).sample(1).shape == (1, 8, 8, 3)
print(sorted({{"tensorflow", "keras", "jax", "torch", "yaml", "onnx", "zoo.spec", "PIL"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
