"""Our own kernels for CUDA, written in Triton, which comes with torch there."""

from __future__ import annotations

import importlib.util
import os
import shutil

import torch


def usable(device: torch.device) -> bool:
    """Whether they run: bfloat16 takes an Ampere, Triton a C compiler for what launches them."""
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    return compiler is not None and torch.cuda.get_device_capability(device) >= (8, 0)
