from __future__ import annotations

import numpy as np
import pytest

from results.analysis.resampling import (
    RESAMPLES,
    Resampled,
    known_mean,
    mean_of,
    resample,
    resampled_counts,
    seeds_of,
    stacked,
)


def test_every_resample_has_as_many_runs_of_each_setting() -> None:
    settings = np.array([2, 0, 2, 0, 2, 7])
    counts = resampled_counts(settings)
    assert counts.shape == (RESAMPLES + 1, 6)
    assert (counts[0] == 1).all()
    for setting in (0, 2, 7):
        assert (counts[:, settings == setting].sum(axis=1) == (settings == setting).sum()).all()
    # Each run is drawn as often as any other of its setting: once on average.
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.1)


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    rng = np.random.default_rng(1)
    settings = np.repeat(np.arange(20), 50)
    # Settings lie far apart; a resample has all of them, so only what is within them counts.
    values = 100 * settings + rng.normal(0, 3, len(settings))
    found = resample(lambda counts: counts @ values / len(values), settings)
    value, low, high, seeds = found.interval()
    assert value == pytest.approx(values.mean())
    assert seeds == 50
    assert (high - low) / 2 == pytest.approx(1.96 * 3 / np.sqrt(len(values)), rel=0.15)
    assert low < value < high


def test_one_seed_a_setting_gives_a_value_and_no_interval() -> None:
    found = resample(lambda counts: counts @ np.array([1.0, 2.0, 3.0]) / 3, np.array([0, 1, 2]))
    assert found.interval()[:1] == (2.0,)
    assert np.isnan(found.interval().low) and found.interval().n == 1


def test_resamples_without_the_statistic_are_left_out() -> None:
    resampled = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    low, high = Resampled(np.array([2.0, np.nan]), resampled, 5).bounds()
    assert 1 <= low[0] < high[0] <= 3
    assert np.isnan(low[1]) and np.isnan(high[1])


def test_an_interval_holds_its_value() -> None:
    resampled = np.linspace(0.5, 0.6, 100)[:, None].repeat(2, axis=1)
    low, high = Resampled(np.array([0.7, 0.4]), resampled, 3).bounds()
    assert high[0] == 0.7 and low[1] == 0.4
    np.testing.assert_allclose([low[0], high[1]], [0.5025, 0.5975])


def test_seeds_are_the_median_of_the_settings() -> None:
    assert seeds_of([0, 0, 0, 1, 2, 2, 2, 2, 2]) == 3
    assert seeds_of([]) == 0


def test_means_leave_out_what_is_missing() -> None:
    np.testing.assert_equal(
        known_mean(np.array([[1.0, np.nan, 3.0], [np.nan] * 3]), 1), [2, np.nan]
    )
    a = Resampled(np.array(1.0), np.array([1.0, 2.0]), 3)
    b = Resampled(np.array(3.0), np.array([5.0, 2.0]), 2)
    none = Resampled(np.array(np.nan), np.array([np.nan, np.nan]), 1)
    mean = mean_of([a, none, b])
    assert mean is not None and mean.value == 2 and mean.resampled.tolist() == [3, 2]
    assert mean.seeds == 2
    assert mean_of([none]) is None and mean_of([]) is None


def test_stacked_statistics_are_rows() -> None:
    a = Resampled(np.array([1.0, 2.0]), np.zeros((5, 2)), 3)
    both = stacked(a, a)
    assert both.value.tolist() == [[1, 2], [1, 2]] and both.resampled.shape == (5, 2, 2)
