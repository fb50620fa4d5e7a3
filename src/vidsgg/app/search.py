"""The search box: a library of all graphs that the app has made, in its folder, brought up to date
before every search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from vidsgg.app.jobs import GRAPH, Job
from vidsgg.app.queue import JobQueue
from vidsgg.errors import DataError
from vidsgg.io.graphs import read_graph
from vidsgg.structures.graph import VideoGraph

if TYPE_CHECKING:
    from vidsgg.library.folder import LibraryFolder
    from vidsgg.library.search import Hit, Hits, Library

FOLDER = "library"  # in the app's folder; videos are called by the ids of their jobs there
_MOST = 50  # hits of an answer


class JobSearch:
    """Safe to call from any thread."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue, self._one_at_a_time = queue, Lock()

    def __call__(self, query: str) -> dict[str, Any]:
        """Places in the videos where a query holds, as JSON: total, notes on all of it, and hits with
        the job, what it is called, the position of the graph there from 1, begin and end in
        seconds, score, what was found, and notes on the hit.

        Raises ConfigError that points at the word of the query that is wrong, or if the packages of
        a library are not installed.
        """
        from vidsgg.library.search import Library  # pyarrow and DuckDB

        with self._one_at_a_time:
            folder = self._current()
            names = {job.id: job.name for job in self._queue.all()}
            library = Library(folder.path)
            hits = library.search(query, _MOST)
            found = [_hit_json(library, hits, hit, names[hit.video]) for hit in hits if hit.video in names]
            return {"query": query, "total": hits.total, "notes": hits.shared_notes(), "hits": found}

    def forget(self, number: str) -> None:
        """What the library holds of a job that is removed."""
        if not (self._path / "library.json").is_file():
            return
        from vidsgg.library.build import drop
        from vidsgg.library.folder import LibraryFolder

        with self._one_at_a_time:
            drop(LibraryFolder(self._path), {number})

    @property
    def _path(self) -> Path:
        return self._queue.folder.root / FOLDER

    def _current(self) -> LibraryFolder:
        """The library, with what is done by now and without what was removed while it could not be
        written."""
        from vidsgg.library.build import add_graphs, drop
        from vidsgg.library.folder import LibraryFolder

        library = LibraryFolder.create(self._path)
        there = {video.key[1] for video in library.known()}
        jobs = {job.id: job for job in self._queue.all() if job.state == "done" and GRAPH in job.files}
        if gone := there - jobs.keys():
            drop(library, gone)
        if missing := [self._graph(job) for number, job in jobs.items() if number not in there]:
            add_graphs(library, [graph for graph in missing if graph is not None])
        return library

    def _graph(self, job: Job) -> VideoGraph | None:
        try:
            graph = read_graph(self._queue.folder.path(job) / GRAPH)
        except DataError:  # taken away or damaged: the others can still be searched
            return None
        return replace(graph, video_id=job.id)


def _hit_json(library: Library, hits: Hits, hit: Hit, name: str) -> dict[str, Any]:
    if hit.thing is not None:
        place: int | None = hit.thing.first
    else:
        place = None if hit.begin is None else library.frame_at(hit.video, hit.begin)
    return {
        "job": hit.video, "name": name, "graph": 1 if place is None else place + 1, "begin": hit.begin, "end": hit.end,
        "score": hit.score, "found": hit.texts(), "notes": hits.own_notes(hit),
    }  # fmt: skip
