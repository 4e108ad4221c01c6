"""ONNX Runtime itself: missing, installed twice, asked for a GPU that is or is not there."""

import os
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx_nets as nets
import pytest
from onnx_nets import fails

import zoo
from zoo.core.errors import ServeError
from zoo.runtime import session as sessions

ROOT = Path(zoo.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nets.save(tmp_path_factory.mktemp("artifact") / "tiny", nets.images(), nets.describe())


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


# ---- providers

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"


class FakeRuntime(types.ModuleType):
    """An onnxruntime that obtains what the test says, and notes what it was asked for."""

    def __init__(self, *, available=(CUDA, CPU), obtained=(CUDA, CPU), printed="", error=None):
        super().__init__("onnxruntime")
        self.available, self.obtained, self.printed, self.error, self.calls = available, obtained, printed, error, []

    def get_available_providers(self):
        return list(self.available)

    def preload_dlls(self, directory=None):
        self.calls.append(("preload_dlls", directory))
        print(self.printed, end="")

    def set_default_logger_severity(self, severity):
        self.calls.append(("severity", severity))

    def SessionOptions(self):  # noqa: N802
        return types.SimpleNamespace()

    def InferenceSession(self, data, options, *, providers, enable_fallback):  # noqa: N802
        self.calls.append(("session", providers, enable_fallback))
        if self.error:
            raise self.error
        return types.SimpleNamespace(get_providers=lambda: list(self.obtained))


@pytest.fixture
def fake(monkeypatch):
    def install(**behaviour):
        runtime = FakeRuntime(**behaviour)
        monkeypatch.setattr(sessions, "import_onnxruntime", lambda: runtime)
        return runtime

    return install


def open_cuda():
    return sessions.open_session(nets.images().SerializeToString(), source="net.onnx", provider="cuda")


def test_cuda_is_asked_for_in_this_way(fake):
    runtime = fake()
    assert open_cuda().get_providers()[0] == CUDA
    options = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    session = ("session", [(CUDA, options), (CPU, {})], 0)
    assert runtime.calls == [("preload_dlls", ""), session]  # the libraries first


def test_the_cpu_is_asked_for_alone(fake):
    runtime = fake(obtained=(CPU,))
    sessions.open_session(nets.images().SerializeToString(), source="net.onnx")
    assert runtime.calls == [("session", [(CPU, {})], 0)]


def test_an_onnxruntime_without_cuda(fake):
    runtime = fake(available=("AzureExecutionProvider", CPU))
    offers = f"AzureExecutionProvider, {CPU}"
    fails(f'"cuda" is not available: this ONNX Runtime offers {offers}; .*"gan-zoo.gpu."', open_cuda)
    assert runtime.calls == []


def test_libraries_that_are_missing_are_named_and_nothing_is_printed(fake, capsys):
    runtime = fake(obtained=(CPU,), printed="Failed to load libcublas.so.13: no such file\nPlease follow ...\n")
    fails('"cuda" is not available: Failed to load libcublas.so.13: no such file; .*"gan-zoo.gpu."', open_cuda)
    assert capsys.readouterr() == ("", "") and ("severity", 4) in runtime.calls


def test_another_provider_than_the_one_asked_for(fake):
    fake(obtained=(CPU,))
    fails(f'provider "cuda" is not available: ONNX Runtime took {CPU}; ', open_cuda)


def test_a_gpu_that_fails_is_reported_in_the_words_of_onnxruntime(fake):
    fake(error=RuntimeError("CUDA failure 100: no CUDA-capable device is detected\nmore"))
    fails("net.onnx: ONNX Runtime cannot load it: CUDA failure 100: no CUDA-capable device is detected$", open_cuda)


def test_unknown_providers(folder):
    fails("provider must be cpu or cuda, received 'gpu'", zoo.load, folder, provider="gpu")


def cuda_trouble() -> str:
    """Why CUDA cannot be tried here, in the words that a user reads; empty where it can."""
    try:
        sessions.open_session(nets.images().SerializeToString(), source="net", provider="cuda")
    except ServeError as error:
        return str(error)
    return ""


def test_cuda_is_had_or_refused_in_one_line(folder):
    """Whatever this machine has: a generator on the GPU that agrees with the CPU, or an error; not the CPU instead."""
    if trouble := cuda_trouble():
        fails('provider "cuda" is not available|ONNX Runtime cannot load it', zoo.load, folder, provider="cuda")
        pytest.skip(f"no GPU to compare with: {trouble}")
    there, here = zoo.load(folder, provider="cuda"), zoo.load(folder)
    assert there.provider == "cuda" and there._session.get_providers()[0] == CUDA
    latents = here.latents(33, seed=1)
    np.testing.assert_allclose(there(**latents), here(**latents), rtol=0, atol=1e-5)
