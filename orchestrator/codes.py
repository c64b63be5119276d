"""What a trial leaves for its scores: codes and terms, the arrays of one .npz file.

It has what the metrics that are due take: `codes` and `factor_sizes` of a factor grid, or
`votes`, `labels` and `codes` of images of all kinds, with log-variances; `evidence_*` of the
evidence; `inception_*`, moments of the features of real and of made images. During training the
codes may be those of the `encoded_rows` alone, out of a grid of so many `replicates`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from grids.data_folder import DataFolder
from grids.datasets import Song
from grids.metrics import EVIDENCE, INCEPTION, TABLE, VOTES, offered
from grids.metrics import METRICS as TAKEN
from grids.settings import Evaluate
from grids.trial import Trial
from metrics import METRICS
from metrics.latents import codes_along, variance_ratios
from metrics.rows import rows_drawn
from metrics.table import CodeTable, Integers
from metrics.votes import Votes
from trainers.datasets.dataset import Dataset
from trainers.datasets.votes import read_votes
from trainers.encode import encode, encode_sample, encode_votes
from trainers.evaluation import evaluate
from trainers.fid import moments, prior_samples, real_bytes, reconstructions
from trainers.inception import WEIGHTS, read_inception
from trainers.models.vae import VAE

GLOBAL_IMAGES = 10_000
"""Whose codes say how much a latent varies over a dataset of votes (Song 2018's code)."""

SPARSE_SHARE = 0.5
"""Of the rows of a factor grid: where metrics draw fewer, no others are encoded for them."""

Arrays = dict[str, npt.NDArray[Any]]


def shapes_for(trial: Trial, metrics: Iterable[str]) -> set[str]:
    """What has to be written of a trial for these metrics."""
    there = set(offered(trial.dataset))
    return {shape for metric in metrics for shape in TAKEN[metric] if shape in there}


def rows_to_encode(
    trial: Trial, sizes: tuple[int, ...], draws: int, metrics: Iterable[str], evaluate: Evaluate
) -> Integers | None:
    """The rows of a factor grid of these sizes, with so many draws of each cell, that these metrics
    draw during training, or None for all."""
    names = [metric for metric in metrics if TABLE in TAKEN[metric]]
    if not names or evaluate.keep_codes or TABLE not in offered(trial.dataset):
        return None
    rows = rows_drawn(
        names,
        sizes,
        replicates=draws,
        latents=trial.latents,
        size=evaluate.during,
        seed=evaluate.seed,
        representations=evaluate.representations,
    )
    num_rows = draws * math.prod(sizes)
    return None if rows is None or len(rows) >= SPARSE_SHARE * num_rows else rows


def codes_of(
    model: VAE,
    trial: Trial,
    dataset: Dataset,
    metrics: Iterable[str],
    *,
    size: str,
    data: DataFolder,
    device: torch.device,
    rows: Integers | None = None,
) -> Arrays:
    """The arrays of a trained model that these metrics take, at a size (fast, full).

    Of the factor grid only `rows`, ascending, where they are given.
    """
    metrics = list(metrics)
    shapes = shapes_for(trial, metrics)
    posterior = trial.framework.posterior
    arrays: Arrays = {}
    if TABLE in shapes:
        table = encode(model, dataset, device=device, posterior=posterior, rows=rows)
        sizes = [len(positions) for positions in dataset.evaluation_grid]
        arrays |= {"codes": table.mean, "factor_sizes": np.array(sizes, dtype=np.int64)}
        if table.logvar is not None:
            arrays["logvar"] = table.logvar
        if rows is not None:
            replicates = np.array(dataset.evaluation_draws, dtype=np.int64)
            arrays |= {"encoded_rows": rows, "replicates": replicates}
    if VOTES in shapes:
        assert isinstance(trial.dataset, Song)
        votes = read_votes(trial.dataset, data)
        encoded = encode_votes(model, dataset, votes.images, device=device, posterior=posterior)
        sample = encode_sample(
            model, dataset, images=GLOBAL_IMAGES, device=device, posterior=posterior
        )
        arrays |= {
            "votes": encoded.mean,
            "labels": votes.factors.numpy(),
            "codes": sample.mean[0],
        }
        if encoded.logvar is not None and sample.logvar is not None:
            arrays |= {"votes_logvar": encoded.logvar, "codes_logvar": sample.logvar[0]}
    if EVIDENCE in shapes:
        images = METRICS["elbo"].sizes[size]["images"]  # the same for all of them
        found = evaluate(model, dataset, trial, images=images, device=device)
        arrays |= {
            "evidence_images": np.array(found.images),
            "evidence_reconstruction_per_image": np.array(found.reconstruction_per_image),
        }
        if found.kl_nats_by_latent is not None:
            arrays["evidence_kl_nats_by_latent"] = np.array(found.kl_nats_by_latent)
    if INCEPTION in shapes:
        images = METRICS["fid_sample"].sizes[size]["images"]
        arrays |= _moments(model, trial, dataset, metrics, images, weights_of(data), device)
    return arrays


def weights_of(data: DataFolder) -> Path:
    """Where the weights of the Inception network lie."""
    return data.root / "inception" / WEIGHTS


def _moments(
    model: VAE,
    trial: Trial,
    dataset: Dataset,
    metrics: Iterable[str],
    images: int,
    weights: Path,
    device: torch.device,
) -> Arrays:
    network = read_inception(weights, device)
    made = {"real": real_bytes(dataset, images, device)}
    if "fid_reconstruction" in metrics:
        made["reconstructed"] = reconstructions(model, dataset, trial, images, device)
    if "fid_sample" in metrics:
        made["sampled"] = prior_samples(model, dataset, trial, images, device)
    arrays: Arrays = {}
    for kind, batches in made.items():
        found = moments(network, batches)
        arrays[f"inception_{kind}_images"] = np.array(found.n)
        arrays[f"inception_{kind}_mean"] = found.mean
        arrays[f"inception_{kind}_covariance"] = found.covariance
    return arrays


def latents_of(trial: Trial, arrays: Arrays) -> Arrays:
    """What pictures of the latents are drawn from, of a trial's arrays as `codes_of` gives them.

    `variance_ratios` [F, Z]; `codes_along_<factor>` [positions, Z] where there is a factor grid.
    Nothing of codes that no metric can be scored on either.
    """
    dataset = trial.dataset
    try:
        if "votes" in arrays:
            assert isinstance(dataset, Song)
            votes = Votes(arrays["votes"], arrays["labels"], dataset.complexity, arrays["codes"])
            return {"variance_ratios": variance_ratios(votes)}
        if "factor_sizes" in arrays:
            table = CodeTable(arrays["codes"], tuple(arrays["factor_sizes"].tolist()))
            along = zip(dataset.factor_names, codes_along(table), strict=True)
            return {
                "variance_ratios": variance_ratios(table),
                **{f"codes_along_{name}": codes for name, codes in along},
            }
    except ValueError:
        pass  # the scores' tasks say what is wrong with these codes
    return {}


def fixed_codes(model: VAE, trial: Trial, dataset: Dataset, device: torch.device) -> Arrays:
    """Codes [P, Z] of images that are the same for all trials, and the mean KL of each latent."""
    images = METRICS["udr"].sizes["full"]["images"]
    found = encode_sample(model, dataset, images=images, device=device)
    assert found.logvar is not None, "grids refuse metrics of a posterior where there is none"
    mean, logvar = found.mean[0].astype(np.float64), found.logvar[0].astype(np.float64)
    kl = 0.5 * (mean**2 + np.exp(logvar) - logvar - 1).mean(axis=0)
    return {"codes": found.mean[0], "kl_nats": kl}
