"""Who may ask the app: pages of its own only, by names of its own only, with headers that let a
browser do as little as possible."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = frozenset(("127.0.0.1", "localhost", "::1"))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src"
    " 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A page of results is a file that asks for nothing: it gets no origin, and what may run in it is
# told by the hashes in the page itself.
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    " blob:; media-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests by another name than ours (a site whose name suddenly means this machine),
    and changes asked for by other sites.

    host: where the app listens. At an address of this machine only, its names are those of LOCAL;
    elsewhere also any address in digits, which no other site can claim, and this machine's name.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app, self._open = app, host not in LOCAL
        self._names: Collection[str] = LOCAL if not self._open else {*LOCAL, host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._is_own(headers.get("host", "")):
            answer = JSONResponse(
                {"message": "This app is not known by that name; open the address that it printed."}, 421
            )
            await answer(scope, receive, _hardened(send))
        elif scope["method"] not in ("GET", "HEAD") and not _from_own_page(headers):
            answer = JSONResponse({"message": "Only the app's own pages may ask for this."}, 403)
            await answer(scope, receive, _hardened(send))
        else:
            await self._app(scope, receive, _hardened(send))

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            return self._open and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _from_own_page(headers: Headers) -> bool:
    """Browsers say where a change is asked from; programs that are none, such as curl, do not."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    return (origin is None or origin == f"http://{headers['host']}") and site in (None, "same-origin", "none")


def _hardened(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
