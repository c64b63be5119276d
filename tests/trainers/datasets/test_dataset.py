from __future__ import annotations

import pytest
import torch

from grids import parts
from trainers import DATASETS, make_dataset
from trainers.datasets.dataset import evaluation_grid
from trainers.datasets.song.factors import Factors


def test_every_dataset_of_the_grids_is_made() -> None:
    assert set(DATASETS) == set(parts.DATASETS)
    for parameters in parts.DATASETS.values():
        if not parameters().stored:
            assert make_dataset(parameters()).factor_names == parameters().factor_names


@pytest.mark.parametrize("spacing", [8, 7, 6])
def test_a_grid_of_up_to_a_million_cells_is_evaluated_whole(spacing: int) -> None:
    dataset = make_dataset(parts.XYSquares(spacing=spacing, grid_size=None))
    assert dataset.evaluation_grid == tuple(tuple(range(size)) for size in dataset.factor_sizes)


def test_of_a_larger_grid_evenly_spaced_positions_are_evaluated() -> None:
    dataset = make_dataset(parts.XYSquares(spacing=1, grid_size=None))
    assert dataset.evaluation_grid == ((0, 8, 16, 24, 32, 40, 48, 56),) * 6


def test_a_factor_of_few_positions_keeps_them_all() -> None:
    assert evaluation_grid((3, 1000, 1001)) == (
        (0, 1, 2),
        (0, 143, 285, 428, 571, 714, 856, 999),
        (0, 143, 286, 429, 571, 714, 857, 1000),
    )


@pytest.mark.parametrize("name", ["color_dsprites", "noisy_dsprites"])
def test_nuisances_go_over_the_rendered_sprites_too(name: str) -> None:
    parameters = parts.DATASETS[name](sprites="dsprites_rendered")  # type: ignore[call-arg]
    assert parameters.stored == ()
    images = make_dataset(parameters).images(torch.zeros(2, 5, dtype=torch.int64), torch.arange(2))
    assert images.shape == (2, 3, 64, 64) and images.dtype == torch.float32
    assert not torch.equal(images[0], images[1])


@pytest.mark.parametrize("complexity", range(1, 8))
def test_a_song_set_has_the_factors_that_its_images_are_drawn_from(complexity: int) -> None:
    kind = parts.DATASETS[f"song{complexity}"]
    for colour in ("hue", "rgb") if complexity >= 6 else ("hue",):
        parameters = kind(colour=colour) if complexity >= 6 else kind()  # type: ignore[call-arg]
        factors = Factors(complexity, "half", colour)
        assert parameters.continuous_factors == tuple(factors.names)
        assert parameters.image_shape[0] == factors.channels
