"""The dry run: facts for programs, tables for people, both of networks that were really built."""

import dataclasses
import json

import pytest
import tiny

from zoo.core.errors import ExportError
from zoo.train.summary import summarize, summary_text


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return tiny.read(tmp_path_factory.mktemp("spec"), tiny.GAN, "algorithm.alternating.discriminator.updates=2")


@pytest.fixture(scope="module")
def facts(spec):
    return summarize(spec)


def test_facts(facts, spec):
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["name"], facts["title"], facts["spec_sha256"]) == ("tiny", "A tiny GAN", spec.sha256)
    conv = 4 * 4 * 2  # weights of one filter
    assert facts["networks"] == {
        "generator": {
            "parameters": 4 * 32 + 32 + 2 * 32 + 2 * 2 + conv + 1,
            "macs_per_image": 4 * 32 + 4 * 4 * conv,  # a transposed convolution: each INPUT pixel meets the kernel
            "inputs": {"z": [4]},
            "output": "image",
            "output_shape": [8, 8, 1],
        },
        "discriminator": {
            "parameters": 4 * 4 * 3 + 3 + 2 * 3 + 48 + 1,
            "macs_per_image": 4 * 4 * (4 * 4 * 3) + 48,
            "inputs": {"image": [8, 8, 1]},
            "output": "logits",
            "output_shape": [1],
        },
    }
    assert facts["phases"] == [
        {"name": "discriminator", "networks": ["discriminator"], "repeat": 2, "optimizer": "Adam"},
        {"name": "generator", "networks": ["generator"], "repeat": 1, "optimizer": "Adam"},
    ]
    assert facts["training"] == {"batch_size": 8, "steps": 4, "budget": None}
    assert facts["training_bytes"] > 0


def test_text(facts, spec):
    text = summary_text(spec, facts)
    assert text.startswith("name: tiny\n") and "steps: 4" in text  # the resolved spec
    table = text[text.index("generator: z [4] -> image [8, 8, 1]") :].splitlines()
    assert table[1].split() == ["layer", "output", "shape", "parameters"]
    assert table[2].split() == ["Dense", "[32]", "160"]
    assert table[4].split() == ["Reshape", "[4,", "4,", "2]", "0"]
    assert len({len(line) for line in table[1:9]}) == 1  # columns stand under each other
    assert "generator: 261 trainable parameters, 640 multiply-adds per image" in text
    assert "\ndiscriminator  trains discriminator, 2 updates, Adam; minimises d_loss; draws z; reads image\n" in text
    assert "\ngenerator      trains generator, 1 update, Adam; minimises g_loss; draws z\n" in text
    assert "\nstep           generator 3 passes, discriminator 5; " in text
    assert "memory of a step with batches of 8: about " in text


def test_tables_say_where_a_layer_takes_its_inputs(tmp_path):
    spec = tiny.read(tmp_path, tiny.LABELLED)
    lines = summary_text(spec, summarize(spec)).splitlines()
    generator = lines[lines.index("generator: z [3], label [] -> image [8, 8, 1]") :]
    assert generator[2].split()[:3] == ["OneHot", "<-", "label"]
    assert generator[3].split()[:4] == ["Concatenate", "<-", "z,", "1"]
    assert generator[4].split()[0] == "Dense" and "<-" not in generator[4]


def test_networks_alone(tmp_path):
    text = tiny.DENSE[: tiny.DENSE.index("algorithm:")]
    spec = tiny.read(tmp_path, text)
    facts = summarize(spec)
    assert facts["phases"] == [] and "training" not in facts and facts["networks"]["generator"]["parameters"] == 256
    shown = summary_text(spec, facts)
    assert "\nphase" not in shown and "discriminator: 65 trainable parameters, 64 multiply-adds per image" in shown
    assert shown.endswith("memory of a step with batches of 1: about 0.0 MB")


def test_a_count_that_keras_does_not_confirm(tmp_path):
    spec = tiny.read(tmp_path, tiny.DENSE)
    plan = spec.plans["generator"]
    cost = plan.steps[0].cost._replace(parameters=7)
    steps = (dataclasses.replace(plan.steps[0], cost=cost), *plan.steps[1:])
    wrong = dataclasses.replace(spec, plans={**spec.plans, "generator": dataclasses.replace(plan, steps=steps)})
    with pytest.raises(ExportError, match=r"networks\.generator: Keras counts 256 parameters, the spec 7"):
        summarize(wrong)
