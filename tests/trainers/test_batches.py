from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import batches, make_dataset
from trainers.batches import IMAGE_BYTES_AHEAD, Batches, that_fit
from trainers.datasets import NuisanceDSprites
from trainers.datasets.nuisance_dsprites import color
from trainers.objectives.step import Step

MakeTrial = Callable[..., Trial]
CPU = torch.device("cpu")
WITHOUT = {"sampling": "without_replacement", "batch_size": 5}
KINDS: dict[str, dict[str, Any]] = {
    "cells": {"batch_size": 7},
    "pairs": {"name": "ada_gvae", "batch_size": 3},
    "uniform pairs": {"name": "ada_ml_vae", "framework": parts.AdaMLVAE(k_rule="uniform")},
    "epochs": WITHOUT,
    "pairs of epochs": {"name": "ada_gvae"} | WITHOUT,
    "more than an epoch a step": {"sampling": "without_replacement", "batch_size": 64},
    "beta schedule": {"beta_schedule": parts.LinearSchedule(steps=20)},
    **{
        f"permutation, {of}": {
            "name": "factor_vae",
            "framework": parts.FactorVAE(permutation=of, width=4),  # type: ignore[arg-type]
            "batch_size": 6,
        }
        for of in ("batch", "second_batch", "halves")
    },
}


class Coloured(NuisanceDSprites):
    """Squares under a nuisance that is random numbers; float32."""

    def __init__(self) -> None:
        plain = parts.XYSquares(grid_size=2, rgb=False)
        super().__init__(plain, make_dataset(plain), color, "color")
        self.nuisances = parts.DATASETS["color_dsprites"]().nuisances


class Catalogue:
    """Without factors: an image is the number of its draw, in two bytes."""

    factor_names: tuple[str, ...] = ()
    factor_sizes: tuple[int, ...] = ()
    nuisances, image_shape, standardise = 1000, (1, 1, 2), False

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        assert factors_BF.shape == (len(nuisance_B), 0)
        both_B2 = torch.stack([nuisance_B // 256, nuisance_B % 256], dim=1).to(torch.uint8)
        return both_B2[:, None, None]


def taken(batches: Batches, steps: Iterable[int]) -> list[Step]:
    found = []
    for step in steps:
        assert batches.reach(step) >= 1
        found.append(batches.of_step(torch.tensor(step)))
    return found


def assert_same(ones: list[Step], others: list[Step]) -> None:
    for one, other in zip(ones, others, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b) if isinstance(a, Tensor) else a == b
        assert one.images_BCHW.stride() == other.images_BCHW.stride()


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    return lambda numbers, images: monkeypatch.setattr(
        batches, "steps_ahead", lambda *_: (numbers, images)
    )


def assert_drawn_ahead_as_one_by_one(
    make: Callable[[], Batches], ahead: Callable[[int, int], None]
) -> None:
    one_by_one = taken(make(), range(40))
    assert not torch.equal(one_by_one[0].images_BCHW, one_by_one[1].images_BCHW)
    for numbers, images in ((24, 8), (5, 5), (6, 1)):
        ahead(numbers, images)
        assert_same(taken(make(), range(40)), one_by_one)
        anywhere = [3, 10, 11, 0, 39, 26, 27, 28]
        assert_same(taken(make(), anywhere), [one_by_one[step] for step in anywhere])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_ahead_is_what_is_drawn_step_by_step(
    trial_of: MakeTrial, ahead: Callable[[int, int], None], kind: str
) -> None:
    trial = trial_of(**({"name": "beta_vae", "model": parts.LinearModel()} | KINDS[kind]))
    dataset = make_dataset(trial.dataset)
    assert_drawn_ahead_as_one_by_one(lambda: Batches(trial, dataset, CPU), ahead)


@pytest.mark.parametrize("sampling", ["with_replacement", "without_replacement"])
def test_so_are_draws_of_a_nuisance(
    trial_of: MakeTrial,
    monkeypatch: pytest.MonkeyPatch,
    ahead: Callable[[int, int], None],
    sampling: str,
) -> None:
    trial = trial_of("beta_vae", sampling=sampling, batch_size=6, model=parts.LinearModel())
    coloured = Coloured()
    assert_drawn_ahead_as_one_by_one(lambda: Batches(trial, coloured, CPU), ahead)
    monkeypatch.setattr(Trial, "images", 1000)
    catalogue: Any = Catalogue()
    assert_drawn_ahead_as_one_by_one(lambda: Batches(trial, catalogue, CPU), ahead)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("beta schedule", {"images", "noise", "beta"}), ("pairs", {"images", "noise"})]
    + [("permutation, halves", {"images", "noise", "permutation"})],
)
def test_captured_steps_find_their_batches_where_they_were(
    trial_of: MakeTrial, ahead: Callable[[int, int], None], kind: str, kept: set[str]
) -> None:
    ahead(12, 4)
    trial = trial_of(**({"name": "beta_vae", "model": parts.LinearModel()} | KINDS[kind]))
    drawn = Batches(trial, make_dataset(trial.dataset), CPU)
    assert [drawn.reach(step) for step in (0, 1, 3, 4, 5)] == [4, 3, 1, 4, 3]

    def addresses() -> dict[str, int]:
        read = drawn._ahead | {"row": drawn._row_R}
        return {name: tensor.data_ptr() for name, tensor in read.items()}

    at_first = addresses()
    assert set(at_first) == kept | {"row"}
    taken(drawn, [7, 30, 2])
    assert addresses() == at_first


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_read_from_a_device(trial_of: MakeTrial, kind: str) -> None:
    """Tensors of the device "meta" have shapes and no values, and do not mix with a CPU's."""
    trial = trial_of(**({"name": "beta_vae", "model": parts.LinearModel()} | KINDS[kind]))
    drawn = Batches(trial, make_dataset(trial.dataset), torch.device("meta"))
    assert drawn.reach(0) == 128
    step = drawn.of_step(torch.zeros((), dtype=torch.int64, device="meta"))
    cpu = taken(Batches(trial, make_dataset(trial.dataset), CPU), [0])
    for on_meta, on_cpu in zip(step, cpu[0], strict=True):
        if isinstance(on_cpu, Tensor):
            assert isinstance(on_meta, Tensor) and on_meta.device.type == "meta"
            assert (on_meta.shape, on_meta.dtype) == (on_cpu.shape, on_cpu.dtype)
            assert on_meta.stride() == on_cpu.stride()


def test_as_many_steps_are_drawn_as_their_memory_allows(small_trial: MakeTrial) -> None:
    image = 64 * 64 * 3

    def of(image_bytes: int = image, **fields: Any) -> tuple[int, int]:
        return that_fit(small_trial(**({"steps": 10**6, "batch_size": 256} | fields)), image_bytes)

    numbers, steps = of()
    assert steps % 8 == 0 and steps * 256 * image <= IMAGE_BYTES_AHEAD < (steps + 8) * 256 * image
    assert numbers % steps == 0 and 1024 - steps < numbers <= 1024
    assert of(64 * 64)[1] > 2 * steps
    assert of(framework=parts.AdaGVAE())[1] <= steps / 2
    assert of(batch_size=4) == (1024, 1024)
    assert of(batch_size=4, steps=100) == (96, 96)
    assert of(steps=5) == (5, 1)
    assert of(batch_size=10**6, latents=100) == (1, 1)
