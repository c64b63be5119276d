"""What this machine and this code are, in words for the ledger and the manifest."""

from __future__ import annotations

import functools
import os
import platform
import socket
import subprocess
from importlib import metadata
from pathlib import Path

# A job on a cluster has our files but not their git history: it is told.
COMMIT_VARIABLE = "LATENTGRID_COMMIT"
# What whoever reads a job's log runs to go on: its own command line is of no use to them.
AGAIN_VARIABLE = "LATENTGRID_AGAIN"
PACKAGES = (
    "latentgrid",
    "torch",
    "triton",
    "ray",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "llvmlite",
    "threadpoolctl",
    "pandas",
    "pyarrow",
)


def node() -> str:
    return socket.gethostname()


@functools.cache
def cpu_model() -> str:
    """The processor's name as its maker prints it, `AMD EPYC 7B13` say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def gpu_model() -> str | None:
    """The first NVIDIA GPU's name, read without torch (`plan` must start fast), or None."""
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in information.read_text().splitlines():
            if line.startswith("Model:"):
                return line.split(":", 1)[1].strip()
    return None


UNKNOWN_GPU = "cuda: unknown"


def device_kind(device: str) -> str:
    """The `device` column: `cpu: AMD EPYC 7B13`, `cuda: NVIDIA H200`, or UNKNOWN_GPU."""
    if device == "cpu":
        return f"cpu: {cpu_model()}"
    model = gpu_model()
    return f"cuda: {model}" if model else UNKNOWN_GPU


def versions() -> dict[str, str]:
    """Installed versions of what can change a number; packages that are absent are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def distributions() -> dict[str, str]:
    """Everything that is installed, by name, with versions: what `pip freeze` would say."""
    found = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


@functools.cache
def code_version() -> str:
    """The git commit of this source tree (`+dirty` if changed), else the package version."""
    if told := os.environ.get(COMMIT_VARIABLE):
        return told
    here = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Only our own repository counts: a wheel may be installed somewhere below another one.
        if Path(git("rev-parse", "--show-toplevel")) != here:
            raise FileNotFoundError
        # A user's own grid files lie about untracked: only changed code counts.
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return versions().get("latentgrid", "unknown")
