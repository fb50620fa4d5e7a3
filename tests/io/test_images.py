from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, ImageOps
from PIL import Image as Pillow

from vidsgg.errors import DataError
from vidsgg.io.images import read_image


def test_a_picture_comes_back_as_rgb(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Pillow.fromarray(picture).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.dtype == np.uint8 and np.array_equal(read, picture)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_other_kinds_of_picture_have_three_channels_too(tmp_path: Path, mode: str) -> None:
    Pillow.new("RGB", (7, 5), (255, 255, 255)).convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.full((5, 7, 3), 255))


def test_missing_truncated_and_foreign_files_are_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    (tmp_path / "flipped.png").write_bytes(flipped)
    for name in ("gone.png", "cut.png", "empty.png", "text.png", "flipped.png"):
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            read_image(tmp_path / name)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_and_mirrored_as_its_camera_says(tmp_path: Path, suffix: str, orientation: int) -> None:
    picture, exif = Pillow.new("RGB", (48, 32)), Pillow.Exif()
    picture.paste((255, 255, 255), (0, 0, 16, 8))
    exif[ExifTags.Base.Orientation] = orientation
    picture.save(tmp_path / f"a.{suffix}", exif=exif, quality=95)
    with Pillow.open(tmp_path / f"a.{suffix}") as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    read = read_image(tmp_path / f"a.{suffix}")
    assert read.shape == ((32, 48, 3) if orientation < 5 else (48, 32, 3))
    assert np.array_equal(read, upright)
    # where the white corner is shown
    corner = (0 if orientation in (1, 2, 5, 6) else -1, 0 if orientation in (1, 4, 5, 8) else -1)
    assert read[corner].min() > 200 and [read[y, x].max() > 200 for y in (0, -1) for x in (0, -1)].count(True) == 1


def test_damaged_camera_data_costs_nothing(tmp_path: Path) -> None:
    for exif in (
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0",
    ):
        Pillow.new("RGB", (8, 4), "white").save(tmp_path / "a.jpg", exif=exif)
        assert read_image(tmp_path / "a.jpg").shape == (4, 8, 3)


GREYS = np.array([[0, 257, 32768, 65535]], np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    Pillow.fromarray(GREYS).save(tmp_path / f"a.{suffix}")
    assert read_image(tmp_path / f"a.{suffix}").tolist() == [[[v] * 3 for v in (0, 1, 128, 255)]]


def test_zero_may_be_white(tmp_path: Path) -> None:
    Pillow.fromarray(GREYS).save(tmp_path / "a.tif", tiffinfo={262: 0})
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 254, 127, 0]


def test_floating_point_greys_go_from_0_to_1(tmp_path: Path) -> None:
    Pillow.fromarray(np.array([[0, 0.25, 1]], np.float32)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, :, 1].tolist() == [0, 64, 255]


@pytest.mark.parametrize(
    "values", [np.float32([[0, 300]]), np.float32([[0, np.nan]]), np.int32([[0, 70000]])], ids=["float", "nan", "int"]
)
def test_greys_without_a_known_white_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    Pillow.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: its greys are .* save it with 8 or 16 bits"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparent_is_white(tmp_path: Path, mode: str) -> None:
    picture = Pillow.new("RGBA", (2, 1), (0, 0, 0, 255)).convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putpixel((1, 0), (0,) * len(picture.getbands()))
        picture.save(tmp_path / "a.png")
        assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 255]
    else:
        picture.save(tmp_path / "a.png", transparency=picture.getpixel((1, 0)))
        assert read_image(tmp_path / "a.png").min() == 255


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_inks_are_subtracted_from_white(tmp_path: Path, suffix: str) -> None:
    Pillow.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / f"a.{suffix}")
    assert np.abs(read_image(tmp_path / f"a.{suffix}").astype(int) - (255, 0, 0)).max() < 3


@pytest.mark.parametrize("size", [(20000, 1), (1, 20000), (2100, 100)])
def test_threads_of_pixels_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    Pillow.new("RGB", size).save(tmp_path / "a.png")
    with pytest.raises(
        DataError, match=rf"a\.png: is {size[0]} x {size[1]} pixels; no side may be longer than 20 times"
    ):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("side", [12000, 40000])
def test_large_pictures_are_refused_by_their_header(tmp_path: Path, side: int) -> None:
    """A PNG of some 70 bytes; of the smaller one Pillow alone would only warn."""
    Pillow.new("1", (8, 8)).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.png: .*pixels"):
        read_image(tmp_path / "a.png")


def test_a_postscript_file_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n")
    with pytest.raises(DataError, match=r"a\.png: not a picture of a known kind"):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: is not a picture file"):
        read_image(tmp_path / "a.png")


def _grey16() -> Pillow.Image:
    return Pillow.fromarray(np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 85)


def _photo() -> Pillow.Image:
    return Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        *((suffix, _photo) for suffix in ("jpg", "png", "webp", "tif", "bmp")),
        *((suffix, _grey16) for suffix in ("png", "tif")),
        ("png", lambda: _photo().convert("LA")),
    ],
)
def test_whatever_is_damaged_ends_in_a_picture_or_one_message(
    tmp_path: Path, suffix: str, make: Callable[[], Pillow.Image]
) -> None:
    exif, draw = Pillow.Exif(), random.Random(suffix)
    exif[ExifTags.Base.Orientation] = 6
    path = tmp_path / f"a.{suffix}"
    make().save(path, **({"exif": exif} if suffix in ("jpg", "png", "webp") else {}))
    whole = path.read_bytes()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 2, 5))):
            at = draw.randrange(min(len(data), 200) if draw.random() < 0.7 else len(data))
            data[at : at + 4] = draw.choice(
                (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", draw.randbytes(1), b"")
            )
        path.write_bytes(data)
        try:
            assert read_image(path).dtype == np.uint8
        except DataError as error:
            assert str(error).startswith(f"{path}: ")
