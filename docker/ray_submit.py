"""What `ray submit docker/ray_up.yaml docker/ray_submit.py -- GRID [--out DIR]` runs on the head.

A job there, so that the study goes on when the connection ends. GRID is a path on the head, from
its home; the package is in its image. See docs/cluster/vms.md.
"""

from __future__ import annotations

import argparse
import os
import sys


def main() -> None:
    parser = argparse.ArgumentParser(prog="ray_submit.py", description=__doc__)
    parser.add_argument("grid", metavar="GRID", help="a grid file, which is on the head")
    parser.add_argument("--out", default="/shared/runs", metavar="DIR")
    parser.add_argument("--address", default="http://127.0.0.1:8265", help="Ray's dashboard")
    told = parser.parse_args()
    command = [sys.executable, "-m", "orchestrator", "submit", told.grid]
    os.execv(sys.executable, [*command, "--address", told.address, "--out", told.out])


if __name__ == "__main__":
    main()
