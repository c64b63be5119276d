"""What cannot be read now, as in a folder that is being copied: a line, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from orchestrator.errors import first_line
from results.schema import SchemaError

T = TypeVar("T")


def or_unread(read: Callable[[], T]) -> tuple[T | None, str | None]:
    """What `read` gives, or None and the line that says which file cannot be read."""
    try:
        return read(), None
    except (SchemaError, OSError) as error:
        return None, unread_line([first_line(error)])


def unread_line(problems: Sequence[str]) -> str | None:
    """Names the first of them, and how many more there are; None if there are none."""
    if not problems:
        return None
    more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
    return f"cannot be read, or not yet, if it is being copied: {problems[0]}{more}"
