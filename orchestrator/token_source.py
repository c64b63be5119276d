"""Where Ray's token lies on this machine. Its value is Ray's to send: here it is checked, or made.

Before Ray is imported, as it reads RAY_AUTH_MODE then.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from orchestrator.errors import InputError
from results.files import temporary_beside

PLACES = "RAY_AUTH_TOKEN, or a file: RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token"


def prepare_token(address: str) -> None:
    """For a driver. A cluster of our own ("local") asks for a token, made where there is none.

    Another one asks for one or does not: RAY_AUTH_MODE says which; of "auto", whether one is here.
    Raises InputError as `offer_token` does.
    """
    if address == "local":
        # As Ray 2.60 does by itself; said here so that no version changes it.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    mode = os.environ.get("RAY_AUTH_MODE")
    if mode == "token" and not os.environ.get("RAY_ENABLE_K8S_TOKEN_AUTH"):
        if address == "local" and _token_source() is None:
            _make(_usual())
        offer_token()
    elif mode is None and address == "auto":
        _token_source()


def offer_token() -> str | None:
    """Has Ray send the token that it would find, and says where that is; None if there is none.

    Raises InputError where Ray would abort the process, or print the token: RAY_AUTH_TOKEN_PATH
    without one, RAY_AUTH_MODE=token without any, and one that no header can hold.
    """
    mode = os.environ.get("RAY_AUTH_MODE")
    if mode not in (None, "token"):
        return None
    source = _token_source()
    os.environ.setdefault("RAY_AUTH_MODE", "token" if source else "disabled")
    if mode and source is None:
        raise InputError(f"RAY_AUTH_MODE=token, and no token is here; valid: {PLACES}")
    return source


def _token_source() -> str | None:
    """The first of the places that Ray looks at, in its order."""
    if value := os.environ.get("RAY_AUTH_TOKEN"):
        _check("RAY_AUTH_TOKEN", os.fsencode(value).strip())
        return "RAY_AUTH_TOKEN"
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        if not _holds_one(Path(path)):
            raise InputError(f"RAY_AUTH_TOKEN_PATH: {path}: no token is there; valid: {PLACES}")
        return path
    return str(_usual()) if _holds_one(_usual()) else None


def _usual() -> Path:
    try:
        return Path.home() / ".ray" / "auth_token"
    except RuntimeError:
        raise InputError(f"no home folder to look for a token in; valid: {PLACES}") from None


def _holds_one(path: Path) -> bool:
    if not (path.is_file() and os.access(path, os.R_OK)):
        return False
    with path.open("rb") as file:
        token = file.readline().strip()  # which is what Ray takes of it
    if token:
        _check(str(path), token)
    return bool(token)


def _check(where: str, token: bytes) -> None:
    if not re.fullmatch(rb"[!-~]+", token):
        raise InputError(
            f"{where}: a token with a blank, a line break or a character beyond ASCII inside; "
            "valid: one word"
        )


def _make(path: Path) -> None:
    """For its owner alone: Ray's own is for all who may enter the folder."""
    with temporary_beside(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(temporary, path)
        except OSError:  # there is one by now, or an empty file, or no such thing as a link
            if not _holds_one(path):
                os.replace(temporary, path)
