"""tools/clients/cpp: compiles without a warning; on the library inside the Python wheel it draws what the zoo draws."""

import os
import shutil
from pathlib import Path

import goldens
import numpy as np
import onnxruntime
import pytest
from PIL import Image

PLACES = [os.environ.get("ORT_INCLUDE", ""), "/usr/include/onnxruntime", "/usr/local/include/onnxruntime"]
INCLUDE = next((place for place in PLACES if Path(place, "onnxruntime_cxx_api.h").is_file()), None)
LIBRARY = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.1*"), None)
REASON = (
    "g++ is not installed"
    if shutil.which("g++") is None
    else "no onnxruntime_cxx_api.h in $ORT_INCLUDE or /usr/include/onnxruntime: libonnxruntime-dev brings it"
    if INCLUDE is None
    else ""
    if LIBRARY
    else "this build of the Python package has no libonnxruntime.so"
)
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture(scope="module")
def program(tmp_path_factory, run):
    folder = tmp_path_factory.mktemp("cpp")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):  # the wheel has the full version in its file name alone
        (folder / name).symlink_to(LIBRARY)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-isystem", INCLUDE, f"-L{folder}", f"-Wl,-rpath,{folder}"]
    done = run("g++", goldens.CLIENTS / "cpp" / "draw.cpp", *flags, "-lonnxruntime", "-o", folder / "draw")
    assert done.returncode == 0, done.stderr
    return folder / "draw"


def test_it_makes_the_golden_images(program, artifact, tmp_path, run):
    for manifest, _, raw in goldens.networks(artifact):
        picture = tmp_path / f"{manifest.model}.pgm"
        done = run(program, artifact / manifest.file, artifact / manifest.golden, picture)
        assert done.returncode == 0, done.stderr
        shape = f"{manifest.outputs[0].name} {list(raw.shape)}, largest difference to golden.npz "
        assert done.stdout.startswith(f"{manifest.name}: {shape}")
        assert picture.exists() == manifest.outputs[0].is_image
        if picture.exists():
            wanted = np.concatenate(list(goldens.pictures(artifact)[manifest.model]), axis=0)
            with Image.open(picture) as file:
                drawn = np.asarray(file).astype(int)
            assert np.abs(drawn.reshape(*drawn.shape[:2], -1) - wanted).max() <= 1  # two halves round two ways


def test_it_fails_where_the_images_differ(program, disturbed, run):
    done = run(program, disturbed / "generator.onnx", disturbed / "golden.npz")
    assert done.returncode == 1 and "1.0e-03" in done.stdout


def test_it_fails_where_images_of_another_size_differ(program, tmp_path, run):
    folder = goldens.disturbed_elsewhere(tmp_path / "photos")
    done = run(program, folder / "generator.onnx", folder / "golden.npz")
    assert done.returncode == 1 and "1.0e-03" in done.stdout and "[1, 16, 16, 3]" in done.stdout


def test_it_says_what_it_cannot_read(program, disturbed, run):
    (disturbed / "golden.npz").write_bytes(b"junk")
    done = run(program, disturbed / "generator.onnx", disturbed / "golden.npz")
    assert done.returncode == 2 and done.stderr.endswith("golden.npz: not an .npz file\n")
