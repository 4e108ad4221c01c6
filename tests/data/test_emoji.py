"""Emoji: the selection, the split, the pictures; and the real ones, where this machine has them."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from toy import from_cache

from zoo.data.emoji import KINDS, SIDE, family, items, layout, normal, part_of
from zoo.data.formats import gather
from zoo.data.sources import load_dataset


def entry(unified, category="Objects", added_in="1.0", **tones):
    varied = {tone: {"unified": code, "added_in": added_in} for tone, code in tones.items()}
    return {"unified": unified, "category": category, "added_in": added_in, "skin_variations": varied}


def listing(*entries):
    return json.dumps(entries).encode()


def encoded(pixels, form="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, lossless=True)
    return stream.getvalue()


def test_names_are_compared_without_what_vendors_disagree_on():
    assert normal("0031-FE0F-20E3") == normal("31-20e3") == "31-20e3"
    assert normal("00A9-FE0F") == "a9"


@pytest.mark.parametrize(
    "relatives",
    [
        ("1f44b", "1f44b-1f3fb", "1f44b-1f3ff"),  # a waving hand, light, dark
        ("1f9d1-200d-1f680", "1f468-200d-1f680", "1f469-1f3fd-200d-1f680"),  # astronauts
        ("1f3c4", "1f3c4-200d-2640", "1f3c4-1f3fe-200d-2642"),  # surfers
    ],
)
def test_relatives_are_never_in_different_parts(relatives):
    assert len({family(code) for code in relatives}) == 1
    assert len({part_of(code) for code in relatives}) == 1


def test_families_differ_where_the_emoji_do():
    assert len({family(code) for code in ("1f44b", "1f680", "1f9d1-200d-1f680", "1f3c4", "2640")}) == 5


def test_parts_have_the_stated_shares():
    counts = np.bincount([part_of(f"{number:x}") for number in range(20_000)], minlength=3)
    assert counts[0] == pytest.approx(20_000 * 26 / 256, rel=0.06)
    assert counts[1] == pytest.approx(counts[2], rel=0.06)


def test_what_is_left_out():
    kept = entry("1F44B", "People & Body", **{"1F3FB": "1F44B-1F3FB"})
    left_out = [
        entry("1F1E6-1F1E8", "Flags"),
        entry("1F3FB", "Component"),
        entry("1FAE9", added_in="16.0"),
        entry("1F91D", "People & Body"),  # Fluent has no skin tones of it
    ]
    couple = entry("1F46D", "People & Body", **{"1F3FB-1F3FC": "1F469-1F3FB-200D-1F469-1F3FC"})
    found = items(listing(*left_out, kept, couple))
    assert [item.code for item in found] == ["1f44b", "1f44b-1f3fb", "1f46d"]
    assert {item.kind for item in found} == {KINDS.index("People & Body")}


def test_train_holds_one_half_and_then_the_other_and_test_neither(tmp_path):
    codes = [f"{number:x}" for number in range(0x2000, 0x2040)]
    colours = {code: np.full((SIDE, SIDE, 4), (number, 0, 0, 255), np.uint8) for number, code in enumerate(codes)}
    (tmp_path / "emoji.json").write_bytes(listing(*map(entry, codes)))
    for folder in ("64", "sheets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sheets" / "2000.png").write_bytes(b"a sheet, which is not read")
    for code, pixels in colours.items():
        (tmp_path / "64" / f"{code}-fe0f.png").write_bytes(encoded(pixels))
    form = layout("64/*.png")
    files = gather(sorted(tmp_path.rglob("*.*")), form.names, [form.many])
    assert len(files) == 1 + len(codes)
    arrays = form.decode(files)
    parts = np.array([part_of(code) for code in codes])
    halves = [np.flatnonzero(parts == part).tolist() for part in range(3)]
    assert arrays.x_train[:, 0, 0, 0].tolist() == halves[1] + halves[2]
    assert arrays.x_test[:, 0, 0, 0].tolist() == halves[0]
    assert all(halves) and arrays.y_train.tolist() == [KINDS.index("Objects")] * len(arrays.x_train)


def test_a_picture_lies_on_white_and_shrinks_by_whole_blocks():
    big = np.zeros((4 * SIDE + 8, 4 * SIDE, 4), np.uint8)  # transparent
    big[4:-4, :, :2] = (200, 100)
    big[4 : 4 + 4 * SIDE : 2, :, 3] = 255  # every other row is there
    big[0:4] = big[-4:] = (9, 9, 9, 255)  # beyond the square
    form = layout("*.webp")
    codes = ["2000", next(f"{n:x}" for n in range(0x2001, 0x3000) if part_of(f"{n:x}") == 0)]
    files = {f"{code}.webp": encoded(big, "WEBP") for code in codes}
    arrays = form.decode({"emoji.json": listing(*map(entry, codes)), **files})
    pixels = np.concatenate([arrays.x_train, arrays.x_test])
    assert pixels.shape == (2, SIDE, SIDE, 3) and pixels.dtype == np.uint8
    expected = [(200 + 255) / 2, (100 + 255) / 2, 255 / 2]
    np.testing.assert_allclose(pixels, np.broadcast_to(expected, pixels.shape), atol=0.51)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="a picture of 65 pixels, expected a multiple of 64"):
        layout("*.png").decode(
            {"emoji.json": listing(entry("2000")), "2000.png": encoded(np.zeros((65, 65, 4), np.uint8))}
        )


def test_domains_are_disjoint_halves_and_their_test_pairs_show_the_same(monkeypatch):
    train = from_cache(monkeypatch, "emoji", {"a": "noto", "b": "twemoji"})
    test = load_dataset("emoji", {"a": "noto", "b": "twemoji"}, split="test", size=16)
    noto, twemoji = load_dataset("noto"), load_dataset("twemoji")
    np.testing.assert_array_equal(train.a.images, noto.images[: len(train.a)])
    np.testing.assert_array_equal(train.b.images, twemoji.images[len(train.a) :])
    assert noto.images[:, 0, 0].mean() > 240  # corners are mostly white
    assert test.a.images.shape == test.b.images.shape == (341, 16, 16, 3)
    a, b = (part.images.reshape(len(part), -1).astype(float) for part in (test.a, test.b))
    distances = np.abs(a[:, None] - b[None]).mean(axis=-1)  # [341, 341]
    assert (distances.argmin(axis=1) == np.arange(len(a))).mean() > 0.3  # by chance: 0.003
    assert np.median(np.diag(distances)) < 0.6 * np.median(distances)
