"""A library of graphs for agents: tools of the Model Context Protocol over standard input and
output, read-only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec

from vidsgg import __version__
from vidsgg.errors import ConfigError, VidsggError
from vidsgg.library.search import Library
from vidsgg.options import option

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

P = ParamSpec("P")
_MOST = 500  # rows of an answer; an agent asks again for more
_INSTRUCTIONS = """Scene graphs of videos: things with boxes, and relations between them that hold for a while.
Begin with list_videos. search_relations takes relations in time, such as
  person holding cup then within 10s person drinking_from cup
(also: * for anything, ?x for the same thing again, before, while, not, for 3s, score 0.5),
or one class, such as cup, which finds where it is seen.
A query with a class or predicate that the library does not know is answered with the names that it does."""


@dataclass(frozen=True)
class LibraryServerOptions:
    """Options of ``vidsgg mcp``."""

    library: str = option(help="folder of a library", place="input", remote=True)


def library_server(library: Library) -> MCPServer:
    """A server with the tools ``list_videos``, ``get_graph`` and ``search_relations``. What an agent
    asks for wrongly is answered with the message of the error.

    Raises ConfigError if the package mcp is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise ConfigError("mcp 2.0 or newer is not installed: pip install 'vidsgg[mcp]'.") from error
    server = MCPServer("vidsgg", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING")
    reading = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)

    one_at_a_time = Lock()  # the server answers in threads; a connection to DuckDB is for one

    def tool(answer: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
        @wraps(answer)
        def answered(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
            try:
                with one_at_a_time:
                    return answer(*args, **kwargs)
            except VidsggError as error:
                raise ToolError(str(error).replace(str(library.path), library.path.name)) from None

        server.add_tool(answered, annotations=reading)
        return answer

    @tool
    def list_videos(contains: str = "", limit: int = 100, offset: int = 0) -> dict[str, Any]:
        """The videos of the library, in the order in which they came: name, data set, number of
        frames and relations, length in seconds. contains: a part of the name."""
        _check_rows(limit, offset)
        names = [name for name in library.names.values() if contains.lower() in name.lower()]
        chosen = names[offset : offset + limit]
        return {"total": len(names), "videos": library.videos(chosen)}

    @tool
    def get_graph(video: str, begin: float = 0.0, end: float = 1e9, frames: bool = False) -> dict[str, Any]:
        """What a video shows from ``begin`` to ``end`` seconds: the relations that hold in that
        time, with the ids of their things. frames: also every frame with its things, boxes (x1, y1,
        x2, y2 in pixels) and relations."""
        graph = library.graph(video)
        relations = [
            relation
            for relation in graph.relations
            if relation.begin is None or (relation.begin <= end and begin <= (relation.end or 0.0))
        ]
        answer: dict[str, Any] = {
            "video": video,
            "notes": graph.notes,
            "total": len(relations),
            "relations": [asdict(relation) for relation in relations[:_MOST]],
        }
        if frames:
            inside = [frame for frame in graph.frames if frame.time is None or begin <= frame.time <= end]
            answer |= {"frames": [asdict(frame) for frame in inside[:_MOST]], "frames_total": len(inside)}
        return answer

    @tool
    def search_relations(query: str, limit: int = 20) -> dict[str, Any]:
        """The places in all videos where relations hold, or where things of a class are seen, the
        surest first: video, begin and end in seconds, score, the relations or the thing that was
        found, and notes on its graph."""
        _check_rows(limit, 0)
        return asdict(library.search(query, limit))

    return server


def _check_rows(limit: int, offset: int) -> None:
    if not (1 <= limit <= _MOST and offset >= 0):
        raise ConfigError(f"limit is {limit} and offset {offset}; limit is 1 to {_MOST}, offset at least 0.")
