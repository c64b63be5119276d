"""A driver as its own process, with mischief in its workers: `python -m ... GRID OUT ADDRESS`."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import ray

from grids.load import load_grid
from orchestrator import sweep
from orchestrator.signals import Signals
from results.files import location
from tests.orchestrator.conftest import run_study
from tests.orchestrator.faults.mischief import MischievousActor, MischievousPool, disturb


def main() -> int:
    grid, out, address = load_grid(Path(sys.argv[1])), location(sys.argv[2]), sys.argv[3]
    with Signals() as signals:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        signals.install()
        disturb(out / grid.study)
        sweep.MetricPool = MischievousPool  # type: ignore[misc]
        execute = functools.partial(sweep.run_sweep, actor=MischievousActor, pause_seconds=0.2)

        def attached(session: object) -> None:
            signals.attach(session)  # type: ignore[arg-type]
            execute(session)  # type: ignore[arg-type]

        session = run_study(grid, out, attached)
    print(f"stopped: {session.stop_reason}; unscored: {session.unscored}", flush=True)
    return 0 if session.stop_reason is None else 1


if __name__ == "__main__":
    sys.exit(main())
