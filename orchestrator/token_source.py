"""Where Ray's token lies on this machine. Its value is Ray's to read: it is never read here."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.errors import InputError

PLACES = "RAY_AUTH_TOKEN, or a file: RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token"


def offer_token() -> str | None:
    """Has Ray send the token that it would find, and says where that is; None if there is none.

    Before Ray is imported, as it reads RAY_AUTH_MODE then. Raises InputError where Ray would abort
    the process: RAY_AUTH_TOKEN_PATH without a token, and RAY_AUTH_MODE=token without any.
    """
    source = _token_source()
    mode = os.environ.setdefault("RAY_AUTH_MODE", "token" if source else "disabled")
    if mode != "token":
        return None
    if source is None:
        raise InputError(f"RAY_AUTH_MODE=token, and no token is here; valid: {PLACES}")
    return source


def _token_source() -> str | None:
    """The first of the places that Ray looks at, in its order."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        if not _holds_something(Path(path)):
            raise InputError(f"RAY_AUTH_TOKEN_PATH: {path}: no token is there; valid: {PLACES}")
        return path
    usual = Path.home() / ".ray" / "auth_token"
    return str(usual) if _holds_something(usual) else None


def _holds_something(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK) and path.stat().st_size > 0
