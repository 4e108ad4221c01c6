"""What `zoo check` accepts trains and can be exported; all else is refused at its place, before anything is built."""

import json
import random
import re
from collections import Counter

import compositions
import games
import numpy as np
import pytest
from keras import ops

from zoo.core.errors import SpecError
from zoo.export import rehearsal
from zoo.spec.read import read_spec
from zoo.train import loop


def outcome(folder, number, seed):
    """Read, rehearse and play one random spec: "sound", or "refused" as it was read."""
    document = compositions.composed(random.Random(f"{seed} {number}"))
    path = folder / "composed.yaml"
    path.write_text(json.dumps(document, indent=1))
    try:
        spec = read_spec(path)
    except SpecError as error:
        assert all(re.match(r"\S+\.yaml:\d+:\d+: ", line) for line in str(error).splitlines()), error
        return "refused"
    algorithm = loop.make(spec)
    batches = loop.make_batches(spec, algorithm, games.images(spec, 8))
    algorithm.begin(0)
    batch = {name: ops.convert_to_tensor(value) for name, value in batches[0].items()}
    losses = algorithm.train_step((batch,))
    assert all(np.isfinite(float(loss)) for loss in losses.values())
    assert rehearsal.rehearse(spec)["generator"].startswith("can be exported: ONNX of opset ")
    return "sound"


def outcomes(folder, numbers, seed):
    """Count the outcomes; errors are raised together, each with the spec that caused it."""
    found, errors = Counter(), []
    for number in numbers:
        try:
            found[outcome(folder, number, seed)] += 1
        except Exception as error:
            text = (folder / "composed.yaml").read_text()
            errors.append(f"composition {number} of seed {seed}: {type(error).__name__}: {error}\n{text}")
    assert not errors, "\n\n".join([f"{len(errors)} of {len(numbers)} compositions", *errors])
    return found


def test_compositions_are_refused_at_their_place_or_train_and_leave(tmp_path):
    assert outcomes(tmp_path, range(20), seed=0)["sound"] >= 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 500, 50))  # parts, each of which can be run by itself
def test_many_compositions(tmp_path, first):
    assert outcomes(tmp_path, range(first, first + 50), seed=1)["sound"] >= 25
