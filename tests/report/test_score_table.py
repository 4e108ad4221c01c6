"""The scores of a card: ours, what others report, what we aim at."""

import pytest

from zoo.artifact.scores import Score
from zoo.report.score_table import scores_chapter

PROTOCOL = {"file": "generator.onnx", "file_sha256": "0" * 64, "step": 4, "data": "Fashion-MNIST", "n_fake": 10_000,
            "seed": 0, "n_real": 10_000, "split": "test", "network": "eye", "network_sha256": "e" * 64,
            "resize": "none"}  # fmt: skip


def test_aims_and_the_numbers_of_others():
    text = scores_chapter("dcgan", {"fid_10k": Score(20.25, PROTOCOL)}, "after 5 of the 9 steps of the recipe")
    assert "| `fid_10k` | FID | lower | 20.2 | 26.5 +- 1.6 (non-saturating loss) |" in text
    assert "Aim of this zoo: `fid_10k` of at most 18; missed by 2.2, after 5 of the 9 steps of the recipe." in text
    assert "Others: Lucic et al. 2018 (arXiv 1711.10337), table 2: best of a wide search" in text
    assert "of at most 18; reached." in scores_chapter("dcgan", {"fid_10k": Score(17.9, PROTOCOL)})
    assert "Tried" not in text
    assert scores_chapter("dcgan", {}) == ""


@pytest.mark.parametrize(("value", "verdict"), [(20.8, "reached"), (22.6, "missed by 1.1")])
def test_what_was_tried_stands_there_whether_the_aim_is_reached_or_not(value, verdict):
    text = scores_chapter("wgan", {"fid_10k": Score(value, PROTOCOL)})
    assert f"of at most 21.5; {verdict}. Tried on the way: distance of the judge's features after 1,000 steps" in text


def test_a_distance_stands_beside_what_real_images_get():
    protocol = {**PROTOCOL, "of_two_halves_of_the_real": 5.155}
    text = scores_chapter("dcgan", {"fid_10k": Score(16.14, protocol)})
    others = "26.5 +- 1.6 (non-saturating loss); 5.2 for one half of the real images against the other"
    assert f"| `fid_10k` | FID | lower | 16.1 | {others} |" in text
