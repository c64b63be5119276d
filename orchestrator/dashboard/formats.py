"""Values as words, for the templates."""

from __future__ import annotations

import datetime as dt
from typing import Any

from orchestrator.show import duration


def value(found: Any) -> str:
    """`true`, `0.001`, `2026-01-02 03:04 UTC`; `–` for what is missing."""
    if found is None:
        return "–"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return f"{found:,}"
    if isinstance(found, float):
        return f"{found:.5g}"
    if isinstance(found, dt.datetime):
        return f"{found:%Y-%m-%d %H:%M:%S} UTC"
    return str(found)


def words(parameters: dict[str, Any]) -> str:
    """`beta_vae, beta 4, seed 3`: text by itself, other values with their parameter's name."""
    return ", ".join(
        found if isinstance(found, str) else f"{name.rpartition('.')[2]} {plain(found)}"
        for name, found in parameters.items()
    )


def plain(found: Any) -> str:
    """A parameter as a grid file spells it: whole numbers without a point or commas."""
    if isinstance(found, bool):
        return value(found)
    return f"{found:.10g}" if isinstance(found, float | int) else str(found)


def hours(found: float | None) -> str:
    """`12 min`, `3.4 h`, `12 days`; `–` while unknown."""
    return "–" if found is None else duration(found)


FILTERS = {"value": value, "words": words, "plain": plain, "duration": hours}
