"""Folders of pictures in specs: a path is a source, is relative to its file, and is counted before a training."""

import pytest
import tiny
from PIL import Image

from zoo.core.errors import SpecError
from zoo.spec.read import read_spec

OWN = tiny.DENSE.replace("{source: digits}", "{source: {folder: {path: pictures}}, size: 8, channels: 1}")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a spec and pictures, and another one in which commands run."""
    for number in range(5):
        (tmp_path / "home" / "pictures").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / "home" / "pictures" / f"{number}.png")
    (tmp_path / "home" / "pictures" / "notes.txt").write_text("not an image")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home"


def source(spec):
    return spec.document["data"]["source"]


def test_a_relative_path_begins_at_its_file(place):
    pictures = {"folder": {"path": str(place / "pictures")}}
    assert source(tiny.read(place, OWN)) == pictures
    (place / "below").mkdir()
    (place / "child.yaml").write_text("extends: tested.yaml\nname: child\n")
    assert source(read_spec(place / "child.yaml")) == pictures
    overrides = ["data.source.folder.path=../home/pictures"]  # of --set: where the command runs
    assert source(read_spec(place / "tested.yaml", overrides)) == pictures
    assert source(tiny.read(place, OWN.replace("pictures", "~/pictures"))) == {"folder": {"path": "~/pictures"}}


@pytest.mark.parametrize("written", ["./pictures", "pictures", "../home/pictures"])
def test_a_path_is_a_folder_source(place, written):
    pictures = {"folder": {"path": str(place / "pictures")}}
    assert source(tiny.read(place, OWN.replace("{folder: {path: pictures}}", written))) == pictures
    overrides = [f"data.source={place / 'pictures'}", "data.source.folder.skip_broken=true"]
    changed = tiny.read(place, tiny.DENSE, *overrides, "data.size=8", "data.channels=1")
    assert source(changed) == {"folder": {"path": str(place / "pictures"), "skip_broken": True}}


def test_the_name_of_a_source_is_never_a_folder(place):
    (place / "digits").mkdir()
    assert source(tiny.read(place, tiny.DENSE)) == "digits"


def test_the_place_of_a_folder_is_not_part_of_the_hash(place):
    (place / "pictures").rename(place / "moved")
    first = tiny.read(place, OWN)
    assert tiny.read(place, OWN, "data.source=../home/moved").sha256 == first.sha256
    assert tiny.read(place, OWN, "data.source.folder.skip_broken=true").sha256 != first.sha256


@pytest.mark.parametrize(
    ("source", "where"),
    [("{folder: {path: pictures}}", "home/pictures"), ("{folders: {a: pictures, b: few}}", "home/few")],
)
def test_a_batch_larger_than_the_folder_is_found_by_check(place, source, where):
    (place / "few").mkdir()
    Image.new("RGB", (9, 9)).save(place / "few" / "1.png")
    count = len(list((place.parent / where).glob("*.png")))
    with pytest.raises(SpecError) as caught:
        tiny.read(place, OWN.replace("{folder: {path: pictures}}", source), "training.batch_size=6")
    found = [line for line in str(caught.value).splitlines() if "training.batch_size" in line.partition(": ")[2]]
    assert found == [
        f"--set training.batch_size=6: training.batch_size: a batch of 6 cannot be drawn from the {count} items in "
        f"{place.parent / where}: set training.batch_size={count} or less, or add images"
    ]


def test_a_colour_folder_in_a_grey_spec_gets_the_hint(place):
    with pytest.raises(SpecError, match=r"'image' is \[9, 9, 3\] in the data. data.size=8 data.channels=1 would fit"):
        tiny.read(place, OWN.replace("size: 8, channels: 1", "size: 9"))
