"""The metrics by name, and what each is computed from; they are in `metrics`, under these names."""

from __future__ import annotations

from collections.abc import Mapping

from grids.datasets import Images, Song

TABLE, VOTES, EVIDENCE, CELL, INCEPTION = "table", "votes", "evidence", "cell", "inception"

METRICS: Mapping[str, tuple[str, ...]] = {
    "mig": (TABLE,),
    "factor_vae": (TABLE, VOTES),
    "factor_vae_unpruned": (TABLE, VOTES),
    "factor_vae_weighted": (TABLE, VOTES),
    "factor_vae_printed": (TABLE, VOTES),
    "factor_vae_ucl_legacy": (TABLE, VOTES),
    "dci": (TABLE,),
    "dci_sklearn": (TABLE,),
    "modularity": (TABLE,),
    "explicitness": (TABLE,),
    "beta_vae": (TABLE,),
    "beta_vae_fil": (TABLE,),
    "beta_vae_fil_without_first": (TABLE,),
    "downstream": (TABLE,),
    "sap": (TABLE,),
    "sap_continuous": (TABLE,),
    "irs": (TABLE,),
    "unsupervised": (TABLE,),
    "flatness": (TABLE,),
    "distance_correlation": (TABLE,),
    "reconstruction": (EVIDENCE,),
    "kl": (EVIDENCE,),
    "elbo": (EVIDENCE,),
    "udr": (CELL,),
    "fid_reconstruction": (INCEPTION,),
    "fid_sample": (INCEPTION,),
}
"""What a metric takes: the codes of a factor grid, of labelled votes, terms of the evidence, codes
of the models of a cell (trials that differ by their seeds alone), or moments of Inception features.
"""

OF_A_POSTERIOR = ("kl", "elbo", "udr", "fid_sample")
"""Metrics of frameworks whose encoder gives one."""


def offered(dataset: Images) -> tuple[str, ...]:
    """What there is of a dataset for metrics to be computed from."""
    always = (EVIDENCE, CELL, INCEPTION)
    if dataset.factor_sizes:
        return TABLE, *always
    return (VOTES, *always) if isinstance(dataset, Song) else always


def metrics_of(dataset: Images) -> tuple[str, ...]:
    """The names of the metrics that a dataset can be scored with."""
    there = set(offered(dataset))
    return tuple(name for name, shapes in METRICS.items() if there & set(shapes))
