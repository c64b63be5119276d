"""What the loss terms in the tables are, by name: their meaning and unit."""

from __future__ import annotations

from collections.abc import Mapping

TERMS: Mapping[str, str] = {
    "loss": (
        "what is minimised: means over pixels and latents where beta_convention is mean, and of "
        "the autoencoder and the baselines; else sums"
    ),
    "reconstruction_per_image": "the reconstruction loss, summed over an image",
    "kl_nats": "KL of the posterior from the prior, summed over latents",
    "capacity_nats": "the capacity of the step; of capacity_vae the mean over latents",
    "total_correlation_nats": (
        "the estimate, without its weight; of weighted beta_tc_vae it has the constant "
        "(Z - 1) ln(images of the dataset), so much even of a collapsed code"
    ),
    "discriminator_loss": "cross-entropy of the discriminator, nats",
    "discriminator_accuracy": "share of codes that the discriminator tells from permuted ones",
    "dip_regularizer": "both of its terms, with their weights lambda_od and lambda_d",
    "shared_latents": "latents whose posteriors are averaged, a pair",
    "frozen_latents": "latents that are frozen at their capacity",
    "explained_variance_ratio": "share of the variance of the fitted images in the components",
    "fit_iterations": "iterations of the fit; it has not converged if all allowed were used",
    "sigma": "standard deviation of a pixel, of the reconstruction",
}
"""Each is the mean over the steps since the report before; those of a fit are of the fit."""
