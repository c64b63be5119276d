from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metrics
from metrics.table import CodeTable
from metrics.votes import Votes

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "plan",
    "run",
    "submit",
    "status",
    "dashboard",
    "score",
    "compact",
    "report",
    "traversals",
    "export",
)


Command = Callable[..., subprocess.CompletedProcess[str]]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    [line] = done.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_stands_in_the_readme(
    latentgrid: Command, command: str
) -> None:
    shown = latentgrid(command, "--help")
    assert shown.returncode == 0
    assert f"Example: latentgrid {command} " in " ".join(shown.stdout.split())
    assert f"`latentgrid {command} " in (ROOT / "README.md").read_text()


def test_plan_prints_json_for_programs_and_starts_nothing(
    latentgrid: Command, tmp_path: Path
) -> None:
    done = latentgrid("plan", "grids/quickstart.yaml", "--out", tmp_path / "out", "--json")
    plan = json.loads(done.stdout)
    assert plan["study"] == "quickstart" and plan["trials"] == 8 and plan["done"] == 0
    assert len(set(plan["trial_ids"])) == 8 and plan["steps"] % 8 == 0
    assert plan["hours"] is None
    assert not (tmp_path / "out").exists()


def test_run_status_plan_and_compact_tell_the_same_story(
    latentgrid: Command, tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid(replace=("metrics: [mig, factor_vae]", "metrics: [mig, factor_vae, udr]"))
    grid, root = tmp_path / "tiny.yaml", tmp_path / "out" / "tiny"
    done = latentgrid("run", grid, "--out", tmp_path / "out", "--local")
    assert done.returncode == 0, done.stderr
    assert "mig" in done.stdout and str(root) in done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    status = json.loads(latentgrid("status", root, "--json").stdout)
    assert (status["done"], status["failed"], status["running"]) == (2, 0, [])
    assert status["scores"] == status["scores_wanted"] == 6
    plan = json.loads(latentgrid("plan", grid, "--out", tmp_path / "out", "--json").stdout)
    assert plan["done"] == 2 and plan["hours"] == 0.0
    assert (plan["scores"], plan["scores_left"]) == (6, 0)
    before = {t: pd.read_parquet(root / f"{t}.parquet") for t in ("trials", "scores", "curves")}
    compacted = latentgrid("compact", root)
    assert compacted.returncode == 0, compacted.stderr
    assert not list((root / "_rows").glob("*/[!.]*.json"))
    for table, rows in before.items():
        again = pd.read_parquet(root / f"{table}.parquet")
        keys = [name for name in ("trial_id", "step", "metric", "score") if name in rows]
        assert again.sort_values(keys, ignore_index=True).equals(
            rows.sort_values(keys, ignore_index=True)
        )
    assert json.loads(latentgrid("status", root, "--json").stdout)["done"] == 2
    assert latentgrid("run", grid, "--out", tmp_path / "out", "--local").returncode == 0


def test_plan_knows_the_hours_from_an_earlier_run_of_such_trials(
    latentgrid: Command, tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid(seeds="[0]")
    latentgrid("run", tmp_path / "tiny.yaml", "--out", tmp_path / "out", "--local")
    tiny_grid("more", seeds="[1, 2]")
    command = ("plan", tmp_path / "more.yaml", "--out", tmp_path / "out", "--json")
    plan = json.loads(latentgrid(*command).stdout)
    trained = pd.read_parquet(tmp_path / "out" / "tiny" / "trials.parquet")["train_seconds"]
    assert plan["hours"] == pytest.approx(2 * trained.item() / 3600)


def test_score_gives_the_metrics_of_a_representation_made_elsewhere(
    latentgrid: Command, tmp_path: Path
) -> None:
    codes = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    path = tmp_path / "codes.npz"
    np.savez(path, codes=codes, factor_sizes=np.array([3, 4, 5]))
    done = latentgrid("score", path, "--metric", "mig", "--seed", "3", "--json")
    [row] = json.loads(done.stdout)["scores"]
    table = CodeTable.checked(codes, np.array([3, 4, 5]), None)
    assert row["value"] == metrics.score("mig", table, size="full", seed=3)["mig"]
    two = latentgrid("score", path, "--metric", "factor_vae", "--metric", "sap").stdout
    assert "factor_vae_score" in two and "sap" in two


def test_score_draws_sampled_codes_from_the_posteriors_if_there_are_any(
    latentgrid: Command, tmp_path: Path
) -> None:
    codes, logvar = np.random.default_rng(0).normal(size=(2, 60, 4)).astype(np.float32)
    path, sizes = tmp_path / "codes.npz", np.array([3, 4, 5])
    np.savez(path, codes=codes, factor_sizes=sizes, logvar=logvar)
    command = ("score", path, "--metric", "mig", "--representation", "sampled")
    told = json.loads(latentgrid(*command, "--json").stdout)
    table = dataclasses.replace(CodeTable.checked(codes, sizes, logvar), sampled=True)
    expected = metrics.score("mig", table, size="full", seed=0)["mig"]
    assert (told["representation"], told["scores"][0]["value"]) == ("sampled", expected)
    mean = json.loads(latentgrid("score", path, "--metric", "mig", "--json").stdout)
    assert mean["scores"][0]["value"] > 2 * expected
    np.savez(path, codes=codes, factor_sizes=sizes)
    line = one_line(latentgrid(*command))
    assert line == f"latentgrid: {path}: there is no logvar to draw codes with; valid: mean codes"


def test_score_gives_the_metrics_that_take_votes_of_a_file_of_votes(
    latentgrid: Command, tmp_path: Path
) -> None:
    codes = np.random.default_rng(0).normal(size=(60, 5, 4)).astype(np.float32)
    labels = np.repeat([0, 1, 2], 20)
    path = tmp_path / "votes.npz"
    np.savez(path, votes=codes, labels=labels)
    done = latentgrid("score", path, "--seed", "3", "--json")
    rows = json.loads(done.stdout)["scores"]
    assert list(dict.fromkeys(row["metric"] for row in rows)) == metrics.metrics_for("votes")
    votes = Votes.checked(codes, labels)
    expected = metrics.score("factor_vae", votes, size="full", seed=3)
    assert {r["score"]: r["value"] for r in rows if r["metric"] == "factor_vae"} == expected
    line = one_line(latentgrid("score", path, "--metric", "factor_vae", "--metric", "mig"))
    assert "mig takes a code table, not votes; valid for votes: factor_vae" in line


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"codes": np.zeros((7, 2)), "factor_sizes": np.array([3, 4])}, "12"),
        ({"codes": np.full((12, 2), np.nan), "factor_sizes": np.array([3, 4])}, "NaN"),
        ({"codes": np.array([{}] * 12), "factor_sizes": np.array([3, 4])}, "object"),
        ({"factor_sizes": np.array([3, 4])}, "codes"),
        ({"votes": np.zeros((6, 3, 2)), "labels": np.array([0, 1])}, "labels has shape [2]"),
        (
            {
                "codes": np.zeros((2, 2)),
                "encoded_rows": np.array([3, 5]),
                "factor_sizes": np.array([3, 4]),
                "replicates": np.array(1),
            },
            "holds 2 of 12 rows, for a study's own scores; valid: all rows",
        ),
    ],
)
def test_score_refuses_bad_arrays_in_one_line(
    latentgrid: Command, tmp_path: Path, arrays: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "codes.npz"
    np.savez(path, **arrays)
    line = one_line(latentgrid("score", path))
    assert str(path) in line and complaint in line


def test_bad_input_is_one_line_exit_2_and_nothing_written(
    latentgrid: Command, tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid()
    good, out = tmp_path / "tiny.yaml", tmp_path / "out"
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("beta: 1e-3", "beta: -1"))
    line = one_line(latentgrid("run", bad, "--out", out, "--local"))
    assert f"{bad}:7:" in line and "beta is -1" in line
    assert not out.exists()
    file = tmp_path / "a file"
    file.touch()
    line = one_line(latentgrid("run", good, "--out", file, "--local"))
    assert f"--out {file}: is a file" in line
    assert "not a study's folder" in one_line(latentgrid("status", tmp_path))
    assert "valid: mig, factor_vae" in one_line(latentgrid("score", bad, "--metric", "migg"))
    assert "missing.npz" in one_line(latentgrid("score", tmp_path / "missing.npz"))
    submitted = latentgrid("submit", good, "--address", "http://localhost:1", "--out", "runs")
    assert "absolute path" in one_line(submitted)
    for address in ("", "head", "os://x"):
        submitted = latentgrid("submit", good, "--address", address, "--out", "/runs")
        assert "valid: http://HEAD:8265" in one_line(submitted)
    submitted = latentgrid("submit", good, "--address", "http://head:99999", "--out", "/runs")
    assert "http://head:99999" in one_line(submitted)


def test_damaged_and_newer_studies_are_refused_by_file_and_left_alone(
    latentgrid: Command, tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid()
    grid, out = tmp_path / "tiny.yaml", tmp_path / "out"
    assert latentgrid("run", grid, "--out", out, "--local").returncode == 0
    table = out / "tiny" / "trials.parquet"
    whole = table.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"PAR1 not really"):
        table.write_bytes(damaged)
        for command in (("run", grid, "--out", out, "--local"), ("status", out / "tiny")):
            line = one_line(latentgrid(*command))
            assert str(table) in line and "rebuilt from _rows" in line
        assert table.read_bytes() == damaged
    table.unlink()
    assert latentgrid("run", grid, "--out", out, "--local").returncode == 0
    assert len(pd.read_parquet(table)) == 2
    manifest = out / "tiny" / "manifest.json"
    newer = json.loads(manifest.read_text()) | {"schema_version": 99}
    manifest.write_text(json.dumps(newer))
    line = one_line(latentgrid("run", grid, "--out", out, "--local"))
    assert str(manifest) in line and "99" in line
    assert json.loads(manifest.read_text()) == newer
