"""Who may see the dashboard: this machine alone, or whoever has the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from orchestrator.errors import InputError

TOKEN_VARIABLE = "LATENTGRID_DASHBOARD_TOKEN"
TOKEN = re.compile(r"[!-~]{16,200}")
COOKIE = "latentgrid"
LOGIN = "/login"
OPEN = ("/static/", LOGIN)
"""What is shown without the token: the looks of the page that asks for it."""
LONGEST_FORM = 2**12

HEADERS = {
    # Nothing from elsewhere, nothing inline: text of a study that got through as markup is inert.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether this host, as in a URL or an option, is only ever this machine."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def token_of(environment: Mapping[str, str], host: str) -> str | None:
    """The token that is asked for where the dashboard listens on `host`; None for nothing.

    It stands in the environment: a command line is seen by everybody on the machine. InputError
    where others could connect and there is none, or a weak one.
    """
    token = environment.get(TOKEN_VARIABLE)
    if token is None and not is_loopback(host):
        raise InputError(
            f"--host {host}: lets other machines in; valid: with a token in {TOKEN_VARIABLE}, "
            "say of `openssl rand -hex 32`, or 127.0.0.1"
        )
    if token is not None and not TOKEN.fullmatch(token):
        raise InputError(
            f"{TOKEN_VARIABLE}: is no token; valid: 16 to 200 letters, digits and signs, no spaces"
        )
    return token


def token_check(token: str, ask: Callable[[web.Request], web.Response]) -> Middleware:
    """Refuses whoever has not the token: as `Authorization: Bearer`, or as the login's cookie.

    `ask` gives a person the page with the form of the login; programs get a line.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(OPEN):
            return await handler(request)
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same(bearer.strip(), token):
            return await handler(request)
        if same(request.cookies.get(COOKIE, ""), cookie_of(token)):
            return await handler(request)
        if "text/html" in request.headers.get("Accept", ""):
            return ask(request)
        raise web.HTTPUnauthorized(
            text="this dashboard asks for its token: Authorization: Bearer TOKEN\n",
            headers={"WWW-Authenticate": "Bearer"},
        )

    return check


def cookie_of(token: str) -> str:
    """What a browser keeps in the token's place: who sees it cannot tell the token."""
    return hmac.new(token.encode(), b"latentgrid dashboard", hashlib.sha256).hexdigest()


def same(given: str, known: str) -> bool:
    """In a time that does not tell how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


def logged_in(response: web.Response, token: str) -> None:
    """Sets the cookie; the browser forgets it when it is closed."""
    response.set_cookie(COOKIE, cookie_of(token), httponly=True, samesite="Lax", path="/")


def host_check(bound_to: str) -> Middleware:
    """Where only this machine can connect, refuses names that a foreign page may have pointed here.

    A page of another site whose name is rebound to 127.0.0.1 could read everything else.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = request.host.rsplit(":", 1)[0] if request.host[-1:] != "]" else request.host
        if is_loopback(bound_to) and not is_loopback(name):
            raise web.HTTPForbidden(
                text=f"this dashboard listens on {bound_to} and answers to localhost; to be asked "
                f"under another name, start it with --host 0.0.0.0 and {TOKEN_VARIABLE}\n"
            )
        return await handler(request)

    return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
