"""Datasets, a file each: images drawn when they are asked for, or prepared and kept."""

from __future__ import annotations

from collections.abc import Callable

import torch

from grids import datasets as sets
from grids.data_folder import DataFolder, default_data_dir
from grids.datasets import Images
from trainers.datasets.dataset import Dataset
from trainers.datasets.dsprites_rendered import DSpritesRendered
from trainers.datasets.nuisance_dsprites import NuisanceDSprites, Words, color, noisy, scream
from trainers.datasets.prepared import read_prepared
from trainers.datasets.stored import Stored
from trainers.datasets.xycolumns import XYColumns
from trainers.datasets.xyobject import XYObject
from trainers.datasets.xysquares import XYSquares

Maker = Callable[[Images, DataFolder, torch.device], Dataset]


def make_dataset(
    parameters: Images, data: DataFolder | None = None, device: torch.device | str = "cpu"
) -> Dataset:
    """The dataset of these parameters, ready to give images on the device.

    Prepared images are read from `data` (the default folder if None); DataError where they are
    missing. For the CPU they are mapped, to another device copied.
    """
    data = data or DataFolder(default_data_dir())
    return DATASETS[parameters.name](parameters, data, torch.device(device))


def drawn(kind: Callable[..., Dataset]) -> Maker:
    return lambda parameters, data, device: kind(parameters)


def stored(parameters: Images, data: DataFolder, device: torch.device) -> Dataset:
    return Stored(parameters, read_prepared(data, parameters.stored[0]), device)


def under_nuisance(nuisance: Callable[..., torch.Tensor], rule: str) -> Maker:
    def make(parameters: Images, data: DataFolder, device: torch.device) -> Dataset:
        assert isinstance(parameters, sets.NuisanceDSprites)
        sprites = make_dataset(sets.DATASETS[parameters.sprites](), data, device)
        return NuisanceDSprites(parameters, sprites, nuisance, rule)

    return make


def under_the_scream(parameters: Images, data: DataFolder, device: torch.device) -> Dataset:
    painting = read_prepared(data, "scream")
    painting_HWC = painting.tensor(device)[0]

    def nuisance(sprite_BHW: torch.Tensor, words: Words) -> torch.Tensor:
        return scream(sprite_BHW, words, painting_HWC)

    return under_nuisance(nuisance, f"scream {painting.fingerprint}")(parameters, data, device)


DATASETS: dict[str, Maker] = {
    "dsprites": stored,
    "dsprites_rendered": drawn(DSpritesRendered),
    "color_dsprites": under_nuisance(color, "color"),
    "noisy_dsprites": under_nuisance(noisy, "noisy"),
    "scream_dsprites": under_the_scream,
    "smallnorb": stored,
    "smallnorb_michlo": stored,
    "cars3d": stored,
    "shapes3d": stored,
    "mpi3d_toy": stored,
    "mpi3d_realistic": stored,
    "mpi3d_real": stored,
    "xysquares": drawn(XYSquares),
    "xyobject": drawn(XYObject),
    "xycolumns": drawn(XYColumns),
    "cifar10": stored,
    "cifar100": stored,
    **{f"song{complexity}": stored for complexity in range(1, 8)},
}
