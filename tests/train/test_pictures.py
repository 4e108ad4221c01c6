"""The pictures that a game reads by their paths: found from the spec's folder, and the same when a run goes on."""

import shutil

import numpy as np
import pytest
import tiny
from PIL import Image

from zoo.core.errors import TrainingError
from zoo.spec.read import read_spec
from zoo.train import loop

GAME = (
    tiny.DENSE[: tiny.DENSE.index("  discriminator:")]
    + """
algorithm:
  game:
    values:
      fake: generator
      wanted: {resized: {of: {picture: {path: art/wanted.png, size: 16, channels: 1}}, size: 8}}
      faint: {sum: {wanted: {linear: {initial: 1, final: 0, updates: 5}}}}
      bright: {sum: [faint, {picture: {path: art/wanted.png, size: 8, channels: 1}}]}
      level: {mean: bright}
      spread: {mean: {square: fake}}
      loss: {l2: {between: [spread, level], per: batch}}
    phases: {generator: {trains: generator, minimise: {loss: 1}, optimizer: {SGD: {learning_rate: 0.1}}}}
training: {batch_size: 4, steps: 4, evaluate: null, ema_half_life_images: null}
"""
)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "a" / "art").mkdir(parents=True)
    Image.fromarray(np.full((16, 16), 200, np.uint8)).save(tmp_path / "a" / "art" / "wanted.png")
    (tmp_path / "a" / "shown.yaml").write_text(GAME)
    return tmp_path / "a"


def test_a_picture_is_found_beside_the_spec_and_may_be_scaled_by_a_schedule(project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert loop.train(read_spec(project / "shown.yaml"), runs=tmp_path / "runs", steps=2).step == 2


def test_it_counts_by_its_pixels_and_not_by_its_place(project, tmp_path):
    loop.train(read_spec(project / "shown.yaml"), runs=tmp_path / "runs", steps=1)
    moved = tmp_path / "b"
    shutil.move(project, moved)
    assert loop.train(read_spec(moved / "shown.yaml"), runs=tmp_path / "runs", steps=2, resume=True).step == 2
    Image.fromarray(np.full((16, 16), 100, np.uint8)).save(moved / "art" / "wanted.png")
    with pytest.raises(TrainingError, match="made with other images: the pixels differ"):
        loop.train(read_spec(moved / "shown.yaml"), runs=tmp_path / "runs", steps=3, resume=True)


def test_the_home_folder_is_known(project, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(project))
    text = (project / "shown.yaml").read_text().replace("art/wanted.png", "~/art/wanted.png")
    assert loop.train(tiny.read(tmp_path / "other", text), runs=tmp_path / "runs", steps=1).step == 1
