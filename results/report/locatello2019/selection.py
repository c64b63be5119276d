"""Are there recipes for choosing a model without labels? (section 5.4)"""

from __future__ import annotations

import pandas as pd

from results.analysis.intervals import interval
from results.analysis.transfer import dataset_transfer
from results.published.locatello2019 import (
    SUCCESS,
    TRANSFER,
    TRANSFER_DATASETS,
    UNSUPERVISED_METRICS,
)
from results.published.locatello2019 import UNSUPERVISED as PUBLISHED
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.locatello2019.analyses import Analyses, Matrices, Matrix
from results.report.locatello2019.matrices import (
    PERCENT,
    beside,
    frames,
    heat_maps,
    table,
    with_published,
)
from results.report.locatello2019.runs import GRID_FILE, METRICS, UNSUPERVISED, Runs


def section(runs: Runs, found: Analyses) -> Section:
    blocks = _unsupervised(runs, found) + _transfer(runs, found) + _success(runs, found)
    return Section("Selection of models", blocks)


def _unsupervised(runs: Runs, found: Analyses) -> list[Block]:
    if not found.unsupervised:
        why = (
            f"It takes runs that both one of {', '.join(UNSUPERVISED)} and one of "
            f"{', '.join(METRICS)} have scored; {GRID_FILE} asks for all of them."
        )
        return [Missing("Unsupervised scores against metrics", why)]
    numbers = table(found.unsupervised, "unsupervised", "score", runs, _published)
    return [
        Drawing(
            "unsupervised_against_metrics",
            "Rank correlation of unsupervised scores with metrics over runs, times 100",
            heat_maps(frames(found.unsupervised), panel_inches=(3.7, 2.6)),
            numbers,
        ),
        Table(
            "unsupervised_against_metrics_pairs",
            "The same, with 95 % bootstrap intervals over seeds",
            with_published(numbers),
            f"{beside(runs)} Published are those of Shapes3D, under letters (A) to (F) that we "
            f"take for {', '.join(UNSUPERVISED_METRICS)}. Reconstruction is a loss. So is our "
            "negative ELBO, for the published row of the ELBO has the reconstruction's sign in all "
            "six columns: that it is of a loss, too, is our reading.",
        ),
    ]


def _published(dataset: str, unsupervised: str, score: str) -> float | None:
    of = PUBLISHED.get(dataset)
    return None if of is None else of[unsupervised][UNSUPERVISED_METRICS.index(score)]


def _transfer(runs: Runs, found: Analyses) -> list[Block]:
    means = found.means
    if means is None or len(means.datasets) < 2:
        why = f"It takes two datasets whose trials are scored; {GRID_FILE} has seven."
        return [Missing("Transfer of settings between datasets", why)]
    by_score: Matrices = {
        score: Matrix(
            means.datasets, means.datasets, dataset_transfer(means, score), len(runs.rows)
        )
        for score in means.scores
    }
    numbers = table(by_score, "from", "to", runs)
    numbers = numbers.rename(columns={"dataset": "score"}).drop(columns="runs")
    if runs.published:
        entries = zip(numbers["score"], numbers["from"], numbers["to"], strict=True)
        numbers["published"] = [_published_transfer(runs, *entry) for entry in entries]
        numbers["difference"] = numbers["value"] - numbers["published"]
    return [
        Drawing(
            "transfer_maps",
            "Rank correlation of settings between datasets, times 100",
            heat_maps(frames(by_score), panel_inches=(3.8, 3.3)),
            numbers,
            "Of the means over seeds of every method with every regularisation.",
        ),
        Table(
            "transfer",
            "The same, with 95 % bootstrap intervals over seeds",
            with_published(numbers),
            f"Published are those of DCI. {beside(runs)}",
        ),
    ]


def _published_transfer(runs: Runs, score: str, first: str, second: str) -> float:
    if score not in TRANSFER or not {first, second} <= runs.published:
        return float("nan")
    row, column = TRANSFER_DATASETS.index(first), TRANSFER_DATASETS.index(second)
    return float(TRANSFER[score][row][column])


def _success(runs: Runs, found: Analyses) -> list[Block]:
    rows = []
    whole = set(TRANSFER_DATASETS) <= runs.published
    for (metric, dataset), of in found.success.groupby(["metric", "dataset"], sort=False):
        value, low, high, seeds = interval(of["success"])
        row: dict[str, object] = {
            "metric": metric,
            "dataset": dataset,
            "value": PERCENT * value,
            "low": PERCENT * low,
            "high": PERCENT * high,
        }
        if whole:
            shown = SUCCESS.get((str(metric), str(dataset)), float("nan"))
            row |= {"published": shown, "difference": PERCENT * value - shown}
        rows.append(row | {"pairs": int(of["pairs"].max()), "seeds": seeds})
    if not rows:
        why = f"It takes settings that are scored on two seeds; {GRID_FILE} has fifty."
        return [Missing("Success of choosing by another seed, metric or dataset", why)]
    return [
        Table(
            "selection_success",
            "How often the best setting of one seed, by a metric on a dataset, beats a random run "
            "of another seed, %",
            pd.DataFrame(rows).round(1),
            "50 is chance. The run is judged by the same or another metric, on the same or another "
            "dataset. All choices and runs are counted; that a choice is by the runs of one seed "
            "is our reading, as the slides do not say. The interval is over that seed. "
            + (
                ""
                if whole
                else "Published numbers are of the paper's seven datasets, so none "
                "stands beside these."
            ),
        )
    ]
