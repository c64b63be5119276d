"""A study of Locatello's size on a simulated cluster: what a trial costs at its start and its end.

Nodes of logical CPUs and GPUs on this machine, trials that do nothing (those of overhead.py, on
grids of four images), two metrics in the pool. One trial in a hundred diverges, and one in every
second seed, so in every window, raises an error in its first try. `latentgrid run` is one process
from the first trial to the last; then the same command again, with nothing left to do and with one
seed more; `compact`; and again. `status` (the median of three) and the dashboard are asked while it
runs and afterwards.

    python -m benchmarks.scale [--trials 12600] [--nodes 4] [--json FILE]

The machine is small and may be shared: compare ratios, and CPU seconds before seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import cloudpickle
import pandas as pd
from ray.cluster_utils import Cluster
from ray.thirdparty_files import psutil

from benchmarks.overhead import NoTraining
from grids.data_folder import DataFolder
from grids.load import load_grid
from orchestrator import machine, sweep
from orchestrator.run import run_study
from orchestrator.trainer_actor import TrainerActor
from orchestrator.trial_run import TrialRun
from results import load
from results.schema import KEYS
from results.store import StudyFolder

cloudpickle.register_pickle_by_value(sys.modules[__name__])

# Locatello's 7 datasets x 6 methods x 6 values = 252 trials a seed, seed by seed: so that every
# window below has trials of all kinds.
GRID = """
study: scale
trial:
  model: conv_locatello
  latents: 2
  optimizer: {{name: adam, lr: 1e-4}}
  steps: 1
grid:
  seed: {seeds}
  dataset: [{datasets}]
cases:
  - zip:
      framework: [{frameworks}]
      beta: [{betas}]
      beta_convention: [{conventions}]
evaluate: {{metrics: [mig, factor_vae], final: fast}}
resources: {{cpus: 1, gpus: 1}}
"""
METHODS = {
    "beta_vae": ("beta", [1, 2, 4, 6, 8, 16]),
    "factor_vae": ("gamma", [10, 20, 30, 40, 50, 100]),
    "dip_vae_i": ("lambda_od", [1, 2, 5, 10, 20, 50]),
    "dip_vae_ii": ("lambda_od", [1, 2, 5, 10, 20, 50]),
    "beta_tc_vae": ("beta", [1, 2, 4, 6, 8, 10]),
    "annealed_vae": ("capacity_nats", [5, 10, 25, 50, 75, 100]),
}
TRIALS_A_SEED = 252
WINDOW = 2 * TRIALS_A_SEED
DIVERGES_ONE_IN = 100
ASKED_AT = 0.9  # of the trials, status and the dashboard of the running study
TIMES = 5
POLL_SECONDS = 2.0
OBJECT_STORE_BYTES = 80 * 2**20


def grid_of(seeds: int) -> str:
    datasets = ", ".join(f"{{name: xysquares, grid_size: 2, spacing: {s}}}" for s in range(1, 8))
    frameworks, betas, conventions = [], [], []
    for name, (parameter, values) in METHODS.items():
        for value in values:
            of_beta = parameter == "beta"
            own = "" if of_beta else f", {parameter}: {value}"
            own += ", anneal_steps: 1" if name == "annealed_vae" else ""
            frameworks.append(f"{{name: {name}{own}}}")
            betas.append(str(value) if of_beta else "null")
            conventions.append("sum" if of_beta else "mean")
    return GRID.format(
        datasets=datasets,
        seeds=list(range(seeds)),
        frameworks=", ".join(frameworks),
        betas=", ".join(betas),
        conventions=", ".join(conventions),
    )


class Diverging(NoTraining):
    def report(self) -> dict[str, Any]:
        return {**super().report(), "loss": math.nan}


class Raising(NoTraining):
    def advance(self, steps: int) -> None:
        raise RuntimeError("a node with a bad memory")


class NothingActor(TrainerActor):
    @staticmethod
    def make_run(unit: Any) -> TrialRun:
        trial = unit.trial
        training = Diverging if int(trial.trial_id, 16) % DIVERGES_ONE_IN == 0 else NoTraining
        raises = trial.seed % 2 == 1 and trial.dataset.spacing == 1 and trial.beta == 16
        if raises and not unit.folder.log(trial.trial_id).exists():
            training = Raising  # which costs its process, too: Tune never uses it again
        return TrialRun(unit, make_training=training)  # type: ignore[arg-type]


def drive(grid_file: Path, address: str) -> None:
    """`latentgrid run` with trials that do nothing."""
    sweep.run_sweep = functools.partial(sweep.run_sweep, actor=NothingActor)
    out = grid_file.parent
    ended = run_study(
        load_grid(grid_file), out, DataFolder(out), address=address, local=False, command="run"
    )
    print(f"peak {peak_mb(os.getpid())}", file=sys.stderr)
    sys.exit(ended)


def peak_mb(pid: int) -> float:
    """Of the program alone: what getrusage says begins with the process that started it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextlib.contextmanager
