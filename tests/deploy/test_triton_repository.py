"""`zoo deploy triton`: a repository whose configs are messages that Triton's own schema knows."""

import os
from dataclasses import replace

import goldens
import numpy as np
import onnx_nets as nets
import pytest

from zoo.artifact.manifest import read_manifest, read_manifests, write_manifests
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError
from zoo.core.files import sha256_file, write_whole
from zoo.deploy import triton


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return goldens.gather(tmp_path_factory.mktemp("artifacts"))


def parsed(text):
    """The text as Triton reads it: a misspelt field or enum raises."""
    text_format = pytest.importorskip("google.protobuf.text_format", reason="protobuf is not installed")
    schema = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="tritonclient is not installed")
    return text_format.Parse(text, schema.ModelConfig())


def config(manifest, **options):
    return parsed(triton.config(manifest, triton.Options(**options)))


def tensors(fields):
    """name -> (type, dims, the shape that the network sees or None)."""
    return {
        f.name: (f.DESCRIPTOR.fields_by_name["data_type"].enum_type.values_by_number[f.data_type].name, [*f.dims],
                 [*f.reshape.shape] if f.HasField("reshape") else None)
        for f in fields
    }  # fmt: skip


def test_it_holds_a_config_and_a_copy_of_every_model(folder, tmp_path):
    names = triton.write(folder, tmp_path / "repository", triton.Options())
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {f"repository/{name}/{rest}" for name in names for rest in ("config.pbtxt", "1/model.onnx")}
    for artifact in folder.iterdir():
        for manifest in read_manifests(artifact):
            model = tmp_path / "repository" / manifest.model / "1" / "model.onnx"
            assert not model.is_symlink() and model.stat().st_nlink == 1  # a copy: the source may go
            assert sha256_file(model) == manifest.files[manifest.file]
            read = parsed((model.parents[1] / "config.pbtxt").read_text())
            assert (read.name, read.backend) == (manifest.model, "onnxruntime")


def test_labels_are_int64_of_one_axis_that_the_network_does_not_see():
    read = config(nets.describe(nets.Z, nets.LABEL))
    assert tensors(read.input) == {"z": ("TYPE_FP32", [8], None), "label": ("TYPE_INT64", [1], [])}
    assert tensors(read.output) == {"image": ("TYPE_FP32", [8, 8, 3], None)}
    assert read.max_batch_size == 64


def test_int32_labels_keep_their_axis():
    label = Tensor("label", "int32", ("batch", 1), classes=("a", "b"))
    assert tensors(config(nets.describe(nets.Z, label)).input)["label"] == ("TYPE_INT32", [1], None)


def test_images_of_any_size_have_free_axes_and_small_batches():
    read = config(nets.describe_negative("a_to_b"))
    assert tensors(read.input) == {"a": ("TYPE_FP32", [-1, -1, 3], None)}
    assert tensors(read.output) == {"b": ("TYPE_FP32", [-1, -1, 3], None)}
    assert read.name == "photos_a_to_b" and read.max_batch_size == 4


def test_requests_wait_for_each_other_and_not_for_long():
    read = config(nets.describe(), delay_microseconds=500)
    batching = read.dynamic_batching
    assert batching.max_queue_delay_microseconds == 500
    queue = batching.default_queue_policy
    assert (queue.timeout_action, queue.default_timeout_microseconds) == (queue.REJECT, 2_000_000)
    assert queue.allow_timeout_override and queue.max_queue_size == 256


@pytest.mark.parametrize(
    "manifest", [nets.describe(nets.Z, nets.LABEL), nets.describe_negative()], ids=["label", "any"]
)
def test_it_warms_up_the_smallest_and_the_largest_batch(manifest):
    """By zeros: random class ids would be none, and an image of a free size needs one."""
    read = config(manifest, max_batch=7)
    assert [one.batch_size for one in read.model_warmup] == [1, 7] and read.max_batch_size == 7
    trained = {"z": [8], "label": [1], "a": [16, 16, 3]}
    for one in read.model_warmup:
        assert set(one.inputs) == {tensor.name for tensor in manifest.inputs}
        for name, value in one.inputs.items():
            assert [*value.dims] == trained[name] and value.zero_data and not value.random_data
    assert [one.batch_size for one in config(manifest, max_batch=1).model_warmup] == [1]


def test_the_cpu_is_the_default_and_has_the_threads_that_were_asked_for():
    read = config(nets.describe(), threads=2)
    assert [(group.kind, group.count) for group in read.instance_group] == [(read.instance_group[0].KIND_CPU, 1)]
    assert {key: value.string_value for key, value in read.parameters.items()} == {"intra_op_thread_count": "2"}
    assert not config(nets.describe()).parameters and not read.HasField("optimization")


