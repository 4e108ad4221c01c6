"""Sources that are drawn from fetched files: the files in the cache, and what is drawn from them."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from zoo.core.errors import DataError
from zoo.data import critters, drawings, earth, fetch, glyphs
from zoo.data.catalogue import DATASETS
from zoo.data.formats import Layout, gather
from zoo.data.places import DOWNLOADS, Download, local, pip

FILES = {"list.json": b"[1, 2]", "black/svg/1.svg": b"<svg/>", "color/svg/1.svg": b"<svg fill='red'/>"}
LAYOUT = Layout(("list.json",), lambda files: None, "svg/*.svg", parts=3)


def archived(path, files=FILES):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tgz":
        with tarfile.open(path, "w:gz") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(f"package/{name}", data)
    return path


def digest(files):
    found = hashlib.sha256()
    for name in sorted(files):
        found.update(f"{name} {len(files[name])}\n".encode() + files[name])
    return found.hexdigest()


@pytest.mark.parametrize("suffix", ["tgz", "zip", "whl"])
def test_members_of_archives_keep_as_much_of_their_path_as_the_layout_says(tmp_path, suffix):
    path = archived(tmp_path / f"a.{suffix}", {**FILES, "other.txt": b""})
    assert gather([path], ["list.json"], {"svg/*.svg": 3}) == FILES
    assert sorted(gather([path], ["list.json"], ["svg/*.svg"])) == ["1.svg", "list.json"]


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A data set of files at tmp_path/there, and an empty cache."""
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "cache"))
    monkeypatch.setitem(DATASETS, "drawn", replace(DATASETS["sketch"], name="drawn", files_sha256=digest(FILES)))
    places = (local(str(tmp_path / "there")),)
    monkeypatch.setitem(DOWNLOADS, "drawn", Download((LAYOUT,), places, files="vectors"))
    return tmp_path


def test_files_are_kept_in_the_cache_once_their_content_is_checked(drawn):
    archived(drawn / "there" / "a.tgz")
    assert fetch.read_files("drawn") == FILES
    assert fetch.fetch("drawn") == drawn / "cache" / "vectors.zip"
    (drawn / "there" / "a.tgz").unlink()
    assert fetch.read_files("drawn", offline=True) == FILES
    (drawn / "cache" / "vectors.zip").write_bytes(b"damaged")
    archived(drawn / "there" / "a.zip")
    assert fetch.read_files("drawn") == FILES  # the damaged copy is replaced


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({**FILES, "color/svg/1.svg": b"<svg fill='blue'/>"}, "wrong content"),
        ({**FILES, "color/svg/2.svg": b"<svg/>"}, "wrong content"),
        ({"color/svg/1.svg": b""}, "incomplete"),
    ],
)
def test_other_files_are_refused(drawn, files, reason):
    archived(drawn / "there" / "a.tgz", files)
    with pytest.raises(DataError, match=reason) as caught:
        fetch.read_files("drawn")
    assert "list.json and svg/*.svg" in str(caught.value) and "vectors.zip" in str(caught.value)


def test_a_package_that_pip_does_not_find_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(OSError, match="exit 1: ERROR: ") as caught:
        pip("no-such-package-of-gan-zoo==0").bring(tmp_path, False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("rows", "stride"), [(64, 32), (128, 64)])
def test_crops_of_a_split_keep_to_their_longitudes(rows, stride):
    train, test = (list(earth.boxes(rows, stride, split)) for split in ("train", "test"))
    for left, top, right, bottom in (*train, *test):
        latitude = np.radians(90 - (top + rows / 2) / 15)
        assert bottom - top == rows and abs((right - left) * np.cos(latitude) - rows) <= 0.5
        assert 0 <= left < right <= 5400 and 270 <= top < bottom <= 2190
    strips = [(1650, 1950), (2850, 3150), (4650, 4950)]
    assert all(any(a <= left and right <= b for a, b in strips) for left, _, right, _ in test)
    assert all(right + 64 <= a or left >= b + 64 for left, _, right, _ in train for a, b in strips)
    assert len(train) > 5 * len(test) > 0


