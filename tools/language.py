"""Write the tables of docs/language.md from specs/schema.json; tests/tools/test_language.py fails when one is stale.

    python tools/language.py

A table stands between `<!-- table: KIND -->` and the next `<!-- end -->`. KIND is a kind of part of the schema, or the
path of a section, such as data or networks.any, whose keys are listed; `file` are the sections themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.spec.function_shapes import ADVERSARIAL
from zoo.spec.validate import below, document, names_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.S)
PARTS = ("source", "prior", "layer", "initializer", "algorithm", "loss", "penalty", "function", "state", "schedule",
         "optimizer")  # fmt: skip

Fragment = Mapping[str, Any]


def filled(text: str) -> str:
    """Return the page with the tables that the schema has now."""
    return TABLE.sub(lambda found: found[1] + "\n".join(table(found[2])) + "\n" + found[3], text)


def table(kind: str) -> Iterator[str]:
    """Yield the lines of a table.

    Args:
        kind: A kind of part, or the path of a section.

    Yields:
        Markdown: a row for each part with its arguments, or for each key with its default.
    """
    if kind in PARTS:
        yield from ("| name | arguments | is |", "|---|---|---|")
        for name, fragment in names_of(kind).items():
            side = next((side for side in ADVERSARIAL if name.endswith(side)), "")
            if not side:  # those of adversarial losses are made of `loss`, see the page
                yield f"| `{name}` | {_arguments(fragment)} | {_first_sentence(fragment)} |"
        return
    yield from ("| key | if left out |", "|---|---|")
    first, *keys = kind.split(".")
    section = {"file": document(), "game": names_of("algorithm")["game"]}.get(first) or below(document(), first)
    for key in keys:
        section = below(section, key)
    section = next((one for one in section.get("anyOf", ()) if "properties" in one), section)
    required = section.get("x-required", section.get("required", ()))
    for key, fragment in section["properties"].items():
        yield f"| `{key}` | {'must be stated' if key in required else _default(fragment) or 'none'} |"


def _arguments(fragment: Fragment) -> str:
    required = fragment.get("x-required", ())
    properties = fragment.get("properties", {})
    needed = [f"`{key}`" for key in properties if key in required]
    return ", ".join(needed + [f"`{key}: {_default(one)}`" for key, one in properties.items() if key not in required])


def _default(fragment: Fragment) -> str:
    value = fragment.get("default")
    if value is None or value == {} or value == []:
        return "none"
    return json.dumps(value, ensure_ascii=False).replace('"', "").replace("|", "\\|")


def _first_sentence(fragment: Fragment) -> str:
    text = fragment.get("description", "").split("\n\n")[0].replace("\n", " ")
    sentence = re.split(r"(?<=[a-z)\]0-9]\.) (?=[A-Z`])", text)[0]
    return sentence.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
    print(PAGE)
