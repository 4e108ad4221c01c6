"""`zoo new`: a copy of a spec that works, under its own name, which passes the check wherever it stands."""

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
import tiny

from zoo.cli import new
from zoo.core.errors import UsageError
from zoo.spec.read import read_spec, spec_file
from zoo.spec.validate import specs_folder

BASES = [*new.shipped(), new.TEMPLATE]


def test_shipped_specs_by_name():
    shipped = new.shipped()
    assert {"dcgan", "vanilla"} <= shipped.keys() and not [name for name in shipped if name.startswith("_")]
    assert all(path.is_file() and path.stem == name for name, path in shipped.items())


@pytest.mark.parametrize("base", BASES)
def test_the_copy_is_the_same_model_under_another_name(tmp_path, base):
    path = new.write("my_gan", base=base, folder=tmp_path / "deep" / "down")
    assert path == tmp_path / "deep" / "down" / "my_gan.yaml"
    made, origin = read_spec(path), read_spec(specs_folder() / f"{base}.yaml")
    assert (made.name, made.sections.title) == ("my_gan", "My gan")
    assert made.sections.paper is None and made.sections.deviations == ()
    assert made.sections.export is None or made.sections.export.licence == "unknown"
    assert made.sections.about == origin.sections.about
    assert sha256_under(made, origin.name) == origin.sha256


def sha256_under(spec, name):
    """The hash that a spec would have under another name."""
    return dataclasses.replace(spec, document={**spec.document, "name": name}).sha256


@pytest.mark.parametrize("base", BASES)
def test_the_first_lines_help(tmp_path, base):
    path = new.write("my_gan", base=base, folder=tmp_path)
    rest = path.read_text("utf-8").splitlines()
    assert not [
        line for line in rest if "yaml-language-server" in line or "schema above" in line
    ]  # not this machine's path
    head = "\n".join(rest[:3])
    paper = spec_file(base).read_text("utf-8").partition("authors: ")[2].split("\n")[0]
    assert (
        head.startswith(f"# Begun from {base} (paper: ")
        and paper in head
        and f"zoo check {path}" in head
        and f"zoo build {path}`" in head
    )


@pytest.mark.parametrize("base", BASES)
def test_the_advice_about_digits_is_good(tmp_path, base):
    """The flags that the file names for a first try without download make a spec that fits together."""
    path = new.write("my_gan", base=base, folder=tmp_path)
    line = path.read_text("utf-8").splitlines()[2]
    assert "--budget 1m" in line
    flags = re.search(r"--set (.*) --budget", line)
    spec = read_spec(path, flags[1].split() if flags else ())
    more = spec.fields.keys() - {"image", "label", "point"}  # two sets of pictures, menus, words: digits have none
    source = spec.sections.data.source.name
    assert source in ("emoji", "planet", "critters") if more else source in ("digits", "ring", "grid")


@pytest.mark.parametrize("out", ["", "mine/deep"])
def test_the_schema_is_named_within_a_checkout(tmp_path, monkeypatch, out):
    checkout = Path(shutil.copytree(specs_folder(), tmp_path / "checkout" / "specs")).parent
    monkeypatch.setattr("zoo.spec.validate.specs_folder", lambda: checkout / "specs")
    outside = new.write("my_gan", base="dcgan", folder=checkout)  # an installed package, not a checkout
    assert "$schema" not in outside.read_text("utf-8")
    (checkout / "setup.cfg").touch()
    monkeypatch.chdir(checkout)
    path = new.write("mine", base="dcgan", folder=Path(out))
    schema = path.read_text("utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert not Path(schema).is_absolute() and (path.parent / schema).resolve() == checkout / "specs" / "schema.json"


def test_the_starter_shows_paper_and_deviations_as_comments(tmp_path):
    text = new.write("my_gan", folder=tmp_path).read_text("utf-8")
    assert "# paper:\n#   title: " in text and "# deviations:  # from the paper" in text and "\n#   - 8 x 8" in text
    assert "  licence: unknown  # of the weights, for you to choose" in text


def test_comments_are_kept(tmp_path):
    path = new.write("my_gan", base="vanilla", folder=tmp_path)
    assert "xla: true  # measured" in path.read_text("utf-8")


def test_a_spec_that_extends_another_is_written_whole(tmp_path, monkeypatch):
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "dense.yaml").write_text(tiny.DENSE)
    (folder / "wide.yaml").write_text("extends: dense.yaml\nname: wide\ntraining: {batch_size: 7}\n")
    monkeypatch.setattr("zoo.spec.validate.specs_folder", lambda: folder)
    made = read_spec(new.write("my_gan", base="wide", folder=tmp_path / "elsewhere"))
    assert (
        made.name == "my_gan" and made.sections.training.batch_size == 7 and made.plans["generator"].parameters == 256
    )


def test_nothing_is_overwritten(tmp_path):
    path = new.write("my_gan", base="dcgan", folder=tmp_path)
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"my_gan\.yaml already exists; choose another name or remove it"):
        new.write("my_gan", base="dcgan", folder=tmp_path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["", "My_gan", "1gan", "my-gan", "../evil", "a/b", "a b", "x" * 65, "my_gan\n", "gän"])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(UsageError, match="a model's name is a lower-case word such as my_gan, received"):
        new.write(name, base="dcgan", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("base", "hint"), [("dcgann", "Did you mean 'dcgan'?"), ("../dcgan", "Known: "), ("", "Known: ")]
)
def test_bases_that_are_none(tmp_path, base, hint):
    with pytest.raises(UsageError, match=f"there is no spec '{re.escape(base)}' to begin from") as caught:
        new.write("my_gan", base=base, folder=tmp_path)
    assert hint in str(caught.value) and list(tmp_path.iterdir()) == []


def test_here_is_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new.write("my_gan", base="dcgan") == Path("my_gan.yaml")
    assert read_spec("my_gan.yaml").name == "my_gan"
