from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch

from grids.trial import Trial
from trainers import make_dataset
from trainers.pack import SIZES, Pack, best_size, enough


def test_the_smallest_pack_that_is_nearly_as_fast_as_the_fastest() -> None:
    assert enough({1: 2000.0, 2: 3600.0, 4: 4790.0, 8: 5000.0, 16: 4900.0}) == 4
    assert enough({1: 2000.0, 2: 3600.0, 4: 4700.0, 8: 5000.0, 16: 4900.0}) == 8
    assert enough({1: 2000.0, 2: 1000.0}) == 1


def test_on_a_cpu_a_pack_is_one_trial(small_trial: Callable[..., Trial]) -> None:
    trial = small_trial()
    device = torch.device("cpu")
    assert best_size(trial, make_dataset(trial.dataset), device, clock=lambda: 0.0, most=16) == 1


def test_all_members_advance_and_their_time_is_told(small_trial: Callable[..., Trial]) -> None:
    ticks = itertools.count()
    pack = Pack(torch.device("cpu"), lambda: float(next(ticks)))
    for seed in (0, 1):
        trial = small_trial(seed=seed)
        pack.add(trial, make_dataset(trial.dataset))
    before = [training.step for training, _ in pack.members]
    assert pack.seconds(5) == 1.0
    assert [training.step for training, _ in pack.members] == [step + 5 for step in before]


@pytest.mark.gpu
def test_a_calibration_finds_a_size(small_trial: Callable[..., Trial]) -> None:
    import time

    trial = small_trial()
    cuda = torch.device("cuda")
    before = torch.cuda.memory_allocated()
    assert best_size(trial, make_dataset(trial.dataset), cuda, time.perf_counter, most=16) in SIZES
    assert torch.cuda.memory_allocated() <= before + 2**20
