from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

from grids import parts
from grids.trial import Trial
from trainers import make_dataset, make_model
from trainers.baselines import fit_images, ica, pca
from trainers.fit import Training

MakeTrial = Callable[..., Trial]
Floats = npt.NDArray[np.float32]


def mixed(sources_BZ: npt.NDArray[np.float64], elements: int) -> Floats:
    """Sources seen through a random mixture into so many elements, and shifted."""
    generator = np.random.default_rng(1)
    mixing = generator.normal(size=(sources_BZ.shape[1], elements))
    return (sources_BZ @ mixing + generator.normal(size=elements)).astype(np.float32)


@pytest.fixture
def images() -> Floats:
    scales = np.array([5.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    return mixed(np.random.default_rng(0).normal(size=(300, 6)) * scales, 40)


@pytest.mark.parametrize("whiten", [True, False])
def test_pca_is_the_eigenvectors_of_the_covariance(
    trial_of: MakeTrial, images: Floats, whiten: bool
) -> None:
    fitted = pca(images, trial_of("pca", framework=parts.PCA(whiten=whiten)))
    centred = images.astype(np.float64) - images.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(images) - 1))
    values, vectors = values[::-1][:3], vectors[:, ::-1][:, :3]
    expected = centred @ vectors / (np.sqrt(values) if whiten else 1)
    codes = (images - fitted.mean_N) @ fitted.encoder_ZN.T
    signs = np.sign((codes * expected).sum(axis=0))
    np.testing.assert_allclose(codes * signs, expected, atol=2e-3 * np.abs(expected).max())
    variance = centred.var(axis=0, ddof=1).sum()
    assert fitted.own["explained_variance_ratio"] == pytest.approx(values.sum() / variance, 1e-4)
    projected = centred @ vectors @ vectors.T + images.mean(axis=0)
    np.testing.assert_allclose(codes @ fitted.decoder_NZ.T + fitted.mean_N, projected, atol=1e-2)


def test_whitened_codes_have_variance_one_and_no_covariance(
    trial_of: MakeTrial, images: Floats
) -> None:
    fitted = pca(images, trial_of("pca"))
    codes = (images - fitted.mean_N) @ fitted.encoder_ZN.T
    np.testing.assert_allclose(np.cov(codes, rowvar=False), np.eye(3), atol=1e-3)


def test_ica_finds_independent_sources_that_pca_does_not(trial_of: MakeTrial) -> None:
    sources = np.random.default_rng(0).uniform(-1, 1, size=(4000, 3))
    # Two directions of the mixture are nearly one, so that components are sums and differences.
    seen = mixed(sources @ np.array([[1, 1, 0], [1, 1.2, 0], [0, 0, 1]]), 20)
    trial = trial_of("ica", batch_size=4000)

    def matched(codes: Floats) -> float:
        """The mean over sources of the largest correlation with a code."""
        correlation = np.corrcoef(sources, codes, rowvar=False)[:3, 3:]
        return float(np.abs(correlation).max(axis=1).mean())

    fitted = ica(seen, trial)
    components = pca(seen, trial_of("pca", batch_size=4000))
    assert matched((seen - fitted.mean_N) @ fitted.encoder_ZN.T) > 0.99
    assert matched((seen - components.mean_N) @ components.encoder_ZN.T) < 0.95
    assert 1 <= fitted.own["fit_iterations"] < 400


def test_ica_that_does_not_converge_says_so_by_its_iterations(trial_of: MakeTrial) -> None:
    seen = mixed(np.random.default_rng(0).uniform(-1, 1, size=(500, 3)), 20)
    framework = parts.ICA(largest_iterations=2, tolerance=1e-12)
    assert ica(seen, trial_of("ica", framework=framework)).own["fit_iterations"] == 2


def test_ica_takes_images_whose_first_pixels_are_always_black(
    trial_of: MakeTrial, images: Floats
) -> None:
    plain = ica(images, trial_of("ica"))
    framed = ica(np.pad(images, ((0, 0), (5, 2))), trial_of("ica"))
    np.testing.assert_allclose(framed.encoder_ZN[:, 5:-2], plain.encoder_ZN, atol=1e-6)
    np.testing.assert_allclose(framed.decoder_NZ[5:-2], plain.decoder_NZ, rtol=1e-4)
    assert not framed.encoder_ZN[:, :5].any() and not framed.decoder_NZ[:5].any()
    np.testing.assert_allclose(framed.mean_N[5:-2], plain.mean_N, rtol=1e-6)


