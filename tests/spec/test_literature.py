"""Games of the literature, small: each is read, and computes, draws, reads and keeps what its paper says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zoo.core.errors import SpecError
from zoo.spec.game_plan import GamePlan, Weight
from zoo.spec.game_text import describe_game
from zoo.spec.read import Spec, read_spec

IMAGE, ADAM = [8, 8, 1], {"Adam": {"learning_rate": 2e-4}}
TO_IMAGE = [{"Dense": {"units": 64}}, {"Reshape": {"target_shape": IMAGE}}]
G = {"inputs": "z", "output": "image", "layers": TO_IMAGE}
D = {"inputs": "image", "output": "logits", "layers": ["Flatten", {"Dense": {"units": 8}, "as": "features"},
                                                        {"Dense": {"units": 1}}]}  # fmt: skip
TWO = {"generator": G, "discriminator": D}
GAMES = yaml.safe_load((Path(__file__).parent / "literature.yaml").read_text("utf-8"))


def read(name: str, folder: Path) -> tuple[Spec, GamePlan]:
    """The spec of a game, whose networks are those of two players where it states no others."""
    one = GAMES[name]
    networks = {key: {"generator": G, "discriminator": D}.get(key, value) if value is None else value
                for key, value in one.get("networks", TWO).items()}  # fmt: skip
    document = {
        "name": "trial", "title": "A trial", "data": {"source": "digits", "size": 8, "channels": 1},
        "latent": one.get("latent", {"z": {"normal": {"shape": [16]}}}), "networks": networks,
        "algorithm": {"game": one["game"]} if "game" in one else {"alternating": one["alternating"]},
        "training": {"batch_size": 8, "steps": 10, "evaluate": None},
    }  # fmt: skip
    for phase in (one.get("game") or {}).get("phases", {}).values():
        phase.setdefault("optimizer", ADAM)
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    spec = read_spec(path)
    assert spec.game is not None
    return spec, spec.game


@pytest.mark.parametrize("name", [name for name in GAMES if "leaves" not in GAMES[name]])
def test_a_game_computes_what_its_paper_says(name: str, tmp_path: Path) -> None:
    spec, game = read(name, tmp_path)
    wanted = GAMES[name]["wanted"]
    for phase in game.phases:
        passes = [value for value in phase.values if game.values[value].network]
        assert passes == wanted[phase.name].get("passes", passes), phase.name
        for key in ("draws", "fields", "kept", "reuse"):
            assert list(getattr(phase, key)) == wanted[phase.name].get(key, list(getattr(phase, key))), (
                phase.name,
                key,
            )
    assert describe_game(game, spec.plans, 8)["examples"] == 8 * wanted.get("batches", 1)
    assert game.draws == wanted.get("draws", game.draws)


def test_a_weight_is_a_product_of_numbers_schedules_and_states(tmp_path: Path) -> None:
    _, game = read("began", tmp_path)
    assert game.phases[0].minimise == {"real_loss": Weight((1.0,)), "fake_loss": Weight((-1.0, "k"))}
    assert game.states["k"].kind.args == {"rate": 0.001, "within": [0, 1], "initial": 0.0}
    assert str(game.states["k"].of) == "balance" and game.states["k"].shape == ()


def test_what_a_game_notes_is_printed(tmp_path: Path) -> None:
    spec, game = read("matching", tmp_path)
    assert describe_game(game, spec.plans, 8)["phases"][1]["notes"] == []
    spec, game = read("text, not cut", tmp_path)
    assert describe_game(game, spec.plans, 8)["phases"][0]["notes"] == [
        "the gradient reaches reader through generator too; stop_gradient would cut it"
    ]


def test_a_game_of_which_nothing_leaves_is_sound_but_for_that(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="export: no trained network makes data from latents, labels or one image") as e:
        read("stylegan2", tmp_path)
    assert len(str(e.value).splitlines()) == 1
