"""Images in standard form: one array on disk that all processes of a machine share.

The file is mapped, so that its pages exist once in memory however many processes read them, and
opening it reads nothing.
"""

from __future__ import annotations

import json
import math
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from grids.data_folder import DataError, DataFolder

FORMAT = 1
# The header of an array is a Python literal, and these are what parsing one can raise.
BAD_HEADER = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError)
COPIED_BYTES = 2**26  # at a time: what the host holds of a dataset on its way to a device


@dataclass(frozen=True)
class Prepared:
    """N images in the standard order (trainers.datasets.source), [N, H, W, C].

    mean and std are by channel, on the scale [0, 1], as `Dataset` defines them.
    """

    path: Path
    shape: tuple[int, int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    verified: bool
    """Whether the original files were, when it was prepared."""

    def tensor(self, device: torch.device) -> Tensor:
        """uint8 [N, H, W, C]: the mapped file itself for the CPU, else a copy on the device."""
        offset = _data_offset(self)
        if device.type == "cpu":
            # Read-only: a writable map, private or not, may not be larger than the memory.
            mapped = np.memmap(self.path, np.uint8, mode="r", offset=offset, shape=self.shape)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*not writable.*")
                return torch.from_numpy(np.asarray(mapped))
        return copied(self.path, offset, self.shape, device)


def read_prepared(data: DataFolder, name: str) -> Prepared:
    """What `data prepare` left under a name; DataError where it is missing or of another format."""
    path = data.info(name)
    try:
        info = json.loads(path.read_text())
        if info["format"] != FORMAT:
            raise DataError(
                f"{path}: format {info['format']}, this code reads {FORMAT}; prepare it again"
            )
        found = Prepared(
            path=data.images(name),
            shape=tuple(info["shape"]),
            mean=tuple(info["mean"]),
            std=tuple(info["std"]),
            fingerprint=info["fingerprint"],
            verified=info.get("verified", True),
        )
    except FileNotFoundError:
        raise DataError(f"{path.parent}: not prepared") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: damaged ({error}); delete the folder and prepare again") from None
    _data_offset(found)
    return found


def _data_offset(prepared: Prepared) -> int:
    """Where the pixels start; DataError where the file is not the array that it should be."""
    path, expected = prepared.path, prepared.shape
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
    except (OSError, *BAD_HEADER) as error:
        found = " ".join(str(error).split())
        raise DataError(f"{path}: {found}; delete the folder and prepare again") from None
    if version != (1, 0) or shape != expected or fortran or dtype != np.uint8:
        raise DataError(
            f"{path}: holds {dtype} {list(shape)}, expected uint8 {list(expected)}; "
            "delete the folder and prepare again"
        )
    size, whole = path.stat().st_size, offset + math.prod(expected)
    if size != whole:
        raise DataError(
            f"{path}: {size:,} bytes, expected {whole:,}; delete the folder and prepare again"
        )
    return offset


def copied(path: Path, offset: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """The array of a file on a device, moved in blocks, so that the host holds one block of it."""
    target = torch.empty(math.prod(shape), dtype=torch.uint8, device=device)
    block = torch.empty(COPIED_BYTES, dtype=torch.uint8, pin_memory=device.type == "cuda")
    bytes_of_block = block.numpy().data
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        done = 0
        while done < len(target):
            count = file.readinto(bytes_of_block[: len(target) - done])
            if not count:
                raise DataError(f"{path}: ends after {done:,} bytes, expected {len(target):,}")
            target[done : done + count] = block[:count]
            done += count
    return target.view(shape)
