"""Run by tests/train/test_backends.py in a process of its own, because Keras has one backend per process.

    python backend_steps.py FOLDER STEPS [noise]

continues every FOLDER/<game>.npz under FOLDER/<game>.yaml by STEPS steps, writes FOLDER/<game>.<backend>.npz, and
prints as JSON the losses of every step of each game, and the values of the small functions on derivatives here.

With `noise` the examples are noise of the shape of the data, which need no files, and numbers have 64 bits (JAX wants
JAX_ENABLE_X64=1). Where FOLDER has no checkpoint the weights are new ones.
"""

import importlib
import json
import sys
from pathlib import Path

import games
import given
import keras

from zoo.nn import autodiff, optimizers
from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec
from zoo.train import checkpoint, loop


def losses(algorithm, batches, steps):
    """Of every step, compiled as `fit` does it."""
    rows = []
    algorithm.begin(0)
    algorithm.compile()
    for step in range(steps):
        wide = {
            name: x.astype(keras.config.floatx()) if x.dtype.kind == "f" else x for name, x in batches[step].items()
        }
        batch = {name: keras.ops.convert_to_tensor(value) for name, value in wide.items()}
        rows.append(algorithm.train_on_batch(batch, return_dict=True))
    return [{name: float(value) for name, value in row.items()} for row in rows]


def whole_kernels():
    """PyTorch's convolution of 64 bits takes no gradient by a kernel that is a view, as Keras hands it over."""
    if keras.backend.backend() == "torch":
        import torch.nn.functional as functions

        for name in ("conv2d", "conv_transpose2d"):
            function = getattr(functions, name)
            setattr(
                functions, name, lambda x, kernel, *a, f=function, **k: f(x.contiguous(), kernel.contiguous(), *a, **k)
            )


def whole_numbers_of_64_bits():
    """Outside TensorFlow Keras takes float64 and float32 together for float32, which batch norm asks; on TensorFlow the
    slope of a leaky ReLU, and Adam's betas, pass through 32 bits: 1 - 0.999 is then off by a hundred thousandth. And at
    0, where the first layer is on black pixels before its bias has moved, JAX gives a leaky ReLU the slope 1."""
    from keras.src.backend.common import dtypes

    dtypes.BIT64_TO_BIT32_DTYPE = {**dtypes.BIT64_TO_BIT32_DTYPE, "float64": "float64"}
    backend = keras.backend.backend()
    nn = importlib.import_module(f"keras.src.backend.{backend}.nn")
    nn.leaky_relu = lambda x, negative_slope=0.2: keras.ops.where(x > 0, x, negative_slope * x)
    if backend == "tensorflow":
        import tensorflow as tf
        from keras.src.backend.tensorflow import core

        cast = core.cast
        core.cast = lambda x, dtype: tf.constant(x, dtype) if isinstance(x, float) else cast(x, dtype)


def second_derivative():
    """Of v ** 3 at v = 2, which is 12, through two nested calls of `value_and_grad`."""
    v = keras.Variable(2.0)
    slope = autodiff.value_and_grad(
        lambda: (autodiff.value_and_grad(lambda: (v**3, {}), [v]).gradients[0], {}),
        [v],
    )
    return float(slope.gradients[0])


def derivative_of_a_slope():
    """d / dw of sum (d sum(w x^2) / dx)^2 = 8 w x^2, [48, -36]; and how many variables the inner call would move: 0."""
    w, x = keras.Variable([1.5, -0.5]), keras.ops.convert_to_tensor([[2.0, 3.0]])
    norm = keras.layers.BatchNormalization()
    norm.build((None, 2))

    def loss():
        def critic(t):
            norm(t, training=True)
            return keras.ops.sum(w * t**2)

        return keras.ops.sum(keras.ops.square(autodiff.input_gradient(critic, x))), {}

    found = autodiff.value_and_grad(loss, [w])
    return [*map(float, found.gradients[0]), len(found.updates)]


def slope_of_adam_at_rest():
    """d w' / d gradient of an unrolled Adam's first update at gradient 0: -0.1 sqrt(1 - 0.99) / 0.01 = -1, not NaN."""
    weight, gradient = keras.Variable([1.0]), keras.Variable([0.0])
    adam = keras.optimizers.Adam(learning_rate=0.1, beta_1=0.5, beta_2=0.99, epsilon=0.01)
    adam.build([weight])

    def moved():
        (after,) = optimizers.Unrolled(adam).step([weight.value], [gradient.value])
        return keras.ops.sum(after), {}

    return float(autodiff.value_and_grad(moved, [gradient]).gradients[0][0])


def derivatives():
    return {"second": second_derivative(), "of_a_slope": derivative_of_a_slope(), "of_adam": slope_of_adam_at_rest()}


if __name__ == "__main__":
    folder, steps, examples = Path(sys.argv[1]), int(sys.argv[2]), load_data
    if wide := bool(sys.argv[3:]):
        examples = games.noise
        keras.config.set_floatx("float64")
        whole_kernels()
        whole_numbers_of_64_bits()
        given.install()
    played = {}
    for path in sorted(folder.glob("*.yaml")):
        read, begun = read_spec(path), path.with_suffix(".npz")
        if wide:
            read.sections.training.__dict__["precision"] = "float64"  # a step of 64 bits is for comparisons alone
        algorithm = loop.make(read)
        if not begun.is_file():
            algorithm.begin(0)
            checkpoint.save(begun, algorithm, checkpoint.Progress(0, 0.0, ""), read.document)
        checkpoint.load(begun, algorithm, read.document)
        played[path.stem] = losses(algorithm, loop.make_batches(read, algorithm, examples(read)), steps)
        progress = checkpoint.Progress(steps, 1.0, loop.machine())
        end = path.with_suffix(f".{keras.backend.backend()}.npz")
        checkpoint.save(end, algorithm, progress, read.document)
    print(json.dumps({"losses": played, "derivatives": derivatives(), "machine": loop.machine()}))