def test_ica_of_images_of_too_low_a_rank_says_how_many_latents_it_has(trial_of: MakeTrial) -> None:
    rng = np.random.default_rng(0)
    images = (rng.laplace(size=(200, 3)) @ rng.normal(size=(3, 50))).astype(np.float32)
    with pytest.raises(ValueError, match="200 images that vary in 3 directions .* at most 3"):
        ica(images, trial_of("ica", latents=4))
    fitted = ica(images, trial_of("ica", latents=3))
    codes = (images - fitted.mean_N) @ fitted.encoder_ZN.T
    back = codes @ fitted.decoder_NZ.T + fitted.mean_N
    np.testing.assert_allclose(back, images, atol=1e-3)


def test_ica_has_the_whitening_of_its_name(trial_of: MakeTrial, images: Floats) -> None:
    """Of unit variance the codes are; of arbitrary variance the unmixing is orthogonal (1 / B)."""
    spread = {}
    for whitening in ("unit_variance", "arbitrary_variance"):
        framework = parts.ICA(whitening=whitening)  # type: ignore[arg-type]
        fitted = ica(images, trial_of("ica", framework=framework))
        codes = (images - fitted.mean_N).astype(np.float64) @ fitted.encoder_ZN.T
        spread[whitening] = codes.std(axis=0)
    np.testing.assert_allclose(spread["unit_variance"], 1, rtol=1e-4)
    np.testing.assert_allclose(spread["arbitrary_variance"], 1 / np.sqrt(len(images)), rtol=1e-4)


@pytest.mark.parametrize("change", [{"algorithm": "deflation"}, {"contrast": "cube"}])
def test_ica_takes_its_algorithm_and_contrast(
    trial_of: MakeTrial, images: Floats, change: dict[str, str]
) -> None:
    fits = [
        ica(images, trial_of("ica", framework=parts.ICA(**options)))  # type: ignore[arg-type]
        for options in ({}, change)
    ]
    assert not np.allclose(fits[0].encoder_ZN, fits[1].encoder_ZN)


@pytest.mark.parametrize("name", ["pca", "ica"])
def test_a_fit_has_the_same_bits_whatever_the_threads_of_the_process(
    trial_of: MakeTrial, name: str
) -> None:
    from threadpoolctl import threadpool_limits

    trial = trial_of(name, dataset=parts.XYSquares(spacing=4), batch_size=300, latents=10)
    weights = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            training = Training(trial, make_dataset(trial.dataset), "cpu")
            training.advance(1)
        weights.append(training.model.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_ica_starts_where_its_seed_says(trial_of: MakeTrial, images: Floats) -> None:
    framework = parts.ICA(largest_iterations=1)
    fits = [ica(images, trial_of("ica", framework=framework, seed=seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(fits[0].encoder_ZN, fits[1].encoder_ZN)
    assert not np.allclose(fits[0].encoder_ZN, fits[2].encoder_ZN)


@pytest.mark.parametrize("name", ["pca", "ica"])
def test_the_fit_is_the_weights_of_the_linear_network(trial_of: MakeTrial, name: str) -> None:
    trial = trial_of(name, dataset=parts.XYSquares(grid_size=2, rgb=False))
    images = torch.rand(50, 1, 64, 64)
    fitted = {"pca": pca, "ica": ica}[name](fit_images(images), trial)
    model = make_model(trial, device="cpu")
    model.load_state_dict(fitted.state_dict())
    with torch.no_grad():
        codes = model.code(images)
        decoded = model.decode(codes)
    flat = images.flatten(1).numpy()
    expected = (flat - fitted.mean_N) @ fitted.encoder_ZN.T
    np.testing.assert_allclose(codes, expected, atol=2e-3)
    np.testing.assert_allclose(
        decoded.flatten(1), expected @ fitted.decoder_NZ.T + fitted.mean_N, atol=2e-3
    )
