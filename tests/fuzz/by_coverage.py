"""Looks for bytes that a reader does not take well, led by what they make it run (atheris).

    python -m tests.fuzz.by_coverage NAME SECONDS FOLDER

NAME is of tests.fuzz.targets; FOLDER keeps what was found, and bytes that led further, for the
next time. Ends with an error at the first find, which libFuzzer prints and leaves in FOLDER: a
crash, a minute for one file, or more than 2 GiB.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["grids", "metrics", "orchestrator", "results", "trainers"]
):
    from tests.fuzz.targets import TARGETS

MEMORY_MIB = 2048


def main() -> None:
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    warnings.simplefilter("ignore")
    options = [
        f"-max_total_time={seconds}",
        "-timeout=60",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-malloc_limit_mb={MEMORY_MIB}",
        "-max_len=65536",
        "-print_final_stats=1",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
