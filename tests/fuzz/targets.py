"""What reads bytes that may come from anywhere, each with valid bytes to begin with.

A target is told a path where the bytes lie. It may refuse them by the errors that it documents, in
one line; anything else that it raises is a find.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import struct
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from grids.data_folder import DataError, DataFolder
from grids.load import load_grid
from grids.trial import GridError
from metrics.npz import read_evidence, read_moments, read_npz
from orchestrator import checkpoints, manifest
from orchestrator.dashboard.sheet import sheet_png
from results import lease
from results.lease import LeaseHeld
from results.schema import SchemaError
from results.store import StudyFolder
from results.tables import load
from tests.fuzz.study import GRID, RECORDED, make_study, pictures, saved
from trainers.datasets.originals.cars3d import Cars3D
from trainers.datasets.originals.cifar import CIFAR10
from trainers.datasets.originals.dsprites import DSpritesHDF5, DSpritesNpz
from trainers.datasets.originals.norb import SmallNORB
from trainers.datasets.originals.scream import read_scream
from trainers.datasets.prepared import read_prepared
from trainers.datasets.source import Source, SourceError
from trainers.inception import InceptionError, read_inception


@dataclass(frozen=True)
class Target:
    """`read` takes a path; `name` is what the file is called there, `refusals` what it raises."""

    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    refusals: tuple[type[Exception], ...]
    name: str = "data"

    def __call__(self, data: bytes) -> None:
        """Raises what the reader may not raise; AssertionError of a refusal in several lines."""
        with tempfile.TemporaryDirectory(prefix="latentgrid-fuzz-") as folder:
            path = Path(folder) / self.name
            path.write_bytes(data)
            try:
                self.read(path)
            except self.refusals as refusal:
                assert "\n" not in str(refusal), str(refusal)


def npz(compressed: bool = True, **arrays: object) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def drained(source: Source) -> None:
    for part in range(source.parts):
        for _ in source.read(part):
            pass


# --- grids


def _grids() -> list[bytes]:
    cases = b"""
study: c
trial: {dataset: {name: xyobject, spacing: 4}, model: mlp_higgins, latents: 3, steps: 10}
cases:
  - framework: beta_vae
    grid: {beta: [1e-3, .5]}
  - {framework: {name: ada_gvae, k_rule: uniform}, beta: 1, resources: {cpus: 2, memory: 1GiB}}
