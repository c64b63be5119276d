"""The trials of Fil et al. 2021 in groups: settings of one study on one dataset with one model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from grids.load import Grid
from results.analysis.selection import final_scores, of_means
from results.analysis.swept import swept_besides_seed
from results.report.studies import Studies

REPORT = "fil2021"
PAIRS = (16, 64, 128, 256)
CLASSIFIERS = {
    "linear": "linear (PyTorch)",
    "mlp": "MLP",
    "forest": "random forest",
    "logistic": "linear (scikit-learn)",
}
FID, SAMPLE_FID = "fid_reconstruction", "fid_sample"
LOSS = "reconstruction_loss"
"""The score `reconstruction`, which as a column would be the name of the trial's loss."""
BASELINES = {"pca": "PCA", "ica": "ICA"}
DATASETS = {
    "dsprites": "2Dshapes",
    "dsprites_rendered": "2Dshapes stand-in",
    "shapes3d": "3Dshapes",
    "mpi3d_toy": "MPI3DToy",
    "mpi3d_realistic": "MPI3D realistic",
    "mpi3d_real": "MPI3D real",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
STAND_IN = "dsprites_rendered"
SHAPES_2D = ("dsprites", STAND_IN)
MLP, CONV = "mlp_higgins", "conv_burgess"
FEWEST_EPOCHS = 10
"""None are published; the code's default. Fewer are another training."""
IMAGES = {
    "dsprites": 737_280,
    "shapes3d": 480_000,
    "mpi3d_toy": 1_036_800,
    "cifar10": 50_000,
    "cifar100": 50_000,
}


def accuracy(without_first: bool = False, *, classifier: str = "linear", pairs: int = 64) -> str:
    """The name of a score; without the first factor it is that of "4 factors" of 2Dshapes."""
    return f"beta_vae_fil{'_without_first' if without_first else ''}_{classifier}_{pairs}"


ALL_FACTORS, WITHOUT_SHAPE = accuracy(), accuracy(without_first=True)


class Group(NamedTuple):
    """Trials of one study, dataset and model; of PCA and ICA, `baseline` is true.

    `trials` has a row a trial: its parameters, `setting`, `beta_sum`. `final` has it of the trials
    that are scored to their end, with a column a score, accuracies in per cent.
    """

    study: str
    dataset: str
    images: str
    """The dataset with all its options: what another group has to share to compare."""
    shown_dataset: str
    model: str
    baseline: bool
    as_published: bool
    trials: pd.DataFrame
    final: pd.DataFrame

    @property
    def name(self) -> str:
        return re.sub(r"[^\w.-]+", "_", f"{self.study} {self.shown_dataset} {self.model}")

    @property
    def as_run(self) -> bool:
        return self.study.endswith("-as-run")

    @property
    def title(self) -> str:
        return f"{self.study}: {self.shown_dataset}, {self.model}"

    @property
    def settings(self) -> list[str]:
        """Those planned, by rising beta."""
        return list(self.trials.sort_values("beta_sum", kind="stable")["setting"].unique())

    def of(self, score: str, setting: str) -> list[float]:
        """The values of a setting's runs; none where there are none."""
        if score not in self.final:
            return []
        return list(self.final.loc[self.final["setting"] == setting, score].dropna())

    def with_beta(self, score: str, beta: float) -> list[float]:
        return self.of(score, f"{beta:g}-VAE")


def groups_of(studies: Studies) -> list[Group]:
    """In the order of the studies; within one, of the grid file."""
    found = []
    for grid in studies.grids:
        if grid.report == REPORT:
            trials = _trials(grid, studies)
            final = _final(studies, trials)
            keys = ["dataset", "images", "shown_dataset", "model", "baseline"]
            for key, of in trials.groupby(keys, sort=False):
                dataset, images, shown, model, baseline = key
                found.append(
                    Group(
                        grid.study,
                        str(dataset),
                        str(images),
                        str(shown),
                        str(model),
                        bool(baseline),
                        bool(of["as_published"].all()),
                        of,
                        of.merge(final, on="trial_id"),
                    )
                )
    return found


def baselines_for(group: Group, groups: Iterable[Group]) -> list[Group]:
    """PCA and ICA on its dataset, of the studies that have one setting of each.

    Those as printed beside VAEs as printed, as run beside as run, where there are such.
    """
    found = [
        other
        for other in groups
        if other.baseline
        and other.images == group.images
        and other.trials.groupby("framework")["setting"].nunique().max() == 1
    ]
    of_variant = [other for other in found if other.as_run == group.as_run]
    return of_variant or found


def of_studies(groups: Iterable[Group], baselines: Iterable[Group]) -> str:
    """Which studies the baselines are of, in words."""
    names = dict.fromkeys(group.study for group in baselines)
    return f"PCA and ICA: {', '.join(names)}." if names else "PCA and ICA: not in these studies."


def _trials(grid: Grid, studies: Studies) -> pd.DataFrame:
    ids = [trial.trial_id for trial in grid.trials]
    trials = studies.trials.set_index("trial_id").loc[ids].reset_index()
    baseline = trials["framework"].isin(BASELINES)
    images, shown = _images(trials)
    return trials.assign(
        images=images,
        shown_dataset=shown,
        baseline=baseline,
        setting=_settings(trials),
        as_published=_as_published(trials),
    )


def _images(trials: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Each trial's dataset with all its options, and with those that the grid varies."""
    options = [name for name in trials.columns if name.startswith("dataset.")]
    swept = [
        name
        for name in options
        if (trials.groupby("dataset")[name].nunique(dropna=False) > 1).any()
    ]
    images, shown = [], []
    for trial in trials[["dataset", *options]].to_dict("records"):
        of = {name: trial[name] for name in options if not pd.isna(trial[name])}
        images.append(f"{trial['dataset']} {of}")
        varied = [_shown(name, of[name]) for name in swept if name in of]
        shown.append(", ".join([DATASETS.get(trial["dataset"], trial["dataset"]), *varied]))
    return images, shown


def _settings(trials: pd.DataFrame) -> pd.Series:
    found: dict[object, str] = {}
    for framework, of in trials.groupby("framework"):
        columns = [n for n in trials.columns if n.startswith(("framework.", "reconstruction"))]
        if framework in BASELINES:
            columns.append("batch_size")
        # What follows from the dataset is no setting: grids differ in it from dataset to dataset.
        swept = [
            name
            for name in swept_besides_seed(of[columns], most=len(columns))
            if (of.groupby("dataset")[name].nunique() > 1).any()
        ]
        for index, row in of.iterrows():
            parts = [BASELINES.get(str(framework), str(framework))]
            if not pd.isna(row["beta_sum"]):
                parts = [f"{row['beta_sum']:g}-VAE"]
            parts += [_shown(name, row[name]) for name in swept if not pd.isna(row[name])]
            found[index] = ", ".join(part for part in parts if part)
    return pd.Series(found, index=trials.index, dtype=object)


def _shown(column: str, value: object) -> str:
    """A choice speaks for itself, a number needs its name, and what is off is left out."""
    name = column.rpartition(".")[2]
    if isinstance(value, bool):
        return name if value else ""
    if isinstance(value, str):
        return value
    return f"{value} images" if name == "batch_size" else f"{name} {value:.3g}"


def _as_published(trials: pd.DataFrame) -> pd.Series:
    """Which trials are of the published training, as far as it is published."""
    images = trials["dataset"].map(IMAGES)
    epochs = trials["steps"] * trials["batch_size"] / images
    colour = trials["dataset"] != "dsprites"
    fitted = pd.DataFrame({"pca": colour.map({True: 3500, False: 25000})})
    fitted["ica"] = colour.map({True: 1000, False: 2500})
    of_baseline = pd.Series(False, index=trials.index)
    for name in BASELINES:
        of_baseline |= (trials["framework"] == name) & (trials["batch_size"] == fitted[name])
    rate = pd.Series(5e-4, index=trials.index).mask(trials["dataset"] == "shapes3d", 1e-4)
    rate = rate.mask(trials["model"] == MLP, 1e-2)
    of_vae = (
        (trials["framework"] == "beta_vae")
        & trials["model"].isin([MLP, CONV])
        & (trials["reconstruction"] == "bernoulli")
        & (trials["optimizer.lr"] == rate)
        & (trials["batch_size"] == 64 + 192 * ~colour)
        & (epochs >= FEWEST_EPOCHS)
    )
    return images.notna() & (of_vae | of_baseline)


def _final(studies: Studies, trials: pd.DataFrame) -> pd.DataFrame:
    scores = of_means(studies.scores[studies.scores["trial_id"].isin(trials["trial_id"])])
    final = final_scores(scores, trials)
    table = final.pivot(index="trial_id", columns="score", values="value")
    table = table.rename(columns={"reconstruction": LOSS})
    in_per_cent = [name for name in table.columns if str(name).startswith("beta_vae_fil")]
    table[in_per_cent] *= 100
    return table.rename_axis(columns=None).reset_index()
