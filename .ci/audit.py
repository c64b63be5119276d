"""Asks pip-audit for known weaknesses of pinned packages: `python .ci/audit.py constraints.txt`.

Ends with 1 where there are any. Where the database cannot be reached, or not in time, it says so
and ends with 0: a machine without a network checks all else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SECONDS = 90
ACCEPTED: dict[str, str] = {}
"""Weaknesses that do not concern us: the id, and why."""


def audit(pinned: Path, seconds: float = SECONDS) -> int:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pinned)]
    command += ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    command += ["--timeout=5"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("audit: skipped, the database of weaknesses cannot be reached in time")
        return 0
    known = [
        (package["name"], package.get("version"), weakness["id"], weakness["fix_versions"])
        for package in found
        for weakness in package.get("vulns", [])
        if weakness["id"] not in ACCEPTED
    ]
    for name, version, number, fixed in known:
        print(f"audit: {name} {version}: {number}, fixed in {', '.join(fixed) or 'none yet'}")
    unknown = sum("skip_reason" in package for package in found)
    if unknown == len(found):
        print("audit: skipped, the database that can be reached knows none of these packages")
        return 0
    print(f"audit: {len(found)} packages, {len(known)} known weaknesses, {unknown} not in it")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(audit(Path(sys.argv[1])))
