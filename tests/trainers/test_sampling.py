from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from grids import parts
from trainers.sampling import Epochs, cells, images_of, pairs
from trainers.streams import Stream, below, words

PAIRS = 40_000
MANY = 2**20  # so many positions that one drawn again is another one


def differing(sizes: list[int], **parameters: object) -> Tensor:
    """Which factors differ within each of many pairs, bool [B, F]."""
    framework = parts.AdaGVAE(**parameters)  # type: ignore[arg-type]
    first, second = pairs(0, 0, PAIRS, torch.tensor(sizes), framework)
    assert ((second >= 0) & (second < torch.tensor(sizes))).all()
    return first != second


def assert_frequencies(values: Tensor, probabilities: dict[int, float]) -> None:
    counts = torch.bincount(values, minlength=max(probabilities) + 1).numpy()
    assert counts.sum() == sum(counts[list(probabilities)])
    expected = PAIRS * np.array(list(probabilities.values()))
    assert stats.chisquare(counts[list(probabilities)], expected).pvalue > 1e-3


def test_cells_are_uniform_over_the_grid() -> None:
    drawn = cells(0, 3, PAIRS, torch.tensor([2, 3, 4]))
    index = (drawn * torch.tensor([12, 4, 1])).sum(dim=1)
    assert_frequencies(index, {cell: 1 / 24 for cell in range(24)})


def test_a_factor_is_drawn_from_its_own_column() -> None:
    sizes = torch.tensor([5, 7, 3])
    expected = below(words(4, Stream.CELLS, 11, 6, 3), sizes)
    assert torch.equal(cells(4, 11, 6, sizes), expected)


def test_batches_differ_by_seed_and_step_and_larger_ones_go_on() -> None:
    sizes = torch.tensor([8] * 6)
    batch = cells(0, 0, 16, sizes)
    assert not torch.equal(batch, cells(0, 1, 16, sizes))
    assert not torch.equal(batch, cells(1, 0, 16, sizes))
    assert torch.equal(batch, cells(0, 0, 32, sizes)[:16])


# P(1) = 1/2 + 1/2 1/(F-1), P(j) = 1/2 1/(F-1) for 1 < j < F.
@pytest.mark.parametrize(
    ("num_factors", "probabilities"),
    [
        (5, {1: 0.625, 2: 0.125, 3: 0.125, 4: 0.125}),
        (6, {1: 0.6, 2: 0.1, 3: 0.1, 4: 0.1, 5: 0.1}),
        (3, {1: 0.75, 2: 0.25}),
    ],
)
def test_the_rule_as_run_draws_one_or_up_to_all_but_one(
    num_factors: int, probabilities: dict[int, float]
) -> None:
    changed = differing([MANY] * num_factors, k_rule="orig").sum(dim=1)
    # Two in a million of the drawn positions equal the old one.
    assert (changed == 0).sum() <= 2
    assert_frequencies(changed.clamp(min=1), probabilities)


def test_the_rule_as_run_may_draw_the_same_position_again() -> None:
    differs = differing([2, 2], k_rule="orig")
    assert_frequencies(differs.sum(dim=1), {0: 0.5, 1: 0.5})


@pytest.mark.parametrize("num_factors", [2, 5, 6])
def test_the_uniform_rule_draws_every_number_alike(num_factors: int) -> None:
    changed = differing([2] * num_factors, k_rule="uniform").sum(dim=1)
    assert_frequencies(changed, {k: 1 / num_factors for k in range(1, num_factors + 1)})


@pytest.mark.parametrize("k", [1, 3, 6])
def test_a_fixed_number_differs_exactly(k: int) -> None:
    assert (differing([2, 3, 4, 5, 6, 7], k_rule="fixed", k=k).sum(dim=1) == k).all()


def test_every_set_of_factors_is_as_likely() -> None:
    differs = differing([2] * 4, k_rule="fixed", k=2)
    sets = (differs * torch.tensor([8, 4, 2, 1])).sum(dim=1)
    assert_frequencies(sets, {code: 1 / 6 for code in (3, 5, 6, 9, 10, 12)})


