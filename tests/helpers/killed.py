"""Trains and exports in a process that kills itself while it writes a file, for tests/train/test_killed.py.

The process is forked from one in which the imports of this file are done: nothing of TensorFlow has run there yet.
"""

import os
import signal

import numpy as np
import watched

from zoo.data.dataset import Dataset
from zoo.export import exporter
from zoo.metrics.networks import judge
from zoo.spec import feeds
from zoo.spec.read import read_spec
from zoo.train import loop


def train(folder, where, count, when):
    """Go on with `folder`/watched.yaml, and die "before" or "after" the `count`-th file whose path holds `where`."""
    labels = np.arange(300) % 10
    data = Dataset("fashion_mnist", images=watched.real(), labels=labels, classes=tuple("0123456789"))
    judge.load_judge = watched.Features
    feeds.load_data = lambda spec, split=None: data
    replace, seen = os.replace, []

    def killing(source, target):
        seen.extend([target] if where in str(target) else [])
        last = seen[-1:] == [target] and len(seen) == count
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    if where:
        os.replace = killing
    run = loop.train(read_spec(folder / "watched.yaml"), runs=folder / "runs", resume=True)
    exporter.export(loop.best_of(run), out=folder / "best")
    exporter.export(run, out=folder / "last")
