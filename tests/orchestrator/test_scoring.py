from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grids.settings import Evaluate
from metrics import METRICS, score
from metrics.rows import rows_drawn
from metrics.table import CodeTable
from orchestrator import scoring
from orchestrator.scoring import FILES_A_TASK, MAX_FAILURES, ScoringQueue, score_files
from results import lease, load
from results.store import StudyFolder

EVALUATE = Evaluate(metrics=("mig", "factor_vae"), every=10, during="fast", final="full")


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s", epoch=1)


def put_codes(folder: StudyFolder, trial_id: str, step: int, seed: int = 0) -> None:
    generator = np.random.default_rng(seed)
    buffer = io.BytesIO()
    codes = generator.normal(size=(1, 36, 3)).astype(np.float32)
    np.savez(buffer, codes=codes, logvar=codes * 0 - 2, factor_sizes=np.array([4, 9]))
    folder.write(folder.codes(trial_id, step), buffer.getvalue())


def queue_of(folder: StudyFolder, *trial_ids: str, evaluate: Evaluate = EVALUATE) -> ScoringQueue:
    return ScoringQueue(folder, evaluate, dict.fromkeys(trial_ids, 20))


def test_codes_during_training_get_the_fast_sizes_and_the_last_ones_the_full_too(
    folder: StudyFolder,
) -> None:
    put_codes(folder, "t", 10)
    put_codes(folder, "t", 20)
    queue = queue_of(folder, "t")
    task = queue.take()
    assert queue.take() == []  # both are taken
    score_files(folder, task)
    queue.settle(task, None)
    scores = load(folder.root).scores
    # The last step is one of those during training, too.
    sizes = {(10, "fast"), (20, "fast"), (20, "full")}
    assert set(zip(scores["step"], scores["size"], strict=True)) == sizes
    assert len(scores) == 3 * sum(len(METRICS[name].scores) for name in EVALUATE.metrics)
    assert (scores["cells"] == 36).all() and (scores["draws"] == 1).all()
    queue.drop_settled()
    assert queue.files() == set() and queue.waiting() == []


def test_cheap_metrics_go_together_and_first_then_each_dear_one_by_its_cost(
    folder: StudyFolder,
) -> None:
    for trial_id in ("a", "b"):
        for step in (10, 20):
            put_codes(folder, trial_id, step)
    evaluate = dataclasses.replace(EVALUATE, metrics=("downstream", "mig", "dci", "sap"))
    queue = queue_of(folder, "a", "b", evaluate=evaluate)
    tasks = []
    while task := queue.take():
        tasks.append([(part.path.name, {key[3] for key in part.missing}) for part in task])
    # During training sizes are fast, which makes even `downstream` cheaper than a full `dci`.
    assert tasks == [
        [(name, {"mig", "sap"}) for name in ("a-10.npz", "a-20.npz", "b-10.npz", "b-20.npz")],
        [("a-10.npz", {"dci"})],
        [("b-10.npz", {"dci"})],
        [("a-10.npz", {"downstream"})],
        [("b-10.npz", {"downstream"})],
        [("a-20.npz", {"dci"})],
        [("b-20.npz", {"dci"})],
        [("a-20.npz", {"downstream"})],
        [("b-20.npz", {"downstream"})],
    ]


def test_only_missing_scores_are_made(folder: StudyFolder) -> None:
    put_codes(folder, "t", 20)
    first = queue_of(folder, "t", evaluate=dataclasses.replace(EVALUATE, metrics=("mig",)))
    score_files(folder, first.take())
    [file] = queue_of(folder, "t").take()
    assert {key[3] for key in file.missing} == {"factor_vae"}
    two = dataclasses.replace(EVALUATE, representations=("mean", "sampled"))
    [file] = queue_of(folder, "t", evaluate=two).take()
    assert len(file.missing) == 3 * 2  # in both sizes


