"""The networks of a folder of artifacts, each file the one that its manifest states."""

import json
from dataclasses import replace

import onnx_nets as nets
import pytest
from onnx_nets import fails

from zoo.runtime.load import find_networks, read_network


@pytest.fixture
def folder(tmp_path):
    nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    nets.save_several(
        tmp_path / "photos",
        [nets.negative(), nets.negative()],
        [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")],
    )
    return tmp_path


def test_all_networks_of_all_artifacts_are_found(folder):
    (folder / ".tiny.half").mkdir()
    (folder / ".tiny.half" / "manifest.json").write_text("an export that was cut off")
    (folder / "notes").mkdir()
    found = find_networks(folder)
    assert [network.name for network in found] == ["photos_a_to_b", "photos_b_to_a", "tiny"]
    assert read_network(found[2]) == (folder / "tiny" / "generator.onnx").read_bytes()


def test_a_single_artifact_is_a_folder_too(folder):
    assert [network.name for network in find_networks(folder / "photos")] == ["photos_a_to_b", "photos_b_to_a"]


def test_a_folder_without_artifacts_is_an_error(tmp_path):
    fails("there is no exported generator in it", find_networks, tmp_path)
    fails("there is no such folder", find_networks, tmp_path / "nowhere")


def test_a_changed_file_is_refused(folder):
    file = folder / "tiny" / "generator.onnx"
    file.write_bytes(file.read_bytes() + b"\0")
    fails("tiny/generator.onnx: changed or damaged: its SHA-256 is not the one in manifest.json", find_networks, folder)


def test_a_file_that_the_manifest_does_not_state_is_refused(folder):
    manifest = folder / "tiny" / "manifest.json"
    keys = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(keys | {"files": {}}))
    fails("does not state its SHA-256", find_networks, folder)


def test_a_missing_file_is_refused(folder):
    (folder / "photos" / "b_to_a.onnx").unlink()
    fails("b_to_a.onnx: cannot be read", find_networks, folder)


def test_weights_in_other_files_are_refused(tmp_path):
    import onnx

    net = nets.images()
    kernel = next(tensor for tensor in net.graph.initializer if tensor.name == "kernel")
    onnx.external_data_helper.set_external_data(kernel, location="kernel.bin")
    kernel.ClearField("raw_data")
    nets.save(tmp_path / "tiny", net, nets.describe())
    fails("keeps weights in other files", find_networks, tmp_path)


def test_two_of_the_same_name_are_an_error(folder):
    nets.save(folder / "tiny_again", nets.images(), nets.describe())
    fails("2 networks are called 'tiny'", find_networks, folder)


@pytest.mark.parametrize("name", ["../up", "a/b", "a b", ".hidden", "Zürich", "a\nb", "a%2e", "a" * 101])
def test_a_name_that_is_no_path_is_an_error(tmp_path, name):
    nets.save(tmp_path / "tiny", nets.images(), replace(nets.describe(), name=name))
    fails("must fit into a URL .*, received", find_networks, tmp_path)
