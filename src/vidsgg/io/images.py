"""Pictures from disk, as a viewer shows them; and the sizes that pictures may have, in files and in
videos."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, ImageMode, UnidentifiedImageError
from PIL import Image as Pillow
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION

from vidsgg.errors import DataError
from vidsgg.io.locations import Location

Image = npt.NDArray[np.uint8]
MOST_PIXELS = 2**27  # 134 million: 16K video and the largest photos of phones' usual modes; 384 MB as RGB
MOST_STRETCHED = 20  # the long side against the short one: detectors scale the short side to a fixed length

# Only these: Pillow would hand an EPS file of any name to Ghostscript. Their suffixes are
# footage.PICTURES.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
# What Pillow raises for broken files beside OSError: SyntaxError for damaged PNG chunks, ValueError
# for impossible headers.
_BROKEN = (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError)


@dataclass(frozen=True)
class Turn:
    """How stored pixels are laid out to be shown: first rows and columns change places, then left
    and right, then top and bottom."""

    transposed: bool = False
    mirrored: bool = False
    upended: bool = False

    def __call__(self, image: Image) -> Image:
        """image: (H, W, 3), or (H, W) of any type."""
        image = image.swapaxes(0, 1) if self.transposed else image
        image = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(image[::-1] if self.upended else image)


_EXIF_TURNS = {
    2: Turn(mirrored=True),
    3: Turn(mirrored=True, upended=True),
    4: Turn(upended=True),
    5: Turn(transposed=True),
    6: Turn(transposed=True, mirrored=True),
    7: Turn(transposed=True, mirrored=True, upended=True),
    8: Turn(transposed=True, upended=True),
}


def read_image(path: Location) -> Image:
    """Read a picture file as RGB (H, W, 3) uint8, as a viewer shows it.

    It is rotated and mirrored as its EXIF data says. 16-bit values are converted to 8 bits,
    transparent pixels get a white background, and of several pictures in a file the first is read.

    Args:
        path: the file, on this machine or in object storage.

    Raises:
        DataError: the file is missing, truncated, not a picture, larger than ``check_size`` allows, or
            does not say which of its values is white.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: {'is not a picture file' if path.exists() else 'no such picture'}.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, for which check_size has the limit, and of damaged EXIF data
            with path.open("rb") as file, Pillow.open(file, formats=_FORMATS) as picture:
                check_size(path, *picture.size)
                picture.load()
                return _exif_turn(picture)(_eight_bit_rgb(picture, path))
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path}: not a picture of a known kind ({', '.join(_FORMATS)}); convert it, or copy it again."
        ) from error
    except DataError:
        raise
    except _BROKEN as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(f"{path}: not a readable picture ({why}); extract or copy it again.") from error


def check_size(place: Location | str, width: int, height: int, most: int = MOST_PIXELS) -> None:
    """Raises DataError for pictures that memory might not hold: more than ``most`` pixels, or so
    long and thin that detectors would make them large."""
    remedy = None
    if width * height > most:
        remedy = f"{most / 1e6:.0f} million pixels are read at most; make it smaller"
    elif max(width, height) > MOST_STRETCHED * min(width, height):
        remedy = f"no side may be longer than {MOST_STRETCHED} times the other; cut it"
    if remedy is not None:
        raise DataError(f"{place}: is {width} x {height} pixels; {remedy}.")


def _exif_turn(picture: Pillow.Image) -> Turn:
    """No turn for unknown values and damaged EXIF data, as in viewers. Pillow turns TIFF files by
    itself, when it loads them."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # its parser raises whatever damage leads to; the pixels are whole
        return Turn()
    return _EXIF_TURNS.get(orientation, Turn()) if isinstance(orientation, int) else Turn()


def _eight_bit_rgb(picture: Pillow.Image, path: Location) -> Image:
    if ImageMode.getmode(picture.mode).typestr[1:] in ("i4", "f4", "u2", "i2"):
        return np.repeat(_eight_bit_grey(picture, path)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Pillow.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture)
        picture = ground
    return np.array(picture.convert("RGB"), np.uint8)


def _eight_bit_grey(picture: Pillow.Image, path: Location) -> Image:
    """Of 16-bit values (fewer where the file says so) the greatest is white, of floating-point
    values 1. (H, W)."""
    values, tags = np.asarray(picture), getattr(picture, "tag_v2", {})
    if picture.mode == "F" and values.min() >= 0 and values.max() <= 1:
        return np.round(values * 255).astype(np.uint8)
    # the latter by Pillow before 11
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
        white = 2 ** int(np.max(tags.get(BITSPERSAMPLE, 16))) - 1
        grey: Image = ((values.astype(np.uint32) * 255 + white // 2) // white).clip(max=255).astype(np.uint8)
        return 255 - grey if tags.get(PHOTOMETRIC_INTERPRETATION) == 0 else grey  # 0: zero is white
    raise DataError(
        f"{path}: its greys are {'floating-point' if picture.mode == 'F' else 'whole'} numbers from {values.min():g} to"
        f" {values.max():g}, and which of them is white is not said; save it with 8 or 16 bits."
    )
