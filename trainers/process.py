"""Settings of the process that trains: threads and memory."""

from __future__ import annotations

import ctypes

import torch

# glibc's malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def prepare_for_training() -> None:
    """One thread, and freed memory kept for the next step. Harmless when repeated.

    fp32 sums differ by the number of threads, and results must not depend on how many cores a
    machine has. By default glibc hands the large activations of each step back to the kernel, which
    then clears the same pages for the next step: keeping them took a CPU step from 61 to 48 ms
    (beta-VAE, batch 64, bf16, 2026-11-24), with the same bits and the same peak memory.
    """
    torch.set_num_threads(1)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # absent outside Linux
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 64 * 2**20)
