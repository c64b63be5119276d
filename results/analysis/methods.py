"""Which method a trial is of, and how strongly it regularises.

Locatello et al. 2019 sweep one parameter of each method (disentanglement_lib, config/
unsupervised_study_v1/sweep.py); a setting is a method with a value of it, and its runs differ by
their seeds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from grids.columns import COLUMN_TYPES

REGULARISATION = {
    "beta_vae": "beta",
    "factor_vae": "framework.gamma",
    "beta_tc_vae": "beta",
    "dip_vae_i": "framework.lambda_od",
    "dip_vae_ii": "framework.lambda_od",
    "annealed_vae": "framework.capacity_nats",
    "ada_gvae": "beta",
    "ada_ml_vae": "beta",
    "capacity_vae": "framework.capacity_nats",
}
"""The parameter that regularises, by framework; methods in the order of the study's figure 3.

Of annealed_vae and capacity_vae more is weaker.
"""
DATASETS = (
    "dsprites",
    "color_dsprites",
    "noisy_dsprites",
    "scream_dsprites",
    "smallnorb",
    "cars3d",
    "shapes3d",
)
"""In the order of sweep.py."""
NO_PARAMETERS = ("seed", "beta_sum", "beta_mean")
METHOD = ["dataset", "method"]
SETTING = ["dataset", "method", "regularisation"]


def settings_of(trials: pd.DataFrame) -> pd.DataFrame:
    """`trial_id`, `seed`, and of which dataset, method and regularisation each trial is.

    `dataset` and `method` are the names, with what else tells trials of one name apart, as in
    "factor_vae, steps 150000"; so runs of a setting differ by their seeds only. `regularisation`
    is the value of the parameter in REGULARISATION, NaN where the method has none; `strength` is
    its place among those of the method, from 0. `setting` numbers the settings. In the order of
    datasets, methods and regularisation.
    """
    found = pd.DataFrame(
        {
            "trial_id": trials["trial_id"],
            "seed": trials["seed"].astype(int),
            "regularisation": _regularisation(trials),
        }
    )
    parameters = [name for name in COLUMN_TYPES if name not in NO_PARAMETERS]
    of_dataset = [name for name in parameters if name.startswith("dataset.")]
    of_method = [name for name in parameters if not name.startswith("dataset")]
    found["dataset"] = _named(trials, "dataset", of_dataset, [])
    beside = [found["dataset"], found["regularisation"]]
    found["method"] = _named(trials, "framework", of_method, beside)
    places = [
        found["dataset"].map(_places(found["dataset"], DATASETS)),
        found["method"].map(_places(found["method"], tuple(REGULARISATION))),
    ]
    found = found.assign(first=places[0], second=places[1]).sort_values(
        ["first", "second", "regularisation", "seed"], ignore_index=True
    )
    found["setting"] = found.groupby(SETTING, dropna=False, sort=False).ngroup()
    ranks = found.groupby("method")["regularisation"].rank(method="dense")
    found["strength"] = ranks.fillna(1).astype(int) - 1
    return found.drop(columns=["first", "second"])


def _regularisation(trials: pd.DataFrame) -> pd.Series:
    values = pd.Series(np.nan, trials.index)
    for column in dict.fromkeys(REGULARISATION.values()):
        methods = [name for name, parameter in REGULARISATION.items() if parameter == column]
        of = trials["framework"].isin(methods)
        values[of] = trials.loc[of, column].astype(float)
    return values


def _named(
    trials: pd.DataFrame, part: str, parameters: list[str], beside: list[pd.Series]
) -> pd.Series:
    """The part's name and those parameters that differ between trials that are alike `beside`."""
    labels = trials[part].astype(str)
    for _, of in trials.groupby(part, sort=False):
        for name in parameters:
            values = of[name]
            if values.nunique(dropna=False) == 1:
                continue
            groups = [series[of.index] for series in beside]
            if groups and values.groupby(groups, dropna=False).nunique(dropna=False).max() == 1:
                continue
            labels[of.index] += f", {name.rpartition('.')[2]} " + values.map(_short)
    return labels


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _places(labels: pd.Series, order: tuple[str, ...]) -> dict[str, int]:
    """Where each label stands: those that begin with a name in its place, the others behind."""

    def place(label: str) -> tuple[int, str]:
        name = label.partition(",")[0]
        return (order.index(name) if name in order else len(order), label)

    return {label: i for i, label in enumerate(sorted(labels.unique(), key=place))}