def test_a_differing_position_is_uniform_over_the_others() -> None:
    framework = parts.AdaGVAE(k_rule="fixed", k=2)
    first, second = pairs(0, 0, PAIRS, torch.tensor([5, 5]), framework)
    assert_frequencies((second - first)[:, 0] % 5, {step: 1 / 4 for step in range(1, 5)})


def test_the_first_of_a_pair_is_the_cell_of_a_batch() -> None:
    sizes = torch.tensor([8] * 6)
    first, _ = pairs(2, 9, 16, sizes, parts.AdaGVAE())
    assert torch.equal(first, cells(2, 9, 16, sizes))


def test_one_factor_makes_no_pairs() -> None:
    with pytest.raises(ValueError, match="at least 2 factors; this one has 1"):
        pairs(0, 0, 4, torch.tensor([8]), parts.AdaGVAE())


CPU = torch.device("cpu")


def taken(epochs: Epochs, steps: range) -> Tensor:
    return torch.cat([epochs.numbers(step, 1) for step in steps])


@pytest.mark.parametrize(("images", "batch_size"), [(64, 16), (60, 16), (7, 5), (5, 5), (1, 1)])
def test_every_epoch_is_a_permutation_though_batches_cross_its_end(
    images: int, batch_size: int
) -> None:
    steps = -(-4 * images // batch_size)
    numbers = taken(Epochs(3, images, batch_size, CPU), range(steps))[: 4 * images]
    orders = numbers.view(4, images)
    assert torch.equal(orders.sort(dim=1).values, torch.arange(images).expand(4, -1))
    if images > 16:
        assert len(torch.unique(orders, dim=0)) == 4


def test_an_epoch_is_reached_from_anywhere_with_the_same_order() -> None:
    through = taken(Epochs(3, 60, 16, CPU), range(40))
    for start in (1, 17, 39):
        resumed = taken(Epochs(3, 60, 16, CPU), range(start, 40))
        assert torch.equal(resumed, through[start * 16 :])
    assert not torch.equal(taken(Epochs(4, 60, 16, CPU), range(40)), through)


@pytest.mark.parametrize(("images", "batch_size"), [(64, 16), (60, 16), (7, 5), (5, 5), (1, 1)])
def test_numbers_of_several_steps_are_those_of_each(images: int, batch_size: int) -> None:
    one_by_one = taken(Epochs(3, images, batch_size, CPU), range(48)).view(48, batch_size)
    for steps in (1, 5, 24, 48):  # up to many epochs, and back
        epochs = Epochs(3, images, batch_size, CPU)
        for first in (*range(0, 48, steps), 0):
            numbers = epochs.numbers(first, min(steps, 48 - first))
            assert torch.equal(numbers, one_by_one[first : first + steps].flatten())


def test_every_order_of_an_epoch_is_as_likely() -> None:
    orders = torch.stack([taken(Epochs(seed, 3, 3, CPU), range(1)) for seed in range(3000)])
    _, counts = torch.unique(orders, dim=0, return_counts=True)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3 and len(counts) == 6


def test_numbered_images_are_cells_in_row_major_order_with_the_draw_fastest() -> None:
    positions = [torch.arange(size) for size in (2, 3, 4)]
    factors, draws = images_of(torch.arange(2 * 3 * 4 * 5), positions, 5)
    expected = np.stack(np.unravel_index(np.arange(120), (2, 3, 4, 5)), axis=1)
    np.testing.assert_array_equal(torch.cat([factors, draws[:, None]], dim=1), expected)
    factors, draws = images_of(torch.arange(7), [], 7)
    assert factors.shape == (7, 0) and draws.tolist() == list(range(7))


def test_the_first_of_a_pair_may_be_given() -> None:
    sizes = torch.tensor([8] * 6)
    given = torch.zeros(16, 6, dtype=torch.int64)
    framework = parts.AdaMLVAE(k_rule="fixed", k=2)
    first, second = pairs(2, 9, 16, sizes, framework, given)
    assert torch.equal(first, given) and ((second != 0).sum(dim=1) == 2).all()
