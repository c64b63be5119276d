"""The Ray cluster that a run uses: the one it is pointed at, or one that it starts here."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.job_config import JobConfig
from rich.console import Console

from orchestrator import token_source
from orchestrator.errors import InputError, first_line

CONNECT_SECONDS = 10.0
OBJECT_STORE_BYTES = 256 * 2**20  # arrays travel as files; the store holds a few references


@contextmanager
def connected(
    address: str, study: str, console: Console, *, dashboard: bool = True
) -> Iterator[None]:
    """Connects to `address`; "local" starts a cluster on this machine, `dashboard` or not.

    Prints where Ray's dashboard is. Raises InputError where nothing answers at the address.
    """
    _quiet_ray()
    _check_answers(address)
    settings: dict[str, Any] = {}
    if address == "local":
        settings = {"include_dashboard": dashboard, "object_store_memory": OBJECT_STORE_BYTES}
    try:
        context = ray.init(
            address=address,
            job_config=JobConfig(metadata={"study": study}),
            log_to_driver=False,
            logging_level=logging.ERROR,
            **settings,
        )
    except (
        ConnectionError,
        ValueError,
        RuntimeError,
        ray.exceptions.AuthenticationError,
    ) as error:
        more = ""
        if isinstance(error, ConnectionError):  # Ray does not say that its token was refused
            more = f"; where it asks for a token: RAY_AUTH_MODE=token, and {token_source.PLACES}"
        raise InputError(f"--address {address}: {first_line(error)}{more}") from None
    try:
        if context.dashboard_url:
            asks = os.environ.get("RAY_AUTH_MODE") == "token"
            login = " (its token: ray get-auth-token)" if asks else ""
            console.print(f"Ray dashboard: http://{context.dashboard_url}{login}")
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Ray itself would try an address where nothing is for many minutes."""
    if address.startswith(("http://", "https://")):
        raise InputError(
            "--address (or RAY_ADDRESS) is that of Ray's dashboard; valid: HEAD:6379, auto, local"
        )
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return  # "local", "auto", or a scheme that Ray knows how to refuse
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"--address {address}: no Ray cluster answers there ({reason})") from None


def _quiet_ray() -> None:
    """Tune's own words are of no use here: progress and results are ours, read from the files."""
    for name in ("ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
