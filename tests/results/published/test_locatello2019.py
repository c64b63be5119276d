"""Slips in copying would show: the numbers obey laws."""

from __future__ import annotations

import numpy as np

from results.analysis.methods import DATASETS
from results.published import locatello2019 as published


def test_a_setting_explains_at_least_what_its_method_does() -> None:
    assert set(published.EXPLAINED_BY_METHOD) == set(DATASETS)
    assert set(published.EXPLAINED_BY_SETTING) == set(DATASETS)
    for dataset, by_method in published.EXPLAINED_BY_METHOD.items():
        by_setting = published.EXPLAINED_BY_SETTING[dataset]
        assert len(by_method) == len(by_setting) == len(published.METRICS)
        assert all(b >= a for a, b in zip(by_method, by_setting, strict=True))


def test_transfer_is_symmetric() -> None:
    for rows in published.TRANSFER.values():
        matrix = np.array(rows)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert (np.diag(matrix) == 100).all() and len(matrix) == len(published.TRANSFER_DATASETS)


def test_a_row_has_a_number_a_column() -> None:
    for of in published.UNSUPERVISED.values():
        assert {len(row) for row in of.values()} == {len(published.UNSUPERVISED_METRICS)}
    for of in published.DOWNSTREAM.values():
        assert {len(row) for row in of.values()} == {len(published.TASKS)}
        assert set(of) == set(published.METRICS)


def test_there_are_36_settings() -> None:
    assert sum(len(set(values)) for values in published.STRENGTHS.values()) == 36
