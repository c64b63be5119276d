"""How long do the metrics take, next to the definitions written out plainly?

A code table of dSprites' factor grid, 737,280 x 10 float32, and full sizes. `ours` is
`metrics.score`; `plain` is the definition as one would write it, for DCI with scikit-learn's trees.
One process, one thread. Seconds are of CPU time, so that other work on the machine counts little:
the least of the repeats for ours, one run for plain. The peak is the most memory held beyond the
table, from a further run under tracemalloc. What plain draws is its own where that is allowed to
make a difference.

    python -m benchmarks.metrics [--all]

Plain DCI and plain downstream tasks take minutes each: they are run with --all only. Exits with 1
where a metric takes longer or more memory than it may, or where values differ by more. Needs
metrics, NumPy, scikit-learn, and tests/reference for what is plain there.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import numba
import numpy as np
import sklearn
from scipy.linalg import sqrtm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.preprocessing import StandardScaler, label_binarize
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from metrics import METRICS, score
from metrics.table import CodeTable, Doubles, Integers, draw_rows, factors_at, generator
from tests.reference.dci import plain_dci
from tests.reference.downstream import plain_downstream

FACTOR_SIZES = (3, 6, 40, 32, 32)
LATENTS = 10
REPEATS = 3
SUITE_S = 12.0
ALLOWED_TABLES = 4
"""How many times the memory of the code table a metric may hold besides."""


class Entry(NamedTuple):
    """Two ways to one number, and how long, in seconds, and how far apart they may be."""

    ours: Callable[[CodeTable], float]
    plain: Callable[[CodeTable], float] | None
    allowed_s: float
    allowed_difference: float = 0.0


def code_table(factor_sizes: tuple[int, ...] = FACTOR_SIZES, latents: int = LATENTS) -> CodeTable:
    """Factors mixed, each latent with a few large weights, and noise: middling scores."""
    rng = np.random.default_rng(0)
    positions = np.indices(factor_sizes, dtype=np.float32).reshape(len(factor_sizes), -1).T
    factors = positions / np.array(factor_sizes, np.float32) - np.float32(0.5)
    mixing = rng.standard_normal((len(factor_sizes), latents), dtype=np.float32)
    codes = np.asarray(factors @ (mixing * np.abs(mixing)), dtype=np.float32)
    codes += 0.3 * rng.standard_normal(codes.shape, dtype=np.float32)
    return CodeTable(codes[None], factor_sizes)


def plain_mig(table: CodeTable) -> float:
    """scikit-learn's mutual information of each latent and factor, on the same sample."""
    rows = draw_rows(table, generator(0, "mig"), METRICS["mig"].sizes["full"]["samples"])
    codes, factors = table.codes[0, rows].astype(np.float64), factors_at(table, rows)
    binned = [np.digitize(code, np.histogram(code, 20)[1][:-1]) for code in codes.T]
    gaps = []
    for factor in factors:
        informations = sorted(mutual_info_score(factor, code) for code in binned)
        gap = informations[-1] - informations[-2]
        gaps.append(gap / mutual_info_score(factor, factor))
    return float(np.mean(gaps))


