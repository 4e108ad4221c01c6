"""Every mode and format of a picture file: its colours as people see them, or one line that names the numbers found."""

import io
import logging
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from zoo.core.errors import DataError
from zoo.core.image_files import TooManyPixelsError, is_image, range_warning, read_image, read_picture


def stored(image, kind="PNG", **options):
    """The image as a file in memory; an array becomes an image of its own mode."""
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **options)
    return io.BytesIO(buffer.getvalue())


def first_row(file):
    pixels = read_image(file)
    assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
    return pixels[0].tolist() if (pixels[0] != pixels[0, :, :1]).any() else pixels[0, :, 0].tolist()


def palette():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    return image


def png(bits, colour, row, clear):
    """A PNG of one row of two pixels, with a transparent colour, as Pillow itself does not write it."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, colour, 0, 0, 0))
    rest = chunk(b"tRNS", clear) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + head + rest)


GREY16 = np.uint16([[0, 257, 32768, 65535]])
CASES = {
    "8 bit grey": (stored(np.uint8([[0, 1, 128, 255]])), [0, 1, 128, 255]),
    "16 bit PNG": (stored(GREY16), [0, 1, 128, 255]),
    "16 bit TIFF": (stored(GREY16, "TIFF"), [0, 1, 128, 255]),
    "16 bit with a transparent grey": (stored(GREY16, transparency=257), [0, 255, 128, 255]),
    "its 8 bit twin": (stored(np.uint8([[0, 1, 128, 255]]), transparency=1), [0, 255, 128, 255]),
    "4 bit with a transparent grey": (png(4, 0, b"\x35", struct.pack(">H", 3)), [255, 85]),
    "16 bit RGB with a transparent colour": (
        png(16, 2, struct.pack(">6H", 257, 514, 771, 0, 0, 0), struct.pack(">3H", 257, 514, 771)),
        [255, 0],
    ),
    "grey with alpha": (stored(Image.fromarray(np.uint8([[[7, 0], [7, 255]]]), "LA")), [255, 7]),
    "1 bit": (stored(Image.fromarray(np.uint8([[0, 255]])).convert("1")), [0, 255]),
    "palette": (stored(palette()), [[255, 0, 0], [0, 0, 255]]),
    "palette with alpha": (stored(palette(), transparency=b"\0\xff"), [[255, 255, 255], [0, 0, 255]]),
    "palette with a transparent entry": (stored(palette(), "GIF", transparency=1), [[255, 0, 0], [255, 255, 255]]),
    "CMYK": (stored(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"), [[255, 0, 0]]),
    "32 bit integers": (stored(np.int32([[0, 1, 128, 255]]), "TIFF"), [0, 1, 128, 255]),
    "floats": (stored(np.float32([[0, 0.5, 1]]), "TIFF"), [0, 128, 255]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mode_keeps_black_and_white(case):
    file, expected = CASES[case]
    assert first_row(file) == expected


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_the_content_decides_the_format(kind, tmp_path):
    file = tmp_path / "picture.txt"
    try:
        file.write_bytes(stored(Image.new("RGB", (16, 16), (200, 40, 90)), kind).getvalue())
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {kind}")
    assert is_image(file)
    assert np.abs(read_image(file).astype(int) - (200, 40, 90)).max() <= 6  # some lose a little


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.int32([[0, 65536]]), "its 32-bit integers must be in 0..255, received 0..65,536"),
        (np.int32([[-1, 3]]), "received -1..3"),
        (np.float32([[0, 255]]), r"its floats must be in \[0, 1\], received 0..255"),
        (np.float32([[0, np.nan]]), "not all finite"),
    ],
)
def test_numbers_of_no_known_range_are_refused(numbers, message):
    with pytest.raises(DataError, match=message):
        read_image(stored(numbers, "TIFF"))


def test_16_bit_files_that_end_low_are_noticed():
    assert read_picture(stored(GREY16)).highest == 65535 and range_warning(65535) == ""
    assert read_picture(stored(np.uint8([[255]]))).highest is None
    for highest, factor in ((4095, "16"), (255, "257")):
        assert read_picture(stored(np.uint16([[highest]]))).highest == highest
        assert f"end at {highest:,} of 65,535" in range_warning(highest)
        assert f"multiply them by {factor} and" in range_warning(highest)


def test_no_format_that_starts_a_program(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("a program was started"))
    file = tmp_path / "photo.png"
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    assert not is_image(file)
    with pytest.raises(DataError, match="photo.png is not a readable image: it is not PNG, JPEG, .* or JPEG 2000"):
        read_image(file)


def test_the_size_is_checked_before_anything_is_unpacked(monkeypatch):
    large = stored(Image.new("1", (300, 200)))
    with pytest.raises(TooManyPixelsError, match="at most 59,999 pixels, received 300 x 200$"):
        read_image(large, limit=59_999)
    assert read_image(large, limit=60_000).shape == (200, 300, 3)
    monkeypatch.setenv("ZOO_MAX_PIXELS", "100")
    with pytest.raises(TooManyPixelsError, match="received 300 x 200; ZOO_MAX_PIXELS=N in the environment allows more"):
        read_image(large)
    monkeypatch.setenv("ZOO_MAX_PIXELS", "many")
    with pytest.raises(DataError, match="ZOO_MAX_PIXELS: expected a whole number of at least 1, received 'many'"):
        read_image(large)


@pytest.mark.parametrize("side", [10_000, 20_000])  # Pillow warns of the first, and refuses the second itself
def test_a_small_file_of_a_huge_picture_is_refused(side):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TooManyPixelsError, match="at most 64,000,000 pixels"):
            read_image(stored(Image.new("1", (side, side))))


def test_pillow_is_quiet(caplog, recwarn):
    cut = stored(np.zeros((64, 64, 3), np.uint8), "TIFF").getvalue()[:200]
    with caplog.at_level(logging.DEBUG, logger="zoo"), pytest.raises(DataError, match="not a readable image"):
        read_image(io.BytesIO(cut))
    assert not caplog.records and not recwarn.list
