"""What a browser sends: a video as the body of a request, and the wishes for it in the address."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request

from vidsgg.app.jobs import Asked
from vidsgg.app.wording import in_app
from vidsgg.errors import ConfigError
from vidsgg.options import check_bounds, convert, fields_of
from vidsgg.recipes.command_options import PredictOptions

_NUMBERS = ("fps", "least_score", "threshold")
_MOST = {"fps": 60.0, "least_score": 1.0, "threshold": 1.0}
_LONGEST_NAME = 200
_LEAST_BYTES = 1 << 15  # of an upload, in every PATIENCE seconds
PATIENCE = 30.0  # seconds


def asked_for(query: Mapping[str, str], checkpoint: Path) -> Asked:
    """The wishes of a request. Raises HTTPException 400 naming a value that cannot be."""
    known, values = fields_of(PredictOptions), {}
    try:
        for name in _NUMBERS:
            if query.get(name):  # an empty field leaves the choice to the model
                value = convert(name, query[name], known[name][0])
                if value is None:
                    continue
                if not value <= _MOST[name]:
                    raise ConfigError(f"option {name}: {value:g} is too large; the most is {_MOST[name]:g}")
                values[name] = value
        overlay = convert("overlay", query.get("overlay", "true"), bool)
        check_bounds(PredictOptions(**values))
    except ConfigError as error:
        raise HTTPException(400, in_app(str(error))) from error
    return Asked(str(checkpoint), **values, overlay=overlay)


def shown_name(name: str) -> str:
    """A file's name as it is shown: no folders, nothing that cannot be seen, not endless."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip()[:_LONGEST_NAME] or "video"


async def receive_file(request: Request, path: Path, limit: int, patience: float = PATIENCE) -> None:
    """Write the body to a file as it comes. patience: seconds in which at least 32 KiB or the rest
    have to come.

    Raises HTTPException 413 as soon as it is more than ``limit`` bytes, 400 if there is nothing,
    408 if it comes too slowly, 415 if it is packed in a form or compressed, 507 if the disk
    refuses.
    """
    _check_kind(request)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    size = 0
    try:
        with path.open("xb") as file:
            async for part in _parts(request, patience):
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                file.write(part)
    except OSError as error:
        raise HTTPException(507, f"The video cannot be kept: {error.strerror}.") from error
    if size == 0:
        raise HTTPException(400, "The file is empty.")


def _check_kind(request: Request) -> None:
    kind, encoding = request.headers.get("content-type", ""), request.headers.get("content-encoding", "identity")
    if kind.lower().startswith("multipart/"):
        raise HTTPException(
            415, "Send the video itself as the body, not a form: curl --data-binary @FILE instead of -F."
        )
    if encoding.lower() != "identity":
        raise HTTPException(415, f"Send the video as it is, not compressed ({encoding[:20]}).")


async def _parts(request: Request, patience: float) -> AsyncIterator[bytes]:
    """The body as it comes. Raises HTTPException 408 where it stalls."""
    stream, loop = request.stream(), asyncio.get_running_loop()
    since, came = loop.time(), 0
    try:
        while True:
            async with asyncio.timeout_at(since + patience):
                part = await anext(stream, None)
            if part is None:
                return
            yield part
            came += len(part)
            if came >= _LEAST_BYTES:
                since, came = loop.time(), 0
    except TimeoutError:
        raise HTTPException(
            408, f"The upload stalled: less than 32 KiB came in {patience:g} seconds. Send it again."
        ) from None


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413,
        f"The video is larger than {limit / 1e6:g} MB, the most that this app takes. Cut it, or start the app with"
        " -max_upload_mb.",
    )
