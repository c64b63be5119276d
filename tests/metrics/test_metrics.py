"""What holds for every metric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metrics
from metrics import BY_NAME_ONLY, METRICS
from metrics.table import CodeTable

GRIDS = {
    "dsprites": (3, 6, 40, 32, 32),
    "shapes3d": (10, 10, 10, 8, 4, 15),
    "xysquares": (8,) * 6,
    "cars3d": (4, 24, 183),
}


# What takes minutes is tested in files of its own.
TESTED = [name for name in METRICS if name not in BY_NAME_ONLY]
# The dear ones, whose full sizes are for the tests of their own files.
FAST_ONLY = {"dci"}


def factor_codes(sizes: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """float32 [N, F]: the perfect representation, each factor by a latent from 0 to 1."""
    positions = np.indices(sizes, dtype=np.float32).reshape(len(sizes), -1).T
    return np.ascontiguousarray(positions / (np.array(sizes, np.float32) - 1))


def mixed_codes(sizes: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float32]:
    """float32 [N, F]: factors mixed by a matrix near the identity, so that scores are middling."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(len(sizes)) + 0.4 * rng.standard_normal((len(sizes), len(sizes)))
    return (factor_codes(sizes) @ mixing).astype(np.float32)


def value(name: str, codes: npt.NDArray[Any], sizes: tuple[int, ...], seed: int = 0) -> float:
    """The metric's own score, at full size if that is cheap."""
    table = CodeTable.checked(codes, sizes)
    size = "fast" if name in FAST_ONLY else "full"
    return metrics.score(name, table, size=size, seed=seed)[METRICS[name].scores[0]]


# disentanglement_lib 86a644d, mig_test.py and factor_vae_test.py: factors >= .9, zeros <= .2, and
# for MIG duplicated codes <= .1. For codes that tell nothing the FactorVAE score is a guess, 1/F.


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("grid", ["shapes3d", "xysquares"])
def test_the_factors_themselves_score_high(name: str, grid: str) -> None:
    assert value(name, factor_codes(GRIDS[grid]), GRIDS[grid]) > 0.99


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("grid", GRIDS)
def test_zeros_score_zero(name: str, grid: str) -> None:
    codes = np.zeros((math.prod(GRIDS[grid]), 4), np.float32)
    assert value(name, codes, GRIDS[grid]) == 0.0


@pytest.mark.parametrize(("name", "guess"), [("mig", 0.0), ("factor_vae", 1 / 6)])
def test_noise_scores_as_a_guess_does(name: str, guess: float) -> None:
    codes = np.random.default_rng(1).standard_normal((8**6, 6), dtype=np.float32)
    assert value(name, codes, GRIDS["xysquares"]) == pytest.approx(guess, abs=0.03)


@pytest.mark.parametrize(("name", "expected"), [("mig", 0.0), ("factor_vae", 1.0)])
def test_duplicated_latents(name: str, expected: float) -> None:
    # No gap is left between two equal latents; the FactorVAE score asks for no such thing.
    codes = np.tile(factor_codes((5, 6, 7)), (1, 2))
    assert value(name, codes, (5, 6, 7)) == expected


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, "fast") for name in TESTED]
    + [(name, "full") for name in TESTED if name not in FAST_ONLY],
)
@pytest.mark.parametrize("grid", GRIDS)
def test_scores_are_those_promised_on_the_grids_of_the_studies(
    name: str, size: str, grid: str
) -> None:
    table = CodeTable.checked(mixed_codes(GRIDS[grid]), GRIDS[grid])
    scores = metrics.score(name, table, size=size, seed=0)
    assert tuple(scores) == METRICS[name].scores
    low, high = METRICS[name].value_range
    assert low < scores[METRICS[name].scores[0]] <= high


@pytest.mark.parametrize("name", TESTED)
def test_the_same_seed_gives_the_same_value_and_another_one_nearly_so(name: str) -> None:
    codes, sizes = mixed_codes((8, 8, 8, 8)), (8, 8, 8, 8)
    values = [value(name, codes, sizes, seed) for seed in (0, 0, 1, 2, 3)]
    assert values[0] == values[1]
    assert len(set(values)) == 4
    assert np.ptp(values) < 0.05


@pytest.mark.parametrize("name", TESTED)
def test_permuting_the_latents_changes_nothing(name: str) -> None:
    codes, sizes = mixed_codes((5, 6, 7)), (5, 6, 7)
    expected = pytest.approx(value(name, codes, sizes), rel=1e-12)  # but for the order of a sum
    for order in ([1, 2, 0], [2, 1, 0]):
        assert value(name, codes[:, order], sizes) == expected


