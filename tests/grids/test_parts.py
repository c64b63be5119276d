from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from grids.configuration import PARTS
from grids.parts import (
    DATASETS,
    FRAMEWORKS,
    METRICS,
    Adagrad,
    AdaGVAE,
    Adam,
    AdaMLVAE,
    AnnealedVAE,
    BetaTCVAE,
    CapacityVAE,
    FactorVAE,
    Gaussian,
    LinearSchedule,
    Part,
    Schedule,
    StepSchedule,
    XYObject,
    XYSquares,
)

PINNED = {
    "dsprites": {"standardise": False},
    "dsprites_rendered": {"standardise": False},
    "color_dsprites": {"sprites": "dsprites"},
    "noisy_dsprites": {"sprites": "dsprites"},
    "scream_dsprites": {"sprites": "dsprites"},
    "smallnorb": {"resize": "antialias", "standardise": False},
    "smallnorb_michlo": {"resize": "bilinear", "standardise": False},
    "cars3d": {"resize": "bilinear", "standardise": False},
    "shapes3d": {"standardise": False},
    "mpi3d_toy": {"standardise": False},
    "mpi3d_realistic": {"standardise": False},
    "mpi3d_real": {"standardise": False},
    "xysquares": {
        "spacing": 8,
        "grid_size": 8,
        "square_size": 8,
        "image_size": 64,
        "rgb": True,
        "standardise": False,
    },
    "xycolumns": {
        "spacing": 8,
        "grid_size": 8,
        "square_size": 8,
        "image_size": 64,
        "rgb": True,
        "standardise": False,
    },
    "xyobject": {
        "spacing": 2,
        "smallest": 7,
        "largest": 15,
        "size_step": 2,
        "image_size": 64,
        "palette": "rainbow",
        "intensities": 4,
        "shaded": False,
        "standardise": False,
    },
    "cifar10": {"standardise": False},
    "cifar100": {"standardise": False},
    "song1": {"images": 1_000_000, "vote_images": 400},
    "song2": {"images": 1_000_000, "vote_images": 400},
    "song3": {"images": 1_000_000, "vote_images": 400, "scale": "half"},
    "song4": {"images": 1_000_000, "vote_images": 400, "scale": "half"},
    "song5": {"images": 1_000_000, "vote_images": 400, "scale": "half"},
    "song6": {"images": 1_000_000, "vote_images": 400, "scale": "half", "colour": "hue"},
    "song7": {"images": 1_000_000, "vote_images": 400, "colour": "hue"},
    "vae": {},
    "autoencoder": {},
    "beta_vae": {},
    # disentanglement_lib's gamma and threshold; C of Burgess et al. on dSprites.
    "annealed_vae": {"gamma": 1000.0, "capacity_nats": 25.0, "anneal_steps": 100_000},
    # disentanglement_lib's discriminator and its Adam; gamma is the least of Locatello's six.
    "factor_vae": {
        "gamma": 10.0,
        "permutation": "batch",
        "layers": 6,
        "width": 1000,
        "discriminator_lr": 1e-4,
        "discriminator_beta1": 0.5,
        "discriminator_beta2": 0.9,
    },
    "beta_tc_vae": {"estimator": "weighted"},
    # Locatello's factors of the diagonal; lambda_od is among his six.
    "dip_vae_i": {"lambda_od": 10.0, "lambda_d_factor": 10.0},
    "dip_vae_ii": {"lambda_od": 10.0, "lambda_d_factor": 1.0},
    "ada_gvae": {
        "averaging": "gvae",
        "divergence": "symmetric",
        "k_rule": "orig",
        "k": None,
        "threshold_ratio": 0.5,
    },
    "ada_ml_vae": {
        "divergence": "symmetric",
        "k_rule": "orig",
        "k": None,
        "threshold_ratio": 0.5,
    },
    "capacity_vae": {
        "variant": "spread",
        "gamma": 100.0,
        "capacity_nats": 5.0,
        "smallest_capacity_nats": 0.0,
        "anneal_steps": 100_000,
        "window_steps": 1000,
        "rise_nats": 0.5,
        "settled_ratio": 0.5,
        "weight_growth": 1.1,
        "weight_limit": 10.0,
    },
    # Fil: whitening, 400 iterations; the rest are scikit-learn's defaults.
    "pca": {"whiten": True},
    "ica": {
        "whitening": "arbitrary_variance",
        "algorithm": "parallel",
        "contrast": "logcosh",
        "largest_iterations": 400,
        "tolerance": 1e-4,
    },
    "conv64": {},
    "conv64_disent": {},
    "conv_locatello": {},
    "mlp_higgins": {},
    "conv_burgess": {},
    "conv_song": {},
    "linear": {},
    "mse": {"activation": "linear"},
    "bernoulli": {},
    "gaussian": {"sigma": 1.0, "learned": False, "activation": "linear"},
    "mse_boxblur": {"radius": 31, "weight": 3969.0},
    "adam": {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-08},
    "adagrad": {"lr": 0.01, "eps": 1e-10},
}
"""Identities leave defaults out: a default that changes would give old ids a new meaning."""

