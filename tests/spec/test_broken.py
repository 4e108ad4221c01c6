"""Broken specs: every mistake is reported once, at its place, with a hint; nothing but SpecError is raised.

Each file in broken/ begins with a line `# expect [file:]line:column: message` for each of its mistakes, in file order.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from zoo.core.errors import SpecError
from zoo.spec.read import read_spec, spec_file
from zoo.spec.validate import names_of

BROKEN = Path(__file__).parent / "broken"
SPECS = Path(__file__).parents[2] / "specs"
SOUND = ("networks_only", "valid")
FILES = sorted(path for path in BROKEN.glob("*.yaml") if path.stem not in SOUND)


def mistakes(path: Path, *overrides: str) -> list[str]:
    """Return the lines of the SpecError that reading `path` raises."""
    with pytest.raises(SpecError) as caught:
        read_spec(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def written(folder: Path, content: str | bytes, name: str = "spec.yaml") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parts(line: str) -> tuple[str, int, int, str]:
    file, row, column, text = re.fullmatch(r"(.*?\.yaml):(\d+):(\d+): (.*)", line).groups()
    return Path(file).name, int(row), int(column), text


@pytest.mark.parametrize("name", SOUND)
def test_the_specs_that_the_broken_ones_extend_are_sound(name: str) -> None:
    assert read_spec(BROKEN / f"{name}.yaml").name == name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_mistake_is_reported_once_in_its_place(path: Path) -> None:
    heads = [
        line.removeprefix("# expect ") for line in path.read_text("utf-8").splitlines() if line.startswith("# exp")
    ]
    wanted = [parts(head if re.match(r"\w+\.yaml:", head) else f"{path.name}:{head}") for head in heads]
    found = [parts(line) for line in mistakes(path)]
    assert [line[:3] for line in found] == [line[:3] for line in wanted]
    for (*_, text), (*_, piece) in zip(found, wanted, strict=True):
        assert piece in text


def test_there_are_many_broken_specs() -> None:
    assert len(FILES) >= 45


def test_a_file_of_many_mistakes_tells_all_of_them_in_its_order() -> None:
    places = [parts(line)[1:3] for line in mistakes(BROKEN / "many.yaml")]
    assert len(places) == 18
    assert places == sorted(places)


TEXTS = {
    "empty": ("", 1, 1, "a spec is a mapping"),
    "spaces": ("   \n\n", 1, 1, "a spec is a mapping"),
    "latin-1": ("title: Gef\xfchl\n".encode("latin-1"), 1, 11, "is not UTF-8 text: byte 0xfc"),
    "latin-1 after UTF-8": ("name: a\n# \u00fc ".encode() + b"\xfc\n", 2, 5, "is not UTF-8 text: byte 0xfc"),
    "utf-16": ("name: a\n".encode("utf-16"), 1, 1, "is not UTF-8 text: byte 0xff"),
    "NUL": ("name: a\ntitle: b\0c\n", 2, 9, "control character U+0000"),
    "escape": ("name: a\n\x1b[31m\n", 2, 1, "control character U+001B"),
    "NUL in a name": ('name: "dc\\0gan"\n', 1, 7, "expected a lower-case word"),
    "too long": (b"#" * 1_000_001, 1, 1, "is too long: a spec has at most 1,000,000 bytes"),
    "100 MB": (b"a: b\n" * 20_000_000, 1, 1, "is too long"),
    "500 flow": ("a: " + "[" * 500 + "]" * 500, 1, 67, "is nested more than 64 deep"),
    "10^5 block": ("- " * 100_000, 1, 129, "is nested more than 64 deep"),
    "10^5 mappings": ("{a: " * 100_000, 1, 257, "is nested more than 64 deep"),
    "huge integer": ("name: a\nspec_version: " + "9" * 5000, 2, 15, "is a number of 5000 digits"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_that_is_no_spec(tmp_path: Path, case: str) -> None:
    content, line, column, piece = TEXTS[case]
    found = [parts(text) for text in mistakes(written(tmp_path, content))]
    assert ("spec.yaml", line, column) in [text[:3] for text in found]
    assert any(piece in text for *_, text in found)


def test_nesting_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    """By the parser of later versions of libyaml, else by ours."""
    (found,) = mistakes(written(tmp_path, "a: " + "[" * 100_000 + "]" * 100_000))
    assert "is nested more than 64 deep" in found or "exceeded maximum nesting depth" in found


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    text = (BROKEN / "valid.yaml").read_bytes()
    assert read_spec(written(tmp_path, b"\xef\xbb\xbf" + text)).sha256 == read_spec(BROKEN / "valid.yaml").sha256


def test_alias_bomb(tmp_path: Path) -> None:
    bomb = "a0: &a0 [lol]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    started = time.monotonic()
    (found,) = mistakes(written(tmp_path, bomb))
    assert parts(found)[1] == 6 and "has more than 50,000 values" in found
    assert time.monotonic() - started < 2


def nested_repeats(value: str, first: str) -> str:
    """Return a spec of eight nested repeats; the value of each holds that of the outer one 40 times."""
    body = "extends: valid.yaml\nnetworks:\n  discriminator:\n    layers:\n"
    for depth in range(8):
        held, indent = value.replace("NAME", f"${{v{depth - 1}}}") if depth else first, "      " + "    " * depth
        body += f"{indent}- repeat: {{v{depth}: [{held}]}}\n{indent}  layers:\n"
    return body + "      " + "    " * 8 + "- Dense: {units: $v7}\n"


@pytest.mark.parametrize(
    ("content", "piece"),
    [
        (nested_repeats("[" + ", ".join(["'NAME'"] * 40) + "]", "[1]"), "at most 50,000 values by name"),
        (nested_repeats("'" + "NAME" * 40 + "'", "abcdef"), "a text of more than 1,000 letters"),
    ],
    ids=["lists", "texts"],
)
def test_variable_bomb(tmp_path: Path, content: str, piece: str) -> None:
    written(tmp_path, (BROKEN / "valid.yaml").read_bytes(), "valid.yaml")
    started = time.monotonic()
    (found,) = mistakes(written(tmp_path, content))
    assert piece in found
    assert time.monotonic() - started < 2


def test_repeats_that_would_never_end(tmp_path: Path) -> None:
    written(tmp_path, (BROKEN / "valid.yaml").read_bytes(), "valid.yaml")
    body = "extends: valid.yaml\nnetworks:\n  discriminator:\n    layers:\n"
    body += "".join("      " + "    " * i + "- repeat: 2000\n      " + "    " * i + "  layers:\n" for i in range(8))
    (found,) = mistakes(written(tmp_path, body + "      " + "    " * 8 + "- ReLU\n"))
    assert "at most 2,000 layers" in found


def test_extends_leads_to_no_other_folder(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside.yaml", tmp_path / "inside"
    inside.mkdir()
    written(tmp_path, (BROKEN / "valid.yaml").read_bytes(), "outside.yaml")
    (inside / "link.yaml").symlink_to(outside)
    (inside / "loop.yaml").symlink_to(inside / "loop.yaml")
    cases = {"link.yaml": "a link that leads elsewhere", "loop.yaml": "there is no file", "a" * 300: "there is no file"}
    cases |= {str(outside): "beside or below", "../outside.yaml": "beside or below", "'a\\b.yaml'": "beside or below"}
    for target, piece in cases.items():
        (found,) = mistakes(written(inside, f"extends: {target}\n"))
        assert parts(found)[1:3] == (1, 10) and piece in found


def test_a_long_chain_of_specs(tmp_path: Path) -> None:
    for i in range(20):
        written(tmp_path, f"extends: s{i + 1}.yaml\n", f"s{i}.yaml")
    (found,) = mistakes(tmp_path / "s0.yaml")
    assert parts(found)[:3] == ("s16.yaml", 1, 10) and "more than 16 specs" in found


def test_a_parent_that_cannot_be_read_is_the_only_mistake(tmp_path: Path) -> None:
    written(tmp_path, "name: [\n", "parent.yaml")
    (found,) = mistakes(written(tmp_path, "extends: parent.yaml\ntraining: {batch_size: 4}\n"))
    assert parts(found)[0] == "parent.yaml"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "there is no such file. Did you mean 'dcgan.yaml'?" in mistakes(SPECS / "dcgn.yaml")[0]
    assert mistakes(tmp_path)  # a folder
    for name in ("a\0b", "a" * 5000, "..", "", "\udcff"):
        assert isinstance(spec_file(name), Path)
        assert mistakes(spec_file(name))


OVERRIDES = {
    "training.batch_size": "expected a.b.c=value, such as training.batch_size=64",
    "=3": "expected a.b.c=value",
    "training..batch_size=3": "expected a.b.c=value",
    "": "expected a.b.c=value",
    "trainig.batch_size=3": "unknown key 'trainig'. Did you mean 'training'?",
    "training.batchsize=3": "training: unknown key 'batchsize'. Did you mean 'batch_size'?",
    "training.batch_size=many": "training.batch_size: expected an integer at least 1, received 'many'",
    "training.batch_size=": "training.batch_size: expected an integer at least 1, received nothing",
    "training.batch_size.x=3": "training.batch_size: expected an integer at least 1, received a mapping",
    "training.batch_size=[": "is not YAML",
    "training.batch_size=!!int 3": "tags are not allowed",
    "training.seed=017": "'017' is a different number to different tools",
    "networks.generator.layers.9.Dense.units=3": "'9' is not a position in a list of 2 (0 is the first)",
    "networks.generator.layers.first.Dense.units=3": "'first' is not a position in a list of 2",
    "networks.generator.layers.0.Dense.unit=3": "unknown argument 'unit'. Did you mean 'units'?",
    "networks.generator.layers.0.Dense.units=63": "[63] is 63 numbers and cannot become [8, 8, 1]",
    "algorithm.alternating.loss=hing": "unknown loss 'hing'",
    "data.source=cifar": "unknown source 'cifar'. Did you mean 'cifar10'?",
    "networks.generator.layers.0.Dense.activation=[]": "expected one of elu, gelu,",
    "networks.generator.layers.1.Reshape.target_shape.0=[]": "expected an integer at least 1 or -1, received a list",
    "extends=valid.yaml": "'extends' belongs in a file",
    "name=../x": "expected a lower-case word",
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_mistakes_on_the_command_line(override: str) -> None:
    found = mistakes(BROKEN / "valid.yaml", override)
    assert any(OVERRIDES[override] in line for line in found)
    if "63" not in override:  # which is no mistake of the value: the layer below it does not fit
        assert len(found) == 1 and found[0].startswith(f"--set {override}:")


def test_an_override_that_fails_hides_no_mistake_of_another() -> None:
    found = mistakes(BROKEN / "valid.yaml", "nonsense", "training.seed=017", "training.batch_size=0")
    assert len(found) == 3


def test_no_value_of_any_argument_crashes_the_reader(tmp_path: Path) -> None:
    """One argument of each layer at a time, with values of every kind."""
    values = ("-1", "1.5", "null", "a", "[]", "[1, 2, 3]", "{a: 1}")
    needed = dict(units=2, filters=4, kernel_size=3, pieces=2, rate=0.5, pool_size=2, classes=3, n=2)
    head = "name: a\ntitle: T\nnetworks:\n  net:\n    inputs: {a: [8, 8, 4]}\n    output: y\n    layers:\n      - "
    outcomes = {"sound": 0, "broken": 0}
    for layer, schema in names_of("layer").items():
        base = {key: str(needed[key]) for key in schema["x-required"] if key in needed}
        for argument in schema["properties"]:
            value = values[sum(outcomes.values()) % len(values)]
            args = ", ".join(f"{key}: {text}" for key, text in {**base, argument: value}.items())
            try:
                read_spec(written(tmp_path, f"{head}{layer}: {{{args}}}\n"))
                outcomes["sound"] += 1
            except SpecError:
                outcomes["broken"] += 1
    assert min(outcomes.values()) >= 3


def test_another_optimizer_is_offered_only_where_it_would_help():
    """What looks ahead already is the one that does not fit."""
    hint = ". An inner_optimizer of its own may look ahead instead"
    offered, stated = (mistakes(BROKEN / f"unrolled_{name}.yaml")[0] for name in ("rmsprop", "inner"))
    assert offered.endswith(f"received RMSprop{hint}") and stated.endswith("received RMSprop")