@pytest.mark.parametrize("name", TESTED)
def test_flipping_the_signs_of_latents_changes_nothing(name: str) -> None:
    # For MIG this holds as long as no code lies on the edge between two bins, which belongs to one
    # of them: noise keeps codes off the edges. What remains is the order of a sum; for DCI also
    # that of two splits by the same latent which are equally good, the first one is taken.
    rng = np.random.default_rng(0)
    sizes = (5, 6, 7)
    codes = mixed_codes(sizes) + 0.01 * rng.standard_normal((5 * 6 * 7, 3), dtype=np.float32)
    flipped = codes * np.array([-1, 1, -1], np.float32)
    expected = pytest.approx(value(name, codes, sizes), rel={"dci": 1e-3}.get(name, 1e-12))
    assert value(name, flipped, sizes) == expected


@pytest.mark.parametrize("name", TESTED)
def test_a_factor_with_one_position_changes_nothing(name: str) -> None:
    # dSprites is published with a colour that has one value.
    codes = mixed_codes((5, 6, 7))
    assert value(name, codes, (1, 5, 6, 1, 7)) == value(name, codes, (5, 6, 7))


@pytest.mark.parametrize("name", TESTED)
def test_all_replicates_are_scored(name: str) -> None:
    sizes = (8, 8, 8)
    perfect = factor_codes(sizes)
    noise = np.random.default_rng(0).standard_normal((2, 8**3, 3), dtype=np.float32)
    assert value(name, np.stack([perfect] * 3), sizes) > 0.99
    for place in range(3):
        assert value(name, np.insert(noise, place, perfect, axis=0), sizes) < 0.9


@pytest.mark.parametrize("name", TESTED)
def test_the_extremes_of_float32_are_scored(name: str) -> None:
    largest = float(np.finfo(np.float32).max)
    codes = (2 * factor_codes((4, 5)) - 1) * np.float32(largest)
    constant = np.full((20, 1), largest, np.float32)
    assert value(name, np.hstack([codes, constant]), (4, 5)) > 0.99
    # Neighbouring numbers: fewer than 20 floats lie between the smallest code and the largest.
    tight = np.nextafter(np.float32(1e30), np.float32(2e30)) * (np.arange(20) % 2) + 1e30
    assert math.isfinite(value(name, tight[:, None], (4, 5)))


@st.composite
def tables(draw: st.DrawFn) -> CodeTable:
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4).filter(lambda s: max(s) > 1))
    shape = (draw(st.integers(1, 3)), math.prod(sizes), draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    codes = rng.standard_normal(shape) * 10.0 ** draw(st.integers(-6, 6))
    decimals = draw(st.integers(-2, 8))  # coarse rounding makes ties and constant codes
    return CodeTable.checked(np.round(codes, decimals), sizes)


@pytest.mark.parametrize("name", TESTED)
@settings(max_examples=60, deadline=None)
@given(table=tables(), seed=st.integers(0, 2**64))
def test_scores_stay_in_their_ranges(name: str, table: CodeTable, seed: int) -> None:
    scores = metrics.score(name, table, size="fast", seed=seed)
    assert all(type(score) is float and math.isfinite(score) for score in scores.values())
    low, high = METRICS[name].value_range
    assert low <= scores[METRICS[name].scores[0]] <= high


def test_sizes_are_those_of_the_papers_and_of_disent() -> None:
    assert {name: metric.sizes for name, metric in METRICS.items()} == {
        "mig": {"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        "factor_vae": {
            "fast": {"variance_images": 1_000, "train_votes": 700, "eval_votes": 350},
            "full": {"variance_images": 10_000, "train_votes": 10_000, "eval_votes": 5_000},
        },
    } | dict.fromkeys(
        ("dci", "dci_sklearn"),
        {
            "fast": {"train_samples": 1_000, "test_samples": 500},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
    )


def test_unknown_names_are_refused_with_the_valid_ones() -> None:
    table = CodeTable.checked(factor_codes((2, 3)), (2, 3))
    with pytest.raises(ValueError, match="metric 'mgi': valid: mig, factor_vae"):
        metrics.score("mgi", table, size="full", seed=0)
    with pytest.raises(ValueError, match="size 'half' of mig: valid: fast, full"):
        metrics.score("mig", table, size="half", seed=0)
