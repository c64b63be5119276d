from __future__ import annotations

import dataclasses
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grids.data_folder import DataFolder
from grids.load import Grid
from grids.settings import Evaluate
from orchestrator import checkpoints, trial_run
from orchestrator.codes import rows_to_encode
from orchestrator.session import Session
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit
from results import load
from results.schema import PROVENANCE
from results.store import StudyFolder
from trainers.datasets.xysquares import XYSquares
from trainers.fit import Training
from trainers.pixels import Pixels


def unit_of(grid: Grid, root: Path, work: Any = "train") -> Unit:
    return Unit(
        work=work,
        study=grid.study,
        root=root,
        data=DataFolder(root),
        epoch=0,
        trial=grid.trials[0],
        resources=grid.resources[0],
        evaluate=grid.evaluate,
        code_version="test",
    )


def run_to_end(run: TrialRun) -> TrialRun:
    while not run.advance(0.01):
        pass
    return run


def same_answers(a: StudyFolder, b: StudyFolder, trial_id: str) -> None:
    """Rows (provenance aside), weights and pictures of a trial agree to the last bit."""
    ours, theirs = load(a.root), load(b.root)
    for table in ("trials", "curves"):
        left, right = (
            getattr(frames, table).drop(columns=[*PROVENANCE[table], "study"], errors="ignore")
            for frames in (ours, theirs)
        )
        assert len(left) > 0
        left, right = (t.sort_values(list(t.columns[:2]), ignore_index=True) for t in (left, right))
        assert left.equals(right)
    for name in (a.weights(trial_id).relative_to(a.root),):
        left_state, right_state = (
            torch.load(folder.root / name, weights_only=True) for folder in (a, b)
        )
        assert all(torch.equal(left_state[key], right_state[key]) for key in left_state)
    with (
        np.load(a.artifacts(trial_id) / "pictures.npz") as left_arrays,
        np.load(b.artifacts(trial_id) / "pictures.npz") as right_arrays,
    ):
        assert sorted(left_arrays) == sorted(right_arrays)
        assert all(np.array_equal(left_arrays[key], right_arrays[key]) for key in left_arrays)


