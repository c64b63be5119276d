"""The original files of each dataset: where they are published, and how a good copy is told.

They lie at `<data directory>/<folder>/<name>` under the name of the original distribution, so that
a file placed there by hand is as good as a fetched one. A dataset that is drawn has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """A hash in lower-case hex; git-sha1 is git's of a blob: sha1(b"blob <size>\\0" + content)."""

    algorithm: Literal["sha256", "md5", "git-sha1"]
    digest: str


@dataclass(frozen=True, kw_only=True)
class OriginalFile:
    """One published file. None stands for a checksum or a size that nobody published."""

    folder: str
    name: str
    urls: tuple[str, ...]
    checksum: Checksum | None
    size_bytes: int | None
    note: str = ""

    def path(self, data_dir: Path) -> Path:
        return data_dir / self.folder / self.name

    def wrong_size(self, path: Path) -> str | None:
        """How the size of a copy differs from what was published, if it does."""
        size = path.stat().st_size
        if self.size_bytes is None or size == self.size_bytes:
            return None
        return f"is {size:,} bytes, expected {self.size_bytes:,}"


Files = tuple[OriginalFile, ...]


def _published(
    folder: str,
    url: str,
    checksum: Checksum | None,
    size_bytes: int | None = None,
    note: str = "",
) -> OriginalFile:
    """A file named as its URL ends."""
    return OriginalFile(
        folder=folder,
        name=url.rsplit("/", 1)[-1],
        urls=(url,),
        checksum=checksum,
        size_bytes=size_bytes,
        note=note,
    )


def _sha256(digest: str) -> Checksum:
    return Checksum(algorithm="sha256", digest=digest)


def _md5(digest: str) -> Checksum:
    return Checksum(algorithm="md5", digest=digest)


# Hashes and sizes of dSprites' HDF5, SmallNORB and 3D Shapes: tensorflow_datasets, url_checksums/.
# MD5 of Cars3D and MPI3D: disent, dataset/data/. CIFAR: its home page. The npz of dSprites: git.

_DSPRITES = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64"
_DSPRITES_HDF5 = _published(
    "dsprites",
    f"https://raw.githubusercontent.com/deepmind/dsprites-dataset/master/{_DSPRITES}.hdf5",
    _sha256("729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb"),
    28_024_106,
)
_DSPRITES_NPZ = _published(
    "dsprites",
    f"https://github.com/deepmind/dsprites-dataset/raw/master/{_DSPRITES}.npz",
    Checksum(algorithm="git-sha1", digest="d98996d3f8ee1550e06b9d4ed78d0beb478910d5"),
)
_SPRITES: tuple[Files, ...] = ((_DSPRITES_HDF5,), (_DSPRITES_NPZ,))

_SCREAM = OriginalFile(
    folder="scream",
    name="scream.jpg",
    urls=("https://upload.wikimedia.org/wikipedia/commons/f/f4/The_Scream.jpg",),
    checksum=None,
    size_bytes=None,
    note=(
        "no checksum was published: results are only comparable between equal copies, "
        "which the dataset's fingerprint tells"
    ),
)


def _smallnorb(part: str, digest: str, size_bytes: int) -> OriginalFile:
    base = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small"
    return _published("smallnorb", f"{base}/smallnorb-{part}.mat.gz", _sha256(digest), size_bytes)


_SMALLNORB_TRAIN: Files = (
    _smallnorb(
        "5x46789x9x18x6x2x96x96-training-dat",
        "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
        131_896_188,
    ),
    _smallnorb(
        "5x46789x9x18x6x2x96x96-training-cat",
        "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
        348,
    ),
    _smallnorb(
        "5x46789x9x18x6x2x96x96-training-info",
        "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
        71_052,
    ),
)
_SMALLNORB_TEST: Files = (
    _smallnorb(
        "5x01235x9x18x6x2x96x96-testing-dat",
        "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
        130_799_817,
    ),
    _smallnorb(
        "5x01235x9x18x6x2x96x96-testing-cat",
        "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
        347,
    ),
    _smallnorb(
        "5x01235x9x18x6x2x96x96-testing-info",
        "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
        10_428,
    ),
)

_CARS3D = _published(
    "cars3d",
    "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
    _md5("4e866a7919c1beedf53964e6f7a23686"),
)
_SHAPES3D = _published(
    "shapes3d",
    "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
    _sha256("0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"),
    267_573_662,
)


def _mpi3d(name: str, digest: str) -> OriginalFile:
    return _published(
        "mpi3d",
        f"https://storage.googleapis.com/mpi3d_disentanglement_dataset/data/{name}",
        _md5(digest),
        note="the md5 was recorded at the former bucket, before the files moved in 2023",
    )


_MPI3D_REAL = _mpi3d("real.npz", "0f33f609918fb5c97996692f91129802")


def _cifar(classes: int, digest: str) -> OriginalFile:
    url = f"https://www.cs.toronto.edu/~kriz/cifar-{classes}-python.tar.gz"
    return _published(f"cifar{classes}", url, _md5(digest))


# pytorch-fid, fid_score.py; the name ends as the SHA-256 begins, which a run checks.
_INCEPTION = _published(
    "inception",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth",
    None,
    note="its SHA-256 begins with 6726825d, a fingerprint that a run checks",
)

ORIGINAL_FILES: dict[str, tuple[Files, ...]] = {
    "dsprites": _SPRITES,
    "scream": ((_SCREAM,),),
    "inception": ((_INCEPTION,),),
    "smallnorb": ((*_SMALLNORB_TRAIN, *_SMALLNORB_TEST),),
    "smallnorb_michlo": (_SMALLNORB_TRAIN,),
    "cars3d": ((_CARS3D,),),
    "shapes3d": ((_SHAPES3D,),),
    "mpi3d_toy": ((_mpi3d("mpi3d_toy.npz", "55889cb7c7dfc655d6e0277beee88868"),),),
    "mpi3d_realistic": ((_mpi3d("mpi3d_realistic.npz", "59a6225b88b635365f70c91b3e52f70f"),),),
    # The second is what the file was called in the former bucket.
    "mpi3d_real": ((_MPI3D_REAL,), (replace(_MPI3D_REAL, name="mpi3d_real.npz"),)),
    "cifar10": ((_cifar(10, "c58f30108f718f92721af3b95e74349a"),),),
    "cifar100": ((_cifar(100, "eb9058c3a382ffc7106e4002c42a8d85"),),),
}
"""By dataset (and The Scream, and the FID's network), alternatives: of one all files are needed.

The first is fetched.
"""


def files_of(dataset: str, data_dir: Path) -> Files:
    """The first alternative that is there in full, else the first; none for what is made here."""
    alternatives = ORIGINAL_FILES.get(dataset, ((),))
    for files in alternatives:
        if all(file.path(data_dir).exists() for file in files):
            return files
    return alternatives[0]
