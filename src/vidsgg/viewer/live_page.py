"""A page on this machine that follows a stream: the latest picture with its boxes, and its relations."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import TracebackType
from typing import Any

from PIL import Image as Pillow

from vidsgg.errors import ConfigError
from vidsgg.io.images import Image
from vidsgg.structures.graph import GraphFrame, Origin, VideoGraph
from vidsgg.structures.schema import Schema
from vidsgg.viewer.drawing import draw_frame
from vidsgg.viewer.graphs import Names, colours, subjects_of, words

_HOST = "127.0.0.1"
_POLICY = "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'"
_WIDEST = 960  # pixels of the picture as it is sent


class LivePage:
    """Serves the page while entered. address: where.

    Only the latest picture is held, and it is drawn when a browser asks for it: a stream of hours
    takes no more memory than one of seconds, and a page that nobody looks at costs nothing.
    """

    def __init__(self, name: str, schema: Schema, port: int = 0, made_by: Origin | None = None) -> None:
        """name: of the source. port: 0 takes a free one. made_by: says which relations are shown, and has
        the notes that stand on the page. Raises ConfigError if the port is taken."""
        self._name, self._schema, self._made_by = name, schema, made_by
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._latest: tuple[Image, GraphFrame] | None = None
        self._drawn: tuple[int, bytes] = 0, b""  # number of a frame, its JPEG
        self._notes = " ".join(made_by.notes) if made_by else ""
        self._state = dict[str, Any](number=0, name=name, notes=self._notes)
        try:
            self._server = ThreadingHTTPServer((_HOST, port), _handler_of(self))
        except OSError as error:
            raise ConfigError(
                f"option -port: {_HOST}:{port} cannot be used ({error.strerror}); 0 takes a free one."
            ) from error
        self.address = f"http://{_HOST}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="vidsgg-watch", daemon=True)

    def __enter__(self) -> LivePage:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def show(self, image: Image, frame: GraphFrame, latency: float, dropped: int) -> None:
        """The latest frame with its graph. latency: seconds that the graph came after the picture."""
        state = {
            "name": self._name,
            "notes": self._notes,
            "number": frame.number,
            "time": frame.time,
            "latency": latency,
            "dropped": dropped,
        }
        with self._lock:
            self._latest, self._state = (image, frame), state

    def _picture(self) -> bytes:
        """The latest frame as a JPEG, drawn once however many look at it. Its things are called by
        their tracks: what else there will be of a class is not known yet."""
        with self._drawing:
            with self._lock:
                latest = self._latest
            if latest is not None and latest[1].number != self._drawn[0]:
                image, frame = latest
                whole = VideoGraph(self._name, self._schema.name, (frame,), made_by=self._made_by, schema=self._schema)
                graph = whole.shown()
                (frame,) = graph.frames
                subjects = subjects_of(graph)
                names: Names = {
                    (node.track, node.label): f"{words(node.label)} {node.track}"
                    for node in frame.nodes
                    if node.track is not None
                }
                drawn = Pillow.fromarray(draw_frame(image, frame, colours([graph], subjects), subjects, names))
                drawn.thumbnail((2 * _WIDEST, 2 * _WIDEST))
                content = io.BytesIO()
                drawn.save(content, "JPEG", quality=80)
                self._drawn = frame.number, content.getvalue()
            return self._drawn[1]

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Kind and content of what is asked for; None if there is no such thing."""
        if path == "/picture":
            return "image/jpeg", self._picture()
        if path == "/state":
            with self._lock:
                return "application/json", json.dumps(self._state).encode()
        names = {"/": ("text/html", "live.html"), "/live.js": ("text/javascript", "live.js")}
        if path not in names:
            return None
        kind, name = names[path]
        return kind, (resources.files("vidsgg.viewer") / "page" / name).read_bytes()

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser may call this machine; another name is another site's trick."""
        port = self._server.server_address[1]
        return f"{_HOST}:{port}", f"localhost:{port}"


def _handler_of(page: LivePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = page.answer(self.path.partition("?")[0]) if self.headers.get("Host") in page.hosts else None
            if found is None:
                self.send_error(404)
                return
            kind, content = found
            self._send(kind, content)

        def _send(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            headers = {"Content-Type": f"{kind}; charset=utf-8" if kind.startswith("text") else kind}
            headers |= {
                "Content-Length": str(len(content)),
                "Cache-Control": "no-store",
                "Content-Security-Policy": _POLICY,
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler
