"""Modularity, explicitness and the BetaVAE score as they are defined, on tables of four grids.

    python -m tests.reference.linear > tests/reference/linear.json

takes half a minute of one core; 10,000 and 5,000 samples or points, as Locatello et al. 2019, and
scikit-learn's models with its defaults.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import warnings
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import scipy
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from tests.reference.tables import GRIDS, KINDS, Sizes, codes_of

Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.float32]
Factors = npt.NDArray[np.int64]


def draw(rng: np.random.Generator, sizes: Sizes, count: int) -> Factors:
    """int64 [F, count], the positions of factors."""
    return np.stack([rng.integers(size, size=count) for size in sizes])


def represent(codes: Codes, sizes: Sizes, factors: Factors) -> Doubles:
    return codes[np.ravel_multi_index(tuple(factors), sizes)].astype(np.float64)


def plain_modularity(codes: Codes, sizes: Sizes, *, samples: int) -> float:
    """Ridgeway and Mozer 2018, section 3, with histograms and scikit-learn's information."""
    factors = draw(np.random.default_rng(0), sizes, samples)
    scores = []
    for code in represent(codes, sizes, factors).T:
        binned = np.digitize(code, np.histogram(code, 20)[1][:-1])
        squares = np.array([mutual_info_score(factor, binned) for factor in factors]) ** 2
        largest = squares.max()
        scores.append(1 - (squares.sum() - largest) / (largest * (len(sizes) - 1)))
    return float(np.mean(scores))


def plain_explicitness(
    codes: Codes, sizes: Sizes, *, train_samples: int, test_samples: int
) -> dict[str, float]:
    """The same paper's: scikit-learn's area under the ROC curve of its logistic regression."""
    rng = np.random.default_rng(0)
    factors, unseen_factors = draw(rng, sizes, train_samples), draw(rng, sizes, test_samples)
    scaler = StandardScaler().fit(represent(codes, sizes, factors))
    train, unseen = (
        scaler.transform(represent(codes, sizes, drawn)) for drawn in (factors, unseen_factors)
    )
    areas = []
    for size, factor, unseen_factor in zip(sizes, factors, unseen_factors, strict=True):
        model = LogisticRegression().fit(train, factor)
        positions = np.eye(size)
        areas.append(
            (
                roc_auc_score(positions[unseen_factor], model.predict_proba(unseen)),
                roc_auc_score(positions[factor], model.predict_proba(train)),
            )
        )
    test, train_area = np.mean(areas, axis=0)
    return {"test": float(test), "train": float(train_area)}


def plain_beta_vae(
    codes: Codes, sizes: Sizes, *, train_points: int, eval_points: int
) -> dict[str, float]:
    """Higgins et al. 2017, section 3, a point of 64 pairs at a time."""
    rng = np.random.default_rng(0)

    def points(count: int) -> tuple[Doubles, Factors]:
        features, labels = [], []
        for _ in range(count):
            shared = rng.integers(len(sizes))
            first, second = draw(rng, sizes, 64), draw(rng, sizes, 64)
            second[shared] = first[shared]
            distances = np.abs(represent(codes, sizes, first) - represent(codes, sizes, second))
            features.append(distances.mean(axis=0))
            labels.append(shared)
        return np.array(features), np.array(labels)

    train = points(train_points)
    model = LogisticRegression().fit(*train)
    return {
        "score": float(model.score(*points(eval_points))),
        "train_score": float(model.score(*train)),
    }


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    values: dict[str, dict[str, dict[str, float]]] = {}
    for grid, sizes in GRIDS.items():
        values[grid] = {}
        for kind in KINDS:
            start = time.process_time()
            codes = codes_of(kind, sizes)
            explicitness = plain_explicitness(
                codes, sizes, train_samples=10_000, test_samples=5_000
            )
            beta_vae = plain_beta_vae(codes, sizes, train_points=10_000, eval_points=5_000)
            scores = (
                {"modularity": plain_modularity(codes, sizes, samples=10_000)}
                | {f"explicitness_{name}": score for name, score in explicitness.items()}
                | {f"beta_vae_{name}": score for name, score in beta_vae.items()}
            )
            seconds = time.process_time() - start
            print(f"{grid} {kind} {seconds:.0f} s {scores}", file=sys.stderr, flush=True)
            values[grid][kind] = {name: round(score, 4) for name, score in scores.items()}
    made_by = {
        "command": "python -m tests.reference.linear",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }
    print(json.dumps({"made_by": made_by, "values": values}, indent=1))


if __name__ == "__main__":
    main()
