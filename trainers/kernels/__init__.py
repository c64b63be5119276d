"""Our own kernels for CUDA, written in Triton, which comes with torch there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig

import torch


def usable(device: torch.device) -> bool:
    """Whether they run: bfloat16 takes an Ampere; Triton compiles what launches them with a C
    compiler and Python's headers.
    """
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    if compiler is None or not os.path.exists(header):
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)