def test_a_painted_map_follows_colour_and_keeps_no_specks():
    pytest.importorskip("scipy")
    shown, on_land = np.full((120, 160, 3), (20, 40, 60), np.float32), np.zeros((120, 160), bool)
    on_land[:45, 60:] = on_land[75:, 60:] = True  # two islands, with a deep strait between
    shown[:60, 60:] = 60, 90, 40  # forest
    shown[60:, 60:] = 220, 190, 140  # desert
    shown[:, :30] = 30, 60, 110  # sea, deep at the coast
    shown[20:24, 100:104] = 110, 90, 60  # a speck of grassland
    made = earth._classified(shown, on_land)
    assert {int(made[y, x]) for y, x in ((30, 120), (30, 80))} == {3} and made[100, 120] == 5
    assert made[60, 15] == 1 and made[60, 45] == 0
    assert set(np.unique(made)) == {0, 1, 3, 5} and len(earth.PALETTE) == 8


def test_relatives_are_in_one_split():
    for name in ("sketch_bold.ttf", "SketchX.ttf", "sketc3.ttf"):
        assert glyphs.part_of(name) == glyphs.part_of("sketch.ttf")
    for code in ("1F9D1-200D-1F680", "1F468-1F3FB-200D-1F680", "1F469-200D-1F680"):
        assert drawings.part_of(code) == drawings.part_of("1F680")
    share = np.mean([drawings.part_of(f"{number:05x}") == "test" for number in range(4000)])
    assert share == pytest.approx(0.1, abs=0.02)


def test_a_drawing_is_on_white():
    pytest.importorskip("resvg_py")
    svg = (
        b'<svg viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg"><rect x="36" y="0" width="36" height="72"/></svg>'
    )
    made = drawings._drawn(svg, 34)
    assert made.shape == (34, 34, 3) and (made[:, :17] == 255).all() and (made[:, 17:] == 0).all()
    with pytest.raises(DataError, match="without the usual viewBox"):
        drawings._drawn(svg.replace(b"72 72", b"70 70"), 8)


def test_critters_are_functions_of_their_names_and_labels_say_what_is_drawn():
    pytest.importorskip("dicebear")
    images, labels = critters.draw(80, 16, "test-")
    again, _ = critters.draw(3, 16, "test-")
    np.testing.assert_array_equal(images[:3], again)
    assert images.dtype == np.uint8 and len({one.tobytes() for one in images}) == 80
    assert list(labels) == list(critters.LABELS)
    digest = hashlib.sha256(np.stack(list(labels.values())).astype(np.uint8).tobytes()).hexdigest()
    assert digest == "7df9c87995eb55e4472e853e6771fe54fa56988d9674d8b09bc95cfb553659dc"
    grounds = np.array([(3, 105, 161), (29, 78, 216), (67, 56, 202), (109, 40, 217)])  # ocean, blue, indigo, purple
    for number, colour in enumerate(grounds):
        corner = images[labels["ground"] == number][:, 0, 0]
        assert len(corner) and np.abs(corner.astype(int) - colour).max() <= 1


def test_a_seventh_of_the_pairs_of_body_and_colour_is_left_out_of_training():
    pytest.importorskip("dicebear")
    everything, labels = critters.draw(40, 8, "")
    left_out = (labels["body"] + labels["color"]) % 7 == 0
    assert 0 < left_out.sum() < 20
    images, seen = critters.draw(20, 8, "", seen=True)
    np.testing.assert_array_equal(images, everything[~left_out][:20])
    assert ((seen["body"] + seen["color"]) % 7 > 0).all()


def test_critters_are_drawn_once(tmp_path, monkeypatch):
    pytest.importorskip("dicebear")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setitem(DATASETS, "critters", replace(DATASETS["critters"], splits={"train": 6, "test": 4}))
    first, labels = critters.critters(8, "test")
    assert len(first) == 4 and len(list(tmp_path.glob("critters-test-8-*.npz"))) == 1
    monkeypatch.setattr(critters, "draw", lambda *_, **_options: pytest.fail("drawn again"))
    again, same = critters.critters(8, "test")
    np.testing.assert_array_equal(first, again)
    assert all(np.array_equal(labels[name], same[name]) for name in labels)


def test_what_draws_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(critters, "PACKAGES", ("no-such-package",))
    with pytest.raises(DataError, match="pip install dicebear-core dicebear-styles resvg_py"):
        critters.critters(8, "test")


def test_letters_are_drawn_in_the_colours_of_their_font():
    masks = [np.full((10, 6), 255, np.uint8)] * 2
    one, other = (glyphs._coloured(masks, name, 16)[0] for name in ("a.ttf", "b.ttf"))
    ground = one[0, 0]
    assert one.shape == (16, 16, 3) and ground.min() > 200 and (one[3:13, 5:11] != ground).any(axis=-1).all()
    assert (one[:2] == ground).all() and not np.array_equal(one[0, 0], other[0, 0])
    assert not np.array_equal(one[3, 8], one[12, 8])  # a gradient
