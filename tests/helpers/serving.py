"""Servers for the tests of clients: `zoo serve` in a process of its own, and a real Triton where there is one."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds until a server is ready: a busy machine starts one slowly

# The wheel has no onnxruntime backend, so its python backend stands in: the same file, the same config.
TRITON_MODEL = """\
import pathlib
import sys

sys.path[:0] = {paths!r}

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        folder = pathlib.Path(args["model_repository"], args["model_version"])
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        self.inputs = [node.name for node in self.session.get_inputs()]
        self.output = self.session.get_outputs()[0].name

    def execute(self, requests):
        get = triton.get_input_tensor_by_name
        rows = [{{name: get(one, name).as_numpy() for name in self.inputs}} for one in requests]
        sizes = [len(row[self.inputs[0]]) for row in rows]
        feed = {{name: np.concatenate([row[name] for row in rows]) for name in self.inputs}}
        (result,) = self.session.run([self.output], feed)
        parts = np.split(result, np.cumsum(sizes)[:-1])
        return [triton.InferenceResponse([triton.Tensor(self.output, part)]) for part in parts]
"""


def triton_python() -> Path:
    """Return the interpreter that $TRITON_PYTHON names; it must have nvidia-pytriton, onnxruntime and numpy."""
    return Path(os.environ.get("TRITON_PYTHON", ""))


def why_no_triton() -> str:
    """Return the reason why there is no tritonserver, or an empty string."""
    if not triton_python().is_file():
        return "$TRITON_PYTHON names no interpreter with nvidia-pytriton, onnxruntime and numpy"
    found = _packages(triton_python())
    return "" if (found / "pytriton/tritonserver/bin/tritonserver").is_file() else f"no tritonserver in {found}"


def why_no_zoo_server() -> str:
    """Return the reason why `zoo serve` cannot run, or an empty string."""
    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client") if find_spec(name) is None]
    return f"`zoo serve` needs {', '.join(missing)}: pip install 'gan-zoo[serve]'" if missing else ""


def _packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


@contextlib.contextmanager
def zoo_server(artifacts: Path) -> Iterator[str]:
    """Run `zoo serve` over a folder of artifacts. Yields HOST:PORT."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "zoo.cli", "serve", str(artifacts), "--port", address.split(":")[1]]
    with running(command, address, environment={"PYTHONPATH": str(ROOT)}):
        yield address


@contextlib.contextmanager
def triton_server(repository: Path, scratch: Path) -> Iterator[str]:
    """Run a real Triton over a copy of a repository that `zoo deploy triton` wrote. Yields HOST:PORT."""
    packages = _packages(triton_python())
    version = subprocess.run([triton_python(), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                             capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    home = packages / "pytriton" / "tritonserver"
    backends = scratch / "backends"
    shutil.copytree(home / "backends", backends)
    shutil.copy(home / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
    models = scratch / "models"
    shutil.copytree(repository, models)
    for config in models.glob("*/config.pbtxt"):
        text = config.read_text()
        assert 'backend: "onnxruntime"' in text
        config.write_text(text.replace('backend: "onnxruntime"', 'backend: "python"'))
        (config.parent / "1" / "model.py").write_text(TRITON_MODEL.format(paths=[str(packages)]))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(home / "bin" / "tritonserver"), f"--model-repository={models}", f"--backend-directory={backends}",
        "--http-address=127.0.0.1", f"--http-port={address.split(':')[1]}", "--allow-grpc=false",
        "--allow-metrics=false", "--disable-auto-complete-config", "--strict-readiness=true",
    ]  # fmt: skip
    with running(command, address, environment={"LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs")}):
        yield address


@contextlib.contextmanager
def running(
    command: list[str], address: str, environment: dict[str, str], patience: float = PATIENCE
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a server in a process once it is ready, and stop it at the end. Where it fails, its log is shown."""
    log = Path(os.environ.get("TMPDIR", "/tmp")) / f"zoo-test-{address.split(':')[1]}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env={**os.environ, **environment})
    try:
        _await(process, address, log, patience)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.unlink()


def _await(process: subprocess.Popen[bytes], address: str, log: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended:\n{log.read_text(errors='replace')[-4000:]}"
        try:
            with urllib.request.urlopen(f"http://{address}/v2/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"not ready after {patience} s:\n{log.read_text(errors='replace')[-4000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
