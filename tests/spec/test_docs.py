"""The specs in docs/ are sound, and the pages name every function and state of the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zoo.spec.game_expansion import described_game
from zoo.spec.read import read_spec
from zoo.spec.validate import names_of

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = {
    f"{page.name}, {re.search(r'^name: (.*)$', block, re.M)[1]}": block
    for page in sorted(DOCS.glob("*.md"))
    for block in re.findall(r"^```yaml\n(name: .*?)^```$", page.read_text("utf-8"), re.M | re.S)
    if "path:" not in block and not re.search(r"source: \S*/", block)  # folders of the reader's own
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_spec_in_the_docs_is_sound(name: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(BLOCKS[name], "utf-8")
    assert described_game(read_spec(path)) is not None


def test_the_page_of_the_game_names_every_function_and_state() -> None:
    """Adversarial losses aside, which are found by their names in the schema: a new one touches one file."""
    text = (DOCS / "game.md").read_text("utf-8")
    words = set(re.findall(r"[a-z0-9_]+", text))
    functions = {name for name in names_of("function") if "." not in name}
    assert not (functions | set(names_of("state")) | set(names_of("schedule"))) - words
    assert {"discriminator", "generator", "real", "fake"} <= words
