"""`latentgrid plan` of a grid of Locatello's size, Python's start included: seconds and memory.

python benchmarks/plan.py
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestrator import machine

# 7 datasets x 6 methods x 6 values x 50 seeds, in the parts that exist.
GRID = """
study: unsupervised-sized
trial: {model: conv64, latents: 10, beta_convention: sum, steps: 300000, batch_size: 64}
grid:
  dataset: [SPACINGS]
  beta: [1, 2, 4, 6, 8, 16]
  framework: [METHODS]
  seed: [SEEDS]
evaluate: {metrics: [mig, factor_vae]}
"""
METHODS = ["beta_vae"] + [
    f"{{name: {name}, divergence: {divergence}}}"
    for name, divergence in (
        ("ada_gvae", "symmetric"),
        ("ada_gvae", "forward"),
        ("ada_gvae", "reverse"),
        ("ada_ml_vae", "symmetric"),
        ("ada_ml_vae", "forward"),
    )
]


def main() -> None:
    text = GRID.replace(
        "SPACINGS", ", ".join(f"{{name: xysquares, spacing: {s}}}" for s in range(1, 8))
    )
    text = text.replace("METHODS", ", ".join(METHODS)).replace(
        "SEEDS", ", ".join(map(str, range(50)))
    )
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    print("  ".join(f"{name} {version}" for name, version in machine.versions().items()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.yaml"
        path.write_text(text)
        command = [sys.executable, "-m", "orchestrator", "plan", str(path), "--out", folder]
        seconds = []
        for _ in range(5):
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - started)
    assert "12,600" in done.stdout, done.stdout
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"\nplan of 12,600 trials: {sorted(seconds)[2]:.2f} s (median of 5), {peak_mb:.0f} MB peak"
    )


if __name__ == "__main__":
    main()
