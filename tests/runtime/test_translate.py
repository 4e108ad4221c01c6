"""The road of images: any size, pixel for pixel, each by itself; and folders of several networks."""

import os
from dataclasses import replace

import numpy as np
import onnx_nets as nets
import pytest
from onnx_nets import fails

import zoo
from zoo.artifact.manifest import read_manifests, write_manifests
from zoo.core.files import sha256_file
from zoo.runtime.generator import Generator


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    manifests = [nets.describe_negative("a_to_b"), nets.describe_negative("b_to_a")]
    return nets.save_several(
        tmp_path_factory.mktemp("artifact") / "photos", [nets.negative(), nets.negative()], manifests
    )


@pytest.fixture(scope="module")
def negative(folder):
    return zoo.load(folder, network="a_to_b")


def photo(*shape):
    return np.random.RandomState(0).randint(256, size=shape).astype(np.uint8)


@pytest.mark.parametrize("shape", [(16, 16, 3), (8, 40, 3), (1, 12, 8, 3), (5, 20, 16, 3)])
def test_both_ranges_are_those_of_the_manifest(negative, shape):
    """a in [0, 1] and b = -a in [-1, 0]: 0 becomes 255."""
    images = photo(*shape)
    made = negative.translate(images)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, 255 - images)


@pytest.mark.parametrize("shape", [(9, 8, 3), (11, 13, 3), (2, 8, 9, 3)])
def test_other_sizes_are_mirrored_to_the_multiple_and_cut_back(shape):
    """The network is fed multiples of 4 whose margins mirror the last rows and columns; nobody sees them."""
    fed = []

    class Session:
        def run(self, names, feed):
            fed.append(feed["a"])
            return [-feed["a"]]

    images = photo(*shape)
    made = Generator(nets.describe_negative(), Session()).translate(images)
    np.testing.assert_array_equal(made, 255 - images)
    (height, width), (*_, tall, wide, _) = shape[-3:-1], fed[0].shape
    assert (tall, wide) == (-(-height // 4) * 4, -(-width // 4) * 4)
    np.testing.assert_array_equal(fed[0][:, height:], fed[0][:, 2 * height - tall : height][:, ::-1])
    np.testing.assert_array_equal(fed[0][:, :, width:], fed[0][:, :, 2 * width - wide : width][:, :, ::-1])


def test_what_is_smaller_than_the_smallest_size_is_refused(negative):
    fails("expected images of 8 x 8 or more, received 1 x 1", negative.translate, photo(1, 1, 3))
    np.testing.assert_array_equal(negative.translate(photo(9, 9, 3)), 255 - photo(9, 9, 3))


def test_every_pixel_value(negative):
    images = np.arange(256, dtype=np.uint8).reshape(8, 32, 1).repeat(3, axis=-1)
    np.testing.assert_array_equal(negative.translate(images), 255 - images)


def test_lists_are_images_too(negative):
    image = photo(8, 8, 3)
    np.testing.assert_array_equal(negative.translate([image, image]), np.stack([255 - image] * 2))


def test_an_image_is_translated_by_itself_unless_asked_otherwise():
    sizes = []

    class Session:
        def run(self, names, feed):
            sizes.append(len(feed["a"]))
            return [-feed["a"]]

    translator, images = Generator(nets.describe_negative(), Session()), photo(5, 8, 12, 3)
    translator.translate(images)
    assert sizes == [1] * 5
    np.testing.assert_array_equal(translator.translate(images, batch_size=4), 255 - images)
    assert sizes[5:] == [1, 1, 2, 4]


def test_raw_numbers_of_any_size(negative):
    raw = np.random.RandomState(0).random_sample((3, 12, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(negative(a=raw), -raw)
    fails("the nearest that is allowed: width 8 or 12", negative, a=raw[:, :, :9].repeat(2, axis=2)[:, :, :9])


def test_a_translator_draws_nothing(negative):
    for call in (negative.sample, negative.latents, lambda n: negative.interpolate(n)):
        fails(r"photos_a_to_b cannot draw its input 'a', it translates: translate\(images\)", call, 4)


def test_a_generator_translates_nothing(tmp_path):
    generator = zoo.load(nets.save(tmp_path / "tiny", nets.images(), nets.describe()))
    fails(r"tiny takes no images: it makes them, use sample\(n\)", generator.translate, photo(8, 8, 3))


def test_a_network_that_is_not_what_its_manifest_says(tmp_path):
    """An output that does not follow the input is refused before anyone sees a wrong picture."""
    net, manifest = nets.negative(), nets.describe_negative()
    net.graph.node[0].CopyFrom(nets.helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3]))
    generator = zoo.load(nets.save(tmp_path / "turned", net, manifest))
    np.testing.assert_array_equal(generator.translate(np.zeros((8, 8, 3), np.uint8)).shape, (8, 8, 3))
    fails(r"the model returned \[1, 12, 8, 3\] where \[1, 8, 12, 3\] is stated", generator.translate, photo(8, 12, 3))


def test_several_networks(folder, negative):
    other = zoo.load(folder, network="b_to_a")
    assert (negative.name, other.name, other.manifest.network) == ("photos_a_to_b", "photos_b_to_a", "b_to_a")
    fails(r"photos: holds the networks a_to_b, b_to_a; name one: network=\"a_to_b\"", zoo.load, folder)
    fails("there is no network 'a_to_c' in it. Did you mean 'a_to_b'", zoo.load, folder, network="a_to_c")


def test_a_lone_file_of_several(folder, tmp_path):
    file = folder / "b_to_a.onnx"
    assert zoo.load(file).manifest == zoo.load(folder, network="b_to_a").manifest  # parity and files too
    assert zoo.load(file, network="b_to_a").name == "photos_b_to_a"
    fails("there is no network 'a_to_b' in it. .*It holds b_to_a", zoo.load, file, network="a_to_b")
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(file.read_bytes())
    assert zoo.load(moved).manifest.network == "b_to_a"
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')  # of some other program
    assert zoo.load(moved).manifest.network == "b_to_a"


def test_files_that_were_exchanged(folder, tmp_path):
    """Each file is held against its own manifest, and the manifest against the contract inside the file."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        os.link(file, copy / file.name)
    (copy / "a_to_b.onnx").unlink()
    (copy / "a_to_b.onnx").write_bytes((folder / "b_to_a.onnx").read_bytes())
    fails(
        "a_to_b.onnx: changed or damaged: its SHA-256 is not the one in manifest.json", zoo.load, copy, network="a_to_b"
    )
    assert zoo.load(copy, network="b_to_a").name == "photos_b_to_a"
    one, two = read_manifests(folder)
    hashed = sha256_file(copy / "a_to_b.onnx")
    (copy / "manifest.json").unlink()
    write_manifests([replace(one, files={"a_to_b.onnx": hashed}), two], copy)
    fails("manifest.json: changed: it differs from the contract inside a_to_b.onnx", zoo.load, copy, network="a_to_b")
