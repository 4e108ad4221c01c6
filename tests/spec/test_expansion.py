"""The words that expand into a game: the text that is pasted is the same game, and what a spec adds merges over it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.core.errors import SpecError, UsageError
from zoo.spec.diagnostics import Place, Problems
from zoo.spec.game_expansion import described_game, expansion
from zoo.spec.game_plan import Call, GamePlan
from zoo.spec.game_reader import Ends, game_of, read_game
from zoo.spec.game_text import describe_game
from zoo.spec.game_words import tree_of
from zoo.spec.read import read_spec
from zoo.spec.types import Part

SPECS = Path(__file__).parents[2] / "specs"
WORDS = ("cgan", "cyclegan", "dcgan", "lsgan", "sngan", "vanilla", "wgan", "wgan_gp")
KNOBS = {
    "penalties": ("wgan_gp", ["penalties=[r1: {weight: 3}, drift, gradient_penalty: {at: fake}]"]),
    "no identity": ("cyclegan", ["identity=0"]),
    "no pool": ("cyclegan", ["pool_size=0"]),
    "clip before": ("wgan", ["weight_clip.when=before"]),
    "order": ("dcgan", ["order=[generator, discriminator]", "generator.updates=2"]),
}


def bare(value: Any) -> Any:
    """The plan without places."""
    if isinstance(value, Call):
        value = dataclasses.replace(value, place=Place("", 0, 0), where="")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: bare(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, (list, tuple)) else value


def pasted(name: str, overrides: list[str], folder: Path) -> tuple[GamePlan, GamePlan]:
    """The game of a spec, and that of its expansion in the place of its algorithm."""
    word = "cyclegan" if name == "cyclegan" else "alternating"
    spec = read_spec(SPECS / f"{name}.yaml", [f"algorithm.{word}.{change}" for change in overrides])
    text = spec.to_yaml()
    start = text.index("\nalgorithm:") + 1
    end = text.index("\ntraining:", start) + 1
    path = folder / "pasted.yaml"
    path.write_text(text[:start] + expansion(spec) + "\n" + text[end:], "utf-8")
    read = read_spec(path).game
    assert spec.game is not None and read is not None
    return spec.game, read


@pytest.mark.parametrize("name", WORDS)
def test_the_text_of_a_shipped_spec_is_the_same_game_where_it_is_pasted(name: str, tmp_path: Path) -> None:
    game, read = pasted(name, [], tmp_path)
    assert bare(read) == bare(game)


@pytest.mark.parametrize("knob", KNOBS)
def test_so_is_the_text_of_every_knob(knob: str, tmp_path: Path) -> None:
    name, overrides = KNOBS[knob]
    game, read = pasted(name, overrides, tmp_path)
    assert bare(read) == bare(game)


PASSES = {
    "dcgan": ({"generator": 2, "discriminator": 3}, {"z": 2}, 1),
    "sngan": ({"generator": 2, "discriminator": 3}, {"z": 2}, 1),
    "wgan_gp": ({"generator": 6, "discriminator": 16}, {"z": 6, "share": 5}, 5),
    "cyclegan": (dict.fromkeys(("a_to_b", "b_to_a", "discriminator_b", "discriminator_a"), 3),
                 {"pool_a": 1, "pool_b": 1}, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
def test_a_step_has_the_passes_draws_and_batches_of_the_paper(name: str) -> None:
    spec = read_spec(SPECS / f"{name}.yaml")
    assert spec.game is not None
    passes, draws, batches = PASSES[name]
    assert describe_game(spec.game, spec.plans, 8)["passes"] == passes
    assert (spec.game.draws, spec.game.data_draws) == (draws, batches)


def test_the_order_of_passes_is_that_of_the_authors_step() -> None:
    game = read_spec(SPECS / "cyclegan.yaml").game
    assert game is not None
    order = [game.values[name].network for phase in game.phases for name in phase.values if game.values[name].network]
    assert order == [
        "a_to_b", "b_to_a", "discriminator_b", "b_to_a", "b_to_a", "a_to_b", "discriminator_a", "a_to_b",
        "discriminator_a", "discriminator_a", "discriminator_b", "discriminator_b",
    ]  # fmt: skip


def test_without_pools_d_sees_real_images_before_fakes_too() -> None:
    game = read_spec(SPECS / "cyclegan.yaml", ["algorithm.cyclegan.pool_size=0"]).game
    assert game is not None
    passes = [name for name in game.phases[1].values if game.values[name].network]
    assert passes == ["on_real_b", "on_fake_b", "on_real_a", "on_fake_a"]


def test_a_term_merges_over_the_expansion() -> None:
    values = "algorithm.alternating.values={bright: {mean: fake}}"
    spec = read_spec(SPECS / "dcgan.yaml", [values, "algorithm.alternating.generator.minimise.bright=-0.5"])
    assert spec.game is not None
    d, g = spec.game.phases
    assert {name: weight.factors for name, weight in g.minimise.items()} == {"g_loss": (1.0,), "bright": (-0.5,)}
    assert g.values == ("fake", "on_fake", "g_loss", "bright")
    assert d.minimise.keys() == {"d_loss"}


def test_a_weight_of_zero_asks_for_nothing() -> None:
    spec = read_spec(SPECS / "wgan_gp.yaml", ["algorithm.alternating.discriminator.minimise.slope=0"])
    assert spec.game is not None
    assert "on_between" not in spec.game.phases[0].values
    assert spec.game.draws == {"z": 6}


def test_what_only_a_penalty_asks_for_keeps_no_statistics() -> None:
    game = read_spec(SPECS / "wgan_gp.yaml").game
    assert game is not None
    assert game.phases[0].kept == ("on_real", "on_fake")


def test_a_mistake_in_what_is_added_has_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "child.yaml"
    (tmp_path / "dcgan.yaml").write_text((SPECS / "dcgan.yaml").read_text("utf-8"), "utf-8")
    path.write_text(
        "extends: dcgan.yaml\nname: child\nalgorithm:\n  alternating:\n    values: {bright: {mena: fake}}\n"
    )
    with pytest.raises(
        SpecError, match=r"child\.yaml:5:23: algorithm\.alternating\.values\.bright: there is no network "
    ):
        read_spec(path)


def test_algorithms_in_python_have_no_text_but_a_game_that_they_vary() -> None:
    spec = read_spec(SPECS / "unrolled.yaml")
    assert spec.game is None
    game = described_game(spec)
    assert game is not None and [phase.name for phase in game.phases] == ["discriminator", "generator"]
    with pytest.raises(UsageError, match="'unrolled' is written in Python: there is no game to expand"):
        expansion(spec)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": {"SGD": {"learning_rate": 0}}}, "optimizer.SGD.learning_rate: expected a number above 0"),
        ({"updates": 0}, "updates: expected an integer at least 1, received 0"),
    ],
)
def test_a_mistake_outside_a_spec_is_reported_too(change: dict[str, Any], message: str) -> None:
    spec = read_spec(SPECS / "dcgan.yaml")
    args = dict(spec.document["algorithm"]["alternating"])
    args["generator"] = {**args["generator"], **change}
    with pytest.raises(SpecError, match=f"algorithm.alternating.generator.{message}"):
        game_of(Part("alternating", args), spec.plans, ["image"])
    found, place = Problems(), Place("mine.yaml", 3, 5)
    tree = tree_of({**spec.document, "algorithm": {"alternating": args}}, place)
    assert read_game(tree, spec.plans, Ends(spec.latents, spec.fields), found) is None
    assert [message in str(problem) for problem in found] == [True]


def test_a_mistake_in_a_state_outside_a_spec_is_reported_too() -> None:
    spec = read_spec(SPECS / "dcgan.yaml", ["algorithm.alternating.states={k: {integral: {of: d_loss}}}"])
    text = yaml.safe_load(expansion(spec))["algorithm"]["game"]
    text["states"]["k"]["integral"]["rat"] = text["phases"]["generator"]["updates"] = 0
    with pytest.raises(SpecError) as caught:
        game_of(Part("game", text), spec.plans, ["image"])
    assert "unknown argument 'rat'. Did you mean 'rate'?" in str(caught.value)
    assert "phases.generator.updates: expected an integer at least 1" in str(caught.value)
