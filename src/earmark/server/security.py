"""Who may ask the server for what: local names only, or a link with a token; changes only from its own page.

Without a token the server answers only requests that name this machine (so that no page in the browser reaches it by
a name of its own, "DNS rebinding"). With one, the first request brings it in the link and a cookie keeps it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_YEAR = 365 * 86400


@dataclass(frozen=True)
class Rules:
    """Who is let in."""

    token: str | None = None
    """What the link must hold; None: only this machine is answered."""
    cookie: str = "earmark"
    """Name of the cookie that keeps it: cookies are shared by all ports of a machine."""


class Guard:
    """Wraps an application: refuses what the rules do not allow, and adds the headers that keep a page to itself."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app, self.rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refusal(scope, Headers(scope=scope)) or self.app
        await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """What is answered instead, if something is."""
        if self.rules.token is None:
            if host_of(headers.get("host", "")) not in LOCAL:
                return _no(
                    403, "This server answers this machine only. To let others in: earmark label --share."
                )
        elif not _same(_cookie(headers, self.rules.cookie), self.rules.token):
            return self._by_link(scope)
        elif b"key=" in scope["query_string"] and scope["path"] == "/":
            return RedirectResponse("/", 303)  # the token stays out of the address bar
        return None if scope["method"] in ("GET", "HEAD") else _foreign(headers)

    def _by_link(self, scope: Scope) -> Response:
        """Let in whoever brings the token in the link, and no one else."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        assert self.rules.token is not None
        if scope["path"] != "/" or not _same(asked.get("key", [""])[0], self.rules.token):
            return _no(403, "The link is needed: ask whoever started `earmark label --share` for all of it.")
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self.rules.cookie, self.rules.token, max_age=_YEAR, httponly=True, samesite="lax", path="/"
        )
        return response


def host_of(header: str) -> str:
    """The name in a Host header, without the port."""
    name = header.strip().lower()
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() and ":" in name else name


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def _foreign(headers: Headers) -> Response | None:
    """Refuse changes that another page asks for, or that are no JSON (which other pages cannot send unasked)."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return _no(403, "Changes are taken from the server's own page only.")
    if site not in (None, "same-origin", "none"):
        return _no(403, "Changes are taken from the server's own page only.")
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return _no(415, "JSON is wanted.")
    return None


def _cookie(headers: Headers, name: str) -> str:
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[name].value if name in found else ""


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _no(status: int, words: str) -> Response:
    return PlainTextResponse(words + "\n", status)
