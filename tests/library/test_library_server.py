"""Agents ask a library through the client of the protocol's own SDK."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from library.test_library import held, rich
from library.test_search_oracle import graph
from mcp import Client, StdioServerParameters

from vidsgg.library.build import add_graphs
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.search import Library
from vidsgg.recipes.library_server import library_server


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("place") / "lib"
    add_graphs(LibraryFolder.create(path), [rich(), graph("v1", [held(0, 1, 1.0, 2.0), held(0, 2, 5.0, 6.0)])])
    return path


def ask(server: Any, tool: str, **arguments: Any) -> tuple[bool, Any]:
    """Whether the answer is an error, and the answer."""

    async def once() -> tuple[bool, Any]:
        async with Client(server) as client:
            result = await client.call_tool(tool, arguments)
            text = result.content[0].text
            return bool(result.is_error), text if result.is_error else json.loads(text)

    return asyncio.run(once())


def test_tools_answer(lib: Path) -> None:
    server = library_server(Library(lib))
    assert ask(server, "list_videos", contains="V1") == (
        False,
        {"total": 1, "videos": [{"name": "v1", "dataset": "own", "frames": 1, "relations": 2, "seconds": 0.0}]},
    )
    failed, found = ask(server, "search_relations", query="person holding cup then person holding table")
    assert not failed and found["total"] == 1 and found["hits"][0]["video"] == "v1"
    failed, found = ask(server, "get_graph", video="v1", begin=4)
    assert not failed and [relation["object"] for relation in found["relations"]] == ["table"]
    failed, found = ask(server, "get_graph", video="walk.mp4", frames=True)
    assert not failed and [len(frame["nodes"]) for frame in found["frames"]] == [3, 0, 1]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get_graph", {"video": "none"}, "has no video 'none'"),
        ("search_relations", {"query": "person holding cupp"}, "did you mean 'cup'?"),
        ("search_relations", {"query": "person holding cup", "limit": 0}, "limit is 0"),
        ("list_videos", {"limit": 501}, "limit is 501"),
    ],
)
def test_mistakes_are_answered(lib: Path, tool: str, arguments: dict[str, Any], said: str) -> None:
    failed, text = ask(library_server(Library(lib)), tool, **arguments)
    assert failed and said in text
    assert str(lib.parent) not in text


def test_the_command_is_a_server(lib: Path) -> None:
    arguments = ["-m", "vidsgg.cli.main", "mcp", str(lib)]
    command = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))

    async def session() -> tuple[set[str], Any]:
        async with Client(command) as client:
            tools = await client.list_tools()
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.tools)
            result = await client.call_tool("search_relations", {"query": "person * cup"})
            return {tool.name for tool in tools.tools}, json.loads(result.content[0].text)

    names, found = asyncio.run(session())
    assert names == {"list_videos", "get_graph", "search_relations"}
    assert found["total"] == 3
