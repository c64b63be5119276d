"""What stands between any web page in the viewer's browser and this one."""

from __future__ import annotations

import ipaddress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HEADERS = {
    # Nothing from elsewhere, nothing inline: text of a study that got through as markup is inert.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
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
                "under another name, start it with --host 0.0.0.0\n"
            )
        return await handler(request)

    return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