def test_a_trial_that_dies_while_it_encodes_keeps_what_it_trained(
    tiny_grid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Not an Exception, so that nothing is cleaned up."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    unit = unit_of(tiny_grid(steps=7, every=3), tmp_path / "tiny")
    trial_id = unit.trial.trial_id
    ticks = itertools.count(step=11)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(trial_run, "codes_of", killed)
        run_to_end(TrialRun(unit, clock=lambda: float(next(ticks))))
    second = TrialRun(unit)
    assert second.step == 3
    second.advance(0.0)
    assert unit.folder.codes(trial_id, 3).exists()


@pytest.mark.parametrize("interrupted_at", [1, 4])
def test_an_interrupted_trial_goes_on_and_leaves_the_bytes_of_an_undisturbed_one(
    tiny_grid: Any, tmp_path: Path, interrupted_at: int
) -> None:
    grid = tiny_grid(steps=7, every=3)
    trial_id = grid.trials[0].trial_id
    undisturbed = run_to_end(TrialRun(unit_of(grid, tmp_path / "a" / "tiny")))
    # A clock that stands still but for one tick a look makes every `advance` one step long.
    ticks = itertools.count()
    first = TrialRun(unit_of(grid, tmp_path / "b" / "tiny"), clock=lambda: float(next(ticks)))
    while first.step < interrupted_at:
        assert not first.advance(0.0)
    first.interrupt()
    second = TrialRun(unit_of(grid, tmp_path / "b" / "tiny"))
    assert second.step == interrupted_at
    run_to_end(second)
    same_answers(undisturbed.folder, second.folder, trial_id)
    for step in (3, 6, 7):
        codes = [np.load(r.folder.codes(trial_id, step))["codes"] for r in (undisturbed, second)]
        assert np.array_equal(*codes)
    assert not second.folder.checkpoint_dir(trial_id).exists()
    attempts = load(second.folder.root).attempts.set_index("attempt_id")
    assert attempts.loc[second.attempt.attempt_id, "resumed_from"] == first.attempt.attempt_id
    assert set(attempts["outcome"]) == {"interrupted", "completed"}


def test_a_checkpoint_of_other_images_is_not_gone_on_from(
    tiny_grid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = unit_of(tiny_grid(steps=7), tmp_path / "tiny")
    ticks = itertools.count()
    first = TrialRun(unit, clock=lambda: float(next(ticks)))
    assert not first.advance(0.5)
    first.interrupt()
    trial_run._opened.clear()
    monkeypatch.setattr(XYSquares, "fingerprint", "of other images")
    second = TrialRun(unit)
    assert second.step > 0
    with pytest.raises(ValueError, match="does not fit this code and data"):
        second.advance(1.0)
    third = TrialRun(unit)
    assert third.step == 0
    run_to_end(third)
    assert load(unit.root).trials["dataset_fingerprint"].tolist() == ["of other images"]
    trial_run._opened.clear()


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s", epoch=0)
    for step in (1, 2, 3):
        checkpoints.save(folder, "t", "000000-a", step, {"step": step})
    newest = sorted(folder.checkpoint_dir("t").iterdir())
    assert [int(path.name.split(".")[1]) for path in newest] == [2, 3]
    newest[-1].write_bytes(newest[-1].read_bytes()[:40])
    found = checkpoints.newest(folder, "t")
    assert (found.attempt_id, found.step, found.state) == ("000000-a", 2, {"step": 2})


class NaNTraining(Training):
    """Training whose loss is NaN from the third step on."""

    def advance(self, steps: int) -> None:
        super().advance(steps)
        if self.step >= 3:
            self._sums += float("nan")


def test_a_trial_whose_loss_becomes_nan_ends_diverged_with_a_row_and_no_codes(
    tiny_grid: Any, tmp_path: Path
) -> None:
    grid = tiny_grid()
    run = run_to_end(TrialRun(unit_of(grid, tmp_path / "tiny"), make_training=NaNTraining))
    [row] = load(run.folder.root).trials.to_dict("records")
    assert (row["status"], row["steps_done"]) == ("diverged", 3)
    assert np.isnan(row["final_loss"])
    assert not run.folder.codes_dir.exists()
    assert not run.folder.weights(grid.trials[0].trial_id).exists()


class RaisingTraining(Training):
    def advance(self, steps: int) -> None:
        raise RuntimeError("no such kernel")


def test_a_scored_trial_leaves_what_its_latents_follow(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid()
    run = run_to_end(TrialRun(unit_of(grid, tmp_path / "tiny")))
    with np.load(run.folder.codes(grid.trials[0].trial_id, 6)) as arrays:
        codes = arrays["codes"][0].reshape(*[2] * 6, 2)
    with np.load(run.folder.artifacts(grid.trials[0].trial_id) / "latents.npz") as arrays:
        assert arrays["variance_ratios"].shape == (6, 2)
        # y_B is the last factor; the middle of two positions is the second one.
        np.testing.assert_array_equal(arrays["codes_along_y_B"], codes[1, 1, 1, 1, 1])


def test_an_error_closes_the_attempt_with_its_traceback_and_is_raised(
    tiny_grid: Any, tmp_path: Path
) -> None:
    run = TrialRun(unit_of(tiny_grid(), tmp_path / "tiny"), make_training=RaisingTraining)
    with pytest.raises(RuntimeError, match="no such kernel"):
        run.advance(1.0)
    [attempt] = load(run.folder.root).attempts.to_dict("records")
    assert attempt["outcome"] == "failed"
    assert "RuntimeError: no such kernel" in attempt["error"]
    assert "no such kernel" in run.log.path.read_text()
    run.interrupt()  # Tune calls cleanup after an error: it must change nothing
    assert len(load(run.folder.root).attempts) == 1


def test_encoding_a_finished_trial_again_gives_the_codes_of_the_training_run(
    tiny_grid: Any, tmp_path: Path
) -> None:
    grid = tiny_grid()
    trained = run_to_end(TrialRun(unit_of(grid, tmp_path / "tiny")))
    path = trained.folder.codes(grid.trials[0].trial_id, 6)
    codes = np.load(path)["codes"]
    path.unlink()
    before = load(trained.folder.root)
    run_to_end(TrialRun(unit_of(grid, tmp_path / "tiny", work="encode")))
    assert np.array_equal(np.load(path)["codes"], codes)
    after = load(trained.folder.root)
    assert after.curves.equals(before.curves)
    columns = ["trial_id", "status", "attempt_id", "train_seconds"]
    assert after.trials[columns].equals(before.trials[columns])


@pytest.mark.parametrize("content", [b"", b"no weights", pickle.dumps({"a": 1})])
def test_weights_that_are_none_are_one_line_that_names_their_file(
    tiny_grid: Any, tmp_path: Path, content: bytes
) -> None:
    grid = tiny_grid()
    trained = run_to_end(TrialRun(unit_of(grid, tmp_path / "tiny")))
    path = trained.folder.weights(grid.trials[0].trial_id)
    path.write_bytes(content)
    run = TrialRun(unit_of(grid, tmp_path / "tiny", work="encode"))
    with pytest.raises(ValueError) as caught:
        run_to_end(run)
    assert str(caught.value) == f"{path}: damaged, or not the weights of this trial"


LARGER = ("grid_size: 2, spacing: 16", "grid_size: 4, spacing: 16")  # 4,096 cells


def arrays_at(run: TrialRun, step: int) -> dict[str, Any]:
    with np.load(run.folder.codes(run.trial.trial_id, step)) as arrays:
        return dict(arrays)


def test_during_training_the_rows_that_the_metrics_draw_are_encoded_alone(
    tiny_grid: Any, tmp_path: Path
) -> None:
    """And the same codes of them as of the whole grid, which is encoded at the end, and if kept."""
    grid = tiny_grid(every="{mig: 3}", replace=LARGER)
    run = run_to_end(TrialRun(unit_of(grid, tmp_path / "few" / "tiny")))
    kept = dataclasses.replace(grid, evaluate=dataclasses.replace(grid.evaluate, keep_codes=True))
    whole = TrialRun(unit_of(kept, tmp_path / "all" / "tiny"))
    while whole.step < 3:
        whole.advance(0.0)
    whole.interrupt()

    few, every = arrays_at(run, 3), arrays_at(whole, 3)
    assert every["codes"].shape == (1, 4_096, 2) and "encoded_rows" not in every
    rows = few["encoded_rows"]
    assert few["codes"].shape == few["logvar"].shape == (len(rows), 2)
    assert 1_500 < len(rows) < 1_700  # of the 2,000 that MIG draws with replacement
    assert (few["replicates"], few["factor_sizes"].tolist()) == (1, [4] * 6)
    for name in ("codes", "logvar"):
        np.testing.assert_array_equal(few[name], every[name][0, rows])
    assert arrays_at(run, 6)["codes"].shape == (1, 4_096, 2)


def test_where_most_rows_are_drawn_or_no_one_knows_which_all_are_encoded(
    tiny_grid: Any,
) -> None:
    trial = tiny_grid(replace=LARGER).trials[0]

    def rows_for(*metrics: str) -> Any:
        return rows_to_encode(trial, (4,) * 6, 1, metrics, Evaluate())

    assert len(rows_for("mig")) < 2_000
    np.testing.assert_array_equal(rows_for("mig", "elbo"), rows_for("mig"))
    assert rows_for("factor_vae") is None  # draws nearly all
    assert rows_for("mig", "beta_vae_fil") is None  # draws while it learns
    assert rows_for("elbo") is None  # of no table


def test_codes_are_row_major_and_carry_their_factor_sizes(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid()
    run = run_to_end(TrialRun(unit_of(grid, tmp_path / "tiny")))
    with np.load(run.folder.codes(grid.trials[0].trial_id, 6)) as arrays:
        assert arrays["factor_sizes"].tolist() == [2] * 6
        assert arrays["codes"].shape == arrays["logvar"].shape == (1, 64, 2)
        assert run.training is not None
        last = torch.tensor([[0, 0, 0, 0, 0, 1]])  # cell 1: only the last factor has moved
        pixels = Pixels(run.dataset, run.training.device).to_float(
            run.dataset.images(last, torch.zeros(len(last), dtype=torch.int64))
        )
        with torch.inference_mode():
            mean, _ = run.training.model.encode(pixels)
        np.testing.assert_allclose(arrays["codes"][0, 1], mean[0].numpy(), rtol=1e-4, atol=1e-5)


def test_a_gpu_that_was_asked_for_and_is_not_there_is_an_error(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LATENTGRID_LOGICAL_GPUS")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def execute(session: Session) -> None:
        for unit in session.missing():
            with pytest.raises(RuntimeError, match="asked for, and torch .* finds no CUDA device"):
                TrialRun(unit).advance(1.0)

    frames = load(run(tiny_grid(more="resources: {gpus: 0.5}"), tmp_path, execute).folder.root)
    assert set(frames.attempts["outcome"]) == {"failed"}
    assert frames.attempts["error"].str.contains("resources: gpus: 0.5 asked for").all()
