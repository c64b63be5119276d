"""`score`, and MIG and the FactorVAE score at the sizes and on the factor grids of the studies."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import metrics
from metrics import METRICS
from metrics.table import CodeTable

NAMES = ("mig", "factor_vae")
GRIDS = {
    "dsprites": (3, 6, 40, 32, 32),
    "shapes3d": (10, 10, 10, 8, 4, 15),
    "xysquares": (8,) * 6,
    "cars3d": (4, 24, 183),
}


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
    """The metric's own score at full size."""
    table = CodeTable.checked(codes, sizes)
    return metrics.score(name, table, size="full", seed=seed)[METRICS[name].scores[0]]


# disentanglement_lib 86a644d, mig_test.py and factor_vae_test.py: factors >= .9, zeros <= .2, and
# for MIG duplicated codes <= .1. For codes that tell nothing the FactorVAE score is a guess, 1/F.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", ["shapes3d", "xysquares"])
def test_the_factors_themselves_score_high(name: str, grid: str) -> None:
    assert value(name, factor_codes(GRIDS[grid]), GRIDS[grid]) > 0.99


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", ["fast", "full"])
@pytest.mark.parametrize("grid", GRIDS)
def test_scores_are_those_promised_on_the_grids_of_the_studies(
    name: str, size: str, grid: str
) -> None:
    table = CodeTable.checked(mixed_codes(GRIDS[grid]), GRIDS[grid])
    scores = metrics.score(name, table, size=size, seed=0)
    assert tuple(scores) == METRICS[name].scores
    low, high = METRICS[name].value_range
    assert low < scores[METRICS[name].scores[0]] <= high


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_value_and_another_one_nearly_so(name: str) -> None:
    codes, sizes = mixed_codes((8, 8, 8, 8)), (8, 8, 8, 8)
    values = [value(name, codes, sizes, seed) for seed in (0, 0, 1, 2, 3)]
    assert values[0] == values[1]
    assert len(set(values)) == 4
    assert np.ptp(values) < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_all_replicates_are_scored(name: str) -> None:
    sizes = (8, 8, 8)
    perfect = factor_codes(sizes)
    noise = np.random.default_rng(0).standard_normal((2, 8**3, 3), dtype=np.float32)
    assert value(name, np.stack([perfect] * 3), sizes) > 0.99
    for place in range(3):
        assert value(name, np.insert(noise, place, perfect, axis=0), sizes) < 0.9


@pytest.mark.parametrize("name", NAMES)
def test_the_extremes_of_float32_are_scored(name: str) -> None:
    largest = float(np.finfo(np.float32).max)
    codes = (2 * factor_codes((4, 5)) - 1) * np.float32(largest)
    constant = np.full((20, 1), largest, np.float32)
    assert value(name, np.hstack([codes, constant]), (4, 5)) > 0.99
    # Neighbouring numbers: fewer than 20 floats lie between the smallest code and the largest.
    tight = np.nextafter(np.float32(1e30), np.float32(2e30)) * (np.arange(20) % 2) + 1e30
    assert math.isfinite(value(name, tight[:, None], (4, 5)))


@pytest.mark.parametrize("name", [*NAMES, "factor_vae_ucl_legacy", "distance_correlation"])
def test_the_full_sizes_need_less_memory_than_the_table(name: str) -> None:
    codes = np.random.default_rng(0).standard_normal((3, 262_144, 10), dtype=np.float32)
    table = CodeTable(codes, GRIDS["xysquares"])
    small = CodeTable.checked(factor_codes((2, 3)), (2, 3))
    metrics.score(name, small, size="fast", seed=0)  # for numba is large, too, when it is loaded
    tracemalloc.start()
    metrics.score(name, table, size="full", seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < codes.nbytes / (2 if name in NAMES else 1)


# (the names of the sizes, fast, full): domain.md 4.1, where it has them, and else as said here.
TRAIN_AND_TEST = ("train_samples", "test_samples")
VOTES = ("variance_images", "train_votes", "eval_votes"), (1_000, 700, 350), (10_000, 10_000, 5_000)
PAIRS_OF_FIL = ("train_points", "test_points"), (500, 250), (1_000, 501)  # Fil et al.; its half
EVIDENCE = ("images",), (1_000,), (10_000,)
INCEPTION = ("images",), (5_000,), (50_000,)  # CIFAR's training set; a tenth
SIZES: dict[str, tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]] = {
    "mig": (("samples",), (2_000,), (10_000,)),
    "factor_vae": VOTES,
    "factor_vae_unpruned": VOTES,
    "factor_vae_weighted": VOTES,
    "factor_vae_printed": (("variance_images", "votes"), (1_000, 700), (10_000, 10_000)),
    "factor_vae_ucl_legacy": (  # of Song's code both
        ("variance_images", "votes_a_factor", "images_a_vote"),
        (10_000, 80, 400),
        (10_000, 80, 400),
    ),
    "dci": (TRAIN_AND_TEST, (1_000, 500), (10_000, 5_000)),
    "dci_sklearn": (TRAIN_AND_TEST, (1_000, 500), (10_000, 5_000)),
    "modularity": (("samples",), (2_000,), (10_000,)),  # fast: as mig
    "explicitness": (TRAIN_AND_TEST, (2_000, 1_000), (10_000, 5_000)),  # fast: as sap
    "beta_vae": (("train_points", "eval_points"), (700, 350), (10_000, 5_000)),  # as factor_vae
    "beta_vae_fil": PAIRS_OF_FIL,
    "beta_vae_fil_without_first": PAIRS_OF_FIL,
    "downstream": (("test_samples",), (1_000,), (5_000,)),
    "sap": (TRAIN_AND_TEST, (2_000, 1_000), (10_000, 5_000)),
    "sap_continuous": (("samples",), (2_000,), (10_000,)),
    "irs": (("samples",), (2_000,), (10_000,)),  # fast: as mig
    "unsupervised": (("samples",), (2_000,), (10_000,)),
    "flatness": (("repeats",), (128,), (1_024,)),
    "distance_correlation": (("repeats", "triplets"), (128, 64), (1_024, 64)),
    "reconstruction": EVIDENCE,
    "kl": EVIDENCE,
    "elbo": EVIDENCE,
    "udr": (("images",), (1_000,), (1_000,)),
    "fid_reconstruction": INCEPTION,
    "fid_sample": INCEPTION,
}


def test_sizes_are_those_of_the_papers_and_of_disent() -> None:
    assert {name: metric.sizes for name, metric in METRICS.items()} == {
        name: {
            "fast": dict(zip(names, fast, strict=True)),
            "full": dict(zip(names, full, strict=True)),
        }
        for name, (names, fast, full) in SIZES.items()
    }


def test_unknown_names_are_refused_with_the_valid_ones() -> None:
    table = CodeTable.checked(factor_codes((2, 3)), (2, 3))
    with pytest.raises(ValueError, match="metric 'mgi': valid: mig, factor_vae"):
        metrics.score("mgi", table, size="full", seed=0)
    with pytest.raises(ValueError, match="size 'half' of mig: valid: fast, full"):
        metrics.score("mig", table, size="half", seed=0)
