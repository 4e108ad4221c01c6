"""The specs whose training can be evaluated, and the messages for the others."""

import pytest
import tiny
from watched import OFF, WATCHED

from zoo.core.errors import SpecError
from zoo.metrics.networks.judge import FEATURES, SIZE, SOURCE
from zoo.spec.feeds import load_data
from zoo.spec.sections import Evaluate
from zoo.train.monitor import make_metric, why_unwatched

SMALL = WATCHED.replace("samples: 80", "samples: 64")

WIDE = (
    WATCHED.replace("fashion_mnist}", "fashion_mnist, size: SIZE}")
    .replace("784", "AREA")
    .replace("28, 28", "SIZE, SIZE")
)


@pytest.mark.parametrize(
    ("text", "overrides", "told"),
    [
        (SMALL, (), "33:33: training.evaluate.samples: expected an integer at least 65 and at most 100000"),
        (WATCHED.replace("every:", "evry:"), (), "33:14: training.evaluate: unknown key 'evry'. Did you mean 'every'?"),
        (WATCHED.replace("every: 1,", "every: 0,"), (), "33:21: training.evaluate.every: expected an integer"),
        (WATCHED.replace("fashion_mnist", "mnist"), (), "33:13: training.evaluate: the only data with a judge is"),
        (WIDE.replace("SIZE", "26").replace("AREA", "676"), (), "33:13: training.evaluate: the judge takes square"),
        (WIDE.replace("SIZE", "31").replace("AREA", "961"), (), "of an even size from 28 to 54, received [31, 31]"),
        (WIDE.replace("SIZE", "56").replace("AREA", "3136"), (), "of an even size from 28 to 54, received [56, 56]"),
        (WATCHED, ("data.fit=resize",), "33:13: training.evaluate: the judge knows grey clothes with a black border"),
        (WATCHED, ("data.jitter_from=30",), "33:13: training.evaluate: the judge knows grey clothes"),
        (WATCHED, ("export.networks=[discriminator]",), "the exported networks (discriminator) makes an 'image'"),
    ],
)  # fmt: skip
def test_what_cannot_be_watched(tmp_path, text, overrides, told):
    with pytest.raises(SpecError) as caught:
        tiny.read(tmp_path, text, *overrides)
    assert told in str(caught.value), caught.value


def test_what_can_be_watched(tmp_path):
    for size in (28, 32):
        text = WIDE.replace("SIZE", str(size)).replace("AREA", str(size * size))
        tiny.read(tmp_path, text, "data.fit=pad", "data.channels=1")
    plain = WATCHED.replace("{every: 1, samples: 80}", "{}")
    assert tiny.read(tmp_path, plain).sections.training.evaluate == Evaluate()
    assert tiny.read(tmp_path, WATCHED, OFF).sections.training.evaluate is None


def test_it_is_watched_unless_told_otherwise_where_there_is_a_judge(tmp_path):
    said_nothing = WATCHED.replace("  evaluate: {every: 1, samples: 80}\n", "")
    read = tiny.read(tmp_path, said_nothing)
    metric = make_metric(read, load_data(read))
    assert metric.name == "judge_frechet_2000" and why_unwatched(read) == ""
    off = tiny.read(tmp_path, said_nothing, OFF)
    assert make_metric(off, None) is None and why_unwatched(off) == "training.evaluate is null"
    other = tiny.read(tmp_path, said_nothing.replace("fashion_mnist", "mnist"))  # nothing stated, no mistake
    assert make_metric(other, None) is None
    assert why_unwatched(other) == "the only data with a judge is 'fashion_mnist', received 'mnist'"


def test_who_watches_does_not_make_it_another_spec(tmp_path):
    hashes = {tiny.read(tmp_path, WATCHED, *change).sha256 for change in ((), (OFF,), ("training.evaluate.every=9",))}
    assert len(hashes) == 1 and tiny.read(tmp_path, WATCHED, "training.seed=9").sha256 not in hashes


def test_the_spec_knows_the_judge():
    from zoo.spec import algorithm_checks
    from zoo.spec.validate import below, document

    assert (algorithm_checks.SOURCE, algorithm_checks.SIZE) == (SOURCE, SIZE)
    samples = below(below(below(document(), "training"), "evaluate"), "samples")
    assert samples["minimum"] == FEATURES + 1
