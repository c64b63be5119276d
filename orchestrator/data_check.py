"""Whether a study's data is there, whole, and the same as when its trials were run."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from grids.configuration import as_values, canonical_json
from grids.data_folder import DataError, DataFolder
from grids.datasets import Images
from grids.load import Grid
from grids.metrics import INCEPTION, METRICS
from orchestrator.data_sets import as_named, missing_network, missing_of, not_prepared
from orchestrator.errors import InputError
from orchestrator.scoring import ScoredKeys
from orchestrator.work import wanted_scores
from results.store import FINAL, StudyFolder
from results.tables import rows_of_trials


def check_data(grid: Grid, folder: StudyFolder, data: DataFolder) -> None:
    """Raises InputError, in one line, where a run could not be what it says it is.

    A dataset is needed only where something is left to do with it.
    """
    needed = datasets_needed(grid, folder)
    if missing := not_prepared(needed, data):
        raise InputError(missing)
    check_whole(needed, data)
    check_same(grid, folder, data, {trial.dataset for trial in grid.trials})
    if needed and any(INCEPTION in METRICS[metric] for metric in grid.evaluate.metrics):
        check_inception(data)


def check_inception(data: DataFolder) -> None:
    """Raises InputError, which says where they come from, without the weights of the FID."""
    from orchestrator.codes import weights_of
    from trainers.inception import InceptionError, check_weights

    try:
        check_weights(weights_of(data))
    except InceptionError as error:
        commands = missing_network(["fid_sample"], data)  # none where the file is another one
        get = "".join(f"; get it with: {command}" for command in commands)
        raise InputError(f"the FID's network: {error}{get}") from None


def check_prepared(grid: Grid, folder: StudyFolder, data: DataFolder) -> None:
    """The same for `plan`: of prepared sets only, and not of those that are missing."""
    needed = {d for d in datasets_needed(grid, folder) if d.stored and not missing_of(d, data)}
    if needed:  # else torch is not even loaded
        check_whole(needed, data)
        check_same(grid, folder, data, needed)


def check_whole(datasets: Iterable[Images], data: DataFolder) -> None:
    """Raises InputError where a prepared set is damaged, as far as its size tells."""
    from trainers.datasets.prepared import read_prepared

    try:
        for dataset in datasets:
            for name in dataset.stored:
                read_prepared(data, name)
    except DataError as error:
        raise InputError(str(error)) from None


def check_same(
    grid: Grid, folder: StudyFolder, data: DataFolder, datasets: Collection[Images]
) -> None:
    """Raises InputError where finished trials were run on other images of one of the datasets."""
    found = fingerprints(datasets, data)
    by_trial = {t.trial_id: t.dataset for t in grid.trials if t.dataset in datasets}
    columns = ["trial_id", "status", "dataset_fingerprint"]
    for trial_id, [row] in rows_of_trials(folder, "trials", by_trial, columns).items():
        now, then = found.get(by_trial[trial_id]), row["dataset_fingerprint"]
        if row["status"] in FINAL and now and then and now != then:
            raise InputError(
                f"{folder.root}: trial {trial_id} was run on other images of "
                f"{as_named(by_trial[trial_id])} (fingerprint {then[:12]}, now {now[:12]}); "
                "give the data back, or run under another study's name"
            )


def datasets_needed(grid: Grid, folder: StudyFolder) -> list[Images]:
    """The datasets of trials that are not finished, or lack final scores."""
    outcomes = folder.outcomes()
    scored = ScoredKeys(folder).refresh()
    needed: dict[Images, None] = {}
    for trial in grid.trials:
        outcome = outcomes.get(trial.trial_id)
        wanted = wanted_scores(trial.trial_id, trial.steps, trial.steps, grid.evaluate)
        if outcome not in FINAL or (outcome == "completed" and not wanted <= scored):
            needed[trial.dataset] = None
    return list(needed)


def fingerprints(datasets: Iterable[Images], data: DataFolder) -> dict[Images, str]:
    """Of the datasets that are there."""
    from trainers import make_dataset

    found = {}
    for dataset in dict.fromkeys(datasets):
        try:
            found[dataset] = make_dataset(dataset, data).fingerprint
        except DataError:
            continue
    return found


def as_json(fingerprints: dict[Images, str]) -> dict[str, str]:
    """By the dataset's parameters, for the manifest."""
    return {canonical_json(as_values(dataset)): text for dataset, text in fingerprints.items()}
