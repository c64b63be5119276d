"""Trials that another study under the same `--out` has finished are taken over, not run again."""

from __future__ import annotations

from collections.abc import Mapping

from grids.datasets import Images
from grids.load import Grid
from results.files import is_regular, names
from results.lease import LeaseHeld
from results.schema import SchemaError
from results.store import FINAL, StudyFolder, studies_in, trial_record_name
from results.tables import rows_of_trials

TRIALS_AT_ONCE = 2000  # their curves are held in memory


def adopt(folder: StudyFolder, grid: Grid, fingerprints: Mapping[Images, str]) -> list[str]:
    """Copies rows, weights and pictures of finished trials into `folder`; returns their ids.

    Those that were run on other images than there are now, by `fingerprints`, are left.

    The trial's row says in `adopted_from` where it comes from. Its attempts stay in the ledger of
    the study that paid them, so that no hour is counted twice.
    """
    assert folder.epoch is not None, "only the holder of the lease adopts"
    outcomes = folder.outcomes()
    wanted = {t.trial_id for t in grid.trials if outcomes.get(t.trial_id) not in FINAL}
    now = {t.trial_id: fingerprints.get(t.dataset) for t in grid.trials}
    adopted: list[str] = []
    for other in studies_in(folder.out):
        if other.root == folder.root or not wanted:
            continue
        try:
            theirs = other.outcomes()
            found = sorted(trial_id for trial_id in wanted if theirs.get(trial_id) in FINAL)
            taken: list[str] = []
            for first in range(0, len(found), TRIALS_AT_ONCE):
                taken += _copy(other, folder, found[first : first + TRIALS_AT_ONCE], now)
        except (SchemaError, LeaseHeld):
            continue  # another study's damage is for its own commands to report
        adopted += taken
        wanted.difference_update(taken)
    return adopted


def _copy(
    other: StudyFolder,
    folder: StudyFolder,
    trial_ids: list[str],
    fingerprints: Mapping[str, str | None],
) -> list[str]:
    """Weights first, the trial's row last: a trial with a row has all that belongs to it."""
    trials, curves, scores = (
        rows_of_trials(other, table, trial_ids) for table in ("trials", "curves", "scores")
    )
    taken = []
    for trial_id, [row] in trials.items():
        if (now := fingerprints[trial_id]) and row["dataset_fingerprint"] != now:
            continue
        measured = row["framework"] is None
        result = other.distances(trial_id) if measured else other.weights(trial_id)
        if row["status"] == "completed" and not is_regular(result):
            continue  # without its weights the trial could not be scored anew
        for source, target in (
            (other.weights(trial_id), folder.weights(trial_id)),
            (other.distances(trial_id), folder.distances(trial_id)),
            *(
                (other.artifacts(trial_id) / name, folder.artifacts(trial_id) / name)
                for name in names(other.artifacts(trial_id))
            ),
        ):
            if is_regular(source):  # a link may lead anywhere
                folder.write(target, source.read_bytes())
        if not measured:
            folder.write_record("curves", trial_id, curves.get(trial_id, []))
        if trial_id in scores:
            name = f"adopted-{trial_id}-{folder.epoch:06d}"
            folder.write_record("scores", name, scores[trial_id])
        row = {**row, "study": folder.name, "adopted_from": row.get("adopted_from") or other.name}
        name = trial_record_name(trial_id, row["status"], row["attempt_id"])
        folder.write_record("trials", name, [row])
        taken.append(trial_id)
    return taken