PINNED_SCHEDULES = {
    "constant": {},
    "step": {"factor": 0.2, "at": 0.75},  # Fil: a fifth after three quarters
    "linear": {"start": 0.0, "end": 1.0, "steps": None},
}


def every_part() -> list[tuple[str, type[Part]]]:
    return [(name, part) for choices in PARTS.values() for name, part in choices.items()]


@pytest.mark.parametrize(("name", "part"), every_part())
def test_every_default_is_pinned(name: str, part: type[Part]) -> None:
    pinned: dict[str, Any] = PINNED_SCHEDULES if issubclass(part, Schedule) else PINNED
    assert {field.name: field.default for field in dataclasses.fields(part)} == pinned[name]


@pytest.mark.parametrize(("name", "part"), every_part())
def test_a_part_is_listed_under_its_own_name_and_is_frozen(name: str, part: type[Part]) -> None:
    assert part.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        part().name = "other"  # type: ignore[misc]


def test_metrics_are_named_once() -> None:
    assert len(set(METRICS)) == len(METRICS) > 0


# disent's XYSquares: (spacing, positions, offset) with at most 8 positions, and filling the image.
@pytest.mark.parametrize(
    ("spacing", "positions", "offset"),
    [(8, 8, 0), (7, 8, 3), (6, 8, 7), (5, 8, 10), (4, 8, 14), (3, 8, 17), (2, 8, 21), (1, 8, 24)],
)
def test_the_grid_shrinks_to_the_centre(spacing: int, positions: int, offset: int) -> None:
    dataset = XYSquares(spacing=spacing)
    assert (dataset.positions, dataset.offset) == (positions, offset)
    assert dataset.factor_sizes == (positions,) * 6


@pytest.mark.parametrize(
    ("spacing", "positions", "offset"),
    [(8, 8, 0), (7, 9, 0), (6, 10, 1), (5, 12, 0), (4, 15, 0), (3, 19, 1), (2, 29, 0), (1, 57, 0)],
)
def test_without_a_grid_size_the_grid_fills_the_image(
    spacing: int, positions: int, offset: int
) -> None:
    dataset = XYSquares(spacing=spacing, grid_size=None)
    assert (dataset.positions, dataset.offset) == (positions, offset)


