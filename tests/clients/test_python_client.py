"""tools/clients/python_onnxruntime.py: needs nothing of the zoo, and draws what the zoo draws."""

import ast
import sys

import goldens
import numpy as np
import pytest
from PIL import Image

CLIENT = goldens.CLIENTS / "python_onnxruntime.py"


def imported(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in names | {n.module for n in nodes if isinstance(n, ast.ImportFrom)}}


@pytest.mark.parametrize(
    ("client", "needs"), [("python_onnxruntime.py", "onnxruntime"), ("triton_client.py", "tritonclient")]
)
def test_it_needs_numpy_and_one_package(client, needs):
    assert imported(goldens.CLIENTS / client) - sys.stdlib_module_names == {"numpy", needs}


def test_it_makes_the_golden_images(artifact, tmp_path, run, check):
    check(run(sys.executable, CLIENT, artifact, "--out", tmp_path), artifact)
    pictures = goldens.pictures(artifact)
    assert {file.stem for file in tmp_path.iterdir()} == set(pictures)
    for name, images in pictures.items():
        with Image.open(tmp_path / f"{name}.png") as file:
            drawn = np.asarray(file)
        np.testing.assert_array_equal(drawn.reshape(*drawn.shape[:2], -1), np.concatenate(list(images), axis=1))


def test_it_fails_where_the_images_differ(disturbed, tmp_path, run):
    done = run(sys.executable, CLIENT, disturbed, "--out", tmp_path)
    assert done.returncode == 1 and "1.0e-03" in done.stdout


def test_it_fails_where_images_of_another_size_differ(tmp_path, run):
    folder = goldens.save_photos(tmp_path / "photos")
    with np.load(folder / "golden_a_to_b.npz") as golden:
        arrays = dict(golden)
    arrays["b/8x8"] += 1e-3
    np.savez(folder / "golden_a_to_b.npz", **arrays)
    done = run(sys.executable, CLIENT, folder, "--out", tmp_path)
    assert done.returncode == 1 and "a_to_b: b [2, 8, 12, 3], largest difference to golden.npz 1.0e-03" in done.stdout


def test_it_refuses_a_model_that_the_manifest_does_not_state(disturbed, tmp_path, run):
    model = disturbed / "generator.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    done = run(sys.executable, CLIENT, disturbed, "--out", tmp_path)
    assert done.returncode == 1 and done.stderr.endswith("the model is not the one that its manifest states\n")
    assert "Traceback" not in done.stderr
