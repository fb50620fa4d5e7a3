"""Pictures from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from vidsgg.errors import DataError

Image = npt.NDArray[np.uint8]

# What Pillow raises for broken files beside OSError: SyntaxError for damaged PNG chunks, ValueError for impossible headers.
_BROKEN = (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError)


def read_image(path: Path) -> Image:
    """A picture file as RGB (H, W, 3) uint8. Raises DataError naming the file if it is missing, truncated or no picture."""
    try:
        with Pillow.open(path) as picture:
            return np.array(picture.convert("RGB"), np.uint8)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such picture.") from error
    except _BROKEN as error:
        raise DataError(f"{path}: not a readable picture ({error}); extract or copy it again.") from error