def test_a_gpu_does_not_search_all_algorithms_for_every_batch_size():
    read = config(nets.describe(), gpu=True)
    assert [group.kind for group in read.instance_group] == [read.instance_group[0].KIND_GPU]
    (cuda,) = read.optimization.execution_accelerators.gpu_execution_accelerator
    assert cuda.name == "cuda" and dict(cuda.parameters) == {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    assert read.parameters["cudnn_conv_algo_search"].string_value == "1"


def test_a_schema_that_is_not_met_would_be_noticed():
    text = triton.config(nets.describe(), triton.Options())
    parsed(text)
    from google.protobuf.text_format import ParseError

    for wrong in (text.replace("max_queue_size", "queue_size"), text.replace("KIND_CPU", "KIND_CORE")):
        with pytest.raises(ParseError):
            parsed(wrong)


def test_pbtxt_is_read_by_protobuf():
    text_format = pytest.importorskip("google.protobuf.text_format", reason="protobuf is not installed")
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    repeated = triton.EnumValue("LABEL_REPEATED")
    text = triton.pbtxt({
        "name": 'a "quoted" \\ name',
        "dependency": ["one", "two"],
        "public_dependency": [],
        "message_type": [{"name": "M", "field": {"name": "f", "number": 7, "label": repeated}}],
        "options": {"deprecated": True},
    })  # fmt: skip
    read = text_format.Parse(text, FileDescriptorProto())
    assert read.name == 'a "quoted" \\ name' and list(read.dependency) == ["one", "two"]
    (message,) = read.message_type
    assert message.name == "M" and message.field[0].number == 7 and message.field[0].label == 3
    assert read.options.deprecated is True and not read.public_dependency


def test_nothing_is_written_when_one_file_is_not_what_was_exported(tmp_path):
    for name in ("a", "b"):
        nets.save(tmp_path / "exported" / name, nets.images(), replace(nets.describe(), name=name))
    file = tmp_path / "exported" / "b" / "generator.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ServeError, match="b/generator.onnx: changed or damaged"):
        triton.write(tmp_path / "exported", tmp_path / "repository", triton.Options())
    assert not (tmp_path / "repository").exists()


def test_it_may_be_written_again_and_leaves_what_is_not_its_own(tmp_path):
    nets.save(tmp_path / "exported" / "tiny", nets.images(), nets.describe())
    other = tmp_path / "repository" / "other" / "config.pbtxt"
    other.parent.mkdir(parents=True)
    other.write_text("of someone else")
    triton.write(tmp_path / "exported", tmp_path / "repository", triton.Options())
    model = tmp_path / "repository" / "tiny" / "1" / "model.onnx"
    opened = model.open("rb")  # as a server does that reads while the next one is written
    first = model.read_bytes()
    nets.save(tmp_path / "exported" / "tiny", nets.images(seed=1), nets.describe())
    triton.write(tmp_path / "exported", tmp_path / "repository", triton.Options(max_batch=2))
    assert opened.read() == first != model.read_bytes()
    assert "max_batch_size: 2" in (model.parents[1] / "config.pbtxt").read_text()
    assert other.read_text() == "of someone else"
    assert [path.name for path in model.parent.iterdir()] == ["model.onnx"]  # nothing aside is left


def test_a_variant_is_taken_where_it_is_asked_for(tmp_path):
    folder = nets.save(tmp_path / "exported" / "tiny", nets.images(), nets.describe())
    half = write_whole(folder / "generator.fp16.onnx", nets.images(seed=1).SerializeToString())
    stated = read_manifest(folder)
    variants = {"fp16": {"file": half.name, "bytes": half.stat().st_size, "parity": {}}}
    files = stated.files | {half.name: sha256_file(half)}
    write_manifests(replace(stated, variants=variants, files=files), folder)
    model = tmp_path / "repository" / "tiny" / "1" / "model.onnx"
    triton.write(folder, tmp_path / "repository", triton.Options(precision="fp16"))
    assert model.read_bytes() == half.read_bytes()
    triton.write(folder, tmp_path / "repository", triton.Options())
    assert model.read_bytes() == (folder / "generator.onnx").read_bytes()
    with pytest.raises(ServeError, match="there is no variant 'int8'"):
        triton.write(folder, tmp_path / "repository", triton.Options(precision="int8"))


def test_the_repository_is_not_written_among_the_artifacts(tmp_path):
    nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    for out in (tmp_path, tmp_path / "repository", tmp_path / "x" / ".." / "repository"):
        with pytest.raises(ServeError, match="lies in the folder of the artifacts"):
            triton.write(tmp_path, out, triton.Options())


def test_the_copy_runs_by_itself(folder, tmp_path):
    """ONNX Runtime alone, as Triton's backend does it, gives what the zoo gives."""
    import onnxruntime

    triton.write(folder, tmp_path, triton.Options())
    for artifact in folder.iterdir():
        for manifest, inputs, raw in goldens.networks(artifact):
            file = os.fspath(tmp_path / manifest.model / "1" / "model.onnx")
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            np.testing.assert_allclose(session.run(None, inputs)[0], raw, rtol=0, atol=1e-6)
