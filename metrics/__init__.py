"""How good a representation is: pure functions of a code table, one file a metric.

NumPy, SciPy, scikit-learn and numba only. A metric draws what it needs from the table with its own
random numbers, so the same table, size and seed give the same value, whatever else is scored. To
add one: a file with a function, and an entry in METRICS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from metrics.dci import dci, dci_sklearn
from metrics.factor_vae import factor_vae
from metrics.mig import mig
from metrics.table import CodeTable


class Metric(NamedTuple):
    """A metric and what is to be known about its scores.

    function(table, *, seed, **sizes[size]) gives a finite float for each name in `scores`, of which
    the first is the metric's value, within `value_range`. `version` is raised by hand when a change
    of code changes values.
    """

    function: Callable[..., dict[str, float]]
    version: int
    sizes: Mapping[str, Mapping[str, int]]
    scores: tuple[str, ...]
    value_range: tuple[float, float]
    higher_is_better: bool
    citation: str
    summary: str


METRICS: dict[str, Metric] = {
    "mig": Metric(
        function=mig,
        version=1,
        sizes={"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        scores=("mig",),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Chen et al. 2018, equation 6; sizes of Locatello et al. 2019",
        summary="how much more one latent tells of a factor than the next one does",
    ),
    "factor_vae": Metric(
        function=factor_vae,
        version=1,
        sizes={
            "fast": {"variance_images": 1_000, "train_votes": 700, "eval_votes": 350},
            "full": {"variance_images": 10_000, "train_votes": 10_000, "eval_votes": 5_000},
        },
        scores=("factor_vae_score", "factor_vae_train_score", "factor_vae_active_latents"),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Kim and Mnih 2018, section 4; sizes of Locatello et al. 2019",
        summary="how often the latent that stands still tells which factor was held fixed",
    ),
    "dci": Metric(
        function=dci,
        version=1,
        sizes={
            "fast": {"train_samples": 1_000, "test_samples": 500},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
        scores=(
            "dci_disentanglement",
            "dci_completeness",
            "dci_informativeness_train",
            "dci_informativeness_test",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Eastwood and Williams 2018, section 2; trees and sizes of Locatello et al. 2019",
        summary="how nearly each latent serves a single factor, by the splits of boosted trees",
    ),
    "dci_sklearn": Metric(
        function=dci_sklearn,
        version=1,
        sizes={
            "fast": {"train_samples": 1_000, "test_samples": 500},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
        scores=(
            "dci_sklearn_disentanglement",
            "dci_sklearn_completeness",
            "dci_sklearn_informativeness_train",
            "dci_sklearn_informativeness_test",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Eastwood and Williams 2018, section 2; trees and sizes of Locatello et al. 2019",
        summary="dci with scikit-learn's own trees, which take minutes at full size",
    ),
}

BY_NAME_ONLY = frozenset({"dci_sklearn"})
"""Metrics that take minutes: never among those that nobody named."""


def score(name: str, table: CodeTable, *, size: str, seed: int) -> dict[str, float]:
    """The scores of one metric, all finite; ValueError for an unknown metric or size."""
    if name not in METRICS:
        raise ValueError(f"metric {name!r}: valid: {', '.join(METRICS)}")
    metric = METRICS[name]
    if size not in metric.sizes:
        raise ValueError(f"size {size!r} of {name}: valid: {', '.join(metric.sizes)}")
    values = metric.function(table, seed=seed, **metric.sizes[size])
    assert tuple(values) == metric.scores, f"{name} gave {tuple(values)}, not {metric.scores}"
    return values