def simulated(nodes: int) -> Iterator[str]:
    """The address of a cluster: a head without trials, and nodes of 2 CPUs and a GPU."""
    store = {"object_store_memory": OBJECT_STORE_BYTES}
    # Ray notes a head's address there for whoever names none, and sockets need short paths.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:
        os.environ["RAY_TMPDIR"] = short
        os.environ["LATENTGRID_LOGICAL_GPUS"] = "1"
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, **store},
        )
        try:
            for _ in range(nodes):
                cluster.add_node(num_cpus=2, num_gpus=1, **store)
            yield cluster.address
        finally:
            cluster.shutdown()


class Usage:
    """CPU seconds of processes and all their descendants, those that have ended included as far as
    they were seen."""

    def __init__(self, roots: Callable[[], list[psutil.Process]]) -> None:
        self._roots = roots
        self._seconds: dict[tuple[int, float], float] = {}

    def cpu_seconds(self) -> float:
        for root in self._roots():
            for process in [root, *_children(root)]:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    times = process.cpu_times()
                    self._seconds[process.pid, process.create_time()] = times.user + times.system
        return sum(self._seconds.values())


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


class Driver:
    """The driver's process, watched: a row a second of `seen`."""

    def __init__(self, folder: StudyFolder, grid_file: Path, address: str) -> None:
        self.folder = folder
        self.seen: list[dict[str, float]] = []
        cluster = psutil.Process().children()
        command = [sys.executable, "-m", "benchmarks.scale", "--drive", str(grid_file)]
        self.started = time.monotonic()
        self._said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*command, "--address", address], stdout=subprocess.DEVNULL, stderr=self._said
        )
        own = psutil.Process(self.process.pid)
        self._own, self._all = Usage(lambda: [own]), Usage(lambda: [own, *cluster])
        self._before = self._all.cpu_seconds()
        self._memory = own.memory_info
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def done(self) -> float:
        return self.seen[-1]["done"] if self.seen else 0.0

    def _watch(self) -> None:
        while self.process.poll() is None:
            with contextlib.suppress(psutil.Error):
                self.seen.append(
                    {
                        "seconds": time.monotonic() - self.started,
                        "done": len(self.folder.record_names("trials")),
                        "driver_cpu": self._own.cpu_seconds(),
                        "all_cpu": self._all.cpu_seconds() - self._before,
                        "rss_mb": self._memory().rss / 2**20,
                    }
                )
            time.sleep(POLL_SECONDS)

    def ended(self) -> dict[str, float]:
        """What the whole run took. RuntimeError if it failed."""
        self.process.wait()
        seconds = time.monotonic() - self.started
        self._thread.join()
        self._said.seek(0)
        said = self._said.read()
        self._said.close()
        if self.process.returncode:
            raise RuntimeError(said)
        rows = [row for row in self.seen if row["done"] > self.seen[0]["done"]]
        return {
            "seconds": seconds,
            "driver_cpu": self.seen[-1]["driver_cpu"],
            "peak_mb": float(said.rsplit("peak ", 1)[1]),
            "first_trial_at": rows[0]["seconds"] if rows else math.nan,
        }


def windows(seen: list[dict[str, float]], size: int) -> pd.DataFrame:
    """By windows of so many trials: seconds and CPU seconds a trial, the driver's memory at the
    end. The first begins with the first trial that is done."""
    frame = pd.DataFrame(seen).drop_duplicates("done").set_index("done")
    ends = [1, *range(size, int(frame.index.max()) + 1, size)]
    at = frame.reindex(frame.index.union(ends)).interpolate("index").loc[ends]
    trials = pd.Series(ends[1:], index=ends[1:]) - ends[:-1]
    found = at[["seconds", "driver_cpu", "all_cpu"]].diff().iloc[1:].div(trials, axis=0)
    return found.assign(rss_mb=at["rss_mb"].iloc[1:])


def command(*arguments: object) -> dict[str, float]:
    """A `latentgrid` command as a user runs it: seconds, CPU seconds and MB at most."""
    line = [sys.executable, "-m", "orchestrator", *map(str, arguments)]
    started = time.monotonic()
    process = psutil.Popen(line, stdout=subprocess.DEVNULL)
    found: dict[str, float] = {}
    while process.poll() is None:
        with contextlib.suppress(OSError, IndexError, psutil.Error):  # it may just have ended
            times = process.cpu_times()
            found = {"cpu": times.user + times.system, "peak_mb": peak_mb(process.pid)}
        time.sleep(0.01)
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)} exited with {process.returncode}")
    return {"seconds": time.monotonic() - started, **found}


def status(folder: StudyFolder) -> dict[str, float]:
    """The second of three by their seconds."""
    found = [command("status", folder.root) for _ in range(3)]
    return sorted(found, key=lambda each: each["seconds"])[1]


