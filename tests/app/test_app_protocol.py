"""Connections on which nothing, or only the beginning of a request, ever arrives."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vidsgg.app.protocol import PatientProtocol


async def slow(request: Request) -> PlainTextResponse:
    """An answer for which a client has to wait longer than the server waits for clients."""
    body = await request.body()
    await asyncio.sleep(1)
    return PlainTextResponse(f"{len(body)} bytes")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(PatientProtocol, "patience", 0.4)
    app = Starlette(routes=[Route("/", slow, methods=["GET", "POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", http=PatientProtocol, ws="none", timeout_keep_alive=3)
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def heard(port: int, *words: tuple[float, bytes]) -> tuple[bytes, float]:
    """What the server says until it closes the connection, and after how many seconds it does.
    words: after how long what is sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for pause, word in words:
            time.sleep(pause)
            connection.sendall(word)
        began, said = time.monotonic(), b""
        try:
            while part := connection.recv(4096):
                said += part
        except ConnectionResetError:
            pass
        return said, time.monotonic() - began


@pytest.mark.parametrize(
    "words",
    [(), ((0.0, b"GET / HT"),), ((0.0, b"GET / HTTP/1.1\r\nHost: x\r\n"), (0.3, b"X: y\r\n"))],
    ids=["nothing", "half a line", "header by header"],
)
def test_what_does_not_ask_is_closed(port: int, words: tuple[tuple[float, bytes], ...]) -> None:
    said, seconds = heard(port, *words)
    assert said == b"" and seconds < 10


def test_who_asks_is_answered_and_may_ask_again_slowly(port: int) -> None:
    get = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    said, _ = heard(port, (0.0, get), (1.5, post), (0.8, b"film"))  # longer than any patience between head and body
    assert said.count(b"HTTP/1.1 200 OK") == 2 and b"0 bytes" in said and b"4 bytes" in said


def test_half_a_second_request_is_not_waited_for(port: int) -> None:
    said, seconds = heard(port, (0.0, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), (1.5, b"GET / HT"))
    assert said.count(b"HTTP/1.1 200 OK") == 1 and seconds < 10
