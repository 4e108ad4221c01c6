"""Run by tests/test_backends.py in a process of its own, because Keras has one backend per process.

    python backend_steps.py SPEC CHECKPOINT_IN CHECKPOINT_OUT STEPS

continues CHECKPOINT_IN by STEPS steps, writes CHECKPOINT_OUT, prints as JSON the losses of every step and the second
derivative of v ** 3 at v = 2 (which is 12), taken through two nested calls of `autodiff.value_and_grad`.
"""

import json
import sys
from pathlib import Path

import keras

from zoo import autodiff, checkpoint, spec, training


def losses(algorithm, batches, steps):
    rows = [algorithm.train_on_batch(batches[step], return_dict=True) for step in range(steps)]
    return [{name: float(value) for name, value in row.items()} for row in rows]


def second_derivative():
    v = keras.Variable(2.0)
    slope = autodiff.value_and_grad(
        lambda: (autodiff.value_and_grad(lambda: (v**3, {}), [v]).gradients[0], {}),
        [v],
    )
    return float(slope.gradients[0])


if __name__ == "__main__":
    path, start, end, steps = sys.argv[1:]
    read = spec.read(path)
    algorithm = training.make(read)
    checkpoint.load(Path(start), algorithm, read.document)
    algorithm.compile()
    rows = losses(algorithm, training.make_batches(read, algorithm, training.load_data(read)), int(steps))
    progress = checkpoint.Progress(int(steps), 1.0, training.machine())
    checkpoint.save(Path(end), algorithm, progress, read.document)
    print(json.dumps({"losses": rows, "second_derivative": second_derivative(), "machine": progress.machine}))
