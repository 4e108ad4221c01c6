"""The papers' networks, exactly: trainable weights and output shapes of specs/paper/, in the plan and in Keras."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from zoo.spec.read import read_spec

PAPER = Path(__file__).parents[2] / "specs" / "paper"
PHOTO, MAP = (256, 256, 3), (128, 128, 3)

# (spec, network): trainable weights, output shape
COUNTS: dict[tuple[str, str], tuple[int, tuple[int, ...]]] = {
    ("vanilla_mnist", "generator"): (2_503_984, (28, 28, 1)),
    ("vanilla_mnist", "discriminator"): (1_231_441, (1,)),
    ("cgan_mnist", "generator"): (2_413_984, (28, 28, 1)),
    ("cgan_mnist", "discriminator"): (1_224_351, (1,)),
    ("dcgan_64_torch", "generator"): (3_576_704, (64, 64, 3)),
    ("dcgan_64_torch", "discriminator"): (2_765_568, (1,)),
    ("dcgan_64", "generator"): (18_885_760, (64, 64, 3)),
    ("dcgan_64", "discriminator"): (17_232_768, (1,)),
    ("wgan_gp_mnist", "generator"): (1_554_177, (28, 28, 1)),
    ("wgan_gp_mnist", "discriminator"): (1_030_145, (1,)),
    ("wgan_gp_cifar", "generator"): (1_204_483, (32, 32, 3)),
    ("wgan_gp_cifar", "discriminator"): (1_053_825, (1,)),
    ("cyclegan_6", "a_to_b"): (7_837_699, MAP),
    ("cyclegan_6", "b_to_a"): (7_837_699, MAP),
    ("cyclegan_6", "discriminator_a"): (2_764_737, (14, 14, 1)),
    ("cyclegan_6", "discriminator_b"): (2_764_737, (14, 14, 1)),
    ("cyclegan_9", "a_to_b"): (11_378_179, PHOTO),
    ("cyclegan_9", "b_to_a"): (11_378_179, PHOTO),
    ("cyclegan_9", "discriminator_a"): (2_764_737, (30, 30, 1)),
    ("cyclegan_9", "discriminator_b"): (2_764_737, (30, 30, 1)),
    ("pix2pix", "generator"): (54_419_459, PHOTO),
    ("pix2pix", "discriminator"): (2_767_809, (30, 30, 1)),
    ("pggan_1024", "generator"): (23_071_507, (1024, 1024, 3)),
    ("pggan_1024", "discriminator"): (23_077_137, (1,)),
    ("pggan_cifar", "generator"): (1_295_747, (32, 32, 3)),
    ("pggan_cifar", "discriminator"): (1_297_153, (1,)),
    ("projection_cifar", "generator"): (4_304_387, (32, 32, 3)),
    ("projection_cifar", "discriminator"): (1_055_104, (1,)),
    ("biggan_cifar", "generator"): (4_304_387, (32, 32, 3)),
    ("biggan_cifar", "discriminator"): (4_207_361, (1,)),
    ("unrolled_stacked", "generator"): (287_875, (28, 28, 3)),
    ("unrolled_stacked", "discriminator"): (1_889, (1,)),
    ("r3gan_stacked", "generator"): (20_732_160, (32, 32, 3)),
    ("r3gan_stacked", "discriminator"): (20_683_776, (1,)),
    ("r3gan_cifar", "generator"): (20_781_952, (32, 32, 3)),
    ("r3gan_cifar", "discriminator"): (21_280_512, (1,)),
    ("sagan_128", "generator"): (42_078_852, (128, 128, 3)),  # by the layers: the paper states no number
    ("sagan_128", "discriminator"): (39_463_618, (1,)),
}
LARGE = 3_000_000


def test_every_network_of_every_paper_is_counted() -> None:
    assert {(path.stem, name) for path in PAPER.glob("*.yaml") for name in read_spec(path).plans} == set(COUNTS)


@pytest.mark.parametrize(("spec", "network"), COUNTS, ids="-".join)
def test_plan_has_the_size_of_the_paper(spec: str, network: str) -> None:
    plan = read_spec(PAPER / f"{spec}.yaml").plans[network]
    assert (plan.parameters, plan.output_shape) == COUNTS[spec, network]


@pytest.mark.parametrize(
    ("spec", "network"),
    [pytest.param(*key, marks=pytest.mark.slow if size > LARGE else ()) for key, (size, _) in COUNTS.items()],
)
def test_keras_builds_what_was_planned(spec: str, network: str) -> None:
    import keras

    from zoo.nn.networks import build

    plan = read_spec(PAPER / f"{spec}.yaml").plans[network]
    model = build(plan)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == plan.parameters
    assert model.output[plan.output_name].shape == (None, *plan.output_shape)
    assert {name: tensor.shape[1:] for name, tensor in model.input.items()} == dict(plan.inputs)
    keras.backend.clear_session()


def test_a_net_that_is_too_large_for_the_machine_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a warning of the dry run, and an error only where it is to be trained."""
    from zoo.core.errors import SpecError
    from zoo.spec import read
    from zoo.train import summary

    for module in (read, summary):
        monkeypatch.setattr(module, "memory", lambda: 10**8)
    spec = read_spec(PAPER / "pggan_1024.yaml")
    described = summary.summarize(spec)
    assert described["networks"]["generator"]["parameters"] == 23_071_507
    assert "GB, this machine has 0.1 GB: it is counted alone" in summary.summary_text(spec, described)
    with pytest.raises(SpecError, match="this machine has 0.1 GB"):
        read_spec(PAPER.parent / "dcgan.yaml", ["networks.discriminator.layers.0.Conv2D.filters=100000"])


def test_a_step_of_a_paper_that_is_too_large_for_the_machine_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, zoo_says: Any, tmp_path: Path
) -> None:
    """Of a check; one's own spec with the same batch is a mistake, and so is the paper's where it is to be trained."""
    from zoo.cli import build, check, requirements
    from zoo.spec import read

    monkeypatch.setattr(requirements, "silence", lambda: None)
    for module in (read, check, build):
        monkeypatch.setattr(module, "memory", lambda: 10**8)
    code, out, err = zoo_says("check", PAPER / "r3gan_stacked.yaml")
    assert (code, out) == (0, "1 spec is good\n") and "GB; this machine has 0.1 GB. It is counted alone" in err
    code, out, err = zoo_says("build", PAPER / "r3gan_stacked.yaml", "--runs", tmp_path)
    assert code == 2 and "training.batch_size: a step needs about" in err and not list(tmp_path.iterdir())
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nextends: paper/r3gan_stacked\ntitle: Mine\n", "utf-8")
    assert zoo_says("check", own)[0] == 2
