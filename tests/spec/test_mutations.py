"""Whatever is done to a spec, the reader reports mistakes at their places, within a second, and raises nothing else."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo.core.errors import SpecError
from zoo.spec.diagnostics import Problems
from zoo.spec.read import read_spec
from zoo.spec.validate import specs_folder
from zoo.spec.yaml_tree import parse_file

SPECS = sorted(specs_folder().glob("*.yaml"))
VALUES = (
    None, True, False, -1, 0, 1, 2, 3, 5, 1.5, -0.5, 100_000, 10**9, 10**18, 1e300, "", "x", "label", "z", "image",
    "generator", "relu", "$index", "ring", "cyclegan", [], {}, [1], [3, 3], [0, 1], ["x", "z"], {"a": 1}, [[]],
    {"Dense": {"units": 3}},
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def changed(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a copy with one or two values, keys or types changed, deleted or doubled."""
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 2)):
        known = list(places(document))
        *parents, key = chance.choice(known)
        parent, other = at(document, tuple(parents)), copy.deepcopy(at(document, chance.choice(known)))
        action = chance.choice(("value", "value", "other", "delete", "double", "key", "list", "map", "number"))
        value = parent[key]
        if action == "delete":
            del parent[key]
        elif action == "double" and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(value))
        elif action == "key" and isinstance(parent, dict):
            parent[str(chance.choice([one[-1] for one in known]))] = parent.pop(key)
        elif action == "number" and isinstance(value, (int, float)):
            parent[key] = value * chance.choice((-1, 0, 2, 3, 10, 1000, 10**6))
        else:
            kinds = {"other": other, "list": [value], "map": {"a": value}}
            parent[key] = kinds.get(action, copy.deepcopy(chance.choice(VALUES)))
    return document


def mutated(text: str, chance: random.Random) -> str:
    """Return `text` with one to three lines deleted, doubled or moved, or words exchanged."""
    lines = text.splitlines()
    tokens = re.findall(r"[\w.$-]+|[:,\[\]{}&*'\"|>-]", text)
    for _ in range(chance.randint(1, 3)):
        i = chance.randrange(len(lines))
        action = chance.choice(("delete", "double", "move", "swap", "indent"))
        if action == "delete" and len(lines) > 1:
            del lines[i]
        elif action == "double":
            lines.insert(i, lines[i])
        elif action == "move":
            lines.insert(chance.randrange(len(lines)), lines.pop(i))
        elif action == "indent":
            lines[i] = " " * chance.randint(0, 8) + lines[i].lstrip()
        else:
            words = re.findall(r"[\w.$-]+|\s+|.", lines[i])
            if words:
                words[chance.randrange(len(words))] = chance.choice(tokens)
            lines[i] = "".join(words)
    return "\n".join(lines) + "\n"


def outcomes(folder: Path, count: int, seed: int) -> dict[str, int]:
    """Read `count` mutations of all shipped specs, and count those that are sound and those that are broken."""
    chance, found = random.Random(seed), {"sound": 0, "broken": 0}
    for path in SPECS:
        shutil.copy(path, folder)
    documents = {path: parse_file(path, Problems()).plain() for path in SPECS}
    file = folder / "mutation.yaml"
    for i in range(count):
        path = SPECS[i % len(SPECS)]
        as_text = chance.random() < 0.4
        text = (
            mutated(path.read_text("utf-8"), chance)
            if as_text
            else json.dumps(changed(documents[path], chance), indent=1)
        )
        file.write_text(text, "utf-8")
        started = time.process_time()
        try:
            read_spec(file)
            found["sound"] += 1
        except SpecError as error:
            found["broken"] += 1
            assert all(re.match(r"\S+\.yaml:\d+:\d+: ", line) for line in str(error).splitlines()), error
        except Exception as error:
            raise AssertionError(f"mutation {i} of {path.name}, seed {seed}:\n{text}") from error
        assert time.process_time() - started < 1, f"mutation {i} of {path.name}, seed {seed}:\n{text}"
    return found


def test_mutations_raise_nothing_but_located_errors(tmp_path: Path) -> None:
    assert min(outcomes(tmp_path, 200, seed=0).values()) >= 10


@pytest.mark.slow
def test_many_mutations_raise_nothing_but_located_errors(tmp_path: Path) -> None:
    """One in ten or so stays sound: most mutations of long specs break something."""
    assert min(outcomes(tmp_path, 5000, seed=1).values()) >= 250
