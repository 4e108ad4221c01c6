"""Every client is tried on an artifact of each kind, and in the slow tests on all."""

import subprocess

import goldens
import pytest


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    return goldens.gather(tmp_path_factory.mktemp("artifacts"))


KINDS = ("cgan", "cyclegan", "dcgan", "photos", "points", "words")  # labels, two networks, images, any size, ...


@pytest.fixture(params=[pytest.param(name, marks=[] if name in KINDS else pytest.mark.slow) for name in goldens.NAMES])
def artifact(artifacts, request):
    return artifacts / request.param


@pytest.fixture
def disturbed(artifacts, tmp_path):
    return goldens.disturbed(artifacts / "points", tmp_path / "points")


@pytest.fixture(scope="session")
def run():
    """`run(command, ...)` -> the finished process, its output as text."""
    return lambda *command, **more: subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False, **more
    )


@pytest.fixture(scope="session")
def check():
    """`check(done, artifact)`: a line for every network of the artifact, all within the tolerance."""

    def agree(done, artifact):
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        expected = list(goldens.networks(artifact))
        assert len(lines) == len(expected)
        for line, (manifest, _, raw) in zip(lines, expected, strict=True):
            head, _, difference = line.rpartition(" ")
            name = manifest.outputs[0].name
            assert head == f"{manifest.model}: {name} {list(raw.shape)}, largest difference to golden.npz"
            assert 0 <= float(difference) <= 1e-4

    return agree
