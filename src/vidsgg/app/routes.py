"""The addresses of the app. No part of an address ever becomes part of a path: ids and names of
files are looked up in what there is."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path, PurePath

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.responses import JSONResponse as StrictJSONResponse
from starlette.routing import Route

from vidsgg.app.app_options import AppOptions
from vidsgg.app.checkpoints import CheckpointChoice, Checkpoints
from vidsgg.app.guard import PAGE_POLICY, Guard
from vidsgg.app.jobs import GRAPH, OVERLAY, PAGE, VIDEO, Job
from vidsgg.app.queue import Full, JobQueue
from vidsgg.app.search import JobSearch
from vidsgg.app.uploads import asked_for, receive_file, shown_name
from vidsgg.errors import VidsggError
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.io.links import is_link

_MOST_UPLOADS = 16  # that arrive at a time
_LONGEST_QUERY = 2000  # letters
_SCRIPT, _STYLE = "text/javascript", "text/css"
_STATIC = {"start.js": _SCRIPT, "result.js": _SCRIPT, "search.js": _SCRIPT, "common.js": _SCRIPT, "app.css": _STYLE}
_SUMMARIES = {GRAPH: "the graph", PAGE: "this page, for offline", OVERLAY: "the video with boxes and relations"}
# Files in a job's folder that can be taken along: what they are, and how their names end.
DOWNLOADS = {name: (summary, name.removeprefix("video")) for name, summary in _SUMMARIES.items()} | {
    form.name + form.suffix: (
        form.summary,
        form.suffix if form.suffix == f".{form.name}" else f".{form.name}{form.suffix}",
    )
    for form in FORMATS.all().values()
}


class JSONResponse(StrictJSONResponse):
    """Also of names that are no Unicode, as files may have: half surrogates are written as JSON's
    escapes."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "backslashreplace"
        )


