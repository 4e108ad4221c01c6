"""A step is one program: traced once, without Python inside, compiled by XLA, lowered for GPUs and TPUs without one."""

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
import tensorflow as tf
import tiny
from lowered_steps import SMALL, data_of

from zoo.nn.phases import as_numbers
from zoo.spec.diagnostics import Problems
from zoo.spec.merge import load_tree
from zoo.spec.read import read_spec
from zoo.spec.validate import specs_folder
from zoo.train import loop
from zoo.train.algorithms import base
from zoo.train.algorithms.base import Algorithm

HOST = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "Print", "PrintV2"}
HELPER = Path(__file__).parents[1] / "helpers" / "lowered_steps.py"
GATE = "vanilla.yaml"  # the smallest; the others are slow
ENTRIES = sorted(
    str(path.relative_to(specs_folder()))
    for path in (*specs_folder().glob("[!_]*.yaml"), *specs_folder().glob("paper/[!_]*.yaml"))
    if load_tree(path, (), Problems()).get("algorithm") is not None
)


def lower(backend, name):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    path = str(specs_folder() / name)
    done = subprocess.run(
        [sys.executable, str(HELPER), path], env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == [path]
    return found.values()


def test_steps_lower_for_gpus_and_tpus():
    (found,) = lower("jax", GATE)
    assert found["platforms"] == ["cuda", "tpu"] and found["size"] > 500


def test_a_step_compiles_under_xla():
    (found,) = lower("tensorflow", GATE)
    assert found["size"] > 500


@pytest.fixture(
    params=["alternating", "cyclegan", "unrolled", *(pytest.param(e, marks=pytest.mark.slow) for e in ENTRIES)]
)
def spec(request, tmp_path):
    """Small games in the gate, and every entry."""
    games = {"alternating": tiny.GAN, "unrolled": tiny.POINTS.replace("alternating:", "unrolled:")}
    if request.param == "cyclegan":
        return tiny.read(tmp_path, tiny.cycle(tmp_path / "pictures"))
    if request.param in games:
        return tiny.read(tmp_path, games[request.param])
    return read_spec(specs_folder() / request.param, SMALL)


def test_a_step_is_one_graph_that_leaves_its_device_to_the_user(spec):
    """Nothing calls Python, nothing is pinned to a device; a value that is read on the host could not be traced."""
    algorithm = loop.make(spec)
    algorithm.begin(0)
    batch = loop.make_batches(spec, algorithm, data_of(spec)).pixels(0)
    step = tf.function(algorithm.train_step, autograph=False)
    graph = step.get_concrete_function(({name: tf.constant(x) for name, x in batch.items()},)).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 100
    assert {node.op for node in nodes} & HOST == set()
    assert {node.device for node in nodes} == {""}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_every_step_lowers_for_gpus_and_tpus(name):
    (found,) = lower("jax", name)
    assert found["platforms"] == ["cuda", "tpu"] and found["size"] > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_every_step_compiles_under_xla(name):
    (found,) = lower("tensorflow", name)
    assert found["size"] > 500


def test_a_step_is_traced_once(tmp_path, monkeypatch):
    """1,797 digits in batches of 8 leave five over: 230 steps go through the end of an epoch, which drops them."""
    traces = Counter()
    step = Algorithm.step

    def counted(self, batch):
        traces[self.name] += 1
        return step(self, batch)

    monkeypatch.setattr(Algorithm, "step", counted)
    tiny.train(tmp_path, tiny.DENSE, "training.batch_size=8", "training.steps=230")
    assert list(traces.values()) == [1]


def test_pixels_reach_the_step_as_bytes_that_were_made_ahead(tmp_path, monkeypatch):
    """A quarter of the bytes on the way to the device; threads make the batches of the next steps meanwhile."""
    seen, made, ahead = [], [], []

    def spied(batch, pixel_range):
        seen.append(batch["image"].dtype.name)
        return as_numbers(batch, pixel_range)

    monkeypatch.setattr(base, "as_numbers", spied)
    monkeypatch.setattr(loop.Batches, "pixels", counting(loop.Batches.pixels, made))
    tiny.train(tmp_path, tiny.DENSE, "training.steps=40", watch=lambda n, _: ahead.append(len(set(made)) - n))
    assert seen == ["uint8"] and max(ahead[:10]) >= 2


def counting(method, made):
    def pixels(self, step):
        made.append(step)
        return method(self, step)

    return pixels
