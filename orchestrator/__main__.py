"""`latentgrid` as a process of its own."""

from __future__ import annotations

import gc

from orchestrator import cli


def main() -> None:
    # What was imported stays: without it in their way, collections take a third of a second less of
    # `status` of 12,600 trials.
    gc.freeze()
    cli.main()


if __name__ == "__main__":
    main()
