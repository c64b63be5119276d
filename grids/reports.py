"""The reports that a study may have, by the name that a grid file gives."""

from __future__ import annotations

GENERIC = "generic"

REPORTS = {
    "michlo2023": "Michlo et al. 2023, Overlooked Implications of the Reconstruction Loss for VAE "
    "Disentanglement",
    "locatello2019": "Locatello et al. 2019, Challenging Common Assumptions in the Unsupervised "
    "Learning of Disentangled Representations",
    "fil2021": "Fil et al. 2021, beta-VAE Reproducibility: Challenges and Extensions",
    "song2018": "Song 2018, Comparing the VAE and the beta-VAE under various latent bottleneck "
    "dimensionalities and data complexities",
    GENERIC: "scores by swept parameter, curves, hours, failures",
}
"""A report has the figures of its paper that its studies have data for, then the generic ones."""