def dashboard(folder: StudyFolder) -> dict[str, float]:
    """Seconds until a first page, asked for at once; then of each address the median of TIMES."""
    line = [sys.executable, "-m", "orchestrator", "dashboard", str(folder.out), "--port", "0"]
    began = time.monotonic()
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        base = server.stderr.readline().split()[-1]

        def asked(path: str) -> float:
            started = time.monotonic()
            with urllib.request.urlopen(base + path, timeout=120) as answer:
                answer.read()
            return time.monotonic() - started

        study = f"study/{folder.name}/"
        asked(study)
        found = {"started, and first page": time.monotonic() - began}
        trial = f"{study}trial/{load_grid(folder.study_yaml).trials[-1].trial_id}/"
        score = "scores.json?representation=mean&metric=mig&score=mig&size=fast&at=last"
        for name, path in (
            ("all studies", ""),
            ("study", study),
            ("grid.json", f"{study}grid.json"),
            ("state.json", f"{study}state.json"),
            ("scores.json", f"{study}{score}"),
            ("trial", trial),
            ("curve.json", f"{trial}curve.json"),
            ("metrics", "metrics"),
        ):
            try:
                found[name] = statistics.median(asked(path) for _ in range(TIMES))
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"{path}: {error.code}") from error
        found["peak_mb"] = peak_mb(server.pid)
        server.terminate()
    return found


def rows_of(folder: StudyFolder) -> dict[str, pd.DataFrame]:
    frames = load(folder.root)
    return {
        table: rows.sort_values(list(KEYS[table]), ignore_index=True)
        for table, rows in frames._asdict().items()
    }


def loose_files(folder: StudyFolder) -> int:
    kept = {folder.compacted}
    found = [*(folder.root / "_rows").glob("*/*"), *folder.attempts_dir.glob("*")]
    return len([path for path in found if path not in kept])


def measure(trials: int, nodes: int, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    seeds = math.ceil(trials / TRIALS_A_SEED)
    grid_file = out / "scale.yaml"
    folder = StudyFolder(out / "scale")
    grid_file.write_text(grid_of(seeds))
    trials = seeds * TRIALS_A_SEED
    found: dict[str, Any] = {"trials": trials}
    with simulated(nodes) as address:
        driver = Driver(folder, grid_file, address)
        while driver.process.poll() is None and driver.done < ASKED_AT * trials:
            time.sleep(POLL_SECONDS)
        if driver.process.poll() is None:
            found["status, running"] = status(folder)
            found["dashboard, running"] = dashboard(folder)
        found["run"] = driver.ended()
        found["windows"] = windows(driver.seen, min(WINDOW, trials // 2))
        say(f"run: {found['run']}")
        found["run again"] = Driver(folder, grid_file, address).ended()
        found["status"] = status(folder)
        found["dashboard"] = dashboard(folder)
        grid_file.write_text(grid_of(seeds + 1))
        found["a seed more"] = Driver(folder, grid_file, address).ended()
        before = rows_of(folder)
        found["loose files"] = loose_files(folder)
        found["compact"] = command("compact", folder.root)
        found["loose files, compacted"] = loose_files(folder)
        after = rows_of(folder)
        for table in before:
            pd.testing.assert_frame_equal(before[table], after[table], check_exact=True)
        found["rows"] = {table: len(rows) for table, rows in after.items()}
        found["attempts by outcome"] = after["attempts"]["outcome"].value_counts().to_dict()
        found["status by trial"] = after["trials"]["status"].value_counts().to_dict()
        found["status, compacted"] = status(folder)
        found["dashboard, compacted"] = dashboard(folder)
        found["run again, compacted"] = Driver(folder, grid_file, address).ended()
    return found


def show(found: dict[str, Any]) -> None:
    by_window = found["windows"]
    print(f"\n{'trials':>8}{'s/trial':>10}{'CPU s/trial':>13}{'driver CPU':>12}{'driver MB':>11}")
    for end, row in by_window.iterrows():
        print(
            f"{end:8,}{row['seconds']:10.3f}{row['all_cpu']:13.3f}{row['driver_cpu']:12.3f}"
            f"{row['rss_mb']:11.0f}"
        )
    third = max(1, len(by_window) // 3)
    for name, column in (("seconds", "seconds"), ("CPU seconds", "all_cpu")):
        first, last = by_window[column].iloc[:third], by_window[column].iloc[-third:]
        print(
            f"{name} a trial, mean and its standard error: first {third} windows "
            f"{first.mean():.3f} +- {first.sem():.3f}, last {last.mean():.3f} +- {last.sem():.3f}, "
            f"{last.mean() / first.mean():.2f} x"
        )
    for name, values in found.items():
        if isinstance(values, dict):
            print(f"{name}: " + ", ".join(f"{k} {v:,.3g}" for k, v in values.items()))
        elif name != "windows":
            print(f"{name}: {values:,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=12_600, help="of 252 a seed")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--json", type=Path, help="also write what was found to this file")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help="where the study is written for the while")
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments.drive, arguments.address)
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    print("  ".join(f"{name} {version}" for name, version in machine.versions().items()))
    print(f"{arguments.nodes} nodes of 2 CPUs and a GPU; load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as out:
        found = measure(arguments.trials, arguments.nodes, Path(out).resolve(), print)
    show(found)
    if arguments.json:
        as_json = {**found, "windows": found["windows"].reset_index().to_dict("records")}
        arguments.json.write_text(json.dumps(as_json, indent=1, default=float))


if __name__ == "__main__":
    main()
