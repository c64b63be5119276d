"""DCI as it is defined, with scikit-learn's trees, and what it gives on tables of four grids.

    python -m tests.reference.dci > tests/reference/dci.json

takes about two hours of one core; 10,000 and 5,000 samples, as Locatello et al. 2019.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import scipy
import scipy.stats
import sklearn
from sklearn.ensemble import GradientBoostingClassifier

from tests.reference.tables import GRIDS, KINDS, Sizes, codes_of


def plain_dci(
    codes: npt.NDArray[np.float32],
    sizes: Sizes,
    *,
    train_samples: int,
    test_samples: int,
    random_state: int = 0,
) -> dict[str, float]:
    """Eastwood and Williams 2018, section 2, with a model of 100 trees of depth 3 a factor.

    By the random state scikit-learn chooses between splits that are equally good.
    """
    rng = np.random.default_rng(0)

    def draw(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        factors = np.stack([rng.integers(size, size=count) for size in sizes])
        return factors, codes[np.ravel_multi_index(tuple(factors), sizes)]

    factors, train = draw(train_samples)
    unseen_factors, unseen = draw(test_samples)
    importances, accuracies = [], []
    for factor, unseen_factor in zip(factors, unseen_factors, strict=True):
        model = GradientBoostingClassifier(random_state=random_state).fit(train, factor)
        importances.append(model.feature_importances_)
        accuracies.append((model.score(train, factor), model.score(unseen, unseen_factor)))
    matrix = np.stack(importances, axis=1)
    # scipy.stats.entropy is of columns, which it divides by their sums.
    of_latents = 1 - scipy.stats.entropy(matrix.T + 1e-11, base=matrix.shape[1])
    of_factors = 1 - scipy.stats.entropy(matrix + 1e-11, base=matrix.shape[0])
    train_accuracy, test_accuracy = np.mean(accuracies, axis=0)
    return {
        "disentanglement": float(np.sum(of_latents * matrix.sum(axis=1) / matrix.sum())),
        "completeness": float(np.sum(of_factors * matrix.sum(axis=0) / matrix.sum())),
        "informativeness_train": float(train_accuracy),
        "informativeness_test": float(test_accuracy),
    }


def main() -> None:
    values: dict[str, dict[str, dict[str, float]]] = {}
    for grid, sizes in GRIDS.items():
        values[grid] = {}
        for kind in KINDS:
            start = time.process_time()
            scores = plain_dci(
                codes_of(kind, sizes), sizes, train_samples=10_000, test_samples=5_000
            )
            seconds = time.process_time() - start
            print(f"{grid} {kind} {seconds:.0f} s {scores}", file=sys.stderr, flush=True)
            values[grid][kind] = {name: round(score, 4) for name, score in scores.items()}
    made_by = {
        "command": "python -m tests.reference.dci",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }
    print(json.dumps({"made_by": made_by, "values": values}, indent=1))


if __name__ == "__main__":
    main()
