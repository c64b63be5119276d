"""How a command ends: its exit codes, and the error that is the user's to mend."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1  # some trials or scores for good, or the run was stopped
    WRONG_INPUT = 2
    INTERRUPTED = 130


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class InputError(Exception):
    """One line: what, where, what is valid. The command line prints it and exits with 2."""
