"""What the user gave is wrong."""

from __future__ import annotations


class InputError(Exception):
    """One line: what, where, what is valid. The command line prints it and exits with 2."""
