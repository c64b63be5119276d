"""The layers that a network has, as it is built, against those of the bounds."""

from __future__ import annotations

import pytest
import torch

from benchmarks.bounds import conv64_layers, step_bounds
from benchmarks.paces import drawn, layers_of, operations_of
from grids import datasets, parts
from grids.trial import Trial
from trainers import make_model


def trial_of(rgb: bool, framework: parts.Framework, **fields: object) -> Trial:
    return Trial(
        dataset=parts.XYSquares(rgb=rgb),
        framework=framework,
        beta=1.0,
        latents=9,
        steps=10,
        batch_size=256,
        **{"model": parts.Conv64(), **fields},
    )


@pytest.mark.parametrize("rgb", [False, True])
def test_the_layers_of_a_network_are_those_of_its_table(rgb: bool) -> None:
    trial = trial_of(rgb, parts.BetaVAE())
    model = make_model(trial, device="cpu")
    image = torch.zeros(1, *trial.dataset.image_shape)
    layers = layers_of(model.encoder, image) + layers_of(model.decoder, torch.zeros(1, 9))
    assert layers == conv64_layers(3 if rgb else 1, 9)


def test_a_step_of_pairs_is_one_of_twice_the_images() -> None:
    operations = operations_of(trial_of(True, parts.AdaGVAE()))
    assert operations is not None
    sums = tuple(sum(column) for column in zip(*operations, strict=True))
    assert sums == step_bounds(3, 9, 256, pairs=True)


def test_what_adam_does_not_train_has_no_bound() -> None:
    assert operations_of(trial_of(True, parts.BetaVAE(), optimizer=parts.Adagrad())) is None


@pytest.mark.parametrize(
    "like", [datasets.DSprites(), datasets.Shapes3D(standardise=True), datasets.CIFAR10()]
)
def test_drawn_squares_have_the_shape_of_what_they_stand_for(like: parts.Dataset) -> None:
    squares = drawn(like)
    assert squares.image_shape == like.image_shape
    assert squares.standardise == like.standardise
    assert squares.factor_sizes == (8,) * 6
