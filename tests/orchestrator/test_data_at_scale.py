"""dSprites at its real size, from its original layout to training: 737,280 images, 3 GB.

The original cannot be downloaded everywhere, so its stand-in is written in the original's layout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from grids import datasets as sets
from trainers import make_dataset
from trainers.sampling import factors_of

ROOT = Path(__file__).parents[2]
CELLS = 737_280
FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
MOST_BYTES = 2_000_000_000


def rendered(start: int, stop: int) -> Any:
    """Images {0, 1} [n, 64, 64] of cells of the factor grid, as the original counts them."""
    dataset = make_dataset(sets.DSpritesRendered())
    positions = [torch.arange(size) for size in dataset.factor_sizes]
    cells = torch.arange(start, stop)
    images = dataset.images(factors_of(cells, positions), torch.zeros_like(cells))
    return (images[:, 0] > 0).to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with the file in the layout of the original, chunks and all."""
    data = tmp_path_factory.mktemp("data")
    (data / "dsprites").mkdir()
    with h5py.File(data / "dsprites" / FILE, "w") as file:
        images = file.create_dataset(
            "imgs", (CELLS, 64, 64), "u1", chunks=(23040, 2, 4), compression="gzip"
        )
        for start in range(0, CELLS, 23040):
            images[start : start + 23040] = rendered(start, start + 23040)
    yield data


def tree_bytes(pid: int) -> int:
    """The memory of a process and all below it, pages shared between them counted once."""
    total = 0
    pending = [pid]
    while pending:
        parent = pending.pop()
        try:
            for line in Path(f"/proc/{parent}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
            for task in Path(f"/proc/{parent}/task").iterdir():
                pending += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


@pytest.fixture(scope="module")
def prepared_on_ray(original: Path) -> tuple[Path, int]:
    """The data directory once `data prepare` is through, and the most memory that it took."""
    command = [sys.executable, "-m", "orchestrator", "data", "prepare", "dsprites", "--unverified"]
    command += ["--data-dir", str(original)]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, tree_bytes(process.pid))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, said = process.communicate()
    done.set()
    watcher.join()
    assert process.returncode == 0, said.decode()
    return original, most


@pytest.mark.slow
@pytest.mark.ray
def test_dsprites_is_prepared_on_ray_in_bounded_memory(prepared_on_ray: tuple[Path, int]) -> None:
    data, most = prepared_on_ray
    # Ray's own processes are most of it.
    assert most < MOST_BYTES, f"{most / 1e9:.2f} GB"
    folder = data / "prepared" / "dsprites"
    images = np.load(folder / "images.npy", mmap_mode="r")
    assert images.shape == (CELLS, 64, 64, 1)
    for start in range(0, CELLS, 61_440):
        expected = 255 * rendered(start, start + 5_000)
        np.testing.assert_array_equal(images[start : start + 5_000, ..., 0], expected)
    info = json.loads((folder / "info.json").read_text())
    stand_in = make_dataset(sets.DSpritesRendered())
    # By the rule, exactly; Michlo et al. 2023 (supplement, table 2): .0425 and .1952.
    assert info["mean"] == pytest.approx(stand_in.mean, rel=1e-12)
    assert info["std"] == pytest.approx(stand_in.std, rel=1e-12)


@pytest.mark.slow
@pytest.mark.ray
def test_in_this_process_the_bytes_are_the_same(
    prepared_on_ray: tuple[Path, int], tmp_path: Path
) -> None:
    original, _ = prepared_on_ray
    (tmp_path / "dsprites").mkdir()
    (tmp_path / "dsprites" / FILE).symlink_to(original / "dsprites" / FILE)
    command = [sys.executable, "-m", "orchestrator", "data", "prepare", "dsprites", "--unverified"]
    command += ["--data-dir", str(tmp_path), "--local"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    one, other = (
        json.loads((data / "prepared" / "dsprites" / "info.json").read_text())
        for data in (original, tmp_path)
    )
    assert one == other


@pytest.mark.slow
@pytest.mark.ray
def test_color_dsprites_are_trained_on_from_the_prepared_sprites(
    prepared_on_ray: tuple[Path, int], tmp_path: Path
) -> None:
    original, _ = prepared_on_ray
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "study: color\n"
        "trial: {dataset: color_dsprites, framework: beta_vae, beta: 4, beta_convention: sum,\n"
        "  reconstruction: bernoulli, model: conv64, latents: 10, steps: 20}\n"
    )
    command = [sys.executable, "-m", "orchestrator", "run", str(grid), "--local"]
    command += ["--out", str(tmp_path / "out"), "--data-dir", str(original)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


MEASURE = """
import resource
from grids import datasets, parts
from trainers.process import prepare_for_training
from trainers import make_dataset
from trainers.distances import Measuring

prepare_for_training()
work = Measuring(make_dataset(datasets.DSpritesRendered()), parts.MSE(), pairs=50_000, seed=777)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
while not work.advance():
    pass
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.slow
def test_measuring_1_6_million_pairs_takes_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 400_000_000
