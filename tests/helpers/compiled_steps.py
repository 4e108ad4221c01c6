"""Run by tests/train/test_compiled_steps.py in a process of its own, because its numbers have 64 bits throughout.

    python compiled_steps.py FOLDER

plays two steps of every FOLDER/<game>.yaml as Python, as TensorFlow's graph and under XLA, and prints as JSON, game
by game: the largest difference of the two others to the first, and how many reads and moves of a variable have no order
in the graph that runs.
"""

import functools
import json
import os
import sys
from pathlib import Path

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec
from zoo.train import loop

STEPS = 2
WRITES = ("AssignVariableOp", "AssignSubVariableOp", "AssignAddVariableOp")


def make(spec):
    """The algorithm with weights of 64 bits, whatever precision the spec states."""
    spec.sections.training.__dict__["precision"] = "float64"
    return loop.make(spec)


def play(spec, dataset, compiled):
    """All variables after two steps, as arrays by name, and the graphs that ran."""
    algorithm = make(spec)
    batches = loop.make_batches(spec, algorithm, dataset)
    graphs = []
    for step in range(STEPS):
        if step == 0 or algorithm.pause(step - 1) == step:
            algorithm.begin(step)
            run = compiled(lambda batch: algorithm.step(batch))
        feed = {
            name: tf.constant(x, "float64" if x.dtype.kind == "f" else x.dtype) for name, x in batches[step].items()
        }
        context.enable_run_metadata()
        run(feed)
        graphs += context.export_run_metadata().function_graphs
        context.disable_run_metadata()
    return {name: keras.ops.convert_to_numpy(v) for name, v in algorithm.state().items()}, graphs


def unordered(graph):
    """Pairs of a move of a variable and another move or a read of it, of which neither must wait for the other."""
    place = {node.name: number for number, node in enumerate(graph.node)}
    inputs = [
        [place[name] for i in node.input if (name := i.lstrip("^").split(":")[0]) in place] for node in graph.node
    ]
    before = [-1] * len(inputs)  # as bits: all that a node waits for
    waiting = list(range(len(inputs)))
    while waiting:
        later = []
        for number in waiting:
            if all(before[i] >= 0 for i in inputs[number]):
                bits = 0
                for i in inputs[number]:
                    bits |= before[i] | (1 << i)
                before[number] = bits
            else:
                later.append(number)
        assert len(later) < len(waiting), "the graph has a circle"
        waiting = later
    users = {}
    for number, node in enumerate(graph.node):
        if node.op in (*WRITES, "ReadVariableOp"):
            users.setdefault(node.input[0], []).append(number)
    pairs = [(a, b) for found in users.values() for i, a in enumerate(found) for b in found[i + 1 :]]
    moving = [(a, b) for a, b in pairs if graph.node[a].op in WRITES or graph.node[b].op in WRITES]
    return sum(not (before[a] >> b & 1 or before[b] >> a & 1) for a, b in moving)


def main(folder):
    keras.config.set_floatx("float64")
    tf.config.experimental.enable_op_determinism()
    report = {}
    for path in sorted(folder.glob("*.yaml")):
        spec = read_spec(path)
        dataset = load_data(spec)
        plain, _ = play(spec, dataset, lambda step: step)
        found = {}
        for way, xla in (("graph", False), ("xla", True)):
            compiled = functools.partial(tf.function, autograph=False, jit_compile=xla)
            state, graphs = play(spec, dataset, compiled)
            found[way] = max(float(np.abs(state[name] - plain[name].astype("float64")).max()) for name in plain)
            if way == "graph":
                large = [g.post_optimization_graph for g in graphs if len(g.post_optimization_graph.node) > 50]
                found["graphs"], found["unordered"] = len(large), sum(map(unordered, large))
        report[path.stem] = found
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
