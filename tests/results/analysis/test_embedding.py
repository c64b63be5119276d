from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from results.analysis.embedding import embedded, extent

LINE, PLANE = np.linspace(-1, 1, 9), np.eye(6)[:2]
CODES = {"x": 3 * LINE[:, None] * PLANE[0], "y": LINE[:5, None] * PLANE[1]}


def test_factors_that_are_latents_come_out_as_the_axes() -> None:
    places, share = embedded(CODES)
    assert share == pytest.approx(1)
    x, y = (places[places["factor"] == factor] for factor in CODES)
    assert np.ptp(x["first"]) == pytest.approx(6) and np.ptp(x["second"]) == pytest.approx(0)
    assert np.ptp(y["second"]) == pytest.approx(1) and np.ptp(y["first"]) == pytest.approx(0)
    assert x["position"].tolist() == list(range(9))


def test_the_share_and_the_distances_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    codes = {"a": rng.normal(size=(7, 5)), "b": rng.normal(size=(4, 5))}
    places, share = embedded(codes)
    pca = PCA(2).fit(np.concatenate(list(codes.values())))
    assert share == pytest.approx(pca.explained_variance_ratio_.sum())
    theirs = np.abs(pca.transform(np.concatenate(list(codes.values()))))
    assert np.abs(places[["first", "second"]].to_numpy()) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_loading_of_a_component_is_positive(seed: int) -> None:
    codes = {"a": np.random.default_rng(seed).normal(size=(9, 4))}
    places, _ = embedded(codes)
    loadings = places[["first", "second"]].to_numpy().T @ codes["a"]
    assert (loadings[[0, 1], np.abs(loadings).argmax(axis=1)] > 0).all()


def test_one_latent_has_no_second_component() -> None:
    places, share = embedded({"x": LINE[:, None]})
    assert share == 1 and (places["second"] == 0).all()
    assert embedded({"x": np.zeros((3, 4))})[1] == 1


def test_the_extent_is_the_root_mean_square_distance() -> None:
    assert extent({"x": np.array([[0.0, 0.0], [0.0, 4.0]])}) == 2
    assert extent({name: 3 * codes for name, codes in CODES.items()}) == pytest.approx(
        3 * extent(CODES)
    )
