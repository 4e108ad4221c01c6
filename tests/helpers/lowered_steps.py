"""Run by tests/train/test_lowered_steps.py in a process of its own, because Keras has one backend per process.

    KERAS_BACKEND=jax python lowered_steps.py SPEC.yaml ...          lower each step for NVIDIA's GPUs and for TPUs
    KERAS_BACKEND=tensorflow python lowered_steps.py SPEC.yaml ...   compile each step by XLA for this machine

prints as JSON, spec by spec, what came out: for JAX the platforms and the number of operations of the module, for
TensorFlow the number of instructions of the compiled program. Batches have two examples; no step is made, and of the
values of weights and batches only the shapes count.
"""

import json
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import games
import given
import keras

from zoo.data.dataset import Domains
from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec
from zoo.train import loop

given.install()
PLATFORMS = ("cuda", "tpu")
SMALL = ("training.batch_size=2",)


def data_of(spec):
    """Two to four noise images of the spec's shape; points are computed."""
    if "point" in spec.fields:
        return load_data(spec)
    if "image" in spec.fields:
        return games.images(spec, 20 if min(spec.fields["image"][:2]) < 512 else 10)
    a, b = (games.images(spec, 4, seed=seed, field=field) for seed, field in enumerate("ab"))
    return Domains("noise", a, b)


def lowered(algorithm, batch):
    """Under JAX: the platforms of the exported step, and how many operations its module has."""
    import jax

    algorithm.compile()
    groups = (
        algorithm.trainable_variables, algorithm.non_trainable_variables, algorithm.optimizer.variables,
        algorithm.metrics_variables,
    )  # fmt: skip
    state = tuple([jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables] for variables in groups)
    shapes = {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in batch.items()}
    step = jax.jit(lambda state, batch: algorithm.train_step(state, (batch,)))
    exported = jax.export.export(step, platforms=PLATFORMS)(state, shapes)
    return {"platforms": exported.platforms, "size": exported.mlir_module().count("stablehlo.")}


def compiled(algorithm, batch):
    """Under TensorFlow: how many instructions XLA's compiled program of the step has."""
    import tensorflow as tf

    step = tf.function(lambda batch: algorithm.train_step((batch,)), jit_compile=True, autograph=False)
    feed = {name: tf.constant(value) for name, value in batch.items()}
    program = step.experimental_get_compiler_ir(feed)(stage="optimized_hlo")
    return {"platforms": ["cpu"], "size": len(re.findall(r"^\s+(?:ROOT )?%?[\w.-]+ = ", program, re.M))}


def main(paths):
    way = {"jax": lowered, "tensorflow": compiled}[keras.backend.backend()]
    found = {}
    for path in paths:
        spec = read_spec(path, SMALL)
        algorithm = loop.make(spec)
        algorithm.begin(0)
        found[str(path)] = way(algorithm, loop.make_batches(spec, algorithm, data_of(spec)).pixels(0))
        print(f"{path}: {found[str(path)]}", file=sys.stderr, flush=True)
        keras.backend.clear_session()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