def plain_factor_vae(table: CodeTable) -> float:
    """A loop over votes, with random numbers of its own."""
    images, train_votes, eval_votes = METRICS["factor_vae"].sizes["full"].values()
    rng = np.random.default_rng(0)
    codes, sizes = table.codes[0], np.array(table.factor_sizes)

    def draw(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        return rng.integers(sizes, size=(count, len(sizes)))

    sample = codes[np.ravel_multi_index(tuple(draw(images).T), table.factor_sizes)]
    variances = sample.var(axis=0, ddof=1)
    active = np.sqrt(variances) >= 0.05

    def count_votes(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        counts = np.zeros((len(sizes), active.sum()))
        for _ in range(count):
            fixed = rng.integers(len(sizes))
            factors = draw(64)
            factors[:, fixed] = factors[0, fixed]
            batch = codes[np.ravel_multi_index(tuple(factors.T), table.factor_sizes)]
            ratios = batch.var(axis=0, ddof=1)[active] / variances[active]
            counts[fixed, np.argmin(ratios)] += 1
        return counts

    classifier = count_votes(train_votes).argmax(axis=0)
    unseen = count_votes(eval_votes)
    return float(unseen[classifier, np.arange(active.sum())].sum() / eval_votes)


def sample(table: CodeTable, name: str, *sizes: str) -> list[tuple[Doubles, Integers]]:
    """Codes and factors of the rows that a metric draws with seed 0, one after the other."""
    rng = generator(0, name)
    drawn = [draw_rows(table, rng, METRICS[name].sizes["full"][size]) for size in sizes]
    return [(table.rows[rows].astype(np.float64), factors_at(table, rows)) for rows in drawn]


def informations(codes: Doubles, factors: Integers) -> Doubles:
    """scikit-learn's mutual information of each latent in 20 bins and each factor, [Z, F]."""
    binned = [np.digitize(code, np.histogram(code, 20)[1][:-1]) for code in codes.T]
    return np.array([[mutual_info_score(factor, code) for factor in factors] for code in binned])


def plain_modularity(table: CodeTable) -> float:
    [(codes, factors)] = sample(table, "modularity", "samples")
    squares = informations(codes, factors) ** 2
    largest = squares.max(axis=1)
    others = (squares.sum(axis=1) - largest) / (largest * (len(factors) - 1))
    return float(np.mean(1 - others))


def plain_explicitness(table: CodeTable) -> float:
    (codes, factors), (unseen, right) = sample(
        table, "explicitness", "train_samples", "test_samples"
    )
    scaler, areas = StandardScaler().fit(codes), []
    for factor, of_unseen in zip(factors, right, strict=True):
        model = LogisticRegression().fit(scaler.transform(codes), factor)
        told = model.predict_proba(scaler.transform(unseen))
        labels = label_binarize(of_unseen, classes=model.classes_)
        areas.append(roc_auc_score(labels, told[:, : labels.shape[1]], average="macro"))
    return float(np.mean(areas))


def plain_sap(table: CodeTable) -> float:
    (codes, factors), (unseen, right) = sample(table, "sap", "train_samples", "test_samples")
    accuracies = np.empty((codes.shape[1], len(factors)))
    for d in range(codes.shape[1]):
        for k, factor in enumerate(factors):
            model = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(
                codes[:, [d]], factor
            )
            accuracies[d, k] = np.mean(model.predict(unseen[:, [d]]) == right[k])
    second, first = np.sort(accuracies, axis=0)[-2:]
    return float(np.mean(first - second))


def plain_irs(table: CodeTable) -> float:
    [(codes, factors)] = sample(table, "irs", "samples")
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    scores = np.empty((codes.shape[1], len(factors)))
    for d, code in enumerate(codes.T):
        for k, factor in enumerate(factors):
            bins = np.digitize(factor, np.histogram(factor, 20)[1][:-1])
            left = [
                np.quantile(np.abs(code[bins == g] - code[bins == g].mean()), 0.99)
                for g in np.unique(bins)
            ]
            scores[d, k] = 1 - np.mean(left) / largest[d]
    return float(np.sum(largest * scores.max(axis=1)) / np.sum(largest))


def plain_unsupervised(table: CodeTable) -> float:
    [(codes, _)] = sample(table, "unsupervised", "samples")
    covariance = np.cov(codes.T)
    informations(codes, np.array([np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in codes.T]))
    sqrtm(np.diag(np.diag(covariance)) @ covariance)
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(0.5 * (np.log(np.diag(covariance)).sum() - log_determinant))


def plain_beta_vae(table: CodeTable) -> float:
    """A loop over points, with random numbers of its own."""
    rng, sizes = np.random.default_rng(0), np.array(table.factor_sizes)
    codes = table.codes[0]

    def points(count: int) -> tuple[Doubles, Integers]:
        fixed = rng.integers(len(sizes), size=count)
        features = np.empty((count, codes.shape[1]))
        for point, k in enumerate(fixed):
            first, second = rng.integers(sizes, size=(2, 64, len(sizes)))
            second[:, k] = first[:, k]
            a, b = (codes[np.ravel_multi_index(tuple(f.T), sizes)] for f in (first, second))
            features[point] = np.abs(a - b).mean(axis=0)
        return features, fixed

    train, evaluate = METRICS["beta_vae"].sizes["full"].values()
    model = LogisticRegression().fit(*points(train))
    features, fixed = points(evaluate)
    return float(np.mean(model.predict(features) == fixed))


def own(name: str) -> Callable[[CodeTable], float]:
    """The metric's own value at full size."""
    return lambda table: score(name, table, size="full", seed=0)[METRICS[name].scores[0]]


def plain_disentanglement(table: CodeTable) -> float:
    sizes = METRICS["dci"].sizes["full"]
    return plain_dci(table.codes[0], table.factor_sizes, **sizes)["disentanglement"]


def plain_downstream_accuracy(table: CodeTable) -> float:
    """All of them are computed; this one is compared."""
    sizes = METRICS["downstream"].sizes["full"]
    return plain_downstream(table.codes[0], table.factor_sizes, **sizes)["boosting_10000"]


# Four standard deviations of the difference of two shares of 5,000 votes, at most, are .04.
ENTRIES = {
    "mig": Entry(own("mig"), plain_mig, 0.5, 1e-9),
    "factor_vae": Entry(own("factor_vae"), plain_factor_vae, 0.5, 0.04),
    "modularity": Entry(own("modularity"), plain_modularity, 0.1, 0.01),
    "explicitness": Entry(own("explicitness"), plain_explicitness, 0.9, 0.01),
    "beta_vae": Entry(own("beta_vae"), plain_beta_vae, 0.5, 0.03),
    "sap": Entry(own("sap"), plain_sap, 0.5, 0.02),
    "irs": Entry(own("irs"), plain_irs, 0.5, 0.01),
    "unsupervised": Entry(own("unsupervised"), plain_unsupervised, 0.5, 0.01),
    **{
        name: Entry(own(name), None, 0.5)
        for name in ("factor_vae_unpruned", "factor_vae_weighted", "factor_vae_printed")
        + ("factor_vae_ucl_legacy", "sap_continuous", "flatness", "distance_correlation")
    },
    "dci": Entry(own("dci"), plain_disentanglement, 8.0, 0.03),
    # A tenth of what plain takes.
    "downstream": Entry(own("downstream"), plain_downstream_accuracy, 27.0, 0.02),
}


def timed(run: Callable[[CodeTable], float], table: CodeTable) -> tuple[float, float]:
    """(value, seconds)"""
    start = time.process_time()
    value = run(table)
    return value, time.process_time() - start


def peak_mib(run: Callable[[CodeTable], float], table: CodeTable) -> float:
    tracemalloc.start()
    run(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--all", action="store_true", help="plain DCI and downstream too: minutes")
    skipped = set() if parser.parse_args().all else {"dci", "downstream"}
    table = code_table()
    table_mib = table.codes.nbytes / 2**20
    print(
        f"{datetime.now(UTC):%Y-%m-%d} {platform.processor() or platform.machine()}, 1 thread; "
        f"{table_mib:.1f} MiB of codes"
    )
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}, "
        f"scikit-learn {sklearn.__version__}"
    )
    print(
        f"{'metric':<21} {'ours, s':>8} {'bar, s':>6} {'plain, s':>8} {'ratio':>6} "
        f"{'ours, MiB':>9} {'ours':>8} {'plain':>8}"
    )
    total, passed = 0.0, True
    for name, entry in ENTRIES.items():
        value, _ = timed(entry.ours, table)  # and compiled, where there is anything to compile
        seconds = min(timed(entry.ours, table)[1] for _ in range(REPEATS))
        peak = peak_mib(entry.ours, table)
        plain_columns = " " * 15, " " * 8
        if entry.plain is not None and name not in skipped:
            plain_value, plain_seconds = timed(entry.plain, table)
            plain_columns = (
                f"{plain_seconds:8.3f} {plain_seconds / seconds:5.0f}x",
                f"{plain_value:8.5f}",
            )
            passed &= abs(value - plain_value) <= entry.allowed_difference
        passed &= seconds <= entry.allowed_s and peak <= ALLOWED_TABLES * table_mib
        total += seconds if name != "downstream" else 0
        print(
            f"{name:<21} {seconds:8.3f} {entry.allowed_s:6.1f} {plain_columns[0]} "
            f"{peak:9.1f} {value:8.5f} {plain_columns[1]}"
        )
    passed &= total <= SUITE_S
    print(
        f"together, without downstream, {total:.2f} s of at most {SUITE_S:g} s; "
        f"all within their bars: {passed}"
    )
    return int(not passed)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
