"""For every test: one backend, quiet logs, the same random numbers, a Ctrl-C that interrupts."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # also where a test imports onnxruntime itself
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # half the time, for the few steps of a test
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same sums in the same order on every run


LONGEST_FIRST = ("test_entries.py", "train", "conformance", "export", "claims", "serve/page", "evaluate", "cli")


def pytest_collection_modifyitems(items):
    """Files that train come first: in the end every process still has something short to do."""

    def place(item):
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((n for n, start in enumerate(LONGEST_FIRST) if path.startswith(start)), len(LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Interrupts, as in a terminal: what a shell puts in the background begins with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_given():
    """Given networks have random weights, and paintings are noise: nothing is fetched."""
    import given

    given.install()


@pytest.fixture(autouse=True)
def seeded():
    """Seeds what is there: a test of the light modules must not be the one that imports Keras."""
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture
def spec_of(tmp_path):
    """`spec_of(yaml text, *overrides)` -> the checked Spec."""

    def read(text, *overrides):
        from zoo.spec.read import read_spec

        path = tmp_path / "tested.yaml"
        path.write_text(textwrap.dedent(text))
        return read_spec(path, overrides)

    return read


@pytest.fixture
def zoo_says(capsys):
    """`zoo_says(*arguments)` -> (exit code, stdout, stderr)."""
    from zoo import cli

    def call(*arguments):
        capsys.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # argparse
            code = leaving.code
        return (code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The GAN of tests/helpers/tiny.py after 4 steps: a `loop.Run`. Shared: look at it, do not train it on."""
    import tiny

    return tiny.train(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def exported(tiny_run, tmp_path_factory):
    """What export makes of it. Shared: copy the folder before you change anything in it."""
    from zoo.export import exporter

    return exporter.export(tiny_run, out=tmp_path_factory.mktemp("exported"))
