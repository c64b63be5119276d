"""The two experiments of Song 2018 as rows: what was to be trained, and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from grids.datasets import SONG_IMAGES, Song
from grids.load import Grid
from grids.trial import Trial
from results.analysis.beta_readings import AS_RUN, NORMALISED, PRINTED, named_beta, reading_of
from results.analysis.selection import best_scores, final_scores
from results.analysis.swept import swept_besides_seed
from results.published import song2018 as published
from results.report.studies import Studies

REPORT = "song2018"
BETA_VAE = "beta_vae"

LEGACY, KIM_MNIH = "factor_vae_ucl_legacy_score", "factor_vae_score"
WEIGHTED, MISPRINT = "factor_vae_weighted_score", "factor_vae_printed_score"
METRICS = {
    LEGACY: "score as the code has it",
    KIM_MNIH: "score of Kim and Mnih",
    WEIGHTED: "votes weighted by stillness",
    MISPRINT: "score as misprinted",
}
"""Section 3.3.2 as meant, as run and as printed (lower is better there), and section 5.2.2."""
LAST, BEST = "last", "best"
SELECTIONS = {LAST: "last epoch", BEST: "best epoch"}


PUBLISHED_FIXED = {
    "latents": published.COMPLEXITY_OF_LATENTS,
    "complexity": published.LATENTS_OF_COMPLEXITY,
}
"""What the published experiments hold fixed: the factors, or the latents."""


class Along(NamedTuple):
    """What an experiment varies."""

    axis: str
    figures: str
    grid_file: str


READINGS = {
    PRINTED: "beta weighs the sum of the KL over the latents, as in section 3.4.",
    AS_RUN: "beta times (latents / 10) (4096 / pixels) weighs the KL, as in the thesis' code.",
    NORMALISED: "beta times (10 / latents) (pixels / 4096) weighs the KL, which makes it Higgins' "
    "beta_norm.",
}
ALONG = {
    "latents": Along(
        "the number of latents",
        "figures 4.1 to 4.4",
        "grids/song2018/bottleneck.yaml or bottleneck-as-run.yaml",
    ),
    "complexity": Along(
        "the number of factors",
        "figures 4.5 to 4.8",
        "grids/song2018/complexity.yaml or complexity-as-run.yaml",
    ),
}


PLANNED = ["trial_id", "seed", "place", "method", "setting", "beta", "training"]


class Experiment(NamedTuple):
    """Trials of one study that differ in the latents, or in the factors, and in the method.

    `planned` has a row a trial: PLANNED, of which place is the latents or the factors, and beta is
    what the reading calls it. `rows` has them with selection, metric, value in per
    cent, of the trials that have a score of their last step.
    """

    study: str
    reading: str
    along: str
    fixed: int
    """The number of factors, or of latents, which does not vary."""
    published: bool
    """Whether these are the published settings, so that the published numbers are of them."""
    planned: pd.DataFrame
    rows: pd.DataFrame

    @property
    def name(self) -> str:
        return f"song_{self.along}_{self.study}_{self.fixed}"

    @property
    def held(self) -> str:
        return f"{self.fixed} {'factors' if self.along == 'latents' else 'latents'}"

    @property
    def waiting(self) -> int:
        return len(set(self.planned["trial_id"]) - set(self.rows["trial_id"]))

    def of(self, metric: str, selection: str, method: str = BETA_VAE) -> pd.DataFrame:
        rows = self.rows
        return rows[
            (rows["metric"] == metric)
            & (rows["selection"] == selection)
            & (rows["method"] == method)
        ]

    def planned_of(self, method: str = BETA_VAE) -> pd.DataFrame:
        return self.planned[self.planned["method"] == method]


def experiments_of(studies: Studies) -> list[Experiment]:
    """Of each study: over the latents of each dataset, over the datasets of each latents."""
    found = []
    for grid in studies.grids:
        if grid.report != REPORT:
            continue
        trials = _trials(grid, studies)
        scores = _scores(studies, trials)
        # Of a study of a single size of code and of a single dataset: its betas, at one place.
        single = trials["latents"].nunique() == trials["complexity"].nunique() == 1
        for along, fixed in (("latents", "complexity"), ("complexity", "latents")):
            for value, of in trials.groupby(fixed):
                if of[along].nunique() > 1 or (single and along == "complexity"):
                    planned = of.assign(place=of[along].astype(int))[PLANNED]
                    found.append(
                        Experiment(
                            grid.study,
                            str(of["reading"].iloc[0]),
                            along,
                            int(str(value)),
                            bool(of["as_published"].all() and value == PUBLISHED_FIXED[along]),
                            planned,
                            scores.merge(planned, on="trial_id"),
                        )
                    )
    return found


def no_experiment(along: str) -> Experiment:
    """For its claims, where no study has it."""
    planned = pd.DataFrame(columns=PLANNED)
    rows = planned.assign(metric=[], selection=[], value=[])
    return Experiment("no study", PRINTED, along, PUBLISHED_FIXED[along], False, planned, rows)


def trials_of(studies: Studies) -> pd.DataFrame:
    """The trials of all studies of this paper, each once."""
    found = [_trials(grid, studies) for grid in studies.grids if grid.report == REPORT]
    return pd.concat(found, ignore_index=True).drop_duplicates("trial_id", ignore_index=True)


def _trials(grid: Grid, studies: Studies) -> pd.DataFrame:
    datasets = [
        (trial.trial_id, *_dataset(trial)) for trial in grid.trials if isinstance(trial, Trial)
    ]
    of_images = pd.DataFrame(datasets, columns=["trial_id", "complexity", "pixels"])
    trials = studies.trials.merge(of_images, on="trial_id")
    reading = reading_of(trials)
    return trials.assign(
        reading=reading,
        beta=named_beta(trials, reading),
        method=trials["framework"],
        setting=_settings(trials, named_beta(trials, reading)),
        as_published=_as_published(trials, reading),
        training=_training(trials),
    )


def _dataset(trial: Trial) -> tuple[int, int]:
    """The number of factors, and of values of an image."""
    images = trial.dataset
    channels, height, width = images.image_shape
    factors = images.complexity if isinstance(images, Song) else len(images.factor_names)
    return factors, channels * height * width


def _settings(trials: pd.DataFrame, beta: pd.Series) -> pd.Series:
    """What tells trials apart, but for the seed, latents and images."""
    found: dict[object, str] = {}
    for method, of in trials.groupby("framework"):
        names = [name for name in trials.columns if name.startswith("framework.")]
        swept = swept_besides_seed(of[names], most=len(names))
        texts = [[_parameter(name, value) for value in of[name]] for name in swept]
        if of["beta_sum"].notna().all():
            texts.insert(0, [f"beta {value:.3g}" for value in beta[of.index]])
        if method != BETA_VAE:
            texts.insert(0, [str(method)] * len(of))
        joined = [", ".join(filter(None, parts)) for parts in zip(*texts, strict=True)]
        found |= dict(zip(of.index, joined, strict=True))
    return pd.Series(found, index=trials.index, dtype=object)


def _parameter(column: str, value: Any) -> str:
    """A choice speaks for itself, a number needs its name; nothing of what a variant lacks."""
    if pd.isna(value):
        return ""
    return value if isinstance(value, str) else f"{column.partition('.')[2]} {value:g}"


def _training(trials: pd.DataFrame) -> list[str]:
    """What trials of two studies have to share to compare, but for the latents and the method."""
    columns = [name for name in trials.columns if name.startswith(("dataset.", "optimizer"))]
    columns += ["dataset", "model", "reconstruction", "steps", "batch_size"]
    return [str(values) for values in trials[columns].astype(str).to_numpy().tolist()]


def _as_published(trials: pd.DataFrame, reading: str) -> pd.Series:
    """Which trials are of the published training, by either reading of its betas."""
    steps = trials["complexity"].map(published.EPOCHS) * published.STEPS_AN_EPOCH
    return (
        trials["dataset"].str.startswith("song")
        & (trials["dataset.images"] == SONG_IMAGES)
        & (trials["dataset.scale"] != "printed")
        & (trials["framework"] == BETA_VAE)
        & (trials["model"] == "conv_song")
        & (trials["reconstruction"] == "bernoulli")
        & (trials["optimizer.lr"] == 5e-4)
        & (trials["batch_size"] == 64)
        & (trials["steps"] == steps)
        & (reading in (PRINTED, AS_RUN))
    )


def _scores(studies: Studies, trials: pd.DataFrame) -> pd.DataFrame:
    """trial_id, metric, selection, value in per cent, of trials that are scored to their end."""
    scores = studies.scores
    scores = scores[
        scores["trial_id"].isin(trials["trial_id"])
        & scores["score"].isin(METRICS)
        & (scores["representation"] == "mean")
    ]
    last = final_scores(scores, trials)
    ended = last[["trial_id", "score"]]
    # The misprinted score is best at 0, so that its largest is no best epoch.
    best = best_scores(scores[scores["score"] != MISPRINT]).merge(ended, on=["trial_id", "score"])
    selected: Sequence[pd.DataFrame] = [
        rows[["trial_id", "score", "value"]].assign(selection=selection, value=100 * rows["value"])
        for selection, rows in ((LAST, last), (BEST, best))
    ]
    return pd.concat(selected, ignore_index=True).rename(columns={"score": "metric"})