def test_what_its_tasks_wrote_is_known_without_listing_all_scores_anew(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing a task would be the most that the pool does in a study of many thousands."""
    monkeypatch.setattr(scoring, "LISTING_SHARE", 1e-9)
    listings: list[str] = []
    real = StudyFolder.record_names
    monkeypatch.setattr(
        StudyFolder, "record_names", lambda f, table: listings.append(table) or real(f, table)
    )
    trial_ids = [f"t{number}" for number in range(2 * FILES_A_TASK)]
    for trial_id in trial_ids:
        put_codes(folder, trial_id, 20)
    queue = queue_of(folder, *trial_ids)
    while task := queue.take():
        score_files(folder, task)
        queue.settle(task, None)
        queue.drop_settled()
    assert queue.files() == set() and listings == ["scores"]
    # A task that fails may have written something.
    put_codes(folder, "t0", 10)
    queue.settle(queue.take(), "an error")
    queue.waiting()
    assert listings == ["scores"] * 2
    # Whoever decides what is left to do is told exactly.
    assert len(queue.scored()) == 4 * len(trial_ids) and len(listings) == 3


def test_files_of_no_trial_of_the_grid_are_left_alone(folder: StudyFolder) -> None:
    put_codes(folder, "gone", 20)
    folder.write(folder.codes_dir / "t-x.npz", b"foreign")
    queue = queue_of(folder, "t")
    assert queue.waiting() == []
    queue.drop_settled()
    assert queue.files() == {"gone-20.npz", "t-x.npz"}


def test_codes_are_kept_where_the_grid_says_so(folder: StudyFolder) -> None:
    put_codes(folder, "t", 20)
    queue = queue_of(folder, "t", evaluate=dataclasses.replace(EVALUATE, keep_codes=True))
    task = queue.take()
    score_files(folder, task)
    queue.settle(task, None)
    queue.drop_settled()
    assert queue.files() == {"t-20.npz"} and queue.take() == []


def test_a_file_that_failed_is_tried_alone_and_given_up_after_three_times(
    folder: StudyFolder,
) -> None:
    names = [f"t{number}" for number in range(FILES_A_TASK + 2)]
    for name in names:
        put_codes(folder, name, 20)
    queue = queue_of(folder, *names)
    first = queue.take()
    assert len(first) == FILES_A_TASK
    queue.settle(first, "one of you is bad")
    assert len(queue.take()) == 2  # those that have not failed come first
    for number in range(MAX_FAILURES - 1):
        [alone] = queue.take()
        assert alone.path.name == first[0].path.name
        queue.settle([alone], f"bad {number}")
    assert queue.gave_up() == {first[0].path.name: f"bad {MAX_FAILURES - 2}"}
    assert queue.take()[0].path.name != first[0].path.name


def test_what_was_scored_before_an_error_is_kept(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_codes(folder, "t", 20)
    right = scoring.metrics.score

    def half_broken(name: str, *arguments: Any, **options: Any) -> dict[str, float]:
        if name == "mig":
            raise FloatingPointError("overflow")
        return right(name, *arguments, **options)

    monkeypatch.setattr(scoring.metrics, "score", half_broken)
    with pytest.raises(FloatingPointError):
        score_files(folder, queue_of(folder, "t").take())
    frames = load(folder.root)
    assert set(frames.scores["metric"]) == {"factor_vae"}
    assert frames.attempts["outcome"].tolist() == ["failed"]
    assert "FloatingPointError: overflow" in frames.attempts["error"].item()


SIZES = (6, 40, 30)  # MIG draws 1,750 or so of the 7,200 rows, DCI others


def put_some_codes(folder: StudyFolder, step: int, *names: str) -> None:
    """Codes of the rows that these metrics draw at the fast size."""
    rows = rows_drawn(
        names, SIZES, replicates=1, latents=3, size="fast", seed=0, representations=["mean"]
    )
    assert rows is not None and len(rows) < 3_600
    codes = np.random.default_rng(0).normal(size=(7_200, 3)).astype(np.float32)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        codes=codes[rows],
        encoded_rows=rows,
        factor_sizes=np.array(SIZES),
        replicates=np.array(1),
    )
    folder.write(folder.codes("t", step), buffer.getvalue())


def score_all(folder: StudyFolder, queue: ScoringQueue) -> set[str]:
    """The metrics that have scores by now, after all that waits was scored once."""
    while task := queue.take():
        queue.settle(task, None, score_files(folder, task))
    return set(load(folder.root).scores["metric"])


def test_some_rows_give_the_scores_of_the_whole_table(folder: StudyFolder) -> None:
    put_some_codes(folder, 10, "mig")
    queue = queue_of(folder, "t", evaluate=Evaluate(metrics=("mig",), every=10))
    assert score_all(folder, queue) == {"mig"}
    [row] = load(folder.root).scores.to_dict("records")
    codes = np.random.default_rng(0).normal(size=(7_200, 3)).astype(np.float32)
    expected = score("mig", CodeTable(codes[None], SIZES), size="fast", seed=0)
    assert (row["value"], row["cells"], row["draws"]) == (expected["mig"], 7_200, 1)
    queue.drop_settled()
    assert queue.files() == set()


@pytest.mark.parametrize("keep_codes", [False, True])
def test_a_file_that_lacks_rows_of_a_metric_added_meanwhile_serves_the_others(
    folder: StudyFolder, keep_codes: bool
) -> None:
    put_some_codes(folder, 10, "mig")
    evaluate = Evaluate(metrics=("mig", "dci"), every=10, keep_codes=keep_codes)
    queue = queue_of(folder, "t", evaluate=evaluate)
    assert score_all(folder, queue) == {"mig"}
    assert queue.waiting() == [] and queue.gave_up() == {}
    assert load(folder.root).attempts["outcome"].tolist() == ["completed"] * 2
    queue.drop_settled()
    assert queue.files() == ({"t-10.npz"} if keep_codes else set())
    # The trial went on from an earlier checkpoint, and came to the step again.
    put_some_codes(folder, 10, "mig", "dci")
    assert score_all(folder, queue) == {"mig", "dci"}
    queue.drop_settled()
    assert queue.waiting() == []


def test_at_the_end_a_file_that_lacks_rows_makes_place_for_a_new_one(
    folder: StudyFolder,
) -> None:
    """None is written there; but if one is, the trial is encoded again and not given up."""
    put_some_codes(folder, 20, "mig")
    evaluate = Evaluate(metrics=("mig", "dci"), final="fast")
    queue = queue_of(folder, "t", evaluate=evaluate)
    assert score_all(folder, queue) == {"mig"}
    queue.drop_settled()
    assert queue.files() == set()  # and scores are missing: `work.missing_units` encodes it


def test_a_driver_of_an_older_epoch_deletes_no_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = lease.acquire(StudyFolder(tmp_path / "s")).folder
    put_codes(old, "t", 20)
    queue = queue_of(old, "t", evaluate=Evaluate(metrics=("mig",)))
    score_files(old, queue.take())
    monkeypatch.setattr(lease, "known_dead", lambda holder: True)
    lease.acquire(StudyFolder(old.root))
    with pytest.raises(lease.Fenced):
        queue.drop_settled()
    assert queue.files() == {"t-20.npz"}
