"""Claims in YAML: read with located errors, run by `zoo reproduce FILE`, and all that ship are sound."""

import json
import textwrap

import numpy as np
import pytest
import tiny

from zoo.claims import experiment, measurements
from zoo.claims.base import CLAIMS
from zoo.claims.measurements import make_take
from zoo.cli import requirements
from zoo.core.errors import UsageError
from zoo.spec.claim import read_claim, variant_specs
from zoo.spec.types import Part
from zoo.spec.validate import specs_folder
from zoo.train import loop

SHIPPED = sorted((specs_folder() / "claims").glob("*.yaml"))
OWN = """
claim: faster
title: More steps move more
source: mine
states: Twice the rate, another generator.
card: tiny
takes: {full: a minute, quick: seconds}
spec: SPEC
variants:
  slow: {}
  fast: {algorithm.alternating.generator.optimizer: {SGD: {learning_rate: 0.5}}}
steps: {full: 60, quick: 20}
seeds: {full: 2, quick: 1}
snapshots: 3
measure: [{diversity: {samples: 8}}]
logged: [generator_loss]
correlations: {together: [diversity, diversity]}
holds:
  - {number: diversity, of: slow, at_least: 0, paper: some}
  - {number: together, of: slow, at_least: 0.999}
  - {number: diversity, of: slow, below: fast, margin: 100}
"""


@pytest.fixture
def claim_of(tmp_path, monkeypatch):
    """`claim_of(text)` writes a claim beside the spec that it names; claims made here are gone afterwards."""
    monkeypatch.setattr(requirements, "silence", lambda: None)
    before, spec = dict(CLAIMS), tiny.read(tmp_path, tiny.DENSE).path

    def write(text=OWN):
        file = tmp_path / "claim.yaml"
        file.write_text(textwrap.dedent(text).replace("SPEC", spec.name))
        return file

    yield write
    CLAIMS.clear()
    CLAIMS.update(before)


def test_a_claim_of_ones_own_runs_and_says_what_does_not_hold(claim_of, zoo_says, tmp_path):
    code, out, err = zoo_says("reproduce", claim_of(), "--out", tmp_path / "out")
    assert code == 3 and "FAIL: 1 of 3 numbers does not hold: diversity, slow" in out, err
    found = json.loads((tmp_path / "out" / "faster.json").read_text())
    assert [row["quantity"] for row in found["rows"]] == ["diversity, slow", "together, slow", "diversity, slow"]
    assert found["seeds"] == [0, 1] and found["rows"][1]["ours"] == 1.0
    assert found["rows"][2]["high"] == pytest.approx(found["rows"][2]["high"]) and found["rows"][2]["high"] < 0
    assert (tmp_path / "out" / "faster.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("variants:", "variant:", "claim.yaml:8:1: unknown key 'variant'. Did you mean 'variants'?"),
        ("diversity: {", "diversty: {", "claim.yaml:14:12: measure[0]: unknown measurement 'diversty'. Did you mean"),
        ("number: together", "number: togther", "claim.yaml:19:14: holds.togther: there is no number 'togther'."),
        ("of: slow, at", "of: slo, at", "holds.diversity.of: there is no variant 'slo'. Did you mean 'slow'?"),
        ("below: fast", "below: fats", "holds.diversity.below: there is no variant 'fats'. Did you mean 'fast'?"),
        ("[diversity, diversity]", "[diversity, m]", "correlations.together: there is no number 'm'."),
        ("full: 60", "full: 0", "steps.full: expected an integer at least 1, received 0"),
        ("learning_rate", "lerning_rate", "variant 'fast': --set algorithm"),
        ("SPEC", "nowhere.yaml", "nowhere.yaml:1:1: there is no such file"),
    ],
)
def test_mistakes_are_located(claim_of, zoo_says, old, new, message):
    code, out, err = zoo_says("reproduce", claim_of(OWN.lstrip("\n").replace(old, new, 1)))
    assert (code, out) == (2, "") and message in err and "Traceback" not in err


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_ones_are_sound(file):
    """Named like their file, about a spec that ships, with variants that are correct specs."""
    claim = experiment.read_experiment(file)
    assert claim.name == file.stem and (specs_folder() / f"{claim.spec}.yaml").is_file()
    variant_specs(read_claim(file), file)


def test_numbers_of_a_known_generator(tmp_path):
    """A generator that always makes the same image has no diversity; the judge's numbers are within their limits."""
    spec = tiny.read(tmp_path, tiny.DENSE)
    algorithm = loop.make(spec)
    take = make_take(spec, [Part("diversity", {"samples": 16})])
    assert 0 < take(algorithm)["diversity"] < 1
    generator = algorithm.exported("generator")
    generator.set_weights([np.zeros_like(w) for w in generator.get_weights()])
    assert take(algorithm)["diversity"] == 0


def test_a_value_that_leaves_is_measured_like_a_network(tmp_path):
    spec = tiny.read(tmp_path, tiny.DENSE, "export={values: {picture: fake}}")
    plain = tiny.read(tmp_path / "plain", tiny.DENSE)
    found, expected = (make_take(s, [Part("diversity", {"samples": 16})])(loop.make(s)) for s in (spec, plain))
    assert found["diversity"] == pytest.approx(float(expected["diversity"])) and found["diversity"] > 0
    np.testing.assert_array_equal(found["shown"], expected["shown"])
    with pytest.raises(UsageError, match="`stacked` needs stacked_mnist, in three channels"):
        make_take(spec, [Part("stacked", {})])


def test_stacked_digits_of_a_generator_that_makes_one_image(tmp_path):
    """One mode of a thousand; the judge is not sure of a grey square."""
    changes = ("data.source=stacked_mnist", "networks.generator.layers.0.Dense.units=2352",
               "networks.generator.layers.1.Reshape.target_shape=[28, 28, 3]")  # fmt: skip
    spec = tiny.read(tmp_path, tiny.DENSE, *changes)
    algorithm, take = loop.make(spec), make_take(spec, [Part("stacked", {"samples": 32})])
    generator = algorithm.exported("generator")
    generator.set_weights([np.zeros_like(w) for w in generator.get_weights()])
    found = take(algorithm)
    assert found["modes"] == 1 and found["reverse_kl"] == pytest.approx(np.log(1000))
    assert 0.1 <= found["confidence"] <= 1


def test_a_logged_number_is_the_mean_since_the_last_snapshot(tmp_path, monkeypatch):
    lines = {"loss": {20: 1.0, 40: 3.0, 60: 5.0}}
    monkeypatch.setattr("zoo.train.curves.read_scalars", lambda folder, until: lines)
    found = measurements.logged(tmp_path, ["loss"], [40, 60])
    assert {step: float(numbers["loss"]) for step, numbers in found.items()} == {40: 2.0, 60: 5.0}


def test_ranks_agree_or_oppose():
    assert measurements.rank_correlation([1, 2, 3, 4], [10, 20, 25, 99]) == pytest.approx(1)
    assert measurements.rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