def test_squares_have_six_factors_and_one_channel_a_colour() -> None:
    assert XYSquares().factor_names == ("x_R", "y_R", "x_G", "y_G", "x_B", "y_B")
    assert XYSquares().image_shape == (3, 64, 64)
    assert XYSquares(rgb=False).image_shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: XYSquares(spacing=0), "spacing is 0; valid: an integer of at least 1"),
        (
            lambda: XYSquares(grid_size=1),
            "grid_size is 1; valid: an integer of at least 2, or null",
        ),
        (
            lambda: XYSquares(spacing=57),
            "spacing is 57, which leaves one position for a square of 8 in an image of 64; "
            "valid: at most image_size - square_size, 56",
        ),
        (
            lambda: XYObject(largest=65),
            "largest is 65; valid: from smallest, 7, to image_size, 64",
        ),
        (
            lambda: AdaGVAE(k_rule="origin"),  # type: ignore[arg-type]
            "k_rule is 'origin'; did you mean orig? valid: orig, uniform, fixed",
        ),
        (
            lambda: AdaGVAE(k_rule="fixed"),
            "k is missing; valid: an integer, as k_rule is fixed",
        ),
        (lambda: AdaGVAE(k=2), "k is 2; valid: null, unless k_rule is fixed"),
        (
            lambda: AdaGVAE(threshold_ratio=1.1),
            "threshold_ratio is 1.1; valid: a number of at least 0 and at most 1",
        ),
        (
            lambda: AdaGVAE(averaging="ml_vae"),  # type: ignore[arg-type]
            "averaging is 'ml_vae'; did you mean gvae? valid: gvae, gvae_std, disent_0_5",
        ),
        (
            lambda: AdaMLVAE(k_rule="fixed"),
            "k is missing; valid: an integer, as k_rule is fixed",
        ),
        (lambda: AdaMLVAE(k=2), "k is 2; valid: null, unless k_rule is fixed"),
        (
            lambda: AnnealedVAE(anneal_steps=0),
            "anneal_steps is 0; valid: an integer of at least 1",
        ),
        (
            lambda: FactorVAE(permutation="half"),  # type: ignore[arg-type]
            "permutation is 'half'; did you mean halves? valid: batch, second_batch, halves",
        ),
        (
            lambda: FactorVAE(layers=0),
            "layers is 0; valid: an integer of at least 1 and at most 20",
        ),
        (
            lambda: FactorVAE(discriminator_beta2=1),
            "discriminator_beta2 is 1; valid: a number of at least 0 and below 1",
        ),
        (
            lambda: BetaTCVAE(estimator="mss"),  # type: ignore[arg-type]
            "estimator is 'mss'; valid: weighted, stratified",
        ),
        (
            lambda: CapacityVAE(window_steps=10),
            "window_steps is 10; valid: leave it out, as variant is spread",
        ),
        (
            lambda: CapacityVAE(weight_limit=2.0),
            "weight_limit is 2.0; valid: leave it out, as variant is spread",
        ),
        (
            lambda: CapacityVAE(variant="settle", smallest_capacity_nats=1.0),
            "smallest_capacity_nats is 1.0; valid: leave it out, as variant is settle",
        ),
        (
            lambda: CapacityVAE(capacity_nats=1, smallest_capacity_nats=2),
            "smallest_capacity_nats is 2; valid: at most capacity_nats, which is 1",
        ),
        (lambda: Gaussian(sigma=0), "sigma is 0; valid: a number above 0"),
        (lambda: StepSchedule(at=1), "at is 1; valid: a number above 0 and below 1"),
        (
            lambda: LinearSchedule(steps=0),
            "steps is 0; valid: an integer of at least 1, or null",
        ),
        (lambda: Adagrad(eps=0), "eps is 0; valid: a number above 0"),
        (lambda: Adam(lr=0), "lr is 0; valid: a number above 0"),
        (lambda: Adam(beta2=1), "beta2 is 1; valid: a number of at least 0 and below 1"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_valid(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


def test_parameters_of_the_variant_are_taken() -> None:
    assert CapacityVAE(smallest_capacity_nats=2.0).smallest_capacity_nats == 2.0
    assert CapacityVAE(variant="settle", window_steps=10, weight_limit=2.0).window_steps == 10


def test_what_each_framework_says_of_its_beta_its_rows_and_its_schedule() -> None:
    conventions = {name: framework.conventions for name, framework in FRAMEWORKS.items()}
    assert {name: found for name, found in conventions.items() if found} == {
        "beta_vae": ("mean", "sum"),
        "beta_tc_vae": ("sum",),
        "ada_gvae": ("mean", "sum"),
        "ada_ml_vae": ("mean", "sum"),
    }
    assert [name for name, f in FRAMEWORKS.items() if not f.posterior] == [
        "autoencoder",
        "pca",
        "ica",
    ]
    rows = {"batch": (1, 1), "second_batch": (2, 1), "halves": (1, 2)}
    for permutation, expected in rows.items():
        framework = FactorVAE(permutation=permutation)  # type: ignore[arg-type]
        assert (framework.drawn_per_row, framework.rows_multiple) == expected
    assert AnnealedVAE().longest_schedule == ("anneal_steps", 100_000)
    assert CapacityVAE(anneal_steps=7).longest_schedule == ("anneal_steps", 7)
    assert FactorVAE().longest_schedule is None


def test_spacing_up_to_the_last_that_leaves_two_positions() -> None:
    assert XYSquares(spacing=56).positions == 2


def test_datasets_describe_their_factors() -> None:
    for dataset in (part() for part in DATASETS.values()):
        assert len(dataset.factor_names) == len(dataset.factor_sizes)
        assert min(dataset.factor_sizes, default=2) >= 2
        assert dataset.factor_sizes or dataset.nuisances > 1
