"""The extras that bring CUDA: one for each backend, each with libraries of one major version alone."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.nn.devices import EXTRAS
from zoo.runtime.session import GPU_EXTRA

ROOT = Path(__file__).parents[1]
MAJORS = {"train-gpu": "12", "jax-gpu": "12", "torch-gpu": "13", "gpu": "13"}  # extra -> CUDA
# Packages whose version is CUDA's; those of cuFFT and others have numbers of their own.
VERSIONED = ("nvidia-cuda-runtime", "nvidia-cuda-nvrtc", "nvidia-cuda-cupti", "nvidia-cublas", "cuda-toolkit")


def extras():
    """{extra: its requirements} of setup.cfg."""
    read = configparser.ConfigParser(interpolation=None)
    read.read(ROOT / "setup.cfg", encoding="utf-8")
    return {name: text.split("\n")[1:] for name, text in read["options.extras_require"].items()}


def majors(names_and_versions):
    """The majors of CUDA that packages belong to."""
    found = set()
    for name, version in names_and_versions:
        if marked := re.search(r"-cu(?:da)?(\d+)(?:-|$)", name):
            found.add(marked.group(1))
        elif name in VERSIONED:
            found.add(version.split(".")[0])
    return found


def test_every_backend_has_an_extra_that_the_readme_names_in_a_line():
    known, readme = extras(), (ROOT / "README.md").read_text("utf-8")
    assert {part for names in EXTRAS.values() for part in names.split(",")} <= known.keys()
    for names in (*EXTRAS.values(), "gpu"):
        lines = [line for line in readme.splitlines() if re.search(rf"'\.\[{re.escape(names)}[,\]]", line)]
        assert lines, names


def test_extras_ask_for_cuda_by_name():
    """What is said of majors elsewhere follows from these requirements."""
    known = extras()
    assert any(line.startswith("tensorflow[and-cuda]") for line in known["train-gpu"])
    assert [line.split(">")[0] for line in known["jax-gpu"]] == ["jax[cuda12]"]
    assert known["gpu"][0].startswith(
        "onnxruntime-gpu[cuda,cudnn]>=1.27"
    )  # 1.27 was the last with packages for CUDA 12
    assert "CUDA 13" in GPU_EXTRA and "CUDA 12" in GPU_EXTRA and '"gan-zoo[train-gpu]"' in GPU_EXTRA


def test_majors_are_read_from_names_and_versions():
    assert majors([("nvidia-cudnn-cu12", "9.28"), ("nvidia-cufft", "12.5"), ("numpy", "2.4")]) == {"12"}
    assert majors([("jax-cuda13-plugin", "0.10"), ("nvidia-cublas", "13.1.1")]) == {"13"}
    assert majors([("nvidia-cudnn-cu12", "9.28"), ("cuda-toolkit", "13.0.3")]) == {"12", "13"}


@pytest.mark.slow
@pytest.mark.parametrize(("extra", "cuda"), MAJORS.items())
def test_pip_resolves_one_major(extra, cuda):
    """Some minutes each, most of them for metadata of packages of a gigabyte."""
    if sys.platform != "linux":
        pytest.skip(f"CUDA is for Linux; this is {sys.platform}")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-",
               f"{ROOT}[{extra}]"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        if re.search(
            r"Could not find a version|No matching distribution|Connection|Max retries|Temporary", done.stderr
        ):
            pytest.skip(f"no package index is reached: {reason}")
        raise AssertionError(reason)
    chosen = [
        (one["metadata"]["name"].lower(), one["metadata"]["version"]) for one in json.loads(done.stdout)["install"]
    ]
    assert majors(chosen) == {cuda}, chosen
