"""What a browser sends: a video as the body of a request, and the wishes for it in the address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request

from vidsgg.app.jobs import Asked
from vidsgg.errors import ConfigError
from vidsgg.options import check_bounds, convert, fields_of
from vidsgg.recipes.options import PredictOptions

_NUMBERS = ("fps", "least_score", "threshold")
_MOST = {"fps": 60.0, "least_score": 1.0, "threshold": 1.0}
_LONGEST_NAME = 200


def asked_for(query: Mapping[str, str], checkpoint: Path) -> Asked:
    """The wishes of a request. Raises HTTPException 400 naming a value that cannot be."""
    known, values = fields_of(PredictOptions), {}
    try:
        for name in _NUMBERS:
            if name in query:
                values[name] = convert(name, query[name], known[name][0])
                if not values[name] <= _MOST[name]:
                    raise ConfigError(f"option {name}: {values[name]:g} is too large; the most is {_MOST[name]:g}")
        overlay = convert("overlay", query.get("overlay", "true"), bool)
        check_bounds(PredictOptions(**values))
    except ConfigError as error:
        raise HTTPException(400, str(error)) from error
    return Asked(str(checkpoint), **values, overlay=overlay)


def shown_name(name: str) -> str:
    """A file's name as it is shown: no folders, nothing that cannot be seen, not endless."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip()[:_LONGEST_NAME] or "video"


async def receive_file(request: Request, path: Path, limit: int) -> None:
    """Write the body to a file as it comes. Raises HTTPException 413 as soon as it is more than ``limit`` bytes, 400 if there is nothing,
    507 if the disk refuses.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    size = 0
    try:
        with path.open("xb") as file:
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                file.write(part)
    except OSError as error:
        raise HTTPException(507, f"The video cannot be kept: {error.strerror}.") from error
    if size == 0:
        raise HTTPException(400, "The file is empty.")


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413, f"The video is larger than {limit / 1e6:g} MB, the most that this app takes. Cut it, or start the app with -max_upload_mb."
    )
