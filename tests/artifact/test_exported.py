"""What is shipped in exported/: whole, made by the specs that stand in specs/, and in agreement with its own card."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx.reference import ReferenceEvaluator

import zoo
from zoo.artifact.artifact_folders import find_artifacts
from zoo.artifact.claim_results import read_claims
from zoo.artifact.manifest import read_manifests
from zoo.artifact.onnx_header import doc_strings
from zoo.artifact.scores import read_scores, read_seeds
from zoo.core.files import sha256_file
from zoo.core.images import to_uint8
from zoo.report import gallery
from zoo.report.card import markdown
from zoo.runtime.parity import golden_cases
from zoo.spec.read import read_spec

ROOT = Path(__file__).parents[2]
ARTIFACTS = find_artifacts(ROOT / "exported")
MEGABYTE = 1_000_000


@pytest.fixture(params=ARTIFACTS, ids=lambda path: path.name)
def folder(request):
    return request.param


@pytest.fixture
def shipped(folder):
    """An artifact as the repository ships it: whoever ran the README's first command has one of their own."""
    if _changed(folder):
        pytest.skip(f"exported/{folder.name} was built anew here")
    return folder


def _changed(folder):
    command = ["git", "-C", str(ROOT), "status", "--porcelain", "--", f"exported/{folder.name}"]
    return shutil.which("git") and subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


NOT_TRAINED_YET = {  # at length: the only list of entries without an artifact
    "acgan", "began", "feature_matching", "infogan", "letters", "minibatch", "projection",
    "r3gan", "style_transfer", "terrain", "text_to_image", "text_to_image_matching",
}  # fmt: skip


def test_every_spec_is_trained_and_shipped():
    specs, shipped = {path.stem for path in (ROOT / "specs").glob("[!_]*.yaml")}, {path.name for path in ARTIFACTS}
    assert specs - shipped == NOT_TRAINED_YET


def test_every_file_is_the_one_that_the_manifest_states(folder):
    for manifest in read_manifests(folder):
        history = {manifest.film, "curves.json"}  # of later exports than some that are shipped
        assert set(manifest.files) - history == {*manifest.onnx_files, "spec.yaml", manifest.golden, "samples.png"}
        assert {name: sha256_file(folder / name) for name in manifest.files} == manifest.files


def test_it_was_made_by_the_spec_beside_it(folder):
    stated = read_spec(folder / "spec.yaml")
    assert {manifest.spec_sha256 for manifest in read_manifests(folder)} == {stated.sha256}
    networks = stated.exported
    assert [manifest.network for manifest in read_manifests(folder)] == ([""] if len(networks) == 1 else [*networks])


STRIDED_HE = {"StridedHe": {"strides": 2}}
# Where specs/ has moved on since a model was trained: the initial weights of today, by layer, and a word of the
# deviation that states those of the training. An entry goes when the model is trained again.
MOVED_ON = {"wgan_gp": ({"Conv2D": STRIDED_HE, "Conv2DTranspose": STRIDED_HE}, "initialiser")}


def test_it_was_made_by_the_spec_of_its_name(shipped, tmp_path):
    manifest, own = read_manifests(shipped)[0], read_spec(shipped / "spec.yaml")
    initializers, word = MOVED_ON.get(shipped.name, ({}, ""))
    document = copy.deepcopy(dict(own.document))
    for layer, initializer in initializers.items():
        document["defaults"][layer]["kernel_initializer"] = initializer
    (tmp_path / "moved_on.yaml").write_text(yaml.safe_dump(document))
    today = read_spec(ROOT / "specs" / f"{manifest.name}.yaml").sha256
    assert read_spec(tmp_path / "moved_on.yaml").sha256 == today
    assert (manifest.spec_sha256 == today) == (not initializers)
    assert word in " ".join(own.sections.deviations) and word in (shipped / "README.md").read_text("utf-8")


def test_the_card_says_what_the_manifest_says(folder):
    text = markdown(read_manifests(folder), read_spec(folder / "spec.yaml"), folder)
    assert (folder / "README.md").read_text("utf-8") == text


