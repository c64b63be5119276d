from __future__ import annotations

import numpy as np

from metrics.latents import codes_along, variance_ratios
from metrics.table import CodeTable
from metrics.votes import Votes

SIZES = (3, 4, 5)


def factors() -> np.ndarray:
    return np.indices(SIZES).reshape(len(SIZES), -1).T.astype(np.float32)


def test_a_latent_that_is_a_factor_stands_still_with_it_and_does_not_notice_the_others() -> None:
    # float32 codes of small integers are exact.
    ratios = variance_ratios(CodeTable(factors()[None], SIZES))
    np.testing.assert_allclose(ratios, 1 - np.eye(3), atol=1e-12)


def test_ratios_are_those_of_the_definition() -> None:
    codes = np.random.default_rng(0).standard_normal((2, 60, 4)).astype(np.float32)
    ratios = variance_ratios(CodeTable(codes, SIZES))
    flat = codes.reshape(-1, 4).astype(np.float64)
    positions = np.tile(factors(), (2, 1))
    for factor, size in enumerate(SIZES):
        within = [flat[positions[:, factor] == v].var(axis=0) for v in range(size)]
        np.testing.assert_allclose(ratios[factor], np.mean(within, axis=0) / flat.var(axis=0))


def test_a_dead_latent_follows_nothing() -> None:
    codes = np.concatenate([factors(), np.ones((60, 1), np.float32)], axis=1)
    ratios = variance_ratios(CodeTable(codes[None], SIZES))
    assert (ratios[:, 3] == 1).all()


def test_ratios_of_votes_are_of_the_variance_within_a_vote() -> None:
    rng = np.random.default_rng(1)
    codes = rng.standard_normal((4, 50, 2)).astype(np.float32)
    codes[:2, :, 0] = 0.25  # the votes of factor 0 hold latent 0
    all_codes = rng.standard_normal((1000, 2)).astype(np.float32)
    labels = np.array([0, 0, 1, 1])
    ratios = variance_ratios(Votes(codes, labels, 3, all_codes))
    assert ratios.shape == (3, 2) and ratios[0, 0] == 0
    expected = codes[2:].astype(np.float64).var(axis=1).mean(axis=0)
    np.testing.assert_allclose(ratios[1], expected / all_codes.astype(np.float64).var(axis=0))
    assert (ratios[2] == 1).all()  # no votes


def test_codes_along_a_factor_leave_the_others_in_the_middle() -> None:
    along = codes_along(CodeTable(factors()[None], SIZES))
    assert [codes.shape for codes in along] == [(3, 3), (4, 3), (5, 3)]
    np.testing.assert_array_equal(along[1], [[1, v, 2] for v in range(4)])
