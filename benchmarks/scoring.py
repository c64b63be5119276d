"""How long does scoring take, next to the definitions written out plainly?

A code table of dSprites' factor grid, 737,280 x 10 float32. `ours` is `metrics.score`; `plain` is
the definition as one would write it: for MIG scikit-learn's `mutual_info_score` for each latent and
factor, on the same sample; for the FactorVAE score a loop over votes with random numbers of its
own. One process, one thread. Seconds are medians over the repeats; the peak is the most memory held
beyond the table, from a further run under tracemalloc.

    python -m benchmarks.scoring

Exits with 1 where the full scores take more than 2 s together, where the MIGs are not equal, or
where the FactorVAE scores differ by more than their sampling explains. Needs metrics, NumPy,
scikit-learn.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import numpy as np
import sklearn
from sklearn.metrics import mutual_info_score
from threadpoolctl import threadpool_limits

from metrics import METRICS, score
from metrics.table import CodeTable, draw_rows, factors_at, generator

FACTOR_SIZES = (3, 6, 40, 32, 32)
LATENTS = 10
REPEATS = 5
ALLOWED_SECONDS = 2.0


def code_table() -> CodeTable:
    """Factors mixed, each latent with a few large weights, and noise: middling scores."""
    rng = np.random.default_rng(0)
    positions = np.indices(FACTOR_SIZES, dtype=np.float32).reshape(len(FACTOR_SIZES), -1).T
    factors = positions / np.array(FACTOR_SIZES, np.float32) - np.float32(0.5)
    mixing = rng.standard_normal((len(FACTOR_SIZES), LATENTS), dtype=np.float32)
    codes = np.asarray(factors @ (mixing * np.abs(mixing)), dtype=np.float32)
    codes += 0.3 * rng.standard_normal(codes.shape, dtype=np.float32)
    return CodeTable(codes[None], FACTOR_SIZES)


def plain_mig(table: CodeTable, *, samples: int) -> float:
    rows = draw_rows(table, generator(0, "mig"), samples)
    codes, factors = table.codes[0, rows].astype(np.float64), factors_at(table, rows)
    binned = [np.digitize(code, np.histogram(code, 20)[1][:-1]) for code in codes.T]
    gaps = []
    for factor in factors:
        informations = sorted(mutual_info_score(factor, code) for code in binned)
        gap = informations[-1] - informations[-2]
        gaps.append(gap / mutual_info_score(factor, factor))
    return float(np.mean(gaps))


def plain_factor_vae(
    table: CodeTable, *, variance_images: int, train_votes: int, eval_votes: int
) -> float:
    rng = np.random.default_rng(0)
    codes, sizes = table.codes[0], np.array(table.factor_sizes)

    def draw(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        return rng.integers(sizes, size=(count, len(sizes)))

    sample = codes[np.ravel_multi_index(tuple(draw(variance_images).T), table.factor_sizes)]
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


def own_score(name: str, table: CodeTable, size: str) -> float:
    return score(name, table, size=size, seed=0)[METRICS[name].scores[0]]


PLAIN: dict[str, Callable[..., float]] = {"mig": plain_mig, "factor_vae": plain_factor_vae}


def measure(run: Callable[[], float], repeats: int) -> tuple[float, float, float]:
    """(value, median seconds, peak MiB)"""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return value, statistics.median(seconds), peak / 2**20


def main() -> int:
    table = code_table()
    machine = platform.processor() or platform.machine()
    print(f"{datetime.now(UTC):%Y-%m-%d} {machine}, 1 thread")
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}; {table.codes.nbytes / 2**20:.1f} MiB of codes"
    )
    print(
        f"{'metric':<10} {'size':<4} {'ours, s':>8} {'plain, s':>8} {'faster':>6} "
        f"{'ours, MiB':>9} {'plain, MiB':>10} {'ours':>8} {'plain':>8}"
    )
    total, agree = 0.0, True
    for name, metric in METRICS.items():
        for size, sizes in metric.sizes.items():
            ours = partial(own_score, name, table, size)
            plain = partial(PLAIN[name], table, **sizes)
            value, seconds, peak = measure(ours, REPEATS)
            plain_value, plain_seconds, plain_peak = measure(plain, 1)
            # Four standard deviations of the difference of two shares of so many votes, at most.
            spread = 1e-9 if name == "mig" else 4 * (0.5 / sizes["eval_votes"]) ** 0.5
            agree &= abs(value - plain_value) < spread
            total += seconds if size == "full" else 0.0
            print(
                f"{name:<10} {size:<4} {seconds:8.4f} {plain_seconds:8.4f} "
                f"{plain_seconds / seconds:5.0f}x {peak:9.1f} {plain_peak:10.1f} "
                f"{value:8.5f} {plain_value:8.5f}"
            )
    print(f"full scores together: {total:.3f} s; values agree: {agree}")
    return int(total > ALLOWED_SECONDS or not agree)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
