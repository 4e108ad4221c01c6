"""A compiled step is the step that the code says: in float64, as Python, as TensorFlow's graph and under XLA."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from growing import GROWING

ROOT = Path(__file__).parents[2]
HELPER = ROOT / "tests" / "helpers" / "compiled_steps.py"
# The critic in which the race was found, with fewer filters: its loss does not need the scores themselves.
CRITIC = (ROOT / "specs" / "wgan.yaml").read_text()
for old, new in {
    "source: fashion_mnist": "source: digits", "batch_size: 64": "batch_size: 4", "updates: 5": "updates: 2",
    "units: 4096": "units: 64", "[4, 4, 256]": "[4, 4, 4]", "[128, 64]": "[3, 2]", "filters: 32": "filters: 2",
    "[64, 128]": "[3, 4]",
}.items():  # fmt: skip
    assert CRITIC.count(old) == 1, old
    CRITIC = CRITIC.replace(old, new)
PENALTY = (
    tiny.DENSE.replace("loss: non_saturating", "loss: wasserstein\n    penalties: [{gradient_penalty: {weight: 10}}]")
    .replace("discriminator: *player", "discriminator: {optimizer: {SGD: {learning_rate: 0.1}}, updates: 2}")
    .replace("[Flatten, Dense", "[Flatten, Dense: {units: 8, activation: tanh}, Dense")
)  # fmt: skip
AHEAD = tiny.POINTS.replace(
    "generator: &player {optimizer:", "generator: {unroll: {discriminator: 3}, optimizer: &sgd"
).replace("discriminator: *player", "discriminator: {optimizer: *sgd}")
UNROLLED = tiny.POINTS.replace("alternating:", "unrolled:\n    unrolled_updates: 3")
GAMES = {
    "alternating": tiny.GAN, "critic": CRITIC, "penalty": PENALTY, "unrolled": UNROLLED, "ahead": AHEAD,
    "progressive": GROWING.replace("0.008", "0.004"),  # a step of 2 pixels, a step of the fade to 4
}  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("games")
    for name, text in {**GAMES, "cyclegan": tiny.cycle(folder / "pictures")}.items():
        (folder / f"{name}.yaml").write_text(re.sub(r"Dropout: {rate: [\d.]+}", "Dropout: {rate: 0.0}", text))
    done = subprocess.run(
        [sys.executable, str(HELPER), str(folder)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("game", [*GAMES, "cyclegan"])
def test_eager_graph_and_xla_agree(report, game):
    assert report[game]["graph"] <= 1e-9 and report[game]["xla"] <= 1e-9, report[game]


@pytest.mark.parametrize("game", [*GAMES, "cyclegan"])
def test_every_read_of_a_variable_is_ordered_against_every_move(report, game):
    """A race shows in one step of many: this looks at the graph that TensorFlow's optimizers left."""
    assert report[game]["graphs"] >= 1 and report[game]["unordered"] == 0
