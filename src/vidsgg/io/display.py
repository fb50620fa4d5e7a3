"""A decoded frame of a video as a viewer shows it: square pixels, turned and mirrored as the file
asks, RGB."""

from __future__ import annotations

import struct
from fractions import Fraction

import av

from vidsgg.errors import DataError
from vidsgg.io.images import Image, Turn, check_size
from vidsgg.io.locations import Location

_SQUARE = Fraction(1)


def displayed(frame: av.VideoFrame, aspect: Fraction | None, path: Location) -> Image:
    """RGB (H, W, 3) uint8. aspect: width of a stored pixel against its height; None: unknown, so
    square.

    Pixels that are not square are made so by enlarging the shorter direction, as browsers do.
    Raises DataError naming the file if it asks for a turn by other than quarter turns, or for a
    shape that ``check_size`` refuses.
    """
    turn = _turn_of(frame, path)
    width, height = square_size(frame.width, frame.height, aspect)
    if (width, height) != (frame.width, frame.height):
        check_size(path, width, height)
        frame = frame.reformat(width, height, "rgb24", interpolation="BICUBIC")
    pixels: Image = frame.to_ndarray(format="rgb24")  # type: ignore[assignment]  # the stubs do not tell formats apart
    return turn(pixels)


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height that stored pixels of that aspect are shown with."""
    if aspect is None or aspect <= 0 or aspect == _SQUARE:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _turn_of(frame: av.VideoFrame, path: Location) -> Turn:
    """What the frame's display matrix asks for; PyAV itself tells its rotation only, not whether it
    mirrors.

    The matrix sends (x, y) to (a x + c y, b x + d y), plus an offset (ISO/IEC 14496-12, section
    6.2.2).
    """
    if "DISPLAYMATRIX" not in frame.side_data:
        return Turn()
    a, b, _, c, d = struct.unpack("=9i", bytes(frame.side_data["DISPLAYMATRIX"]))[:5]  # type: ignore[typeddict-item]  # missing in the stubs
    kept, turned = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) * 100 <= kept:
        return Turn(mirrored=a < 0, upended=d < 0)
    if max(abs(a), abs(d)) * 100 <= turned:
        return Turn(transposed=True, mirrored=c < 0, upended=b < 0)
    raise DataError(f"{path}: is marked as rotated by {frame.rotation} degrees, or slanted; re-encode it upright.")
