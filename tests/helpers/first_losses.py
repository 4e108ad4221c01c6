"""The first ten losses of the shipped specs in float64, written down as the reference for later changes.

    python tests/helpers/first_losses.py [NAME ...]           print them as JSON: {spec: {loss: ten numbers}}
    python tests/helpers/first_losses.py [NAME ...] --renew   write them to tests/conformance/first_losses.json

A change that is meant to change numbers (initial weights, a loss, the order of draws) renews the file and says so;
any other change must keep them. Images are random ones of the spec's shape, so that nothing is downloaded.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")

import games
import given
import keras
import tensorflow as tf

from zoo.cli.new import shipped
from zoo.data.catalogue import describe
from zoo.data.dataset import Domains
from zoo.nn.layers import initialize_from_data
from zoo.spec.feeds import load_data
from zoo.spec.read import read_spec
from zoo.train import loop

STEPS = 10
FILE = Path(__file__).parents[1] / "conformance" / "first_losses.json"


def data_of(spec):
    """Random images from a seed; points are computed as the spec says."""
    if "image" in spec.fields:
        return games.images(spec, 1000)
    if "point" in spec.fields:
        return load_data(spec)
    a, b = (games.images(spec, 200, seed=seed, field=field) for seed, field in enumerate("ab"))
    source = spec.sections.data.source
    together = describe(source.name, source.args).together
    return Domains("noise", a, b, paired=together, together=together)


def losses(name):
    """{loss: numbers of the first ten steps} of a shipped spec, whose networks have weights of 64 bits."""
    spec = read_spec(shipped()[name])
    spec.sections.training.__dict__["precision"] = "float64"
    algorithm, dataset = loop.make(spec), data_of(spec)
    if "image" in spec.fields:  # as at the start of a training: biases that follow from the mean image
        initialize_from_data(algorithm.players["generator"], dataset.images.mean(0) / 255)
    batches = loop.make_batches(spec, algorithm, dataset)
    algorithm.begin(0)
    step = tf.function(algorithm.step, autograph=False)
    found = {}
    for number in range(STEPS):
        feed = {
            key: tf.constant(x, "float64" if x.dtype.kind == "f" else x.dtype) for key, x in batches[number].items()
        }
        for key, value in step(feed).items():
            found.setdefault(key, []).append(float(value))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="shipped specs (default: all)")
    parser.add_argument("--renew", action="store_true", help="write them to tests/conformance/first_losses.json")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    given.install()
    tf.config.experimental.enable_op_determinism()
    found = {}
    for name in options.names or shipped():
        found[name] = losses(name)
        print(f"{name}: done", file=sys.stderr)
        keras.backend.clear_session()
    if options.renew:
        known = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
        FILE.write_text(json.dumps(dict(sorted({**known, **found}.items())), indent=1) + "\n", "utf-8")
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
