"""Words become the same ids in Python and in JavaScript, on the page and in the clients: odd texts, none, too many."""

import json
import shutil
import subprocess

import goldens
import numpy as np
import pytest
from javascript import PAGE

from zoo.core.errors import ServeError
from zoo.core.text import Vocabulary, split

ODD = [
    "Mint critter, horns!",
    "",
    " \t\n\u00a0\u3000...",
    "\u201cmint\u201d\u2014critter\u2026horns",
    "mint\U0001f600critter",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 mint \U0001f1e9\U0001f1ea",
    "\u96ea\u304c\u964d\u308b\u3001mint\u3002",
    "\ud55c\uae00 \u1112\u1161\u11ab\u1100\u1173\u11af",
    "nin\u0303o NIN\u0303O",
    "a\u0301\u0327 \u0301b",
    "\uff2d\uff29\uff2e\uff34 \ufb01n x\u00b2 \u216b \u00bd",
    "\u0130stanbul I\u0131",
    "\u03a3 \u0391\u03a3 \u1f88",
    "\u00df\u1e9e \u0149",
    "t-shirt snake_case 3d 1,000",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "\ufdfa \u2126 \u212b",
    "mint\u200bcritter \u00admint \ufeffmint",
    "\U00010400\U0001d400 \u01c4 \u01c5",
    "mint " * 1000,
    "xyzzy",
    "mint wings critter wings smile",
]
WORDS = Vocabulary.of(["mint critter horns smile fin 3d", "ni\u00f1o \u96ea \u03c3 x2"])
CODE = """
    const index = vocabulary(given.file);
    const attempt = (text) => {
        try {
            const { ids, unknown, cut } = read(index, text, 24);
            return { ids, unknown, cut, said: complaint({ ids, unknown, cut }) };
        } catch (error) {
            return { refused: error.message };
        }
    };
    return given.texts.map((text) => ({ words: split(text), ...attempt(text) }));
"""


def in_python(text):
    try:
        read = WORDS.read(text, 24)
    except ServeError:
        return {"words": split(text)}
    told = {"ids": [*read.ids], "unknown": [*read.unknown], "cut": [*read.cut], "said": read.complaint}
    return {"words": split(text), **told}


@pytest.mark.parametrize("module", [PAGE / "text.js", goldens.CLIENTS / "text.mjs"], ids=["page", "clients"])
def test_ids_are_the_same_in_javascript(module, tmp_path):
    if (program := shutil.which("node")) is None:
        pytest.skip("node is not installed: the modules of the page cannot run")
    given = json.dumps({"file": WORDS.to_bytes().decode(), "texts": ODD})
    script = f"import {{ complaint, read, split, vocabulary }} from {json.dumps(module.as_uri())};\n"
    script += f"const given = {given};\nconsole.log(JSON.stringify((() => {{{CODE}}})()));"
    (tmp_path / "run.mjs").write_text(script)
    done = subprocess.run([program, tmp_path / "run.mjs"], capture_output=True, text=True, timeout=60, check=True)
    for text, found in zip(ODD, json.loads(done.stdout), strict=True):
        refused = found.pop("refused", None)
        assert found == in_python(text), text[:40]
        assert ("ids" in found) == (refused is None) and "\n" not in (refused or "")


def test_both_modules_are_one():
    assert (PAGE / "text.js").read_bytes() == (goldens.CLIENTS / "text.mjs").read_bytes()


def test_a_damaged_vocabulary_is_seen_by_the_javascript_client(tmp_path, artifacts):
    """Other words give other ids, and so other images than golden.npz."""
    if shutil.which("node") is None or not (goldens.CLIENTS / "node" / "node_modules").is_dir():
        pytest.skip("Node.js or onnxruntime-node is not installed: `npm ci` in tools/clients/node")
    copy = shutil.copytree(artifacts / "words", tmp_path / "words")
    lines = (copy / "vocabulary.txt").read_text().splitlines()
    (copy / "vocabulary.txt").write_text("\n".join(np.roll(lines, 1)) + "\n")
    command = ["node", goldens.CLIENTS / "node" / "draw.mjs", copy, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "largest difference" in done.stdout
