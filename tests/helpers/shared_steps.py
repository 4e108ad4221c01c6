"""Run by tests/train/test_devices.py in a process of its own, which has two logical CPU devices.

    KERAS_BACKEND=... python shared_steps.py FOLDER [--crossing]

trains 20 steps of every FOLDER/<game>.yaml on one device and on two, and prints as JSON, game by game: the largest
difference of their weights, and how far the weights went; with --crossing also the differences of runs that change the
number half way, from a checkpoint.
Under TensorFlow also: the devices of all variables, and of all operations that ran, of a step built for the second one.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np

from zoo.core.errors import UsageError
from zoo.spec.read import read_spec
from zoo.train import loop

STEPS = 20


def state(algorithm):
    return {name: keras.ops.convert_to_numpy(v.value).astype("float64") for name, v in algorithm.state().items()}


def distance(one, other):
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def trained(path, devices, runs, *, steps=STEPS, resume=False):
    spec = read_spec(path, (f"training.devices={devices}", "training.checkpoint_every_seconds=1e9"))
    return state(loop.train(spec, runs=runs, steps=steps, resume=resume).algorithm)


def play(path, folder, crossing):
    """Weights of 20 steps on one and on two devices, and where `crossing` of runs that change the number half way."""
    spec = read_spec(path)
    first = loop.make(spec)
    first.begin(0)
    start = state(first)
    one = trained(path, 1, folder / "one")
    two = trained(path, "all", folder / "two")
    networks = [name for name in start if "optimizer" not in name]
    found = {"moved": distance({name: start[name] for name in networks}, one), "apart": distance(one, two)}
    for name, before, after in (("joined", 2, 1), ("divided", 1, 2)) if crossing else ():
        trained(path, before, folder / name, steps=STEPS // 2)
        found[name] = distance(one, trained(path, after, folder / name, resume=True))
    return found


def places(path):
    """Where the variables and operations of a step are that is built for the second of two devices."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    spec = read_spec(path)
    with keras.device("cpu:1"):
        algorithm = loop.make(spec)
        algorithm.begin(0)
        batch = {
            name: tf.constant(x)
            for name, x in loop.make_batches(spec, algorithm, loop.feeds.load_data(spec))[0].items()
        }
        step = tf.function(algorithm.step, autograph=False)
        context.enable_run_metadata()
        step(batch)
        graphs = [graph for f in context.export_run_metadata().function_graphs for graph in f.partition_graphs]
        context.disable_run_metadata()
    variables = {v.value.device.rsplit("/", 1)[-1] for v in algorithm.state().values()}
    nodes = [node for graph in graphs for node in graph.node]
    assert len(nodes) > 100
    outside = Counter(node.op for node in nodes if node.device and not node.device.endswith("CPU:1"))
    if outside:
        print(path, outside, file=sys.stderr)
    return {
        "variables": sorted(variables),
        "operations": sorted({node.device.rsplit("/", 1)[-1] for node in nodes if node.op not in ("_Arg", "_Retval")}),
    }


def main(folder, crossing):
    tensorflow = keras.backend.backend() == "tensorflow"
    if tensorflow:
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    report = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            report[path.stem] = play(path, folder / "runs" / keras.backend.backend() / path.stem, crossing)
        except UsageError as error:
            report[path.stem] = {"refused": str(error)}
        if tensorflow:
            report[path.stem]["places"] = places(path)
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--crossing" in sys.argv)
