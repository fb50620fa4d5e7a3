"""An object storage on this machine that speaks S3's protocol (moto's server), and counts what it sends."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidsgg.io.locations import RemotePath, location

KEYS = {
    "AWS_ACCESS_KEY_ID": "a-key-that-is-no-secret",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-may-see",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Buckets:
    """sent: bytes that have been sent of every object, by its name; requests: their number."""

    def __init__(self, url: str) -> None:
        self.url, self.sent, self.requests = url, Counter[str](), Counter[str]()
        self._made = 0

    def new(self) -> RemotePath:
        """A new empty bucket."""
        self._made += 1
        place = location(f"s3://bucket-{self._made}")
        assert isinstance(place, RemotePath)
        place.system().mkdir(place.key)
        return place

    def environment(self) -> dict[str, str]:
        """Of a process that is to find it."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.url}

    def counted(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def counting(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
            name = environ["PATH_INFO"].lstrip("/")
            self.requests[name] += 1
            for part in app(environ, start):
                self.sent[name] += len(part)
                yield part

        return counting


@contextmanager
def serving() -> Iterator[Buckets]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    buckets = Buckets("")
    server = make_server(
        "127.0.0.1", 0, buckets.counted(DomainDispatcherApplication(create_backend_app)), threaded=True
    )
    buckets.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    before = {name: os.environ.get(name) for name in buckets.environment()}
    os.environ.update(buckets.environment())
    try:
        yield buckets
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        server.shutdown()
        thread.join()


def upload(file: Path, folder: RemotePath, name: str | None = None) -> RemotePath:
    place = folder / (name or file.name)
    place.put(file)
    return place
