"""Listening until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from orchestrator.dashboard.app import make_app
from orchestrator.dashboard.guard import token_of
from orchestrator.errors import InputError
from results import objects
from results.files import Location

logger = logging.getLogger(__name__)


async def serve(root: Location, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serves the studies at `root` until SIGINT or SIGTERM; `ready` is told the address.

    Port 0 is any free one. InputError where nothing can listen there, or others could connect and
    there is no token in the environment (orchestrator.dashboard.guard).
    """
    app = make_app(root, host, token_of(os.environ, host))
    # A browser keeps its connections open; none holds anything that is worth waiting for.
    logger.addFilter(_ours)
    runner = web.AppRunner(app, access_log=None, logger=logger, shutdown_timeout=0.1)
    await runner.setup()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C cancels us
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except socket.gaierror as error:
            raise InputError(f"--host {host}: {error.strerror}; valid: an address") from None
        except OSError as error:
            raise InputError(_refusal(host, port, error)) from None
        ready(address(runner))
        await stopped.wait()
    finally:
        objects.hurry(0.0)  # what threads still read nobody sees, and the process waits for them
        await runner.cleanup()
        await asyncio.get_running_loop().shutdown_default_executor()
        objects.hurry(None)


def _ours(record: logging.LogRecord) -> bool:
    """Whether an error is ours. Of a request that is no HTTP the words would be written down, and
    a token may be among them.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/"


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port}: something listens there; valid: another port, or 0 for any free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host}: no address of this machine; valid: 127.0.0.1, or 0.0.0.0"
    return f"--host {host} --port {port}: {error.strerror or error}"