class Routes:
    """What is answered. queue, checkpoints: what there is."""

    def __init__(self, options: AppOptions, queue: JobQueue, checkpoints: Checkpoints) -> None:
        self._options, self._queue, self._checkpoints = options, queue, checkpoints
        self._limit = int(options.max_upload_mb * 1e6)
        self._uploads = 0  # that are arriving
        self._search = JobSearch(queue)

    def app(self) -> Starlette:
        @asynccontextmanager
        async def at_work(_: Starlette) -> AsyncIterator[None]:
            self._queue.start()
            yield
            self._queue.close()

        return Starlette(
            routes=[
                Route("/", self.start),
                Route("/static/{name}", self.static),
                Route("/api/state", self.state),
                Route("/api/search", self.search),
                Route("/api/jobs", self.upload, methods=["POST"]),
                Route("/api/jobs/{id}", self.job),
                Route("/api/jobs/{id}/{action}", self.act, methods=["POST"]),
                Route("/results/{id}", self.result),
                Route("/results/{id}/page", self.page),
                Route("/results/{id}/files/{name}", self.download),
            ],
            middleware=[Middleware(Guard, host=self._options.host)],
            exception_handlers={HTTPException: _told, Full: _full, Exception: _failed},  # type: ignore[dict-item]
            lifespan=at_work,
        )

    async def start(self, request: Request) -> Response:
        return Response(_text("start.html"), media_type="text/html")

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name == "colours.css":
            return Response(_colours(), media_type=_STYLE)
        if name not in _STATIC:
            raise HTTPException(404)
        return Response(_text(name), media_type=_STATIC[name])

    async def state(self, request: Request) -> Response:
        """Everything that the start page shows."""
        checkpoints = await run_in_threadpool(self._checkpoints)
        jobs = self._queue.all()
        limits = {"bytes": self._limit, "minutes": self._options.max_minutes}
        return JSONResponse(
            {
                "checkpoints": [_choice_json(c) for c in checkpoints],
                "jobs": [_job_json(job) for job in jobs],
                "limits": limits,
            }
        )

    async def job(self, request: Request) -> Response:
        return JSONResponse(_job_json(self._found(request)))

    async def search(self, request: Request) -> Response:
        """Where a query holds, in all videos that are done."""
        query = request.query_params.get("query", "")
        if len(query) > _LONGEST_QUERY:
            raise HTTPException(400, f"The query has {len(query):,} letters; {_LONGEST_QUERY:,} are read at most.")
        try:
            return JSONResponse(await run_in_threadpool(self._search, query))
        except VidsggError as error:
            raise HTTPException(400, str(error)) from error

    async def upload(self, request: Request) -> Response:
        """A video as the body, wishes in the query."""
        wanted = request.query_params.get("checkpoint", "")
        choice = next((c for c in await run_in_threadpool(self._checkpoints) if c.id == wanted), None)
        if choice is None:
            raise HTTPException(400, "That checkpoint is not there any more; load the page again and choose another.")
        if choice.problem:
            raise HTTPException(400, f"{choice.name} {choice.problem}")
        asked = asked_for(request.query_params, choice.file)
        self._queue.check_room()
        if self._uploads >= _MOST_UPLOADS:
            raise Full(f"{_MOST_UPLOADS} videos are being sent already; try again when one is here.")
        name = shown_name(request.query_params.get("name", ""))
        job = Job(self._queue.folder.new_id(), name, _model_of(choice), asked, time.time())
        with self._arriving(job) as file:
            try:
                await receive_file(request, file, self._limit)
            except ClientDisconnect:
                self._queue.folder.remove(job)
                return Response(status_code=499)
            await run_in_threadpool(self._queue.add, job)  # others may have come in the meantime
        return JSONResponse(_job_json(job), 201)

    @contextmanager
    def _arriving(self, job: Job) -> Iterator[Path]:
        """Where to put the video of a new job. The job's folder goes again if it comes to
        nothing."""
        folder = self._queue.folder.path(job)
        self._uploads += 1
        try:
            folder.mkdir()
            yield folder / VIDEO
        except OSError as error:
            self._queue.folder.remove(job)
            raise HTTPException(507, f"The video cannot be kept: {error.strerror}.") from error
        except BaseException:
            self._queue.folder.remove(job)
            raise
        finally:
            self._uploads -= 1

    async def act(self, request: Request) -> Response:
        """Cancel a job, try it again, or remove it."""
        job = self._found(request)
        actions = {"cancel": self._queue.cancel, "again": self._queue.again, "remove": self._queue.remove}
        action = actions.get(request.path_params["action"])
        if action is None:
            raise HTTPException(404)
        try:
            done = await run_in_threadpool(action, job.id)
            if done and request.path_params["action"] == "remove":
                await run_in_threadpool(self._search.forget, job.id)
        except OSError as error:
            raise HTTPException(
                409, f"{job.name}: its folder cannot be used ({error.strerror}); remove it and send it again."
            ) from error
        if not done:
            raise HTTPException(409, f"{job.name} is {job.state} now; this cannot be done.")
        return JSONResponse({})

    async def result(self, request: Request) -> Response:
        self._found(request)
        return Response(_text("result.html"), media_type="text/html")

    async def page(self, request: Request) -> Response:
        """The page of 'vidsgg view', without any right to ask for more."""
        job = self._found(request)
        if PAGE not in job.files:
            raise HTTPException(404)
        headers = {"content-security-policy": PAGE_POLICY}
        return FileResponse(self._file(job, PAGE), media_type="text/html", headers=headers)

    async def download(self, request: Request) -> Response:
        job, name = self._found(request), request.path_params["name"]
        if name not in job.files or name not in DOWNLOADS:
            raise HTTPException(404)
        return FileResponse(self._file(job, name), filename=_download_name(job, name))

    def _file(self, job: Job, name: str) -> Path:
        """A result's file. Raises HTTPException 404 if somebody has taken it away."""
        file = self._queue.folder.path(job) / name
        if is_link(file) or not file.is_file():
            raise HTTPException(404, f"{job.name}: this file is not there any more.")
        return file

    def _found(self, request: Request) -> Job:
        job = self._queue.find(request.path_params["id"])
        if job is None:
            raise HTTPException(404, "There is no such result; it may have been removed.")
        return job


def _choice_json(choice: CheckpointChoice) -> dict[str, object]:
    return {**asdict(choice), "file": str(choice.file)}


def _model_of(choice: CheckpointChoice) -> str:
    """What made a result. The name of a built-in model says already which it is."""
    built_in = choice.file == Path(choice.model)
    return choice.name if built_in else f"{choice.name} ({choice.model})"


def _job_json(job: Job) -> dict[str, object]:
    files = [
        {"name": name, "summary": DOWNLOADS[name][0], "suffix": DOWNLOADS[name][1]}
        for name in job.files
        if name in DOWNLOADS
    ]
    return {**asdict(job), "files": files, "page": PAGE in job.files}


def _download_name(job: Job, name: str) -> str:
    return PurePath(job.name).stem + DOWNLOADS[name][1]


async def _told(request: Request, error: HTTPException) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"message": error.detail}, error.status_code)
    return PlainTextResponse(error.detail, error.status_code)


async def _full(request: Request, error: Full) -> Response:
    return await _told(request, HTTPException(429, str(error)))


async def _failed(request: Request, error: Exception) -> Response:
    """Our mistake: the server shows where, in the terminal."""
    return await _told(
        request, HTTPException(500, "The app failed at this; the terminal in which it runs shows where.")
    )


@cache
def _text(name: str) -> str:
    return (resources.files("vidsgg.app") / "page" / name).read_text(encoding="utf-8")


@cache
def _colours() -> str:
    """Those of the pages of 'vidsgg view': the first rules of their style."""
    style = (resources.files("vidsgg.viewer") / "page" / "style.css").read_text(encoding="utf-8")
    return style.partition("\n* {")[0]
