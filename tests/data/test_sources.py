"""Sources: each agrees with the catalogue; mixtures, folders and pairs in detail."""

import numpy as np
import pytest
from PIL import Image
from toy import TOY, from_cache

from zoo.core.errors import DataError
from zoo.data.catalogue import DATASETS, describe, fields, final_shape
from zoo.data.formats import Arrays, sha256
from zoo.data.sources import folder, grid, load_dataset, ring, stacked_mnist


def test_ring_has_its_modes_where_they_belong():
    data = ring(modes=4, radius=2.0, std=0.0, samples=200)
    np.testing.assert_allclose(data.centres, [[2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-6)
    np.testing.assert_array_equal(data.points, data.centres[data.labels])
    assert set(data.labels) == {0, 1, 2, 3}


def test_ring_of_eight_has_eight_different_modes():
    centres = ring(samples=1).centres
    nearest = np.linalg.norm(centres[:, None] - centres, axis=-1)[~np.eye(8, dtype=bool)].min()
    assert nearest == pytest.approx(4 * np.sin(np.pi / 8), rel=1e-5)  # the chord of 45 degrees at radius 2


def test_mixtures_have_the_stated_spread_and_even_weights():
    data = grid(samples=50_000, std=0.05)
    assert (data.points.dtype, data.labels.dtype) == (np.float32, np.int64)
    assert (data.points - data.centres[data.labels]).std() == pytest.approx(0.05, rel=0.02)
    counts = np.bincount(data.labels, minlength=25)
    assert counts.min() > 1800 and counts.max() < 2200  # 2000 each, standard deviation 44


def test_grid_is_centred_and_spaced():
    np.testing.assert_allclose(np.unique(grid(samples=1).centres), [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(
        grid(side=2, spacing=1.0, samples=1).centres, [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    )


def test_mixtures_are_functions_of_seed_and_split():
    first, again = ring(samples=9), ring(samples=9)
    np.testing.assert_array_equal(first.points, again.points)
    for other in (ring(samples=9, seed=1), ring(samples=9, split="test")):
        assert not np.any(first.points == other.points)


@pytest.mark.parametrize("args", [{"modes": 0}, {"samples": 0}, {"std": -1.0}, {"split": "validation"}])
def test_impossible_mixtures_are_refused(args):
    with pytest.raises(DataError):
        ring(**args)


def test_stacked_digits_are_three_in_the_channels(monkeypatch):
    """Of the split's own images, drawn apart and always alike."""
    monkeypatch.setattr("zoo.data.sources.read", lambda name: TOY)
    train, again, test = (stacked_mnist(split=split).images for split in ("train", "train", "test"))
    assert train.shape == (60_000, 4, 4, 3) and test.shape == (25_600, 4, 4, 3)
    np.testing.assert_array_equal(train, again)
    for images, digits in ((train, TOY.x_train), (test, TOY.x_test)):
        known = {digit.tobytes(): i for i, digit in enumerate(digits)}
        ids = [[known[image[..., c : c + 1].tobytes()] for c in range(3)] for image in images[:20_000]]
        counts = np.unique(ids, axis=0, return_counts=True)[1]
        assert len(counts) == len(digits) ** 3 and counts.min() > 0.5 * counts.mean()


ARGS = {"emoji": {"a": "noto", "b": "twemoji"}, "cifar10_pair": {"a": "horse", "b": "deer"}}


SIZES = {"planet": 32}  # smaller than its own, which takes half a gigabyte


def swept():
    """All sources but the user's own files; those that are drawn from files take their time."""
    for name, info in DATASETS.items():
        if info.shape:
            yield pytest.param(name, marks=pytest.mark.slow if info.files_sha256 or info.labels else ())


@pytest.mark.parametrize("name", swept())
def test_a_source_agrees_with_the_catalogue(name, monkeypatch):
    """Of every source but the user's own files: shape, dtype, range, labels, split sizes, hash."""
    args, size, arrays = ARGS.get(name, {}), SIZES.get(name), []
    info = describe(name, args)
    known = fields(info, final_shape(info.shape, size, None))
    for split, count in info.splits.items():
        data = from_cache(monkeypatch, name, args, split=split, size=size)
        assert min(map(len, data.parts.values())) == count
        assert set(known) == {*data.parts, *(label for part in data.parts.values() for label in part.ids)}
        for field, part in data.parts.items():
            assert part.items.shape[1:] == known[field].shape and part.classes == info.classes
            if info.range == "uint8":
                assert part.items.dtype == np.uint8 and np.ptp(part.items) > 200
                assert info.sha256 is None or (part.items.min(), part.items.max()) == (0, 255)
            else:
                assert part.items.dtype == np.float32 and np.isfinite(part.items).all()
            for label, ids in part.ids.items():
                assert ids.dtype == np.int64 and set(ids) == set(range(len(known[label].classes)))
            if info.classes:
                arrays += [part.items, part.labels.astype(np.uint8)]
        if info.domains:
            assert tuple(data.parts) == info.domains and data.paired == (
                info.paired and (info.together or split == "test")
            )
            assert data.together == info.together
    if info.sha256:
        assert sha256(Arrays(*arrays)) == info.sha256


def test_load_prepares_and_names_mistakes():
    data = load_dataset("digits", size=32, channels=3, split="test")
    assert data.images.shape == (297, 32, 32, 3)
    for source, args, message in [
        ("digit", {}, "Did you mean 'digits'"),
        ("ring", {"mode": 3}, "Did you mean 'modes'"),
        ("folder", {}, "path"),
    ]:
        with pytest.raises(DataError, match=message):
            load_dataset(source, args, size=None if source == "ring" else 8)
    with pytest.raises(DataError, match="points"):
        load_dataset("ring", size=32)


def paint(path, colour, size=(6, 4), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def test_folder_reads_every_kind_of_image(tmp_path):
    red, white = (255, 0, 0), (255, 255, 255)
    for name in ("a.png", "b.JPG", "c.jpeg", "d.webp", "e.bmp"):
        paint(tmp_path / name, red, size=(6 + len(name), 9))
    frames = [Image.new("RGB", (5, 5), colour) for colour in (red, white)]
    frames[0].save(tmp_path / "f.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes(b"not an image")
    data = load_dataset("folder", {"path": str(tmp_path)}, size=4)  # crops: no black bars
    assert data.images.shape == (6, 4, 4, 3) and data.labels is None and data.classes == ()
    assert np.abs(data.images.astype(int) - red).max() <= 2  # JPEG and WebP lose a little


def test_folder_takes_sub_folders_for_classes(tmp_path):
    paint(tmp_path / "b" / "deep" / "1.png", (0, 0, 255))
    paint(tmp_path / "a" / "2.png", (255, 0, 0))
    paint(tmp_path / "a" / "1.png", (255, 0, 0))
    data = load_dataset("folder", {"path": str(tmp_path)}, size=2)
    assert data.classes == ("a", "b")
    assert data.labels.tolist() == [0, 0, 1] and data.labels.dtype == np.int64
    assert data.images[:, 0, 0].tolist() == [[255, 0, 0], [255, 0, 0], [0, 0, 255]]


def test_folder_shows_images_as_people_see_them(tmp_path):
    paint(tmp_path / "1.png", (0, 0, 0, 0), mode="RGBA")  # transparent: white, as on a page
    paint(tmp_path / "2.png", 32768, mode="I;16")  # 16 bits: grey, not white
    picture = Image.new("RGB", (4, 4))
    picture.paste((255, 0, 0), (0, 0, 4, 2))
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    picture.save(tmp_path / "3.png", exif=exif)
    images = folder(path=str(tmp_path), size=4).images
    assert images[0].min() == 255
    assert images[1].tolist() == np.full((4, 4, 3), 128).tolist()
    assert images[2, :, 0, 0].tolist() == [0, 0, 255, 255]


def test_folder_hands_size_and_fit_of_the_spec_to_each_file(tmp_path):
    paint(tmp_path / "wide.png", (255, 255, 255), size=(8, 4))
    padded = load_dataset("folder", {"path": str(tmp_path)}, size=8, channels=1, fit="pad").images[0, :, :, 0]
    assert padded[2:6].min() == 255 and padded[:2].max() == 0 and padded[6:].max() == 0
    assert load_dataset("folder", {"path": str(tmp_path)}, size=8, fit="crop").images.min() == 255


def test_folder_leaves_out_what_is_hidden(tmp_path):
    for name in ("good.png", ".hidden.png", ".thumbnails/x.png"):
        paint(tmp_path / name, (1, 2, 3))
    found = folder(path=str(tmp_path), size=4)
    assert len(found) == 1 and found.classes == ()


def test_folder_refuses_what_it_cannot_read(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        folder(path=str(tmp_path / "none"), size=4)
    with pytest.raises(DataError, match="no image"):
        folder(path=str(tmp_path), size=4)
    with pytest.raises(DataError, match="state one"):
        folder(path=str(tmp_path))
    paint(tmp_path / "good.png", (1, 2, 3))
    with pytest.raises(DataError, match="no test split"):
        load_dataset("folder", {"path": str(tmp_path)}, size=4, split="test")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut.png is not a readable image"):
        folder(path=str(tmp_path), size=4)
    (tmp_path / "cut.png").unlink()
    paint(tmp_path / "sub" / "x.png", (1, 2, 3))
    with pytest.raises(DataError, match="sub-folders"):
        folder(path=str(tmp_path), size=4)


def test_a_folder_accounts_for_every_file(tmp_path):
    kinds = ("jfif", "jpe", "tif", "tiff", "avif", "jp2", "png")
    formats = {"jfif": "JPEG", "jpe": "JPEG", "tif": "TIFF", "tiff": "TIFF", "avif": "AVIF", "jp2": "JPEG2000"}
    for kind in kinds:
        paint(tmp_path / "a" / f"1.{kind}", (200, 0, 0), size=(16, 16), format=formats.get(kind, "PNG"))
    paint(tmp_path / "b" / "no_suffix", (200, 0, 0), format="PNG")
    paint(tmp_path / "b" / "picture.data", (200, 0, 0), format="BMP")
    for name in ("a/notes.txt", "b/more.txt", "drawing.svg", "README", ".hidden"):
        (tmp_path / name).write_text("not an image")
    data = load_dataset("folder", {"path": str(tmp_path)}, size=4)
    assert data.labels.tolist() == [0] * 7 + [1] * 2
    assert data.counts == {"images": 9, "classes": 2, "left_out": {".txt": 2, "no suffix": 1, ".svg": 1}}
    assert data.reading.text == (f"{tmp_path}: 9 images, 2 classes; 4 files left out (.txt: 2, no suffix: 1, .svg: 1)")
    assert data.reading.warnings == [f"{tmp_path}: 9 images will be learnt by heart; use thousands"]
    assert load_dataset("digits").counts == load_dataset("digits").fingerprint == {}


def test_links_are_followed_but_not_in_circles(tmp_path):
    paint(tmp_path / "elsewhere" / "1.png", (255, 0, 0))
    paint(tmp_path / "elsewhere" / "deep" / "2.png", (255, 0, 0))
    root = tmp_path / "root"
    for name in ("one", "two"):
        root.mkdir(exist_ok=True)
        (root / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path)
    data = folder(path=str(root), size=4)
    assert data.classes == ("one", "two") and data.labels.tolist() == [0, 0, 1, 1]


def test_all_broken_files_are_named_at_once_and_can_be_left_out(tmp_path):
    paint(tmp_path / "good.png", (1, 2, 3))
    for number in range(30):
        (tmp_path / f"broken-{number:02}.png").write_bytes(b"")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(DataError) as caught:
        folder(path=str(tmp_path), size=4)
    first, *named, last = str(caught.value).splitlines()
    assert first == (f"data source 'folder': 32 files in {tmp_path} cannot be read; skip_broken: true leaves them out")
    assert len(named) == 24 and named[0].startswith(f"  {tmp_path}/broken-00.png is not") and last == "  and 8 more"
    data = load_dataset("folder", {"path": str(tmp_path), "skip_broken": True}, size=4)
    assert data.counts == {"images": 1, "broken": 32} and "1 image; 32 broken files left out" in data.reading.text


def test_dark_16_bit_files_of_a_folder_are_noticed(tmp_path):
    for name, highest in (("1", 255), ("2", 4095)):
        Image.fromarray(np.full((4, 4), highest, np.uint16)).save(tmp_path / f"{name}.png")
    assert "end at 4,095 of 65,535" in folder(path=str(tmp_path), size=4).reading.warnings[0]
    Image.fromarray(np.full((4, 4), 65535, np.uint16)).save(tmp_path / "3.png")
    assert len(folder(path=str(tmp_path), size=4).reading.warnings) == 1  # so few images


def test_a_message_shows_the_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"there is no folder {tmp_path}/good"):
        folder(path="good", size=4)


def test_a_fingerprint_is_that_of_pixels_and_labels(tmp_path):
    paint(tmp_path / "a" / "1.png", (1, 2, 3))
    paint(tmp_path / "b" / "2.png", (1, 2, 3))
    first = folder(path=str(tmp_path), size=4).fingerprint
    (tmp_path / "b" / "2.png").rename(tmp_path / "b" / "renamed.png")
    assert folder(path=str(tmp_path), size=4).fingerprint == first and first["images"] == 2
    (tmp_path / "b" / "renamed.png").rename(tmp_path / "a" / "renamed.png")
    paint(tmp_path / "b" / "2.png", (1, 2, 4))
    assert folder(path=str(tmp_path), size=4).fingerprint["sha256"] != first["sha256"]


def test_two_classes_of_cifar(monkeypatch):
    whole = from_cache(monkeypatch, "cifar10", split="test")
    pair = from_cache(monkeypatch, "cifar10_pair", {"a": "horse", "b": "deer"}, split="test")
    for thing, part in (("horse", pair.a), ("deer", pair.b)):
        np.testing.assert_array_equal(part.images, whole.images[whole.labels == whole.classes.index(thing)])


def test_folders_are_two_domains(tmp_path):
    paint(tmp_path / "summer" / "1.png", (0, 255, 0), size=(8, 4))
    for name in ("1", "deep/2"):
        paint(tmp_path / "winter" / f"{name}.png", (255, 255, 255))
    where = {"a": str(tmp_path / "summer"), "b": str(tmp_path / "winter" / "deep")}
    pair = load_dataset("folders", where, size=4, channels=1)
    assert len(pair.a) == len(pair.b) == len(pair) == 1 and not pair.paired
    assert pair.a.images[0, :, :, 0].tolist() == np.full((4, 4), 150).tolist()  # green, cropped: no black bars
    for args, message in [({"a": where["a"]}, "'b'"), ({**where, "b": str(tmp_path / "none")}, "there is no folder")]:
        with pytest.raises(DataError, match=message):
            load_dataset("folders", args, size=4)
    with pytest.raises(DataError, match="no test split"):
        load_dataset("folders", where, size=4, split="test")
    with pytest.raises(DataError, match="state one"):
        load_dataset("folders", where)
