"""One clear line for everything that can be wrong with a call."""

import threading
from dataclasses import replace

import numpy as np
import onnx_nets as nets
import pytest
from onnx_nets import fails

import zoo
from zoo.runtime.generator import Generator


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, r"n must be a whole number in 1\.\.1000000000, received 0"),
        ({"n": 2.0}, r"n must be .*, received 2\.0"),
        ({"n": True}, "n must be"),
        ({"n": "4"}, "n must be .*, received '4'"),
        ({"n": 10**30}, "n must be"),
        ({"n": 1, "seed": -1}, r"seed must be a whole number in 0\.\.4294967295, received -1"),
        ({"n": 1, "seed": 2**32}, "seed must be"),
        ({"n": 1, "batch_size": 0}, "batch_size must be a whole number from 1 up"),
        ({"n": 1, "label": 0}, "tiny takes no label: it is not conditional"),
    ],
)
def test_wrong_samples(generator, wrong, message):
    fails(message, generator.sample, **wrong)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (3, r"input 'label': class ids lie in 0\.\.2 \(ankle boot\.\.coat\), received 3"),
        (-1, "received -1"),
        (True, "class ids are whole numbers, received bool"),
        (1.0, r"class ids are whole numbers, received float64; convert them with \.astype"),
        ("bagg", r"fashion has no class 'bagg'\. Did you mean 'bag'\? Its classes: ankle boot, bag, coat"),
        ([0, 1, 2], r"label must be one class or 2 of them, received shape \[3\]"),
        ([[0], [0, 1]], "'label' is not an array"),
    ],
)
def test_wrong_labels(conditional, label, message):
    fails(message, conditional.sample, 2, label=label)


def z(shape=(2, 8), dtype=np.float32):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"labels": [0, 1]}, "has no input 'labels'. Did you mean 'label'. Its inputs: z, label"),
        (
            {"z": z(dtype=np.float64)},
            r'expected z float32 \[batch, 8\], received float64 \[2, 8\]; convert it .*"float32"',
        ),
        ({"z": z(dtype=">f4")}, "received >f4"),
        ({"z": "zz"}, "input 'z': expected z float32"),
        ({"z": z((2, 7))}, r"received float32 \[2, 7\]"),
        ({"z": z((0, 8)), "label": z((0,), np.int64)}, "the batch is empty"),
        ({"z": [[1.0], [1.0, 2.0]]}, "'z' is not an array"),
        ({"z": np.full((2, 8), np.nan, np.float32)}, "input 'z': every number must be finite"),
        ({"label": [0]}, "the inputs differ in batch size: z has 2, label has 1"),
        ({"label": 0}, "input 'label': expected label int64"),
        ({"label": [0, 3]}, "received 3"),
        ({"label": np.array([0, 2**64 - 1], np.uint64)}, "received 18446744073709551615"),
    ],
)
def test_wrong_calls(conditional, inputs, message):
    fails(message, lambda: conditional(**{"z": z(), "label": [0, 1], **inputs}))


def test_missing_inputs(conditional):
    fails(r"fashion lacks its input z float32 \[batch, 8\]", conditional)
    fails("fashion lacks its input label int64", conditional, z=z())


def test_every_integer_type_and_memory_order_is_a_label_or_a_latent(conditional):
    latent = np.random.RandomState(0).standard_normal((8, 2)).astype(np.float32).T  # not contiguous
    expected = conditional(z=latent.copy(), label=np.int64([0, 2]))
    for dtype in "bBhHiIlLqQ":
        np.testing.assert_array_equal(conditional(z=latent, label=np.array([0, 2], dtype)), expected)


def test_an_input_without_prior_is_called_not_drawn(tmp_path):
    photo = replace(nets.Z, prior=None)
    each = zoo.load(nets.save(tmp_path / "a", nets.images(), nets.describe(photo)))
    assert each(z=z()).shape == (2, 8, 8, 3)
    for call in (each.sample, each.latents):
        fails(r"tiny cannot draw its input 'z', it has no prior: call it with z float32 \[batch, 8\]", call, 2)


def test_more_than_memory(generator, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr(np, "empty", full)
    fails("n=1000 needs more memory than there is; draw fewer at a time", generator.sample, 1000)


def test_a_session_that_fails_or_returns_another_shape():
    class Broken:
        def run(self, names, feed):
            raise RuntimeError("first line\nsecond line")

    class Odd:
        def run(self, names, feed):
            return [np.zeros((1, 2), np.float32)]

    fails("points: ONNX Runtime failed: first line$", Generator(nets.describe_points(), Broken()).sample, 3)
    fails(r"returned \[1, 2\] where \[2, 2\]", Generator(nets.describe_points(), Odd()), z=z((2, 2)))


def test_threads_share_a_generator(generator):
    expected, wrong = [generator.sample(20, seed=s) for s in range(8)], []

    def work(seed):
        for _ in range(5):
            if not np.array_equal(generator.sample(20, seed=seed), expected[seed]):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(s,)) for s in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
