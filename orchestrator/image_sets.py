"""What is prepared under each name: where the images come from, how many, and of what size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grids import datasets
from grids.data_folder import DataFolder
from grids.datasets import Images
from orchestrator.data_sets import original_files
from trainers.datasets.originals.cars3d import Cars3D
from trainers.datasets.originals.cifar import CIFAR10, CIFAR100
from trainers.datasets.originals.dsprites import DSpritesHDF5, DSpritesNpz
from trainers.datasets.originals.mpi3d import MPI3D
from trainers.datasets.originals.norb import SmallNORB
from trainers.datasets.originals.scream import Scream, read_scream
from trainers.datasets.originals.shapes3d import Shapes3D
from trainers.datasets.song.source import SongSource, SongVotes
from trainers.datasets.source import Source


@dataclass(frozen=True)
class ImageSet:
    """Images that are prepared under one name.

    shape is [N, H, W, C]; `resize` is the filter that makes the source's images as small, if they
    are larger; `labels` are kept with the images; `originals` are the files that they come from.
    """

    name: str
    source: Source
    shape: tuple[int, int, int, int]
    resize: str | None = None
    labels: tuple[int, ...] = ()
    originals: tuple[Path, ...] = ()


def image_set(name: str, dataset: Images, data: DataFolder) -> ImageSet:
    """What is prepared under one of the names that the dataset reads; its files are there.

    Raises SourceError where it is The Scream and its file is damaged; of all others, what is
    damaged shows when the source is read.
    """
    files = tuple(file.path(data.root) for file in original_files(dataset, data, [name]))
    if isinstance(dataset, datasets.Song):
        return _song(name, dataset)
    if name == "scream":
        (painting,) = files
        return ImageSet(
            name, Scream(painting), (1, *read_scream(painting).shape), originals=(painting,)
        )
    if isinstance(dataset, datasets.NuisanceDSprites):
        return image_set(name, datasets.DSprites(), data)
    channels, height, width = dataset.image_shape
    return ImageSet(
        name=name,
        source=SOURCES[dataset.name](files),
        shape=(math.prod(dataset.factor_sizes) * dataset.nuisances, height, width, channels),
        resize=getattr(dataset, "resize", None),
        originals=files,
    )


def _song(name: str, dataset: datasets.Song) -> ImageSet:
    options = {k: getattr(dataset, k) for k in ("scale", "colour") if hasattr(dataset, k)}
    channels, height, width = dataset.image_shape
    if name == dataset.stored[0]:
        images = SongSource(dataset.complexity, dataset.images, **options)
        return ImageSet(name, images, (dataset.images, height, width, channels))
    votes = SongVotes(dataset.complexity, **options, vote_images=dataset.vote_images)
    labels = tuple(votes.labels().tolist())
    return ImageSet(name, votes, (votes.images, height, width, channels), labels=labels)


def _sprites(files: tuple[Path, ...]) -> Source:
    return DSpritesHDF5(files[0]) if files[0].suffix == ".hdf5" else DSpritesNpz(files[0])


def _splits(files: tuple[Path, ...]) -> tuple[tuple[Path, Path, Path], ...]:
    """dat, cat and info of each split."""
    return tuple((dat, cat, info) for dat, cat, info in zip(*[iter(files)] * 3, strict=True))


SOURCES: dict[str, Callable[[tuple[Path, ...]], Source]] = {
    "dsprites": _sprites,
    "smallnorb": lambda files: SmallNORB(_splits(files)),
    "smallnorb_michlo": lambda files: SmallNORB(
        _splits(files), sizes=(5, 5, 9, 18, 6), instance_is_nuisance=False
    ),
    "cars3d": lambda files: Cars3D(files[0]),
    "shapes3d": lambda files: Shapes3D(files[0]),
    "mpi3d_toy": lambda files: MPI3D(files[0]),
    "mpi3d_realistic": lambda files: MPI3D(files[0]),
    "mpi3d_real": lambda files: MPI3D(files[0]),
    "cifar10": lambda files: CIFAR10(files[0]),
    "cifar100": lambda files: CIFAR100(files[0]),
}