def test_claims_are_about_these_files_and_stand_in_the_card(folder):
    """Numbers of an earlier generator must not stay in the card of a later one."""
    for result in read_claims(folder):
        for name, sha256 in (result.about or {}).items():
            known = any(manifest.has_weights_of(sha256, name) for manifest in read_manifests(folder))
            assert known or sha256_file(folder / name) == sha256, f"`zoo reproduce {result.name}` again"
        assert (folder / "claims" / f"{result.name}.png").is_file()
        assert result.verdict in (folder / "README.md").read_text("utf-8") and result.scale == "full"


def test_files_are_of_low_versions_and_carry_words(folder):
    for manifest in read_manifests(folder):
        model = onnx.load(folder / manifest.file)
        assert (model.ir_version, [(entry.domain, entry.version) for entry in model.opset_import]) == (7, [("", 13)])
        words = {"": model.graph.doc_string}
        words |= {value.name: value.doc_string for value in (*model.graph.input, *model.graph.output)}
        assert words == doc_strings(manifest) and all(words.values())
        images = [tensor for tensor in (*manifest.inputs, *manifest.outputs) if tensor.is_image]
        assert [tensor.channels for tensor in images] == [{1: "grey", 3: "RGB"}[image.shape[3]] for image in images]
        assert not {node.op_type for node in model.graph.node} & {"OneHot", "Slice"}


def test_the_reference_evaluator_of_onnx_computes_the_golden_outputs(folder):
    for manifest in read_manifests(folder):
        with np.load(folder / manifest.golden) as golden:
            feed = {tensor.name: golden[tensor.name][:1] for tensor in manifest.inputs}
            expected = golden[manifest.outputs[0].name][:1]
        (made,) = ReferenceEvaluator(str(folder / manifest.file)).run(None, feed)
        np.testing.assert_allclose(made, expected, rtol=0, atol=manifest.parity["tolerance"])


def networks(folder):
    """(manifest, generator) of every network of an artifact."""
    for manifest in read_manifests(folder):
        yield manifest, zoo.load(folder, network=manifest.network or None)


def test_golden_inputs_give_the_golden_outputs(folder):
    for manifest, generator in networks(folder):
        cases, output = golden_cases(manifest, folder), manifest.outputs[0].name
        for case in cases.values():
            made, expected = generator(**case["input"]), case["output"][output]
            np.testing.assert_allclose(made, expected, rtol=0, atol=manifest.parity["tolerance"])
        if manifest.kind == "translation":
            continue  # images of the data, not of a seed
        inputs = cases["golden"]["input"]
        for name, array in generator.latents(len(next(iter(inputs.values()))), seed=0).items():
            np.testing.assert_allclose(array, inputs[name], rtol=1e-6, atol=0)


MODELS = sorted(path for folder in ARTIFACTS for path in folder.glob("*.onnx"))
# What layers of the zoo mean, one operator or a few for each. No Tile or Shape of an up-sampling, no control flow.
PLAIN = {
    "Add", "Clip", "Concat", "Conv", "ConvTranspose", "Div", "Gather", "Gemm", "InstanceNormalization", "LeakyRelu",
    "MatMul", "Max", "Mul", "OneHot", "Pad", "ReduceMax", "ReduceMean", "Relu", "Reshape", "Resize", "Sigmoid", "Slice",
    "Sqrt", "Sub", "Tanh", "Transpose",
}  # fmt: skip


@pytest.fixture(params=MODELS, ids=lambda path: f"{path.parent.name}/{path.name}")
def graph(request):
    return onnx.load(request.param).graph


def test_graphs_are_made_of_plain_operators(graph):
    sources = {name: node for node in graph.node for name in node.output}
    ids = {value.name for value in graph.input if value.type.tensor_type.elem_type == onnx.TensorProto.INT64}

    def from_ids(node):
        """Casts of class ids alone: between the ids that come in and what looks them up."""
        return node.input[0] in ids or (node.input[0] in sources and from_ids(sources[node.input[0]]))

    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.initializer)
    casts = [node for node in graph.node if node.op_type == "Cast" and not from_ids(node)]
    assert len(casts) <= (len(graph.input) + 1 if half else 0)  # a variant: into half, and out of it
    assert {node.op_type for node in graph.node} - PLAIN <= {"Cast"} and {node.domain for node in graph.node} == {""}


