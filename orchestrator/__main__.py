"""`latentgrid` as a process of its own."""

from __future__ import annotations

import gc

from orchestrator import cli

COLLECT_EVERY = 200_000
"""Objects more than before."""


def main() -> None:
    # What was imported stays, and of what is made most does: looked through seldom, the trials of a
    # large grid take half a second less of `status`.
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    try:
        cli.main()
    finally:
        gc.freeze()  # nor need the last collection look through what the process ends with


if __name__ == "__main__":
    main()
