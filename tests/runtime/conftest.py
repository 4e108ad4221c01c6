"""Small generators that every test of the runtime reads and none changes."""

import onnx_nets as nets
import pytest

import zoo


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nets.save(tmp_path_factory.mktemp("artifact") / "tiny", nets.images(), nets.describe())


@pytest.fixture(scope="module")
def generator(folder):
    return zoo.load(folder)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    manifest = nets.describe(nets.Z, nets.LABEL, name="fashion")
    return zoo.load(nets.save(tmp_path_factory.mktemp("artifact") / "fashion", nets.images(label=True), manifest))


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    return zoo.load(nets.save(tmp_path_factory.mktemp("artifact") / "points", nets.points(), nets.describe_points()))
