"""Packs on a CPU, where threads take turns: what they leave does not depend on that."""

from __future__ import annotations

import functools
import gc
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local import run_local
from orchestrator.pack_run import Meter, PackRun
from orchestrator.session import Session
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit
from results import lease, load
from results.store import StudyFolder
from trainers.capture import CaptureError
from trainers.fit import Training

FIVE = {"seeds": "[0, 1, 2, 3, 4]", "steps": 12, "more": "resources: {pack: 3}"}


def train(session: Session, **options: Any) -> PackRun:
    pack = PackRun(session.missing(), **options)
    while not pack.advance(0.2):
        pass
    return pack


def train_then_score(session: Session) -> None:
    assert train(session).failures == {}
    run_local(session)


def test_a_pack_leaves_what_trials_leave_one_after_another(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    grid = tiny_grid(frameworks="[beta_vae, ada_gvae]", every=6, **FIVE)
    alone = run(grid, tmp_path / "alone").folder
    packed = run(grid, tmp_path / "packed", train_then_score).folder
    same(alone.root, packed.root)
    for trial in grid.trials:
        one, other = (torch.load(f.weights(trial.trial_id)) for f in (alone, packed))
        assert all(torch.equal(one[name], other[name]) for name in one)
    attempts = load(packed.root).attempts
    assert (attempts.loc[attempts["kind"] == "trial", "outcome"] == "completed").all()


def test_a_trial_that_ends_is_replaced_and_no_more_are_beside_each_other_than_asked(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    beside: set[int] = set()
    most = []
    lock = threading.Lock()

    class Counted(TrialRun):
        def advance(self, seconds: float) -> bool:
            with lock:
                beside.add(self.trial.seed)
                most.append(len(beside))
            finished = super().advance(seconds)
            if finished:
                with lock:
                    beside.discard(self.trial.seed)
            return finished

    session = run(tiny_grid(**FIVE), tmp_path, functools.partial(train, make_run=Counted))
    assert set(load(session.folder.root).trials["status"]) == {"completed"}
    assert max(most) == 3


class Seed1RaisesSeed2Diverges(Training):
    def advance(self, steps: int) -> None:
        if self.trial.seed == 1 and self.step >= 4:
            raise RuntimeError("no such kernel")
        super().advance(steps)
        if self.trial.seed == 2 and self.step >= 4:
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.fill_(float("nan"))


def test_a_trial_that_diverges_or_raises_ends_alone(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(**FIVE)
    undisturbed = run(grid, tmp_path / "undisturbed").folder
    failures: dict[str, str] = {}

    def execute(session: Session) -> None:
        make_run = functools.partial(TrialRun, make_training=Seed1RaisesSeed2Diverges)
        failures.update(train(session, make_run=make_run).failures)

    disturbed = run(grid, tmp_path / "disturbed", execute).folder
    status = load(disturbed.root).trials.set_index("seed")["status"].to_dict()
    assert status == {0: "completed", 2: "diverged", 3: "completed", 4: "completed"}
    assert list(failures) == [grid.trials[1].trial_id]
    assert "RuntimeError: no such kernel" in failures[grid.trials[1].trial_id]
    for trial in (grid.trials[0], *grid.trials[3:]):
        one, other = (torch.load(f.weights(trial.trial_id)) for f in (undisturbed, disturbed))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_pack_keeps_what_it_trained_and_begins_nothing_more(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(**FIVE | {"steps": 3000})

    def interrupted(session: Session) -> None:
        pack = PackRun(session.missing())
        while pack.step < 3:
            assert not pack.advance(0.05)
        pack.interrupt()
        assert pack.advance(0.0)

    folder = run(grid, tmp_path, interrupted).folder
    attempts = load(folder.root).attempts
    assert attempts["outcome"].tolist() == ["interrupted"] * 3
    assert len(list((folder.root / "checkpoints").glob("*/*"))) == 3


def test_a_pack_whose_study_was_taken_over_says_so(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "known_dead", lambda holder: True)

    def taken_over(session: Session) -> None:
        pack = PackRun(session.missing())
        lease.acquire(StudyFolder(session.folder.root))
        with pytest.raises(lease.Fenced):
            while not pack.advance(0.2):
                pass

    assert len(load(run(tiny_grid(**FIVE), tmp_path, taken_over).folder.root).trials) == 0


@pytest.mark.parametrize("broken", [False, True])
def test_an_error_that_breaks_the_device_ends_the_pack_and_another_the_trial(
    tiny_grid: Any, tmp_path: Path, run: Any, broken: bool
) -> None:
    class Raises(Training):
        def advance(self, steps: int) -> None:
            if self.trial.seed == 0:
                raise CaptureError("broken off") if broken else ValueError("not so")
            super().advance(steps)

    def execute(session: Session) -> None:
        make_run = functools.partial(TrialRun, make_training=Raises)
        if not broken:
            assert len(train(session, make_run=make_run).failures) == 1
            return
        with pytest.raises(CaptureError):
            train(session, make_run=make_run)

    trials = load(run(tiny_grid(**FIVE), tmp_path, execute).folder.root).trials
    assert len(trials) < 4 if broken else len(trials) == 4


def test_a_pack_of_a_size_to_be_found_is_one_trial_at_a_time_on_a_cpu(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    names: set[str] = set()

    def make_run(unit: Unit, **clocks: Any) -> TrialRun:
        names.add(threading.current_thread().name)
        return TrialRun(unit, **clocks)

    grid = tiny_grid(**FIVE | {"more": "resources: {pack: auto}"})
    session = run(grid, tmp_path, functools.partial(train, make_run=make_run))
    assert len(load(session.folder.root).trials) == 5
    assert len(names) == 1


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=6))
def test_shares_of_a_process_add_up_to_its_time(leave_after: list[float]) -> None:
    now = 0.0
    meter = Meter(len(leave_after), lambda: now)
    had = []
    for seconds in leave_after:
        now += seconds
        had.append(meter.seconds())
        meter.leave()
    assert sum(had) == pytest.approx(now)


def test_the_account_of_a_pack_is_that_of_its_process(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    """Trials one after another in one place of two, so that their shares are half."""

    def execute(session: Session) -> None:
        seconds = iter(range(10**6))
        meter = Meter(2, clock := lambda: float(next(seconds)))
        for unit in session.missing():
            trial_run = TrialRun(unit, clock=clock, share_clock=meter.seconds)
            while not trial_run.advance(1e9):
                pass

    attempts = load(run(tiny_grid(), tmp_path, execute).folder.root).attempts
    assert attempts["cpus"].tolist() == pytest.approx([0.5, 0.5], rel=0.1)


def test_a_pack_that_lost_its_process_is_no_proof_that_trials_fail_alike(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    def execute(session: Session) -> None:
        def abandoned(units: list[Unit]) -> None:
            for unit in units:
                TrialRun(unit).abandon("MemoryError: the process holds too much")
            session.lost(units, "the process died")

        units = session.missing()
        abandoned(units)
        assert session.stop_reason is None
        for unit in units:
            assert session.alone(unit)
            abandoned([unit])
        assert session.stop_reason is not None
        assert "the first 3 trials failed alike: MemoryError" in session.stop_reason

    run(tiny_grid(seeds="[0, 1, 2]", more="resources: {pack: 3}"), tmp_path, execute)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_gpu_each_trial_of_a_pack_has_the_bits_that_it_has_alone(
    tiny_grid: Any, tmp_path: Path, run: Any, precision: str
) -> None:
    """Many graphs begin and end beside others that run, on several datasets."""
    grid = tiny_grid(
        seeds=f"{list(range(8))}\n  dataset.spacing: [16, 12, 8]\n  precision: [{precision}]",
        steps=300,
        every=100,
        more="resources: {gpus: 1, pack: 8}",
        replace=("batch_size: 4", "batch_size: 256"),
    )
    before = torch.cuda.memory_allocated()
    alone = run(grid, tmp_path / "alone").folder
    packed = run(grid, tmp_path / "packed", train_then_score).folder
    for trial in grid.trials:
        one, other = (torch.load(f.weights(trial.trial_id)) for f in (alone, packed))
        assert all(torch.equal(one[name], other[name]) for name in one)
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()  # of each stream, 32 MiB on a Hopper
    assert torch.cuda.memory_allocated() <= before + 2**26  # the last dataset