def test_graphs_hold_nothing_that_is_not_used(graph):
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    weights = [tensor.name for tensor in graph.initializer]
    assert set(weights) <= read and len(set(weights)) == len(weights)
    contents = [(tensor.dims, tensor.data_type, tensor.raw_data) for tensor in graph.initializer]
    assert all(one not in contents[:place] for place, one in enumerate(contents))
    assert {name for node in graph.node for name in node.output if name} <= read
    assert not graph.value_info and graph.doc_string and not any(node.doc_string for node in graph.node)


def test_names_in_graphs_are_the_zoos_own(graph):
    """conv_transpose_3 is the fourth node, w_64x3_... a weight of that shape; no framework shines through."""
    stated = {value.name for value in (*graph.input, *graph.output)}
    for number, node in enumerate(graph.node):
        assert re.fullmatch(rf"[a-z][a-z0-9_]*_{number}", node.name)
        assert all(name in stated or name == node.name for name in node.output if name)
    for tensor in graph.initializer:
        assert re.fullmatch(r"w_(scalar|[0-9x]+)_[0-9a-f]{12}_[0-9]+", tensor.name)
    names = " ".join([graph.name, *(node.name for node in graph.node), *stated]).lower()
    assert not re.search(r"keras|tensorflow|tf2onnx|partitionedcall|functional|readvariable|/|:", names)


def test_it_varies_with_the_latent_and_uses_its_range(shipped):
    for manifest, generator in networks(shipped):
        if manifest.kind == "images":
            images = generator.sample(64, seed=0)
            assert images.dtype == np.uint8 and images.shape[0] == 64
            assert images.min() < 16 and images.max() > 239  # black ground, white cloth
            assert images.astype(float).std(axis=0).mean() > 20  # a collapsed generator draws one image: 0
        if manifest.kind == "points":
            points = generator.sample(256, seed=0)
            assert points.dtype == np.float32 and np.isfinite(points).all() and points.std(axis=0).min() > 0.1


def test_translations_follow_their_images(shipped):
    for manifest, generator in networks(shipped):
        if manifest.kind != "translation":
            continue
        (source,) = manifest.inputs
        with np.load(shipped / manifest.golden) as golden:
            images = to_uint8(golden[source.name], source.range)
        translated = generator.translate(images)
        assert translated.shape[:3] == images.shape[:3]
        assert translated.astype(float).std(axis=0).mean() > 5  # not one picture for all
        if source.sizes:
            larger = np.repeat(np.repeat(images[:1], 2, axis=1), 3, axis=2)
            assert generator.translate(larger).shape[1:3] == larger.shape[1:3]


def test_sizes_are_within_what_git_should_hold():
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in ARTIFACTS}
    assert max(sizes.values()) <= 16 * MEGABYTE and sum(sizes.values()) <= 100 * MEGABYTE


def test_readme_states_what_the_artifacts_say():
    if any(_changed(path) for path in ARTIFACTS):
        pytest.skip("an artifact was built anew here")
    text = (ROOT / "README.md").read_text("utf-8")
    assert text == gallery.renew_tables(text, ROOT / "exported", way="exported/")
    assert all(text.count(f"| [{path.name}](exported/{path.name}/README.md) |") == 2 for path in ARTIFACTS)


def test_the_gallery_says_what_the_artifacts_say():
    if any(_changed(path) for path in ARTIFACTS):
        pytest.skip("an artifact was built anew here")
    assert (ROOT / "exported" / "README.md").read_text("utf-8") == gallery.markdown(ROOT / "exported")


def test_scores_are_those_of_the_file_beside_them(folder):
    manifests, measured = read_manifests(folder), read_scores(folder)
    assert measured
    for score in measured.values():
        measured_on = (score.protocol["file_sha256"], score.protocol["file"])
        assert any(manifest.has_weights_of(*measured_on) for manifest in manifests)


def test_trials_of_other_seeds_state_the_scores_of_the_file_for_its_own(folder):
    trials, manifest, measured = read_seeds(folder), read_manifests(folder)[0], read_scores(folder)
    own = [trial for trial in trials if trial.seed == manifest.weights["seed"]]
    assert len(own) == min(len(trials), 1)
    for trial in own:
        assert manifest.has_weights_of(trial.file_sha256, manifest.file)
        assert trial.scores == {name: measured[name].value for name in trial.scores}