zip: {seed: [0, 1], batch_size: [4, 0x8]}
exclude: [{seed: 0, framework: ada_gvae}]
include: [{framework: vae, seed: 9}]
evaluate: {metrics: [mig, dci], every: {mig: 5}, representations: [mean, sampled]}
budget: {cpu_hours: 3}
"""
    measured = b"study: m\nmeasurement: {dataset: xysquares, pairs: 5}\ngrid: {seed: [0, 1]}\n"
    return [GRID.encode(), cases, measured]


# --- arrays


def _codes() -> list[bytes]:
    codes = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)
    votes = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 3, 2)
    rows = {"encoded_rows": np.array([0, 1, 2, 4, 7, 9]), "replicates": np.array(2)}
    return [
        npz(codes=codes, factor_sizes=np.array([2, 3]), logvar=codes),
        npz(False, codes=codes, factor_sizes=np.array([2, 3]), **rows),
        npz(False, votes=votes, labels=np.array([0, 1, 1, 2]), codes=codes),
    ]


def _terms() -> list[bytes]:
    return [
        npz(
            evidence_images=np.array(5),
            evidence_reconstruction_per_image=np.array(2.0),
            evidence_kl_nats_by_latent=np.ones(3),
            inception_real_images=np.array(5),
            inception_real_mean=np.ones(3),
            inception_real_covariance=np.ones((3, 3)),
            inception_sampled_images=np.array(5),
            inception_sampled_mean=np.ones(3),
            inception_sampled_covariance=np.ones((3, 3)),
        )
    ]


# --- original files


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _cars() -> list[bytes]:
    from scipy.io import savemat

    files = {}
    for number in range(2):
        content = io.BytesIO()
        savemat(content, {"im": np.zeros((2, 2, 3, 3, 2), np.uint8)}, do_compression=number == 0)
        files[f"data/cars/car_{number}.mat"] = content.getvalue()
    return [_tar({"data/cars/list.txt": b"car_0 car_1", **files})]


def _cifar() -> list[bytes]:
    def batch(number: int) -> bytes:
        return pickle.dumps({b"data": np.zeros((2, 48), np.uint8), b"labels": [1, 2]}, protocol=2)

    return [_tar({f"cifar-10-batches-py/data_batch_{n}": batch(n) for n in range(1, 6)})]


def _hdf5() -> list[bytes]:
    import h5py

    found = []
    for options in ({}, {"chunks": (3, 2, 2), "compression": "gzip"}):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.create_dataset("imgs", data=np.zeros((6, 4, 4), np.uint8), **options)
        found.append(buffer.getvalue())
    return found


def _matrices() -> list[bytes]:
    """The three matrices of SmallNORB, one after another behind their lengths."""
    labels = [(c, i, e, 2 * a, li) for c in (0,) for i in (4, 6) for e in (0,) for a in (0, 1)
              for li in (0, 1)]  # fmt: skip
    table = np.array(labels, np.int32)
    parts = [
        (0x1E3D4C55, np.zeros((len(table), 2, 4, 4), np.uint8)),
        (0x1E3D4C54, table[:, 0].copy()),
        (0x1E3D4C54, table[:, 1:].copy()),
    ]
    whole = b""
    for magic, array in parts:
        shape = [*array.shape, 1, 1, 1][: max(3, array.ndim)]
        header = struct.pack(f"<{2 + len(shape)}i", magic, array.ndim, *shape)
        zipped = gzip.compress(header + array.tobytes(), mtime=0)
        whole += struct.pack("<I", len(zipped)) + zipped
    return [whole]


def _read_norb(path: Path) -> None:
    content, files = path.read_bytes(), []
    for name in ("dat", "cat", "info"):
        size = min(int.from_bytes(content[:4], "little"), len(content))
        files.append(path.with_name(name))
        files[-1].write_bytes(content[4 : 4 + size])
        content = content[4 + size :]
    drained(SmallNORB((tuple(files),), sizes=(1, 2, 1, 2, 2), image_size=4))  # type: ignore[arg-type]


def _jpeg() -> list[bytes]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((90, 70, 3), np.uint8)).save(buffer, "JPEG")
    return [buffer.getvalue()]


# --- prepared images, weights


def _prepared() -> list[bytes]:
    info = {
        "format": 1,
        "shape": [4, 2, 2, 3],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "fingerprint": "0" * 64,
        "verified": True,
        "labels": [0, 1],
    }
    return [json.dumps(info).encode()]


def _read_info(path: Path) -> None:
    data = DataFolder(path.parent)
    data.images("x").parent.mkdir(parents=True)
    np.save(data.images("x"), np.zeros((4, 2, 2, 3), np.uint8))
    path.rename(data.info("x"))
    read_prepared(data, "x").tensor(torch.device("cpu"))


def _npy() -> list[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 2, 2, 3), np.uint8))
    return [buffer.getvalue()]


def _read_images(path: Path) -> None:
    data = DataFolder(path.parent)
    data.images("x").parent.mkdir(parents=True)
    data.info("x").write_bytes(_prepared()[0])
    path.rename(data.images("x"))
    read_prepared(data, "x").tensor(torch.device("cpu"))


def _read_checkpoint(path: Path) -> None:
    folder = StudyFolder(path.parent)
    place = folder.checkpoint_dir("t") / f"000001-00.{1:012d}.pt"
    place.parent.mkdir(parents=True)
    content = path.read_bytes()
    place.write_bytes(content + checkpoints._digest(content))  # else nothing of it would be read
    checkpoints.newest(folder, "t")


# --- files of a study


@functools.cache
def _study(published: bool) -> tuple[tempfile.TemporaryDirectory[str], StudyFolder]:
    folder = tempfile.TemporaryDirectory(prefix="latentgrid-fuzz-study-")
    return folder, make_study(Path(folder.name), published=published)


def of_study(pattern: str, read: Callable[[StudyFolder], object]) -> Target:
    """The file of a small study that a pattern finds, read by what reads it."""

    def study() -> StudyFolder:
        return _study(not pattern.startswith(RECORDED))[1]

    def place() -> Path:
        return next(study().root.glob(pattern))

    @functools.cache
    def seeds() -> list[bytes]:
        return [place().read_bytes()]

    def study_with(path: Path) -> None:
        [valid], there = seeds(), place()
        there.write_bytes(path.read_bytes())
        try:
            read(study())
        finally:
            there.write_bytes(valid)

    return Target(seeds, study_with, (SchemaError, LeaseHeld, GridError))


def _published(folder: StudyFolder) -> None:
    load(folder.root)
    folder.outcomes()


def _sheet(path: Path) -> None:
    folder = StudyFolder(path.parent)
    place = folder.artifacts("t") / "pictures.npz"
    place.parent.mkdir(parents=True)
    path.rename(place)
    sheet_png(folder, "t", {"final_kl_nats_by_latent": None})


TARGETS: dict[str, Target] = {
    "grid": Target(_grids, load_grid, (GridError,), "grid.yaml"),
    "codes": Target(_codes, read_npz, (ValueError,)),
    "evidence": Target(_terms, read_evidence, (ValueError,)),
    "moments": Target(_terms, read_moments, (ValueError,)),
    "pictures": Target(lambda: [pictures()], _sheet, (SchemaError,)),
    "cars3d": Target(_cars, lambda path: drained(Cars3D(path, (2, 3, 2), 2)), (SourceError,)),
    "cifar10": Target(_cifar, lambda path: drained(CIFAR10(path, 10, 4)), (SourceError,)),
    "dsprites_npz": Target(
        lambda: [npz(imgs=np.zeros((6, 4, 4), np.uint8))],
        lambda path: drained(DSpritesNpz(path, (1, 1, 1, 2, 3), 4)),
        (SourceError,),
    ),
    "dsprites_hdf5": Target(
        _hdf5, lambda path: drained(DSpritesHDF5(path, (1, 1, 1, 2, 3), 4, 3)), (SourceError,)
    ),
    "smallnorb": Target(_matrices, _read_norb, (SourceError,)),
    "scream": Target(_jpeg, read_scream, (SourceError,)),
    "prepared_info": Target(_prepared, _read_info, (DataError,)),
    "prepared_images": Target(_npy, _read_images, (DataError,)),
    "checkpoint": Target(lambda: [saved({"w": torch.ones(2)})], _read_checkpoint, ()),
    "inception": Target(
        lambda: [saved({"w": torch.ones(2)})],
        lambda path: read_inception(path, torch.device("cpu")),
        (InceptionError,),
    ),
    "trial_record": of_study("_rows/trials/*.json", _published),
    "score_record": of_study("_rows/scores/*.json", _published),
    "curve_record": of_study("_rows/curves/*.json", _published),
    "closed_attempt": of_study("attempts/*.close.json", _published),
    "open_attempt": of_study("attempts/*.open.json", _published),
    "beat": of_study("attempts/*.beat.json", _published),
    "lease": of_study("lease/*.json", lambda folder: lease.acquire(folder, sleep=_no_sleep)),
    "manifest": of_study("manifest.json", lambda folder: (folder.check(), manifest._runs(folder))),
    "trials_table": of_study("trials.parquet", _published),
    "scores_table": of_study("scores.parquet", _published),
    "curves_table": of_study("curves.parquet", _published),
    "attempts_table": of_study("attempts.parquet", _published),
}


def _no_sleep(seconds: float) -> None:
    raise LeaseHeld("it would wait")
