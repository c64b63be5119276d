"""What a trial costs beyond its own work: trials that do nothing, through our whole path.

Against bare Ray Tune (a class trainable that is done at once, reuse_actors, no loggers) in the same
run on the same cluster. Ours includes the attempts, curves, weights, pictures, codes and rows on
disk, and scoring with two metrics in the pool.

    python benchmarks/overhead.py [--trials 512]
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import cloudpickle
import ray
import torch
from ray import tune
from ray.tune import CheckpointConfig, RunConfig, TuneConfig
from ray.tune.search.basic_variant import BasicVariantGenerator

from grids.data_folder import DataFolder
from grids.load import load_grid
from orchestrator import cluster, machine
from orchestrator.session import study_session
from orchestrator.sweep import TUNE_ENVIRONMENT, run_sweep
from orchestrator.trainer_actor import TrainerActor
from orchestrator.trial_run import TrialRun
from results import load
from results.store import StudyFolder

cloudpickle.register_pickle_by_value(sys.modules[__name__])

GRID = """
study: nothing
trial:
  dataset: {{name: xysquares, grid_size: 2, spacing: 16}}
  model: conv64
  framework: beta_vae
  beta: 1
  latents: 2
  steps: 1
grid: {{seed: [{seeds}]}}
evaluate: {{metrics: [mig, factor_vae], final: fast}}
"""


class NoModel(torch.nn.Module):
    """Latents that are the first two pixels; a decoder that draws black."""

    latents = 2

    def code(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :2]

    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        codes = self.code(images)
        return codes, torch.zeros_like(codes)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(latents), 3, 64, 64)


class NoTraining:
    def __init__(self, trial: Any, dataset: Any, device: Any) -> None:
        self.model, self.step = NoModel(), 0

    def advance(self, steps: int) -> None:
        self.step += steps

    def report(self) -> dict[str, Any]:
        terms = dict.fromkeys(("loss", "reconstruction_per_image", "kl_nats"), 0.0)
        return {**terms, "kl_nats_by_latent": [0.0, 0.0]}


class NothingActor(TrainerActor):
    @staticmethod
    def make_run(unit: Any) -> TrialRun:
        return TrialRun(unit, make_training=NoTraining)  # type: ignore[arg-type]


class BareTrainable(tune.Trainable):
    def step(self) -> dict[str, Any]:
        return {"done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True


def bare_seconds(trials: int) -> float:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        tune.Tuner(
            tune.with_resources(BareTrainable, {"cpu": 1}),
            param_space={"unit": None},
            tune_config=TuneConfig(
                search_alg=BasicVariantGenerator(
                    points_to_evaluate=[{"unit": str(i)} for i in range(trials)]
                ),
                num_samples=trials,
                reuse_actors=True,
            ),
            run_config=RunConfig(
                storage_path=scratch,
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    return time.perf_counter() - started


def our_seconds(trials: int) -> float:
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "nothing.yaml"
        path.write_text(GRID.format(seeds=", ".join(map(str, range(trials)))))
        grid = load_grid(path)
        started = time.perf_counter()
        folder = StudyFolder(Path(out) / grid.study)
        with study_session(
            grid, folder, data=DataFolder(Path(out)), say=print, each=lambda session: None
        ) as session:
            run_sweep(session, actor=NothingActor)
        seconds = time.perf_counter() - started
        frames = load(folder.root)
        assert not session.unscored and len(frames.trials) == trials, "the benchmark itself failed"
        assert frames.scores["trial_id"].nunique() == trials
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=512)
    trials = parser.parse_args().trials
    os.environ.update(TUNE_ENVIRONMENT, TUNE_MAX_PENDING_TRIALS_PG="2")
    cluster._quiet_ray()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    print("  ".join(f"{name} {version}" for name, version in machine.versions().items()))
    bare_seconds(8)  # workers are up, imports are cached
    rows = [("bare Tune", bare_seconds(trials)), ("latentgrid", our_seconds(trials))]
    rows.append(("bare Tune, again", bare_seconds(trials)))
    bare = (rows[0][1] + rows[2][1]) / 2
    print(f"\n{trials} trials that do nothing\n{'':20}{'s':>8}{'s/trial':>10}{'ratio':>8}")
    for name, seconds in rows:
        print(f"{name:20}{seconds:8.1f}{seconds / trials:10.3f}{seconds / bare:8.2f}")


if __name__ == "__main__":
    main()
