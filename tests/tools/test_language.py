"""The tables of docs/language.md are those of the schema, and every kind of part has one."""

from __future__ import annotations

import re

from language import PAGE, PARTS, filled, table

from zoo.spec.validate import names_of


def test_the_page_of_the_language_is_fresh() -> None:
    text = PAGE.read_text("utf-8")
    assert filled(text) == text, "run: python tools/language.py"
    assert filled(text.replace("| `frozen` | false |\n", "")) == text  # it can fail


def test_every_kind_of_part_has_a_table_of_all_its_names() -> None:
    """Functions of adversarial losses aside: four of each loss, which the page says once."""
    tables = re.findall(r"<!-- table: (\S+) -->", PAGE.read_text("utf-8"))
    assert set(PARTS) <= set(tables) and len(set(tables)) == len(tables)
    for kind in PARTS:
        names = {name for name in names_of(kind) if "." not in name}
        assert names <= set(re.findall(r"^\| `(\w+)` \|", "\n".join(table(kind)), re.M))
