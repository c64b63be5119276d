"""How the blocks combine, through the real loader, and the shapes of the published studies."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import grids.load
from grids.load import Grid
from grids.parts import AdaGVAE, BetaVAE
from grids.trial import GridError

Load = Callable[[str], Grid]
ROOT = Path(grids.load.__file__).parents[1]

HEAD = """\
study: s
trial:
  dataset: {name: xysquares, grid_size: 4, standardise: true}
  framework: {name: ada_gvae, k_rule: uniform}
  model: conv64
  latents: 9
  beta: 1e-3
  steps: 100
"""


def rows(grid: Grid, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(trial.columns()[column] for column in columns) for trial in grid.trials]


def test_without_a_grid_the_defaults_are_one_trial(load: Load) -> None:
    (trial,) = load(HEAD).trials
    assert trial.columns()["framework.k_rule"] == "uniform"


def test_grid_is_every_combination_and_the_last_key_turns_fastest(load: Load) -> None:
    grid = load(HEAD + "grid:\n  dataset.spacing: [16, 3]\n  seed: [0, 1]\n")
    assert rows(grid, "dataset.spacing", "seed") == [(16, 0), (16, 1), (3, 0), (3, 1)]
    assert {trial.dataset.grid_size for trial in grid.trials} == {4}


def test_zip_is_side_by_side_and_crossed_with_grid(load: Load) -> None:
    grid = load(HEAD + "zip:\n  latents: [5, 10]\n  steps: [10, 20]\ngrid: {seed: [0, 1]}\n")
    assert rows(grid, "latents", "steps", "seed") == [
        (5, 10, 0),
        (5, 10, 1),
        (10, 20, 0),
        (10, 20, 1),
    ]


def test_cases_are_crossed_with_the_outer_grid_and_hold_their_own(load: Load) -> None:
    grid = load(
        HEAD
        + "grid: {seed: [0, 1]}\n"
        + "cases:\n"
        + "  - {framework: beta_vae, grid: {beta: [1, 4]}}\n"
        + "  - {beta: 2, zip: {latents: [5, 6], framework.k_rule: [orig, uniform]}}\n"
    )
    assert rows(grid, "framework", "beta", "latents", "seed") == [
        ("beta_vae", 1, 9, 0),
        ("beta_vae", 4, 9, 0),
        ("beta_vae", 1, 9, 1),
        ("beta_vae", 4, 9, 1),
        ("ada_gvae", 2, 5, 0),
        ("ada_gvae", 2, 6, 0),
        ("ada_gvae", 2, 5, 1),
        ("ada_gvae", 2, 6, 1),
    ]


def test_another_name_leaves_the_parameters_of_the_default_behind(load: Load) -> None:
    grid = load(HEAD + "grid: {framework: [beta_vae, ada_gvae, {name: ada_gvae, k_rule: orig}]}\n")
    frameworks = [trial.framework for trial in grid.trials]
    assert frameworks == [BetaVAE(), AdaGVAE(k_rule="uniform"), AdaGVAE(k_rule="orig")]


def test_a_part_with_parameters_lies_over_the_default_of_its_name(load: Load) -> None:
    grid = load(HEAD + "grid: {dataset: [{name: xysquares, spacing: 3}]}\n")
    assert rows(grid, "dataset.spacing", "dataset.grid_size") == [(3, 4)]


def test_resources_of_a_case_lie_over_those_of_the_file(load: Load) -> None:
    grid = load(
        HEAD
        + "resources: {cpus: 2, memory: 1GiB}\n"
        + "cases: [{seed: 0}, {seed: 1, resources: {gpus: 0.5, memory: null}}]\n"
        + "include: [{seed: 2}]\n"
    )
    assert [(r.gpus, r.cpus, r.memory_bytes) for r in grid.resources] == [
        (0, 2, 2**30),
        (0.5, 2, None),
        (0, 2, 2**30),
    ]


def test_exclude_takes_out_whatever_has_all_its_values(load: Load) -> None:
    grid = load(HEAD + "grid: {seed: [0, 1], latents: [5, 6]}\nexclude: [{seed: 1, latents: 5}]\n")
    assert rows(grid, "seed", "latents") == [(0, 5), (0, 6), (1, 6)]


def test_exclude_sees_defaults_and_numbers_by_value(load: Load) -> None:
    grid = load(
        HEAD + "grid: {seed: [0, 1], beta: [1, 2]}\n"
        "exclude: [{precision: fp32, optimizer.lr: 0.001, beta: 1.0, framework: ada_gvae}]\n"
    )
    assert rows(grid, "beta") == [(2,), (2,)]


def test_exclude_may_take_out_what_would_not_be_valid(load: Load) -> None:
    grid = load(
        HEAD + "grid: {framework: [beta_vae, ada_gvae], framework.averaging: [gvae]}\n"
        "exclude: [{framework: beta_vae}]\n"
    )
    assert rows(grid, "framework", "framework.averaging") == [("ada_gvae", "gvae")]


def test_include_adds_after_the_exclusion(load: Load) -> None:
    grid = load(
        HEAD + "grid: {seed: [0, 1]}\nexclude: [{seed: 1}]\n"
        "include: [{seed: 1}, {seed: 7, framework: beta_vae}]\n"
    )
    assert rows(grid, "seed", "framework") == [(0, "ada_gvae"), (1, "ada_gvae"), (7, "beta_vae")]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ("grid: {seed: [0]}\nzip: {seed: [1]}\n", "10:7: seed is set here and on line 9"),
        ("grid: {seed: [0]}\ncases: [{seed: 1}]\n", "10:10: seed is set here and on line 9"),
        ("cases: [{seed: 1, grid: {seed: [1]}}]\n", "9:26: seed is set here and on line 9"),
        (
            "grid: {framework: [{name: ada_gvae, k_rule: orig}], framework.k_rule: [uniform]}\n",
            "9:53: framework.k_rule is set here and on line 9",
        ),
        (
            "zip: {framework: [{name: ada_gvae, k_rule: orig}], framework.k_rule: [uniform]}\n",
            "9:52: framework.k_rule is set here and on line 9",
        ),
        (
            "grid: {framework: [beta_vae], framework.k_rule: [orig]}\n",
            "9:31: framework.k_rule is not a parameter of beta_vae (but of ada_gvae, ada_ml_vae)",
        ),
        ("cases: [{latens: 1}]\n", "9:10: unknown key 'latens'; did you mean latents?"),
        ("cases: [{gird: {}}]\n", "9:10: unknown key 'gird'; did you mean grid?"),
        ("cases: [{grid: {seeds: [0]}}]\n", "9:17: unknown key 'seeds'; did you mean seed?"),
        ("include: [{grid: {seed: [0]}}]\n", "9:12: unknown key 'grid'; valid: dataset"),
        ("grid: {dataset.spacin: [3]}\n", "9:8: unknown key 'dataset.spacin'; did you mean"),
        ("grid: {dataset.name: [xysquares]}\n", "9:8: unknown key 'dataset.name'; did you mean"),
        ("grid: {seed: 3}\n", "9:14: seed is 3; valid: a list"),
        ("grid: {seed: [[1]]}\n", "9:15: seed is a list; valid: one value"),
        ("grid: {framework: [{k_rule: orig}]}\n", "9:20: framework has no name; valid: name:"),
        ("grid: []\n", "9:7: grid is a list; valid: a mapping"),
        ("cases: []\n", "9:8: cases is an empty list; valid: at least one value"),
        ("cases: [seed]\n", "9:9: an item of cases is 'seed'; valid: a mapping"),
        ("exclude: [{}]\n", "9:11: an item of exclude is empty"),
        ("exclude: [{framework: beta_vea}]\n", "9:23: framework is 'beta_vea'; did you mean"),
        ("exclude: [{framework: {name: ada_gvae, kay: 1}}]\n", "9:40: unknown parameter 'kay' of"),
    ],
)
def test_what_cannot_be_combined(load: Load, blocks: str, message: str) -> None:
    with pytest.raises(GridError) as caught:
        load(HEAD + blocks)
    assert str(caught.value).partition("grid.yaml:")[2].startswith(message)


def numbers(end: int) -> str:
    return str(list(range(end)))


LOCATELLO = f"""\
study: locatello
trial:
  dataset: xysquares
  framework: beta_vae
  beta: 1
  beta_convention: sum
  model: conv64
  latents: 10
  reconstruction: bernoulli
  optimizer: {{name: adam, lr: 1e-4}}
  steps: 300000
grid:
  dataset.spacing: [2, 3, 4, 5, 6, 7, 8]   # in place of the seven datasets
  seed: {numbers(50)}
cases:                                     # in place of the six methods
  - {{framework: beta_vae, grid: {{beta: [1, 2, 4, 6, 8, 16]}}}}
  - {{framework: ada_gvae, grid: {{framework.threshold_ratio: [0.1, 0.2, 0.3, 0.4, 0.6, 0.7]}}}}
  - framework: {{name: ada_gvae, k_rule: fixed}}
    grid: {{framework.k: [1, 2, 3, 4, 5, 6]}}
  - framework: ada_ml_vae
    grid: {{framework.threshold_ratio: [0.1, 0.2, 0.3, 0.4, 0.6, 0.7]}}
  - {{framework: {{name: ada_gvae, divergence: forward}}, grid: {{beta: [1, 2, 4, 6, 8, 10]}}}}
  - {{framework: {{name: ada_gvae, divergence: reverse}}, grid: {{beta: [5, 10, 25, 50, 75, 100]}}}}
"""


def test_locatello_has_12600_trials(load: Load) -> None:
    grid = load(LOCATELLO)
    assert len({trial.trial_id for trial in grid.trials}) == len(grid.trials) == 12_600
    cells = Counter(rows(grid, "dataset.spacing"))
    assert len(cells) == 7 and set(cells.values()) == {1800}
    names = ("framework", "framework.k_rule", "framework.divergence")
    methods = Counter(tuple(trial.columns().get(name) for name in names) for trial in grid.trials)
    assert len(methods) == 6 and set(methods.values()) == {2100}


MEASURE = """
import sys
from pathlib import Path
from grids.load import load_grid
ids = {trial.trial_id for trial in load_grid(Path(sys.argv[1])).trials}
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(ids), int(peak.split()[1]) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_12600_trials_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(LOCATELLO)
    command = [sys.executable, "-c", MEASURE, str(path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    num_trials, peak_mib = (float(word) for word in said.split())
    assert num_trials == 12_600
    assert peak_mib < 100


# Fil: each dataset has its optimiser, its latents and its seeds; beta is common.
FIL = """\
study: fil
trial:
  dataset: xysquares
  framework: beta_vae
  beta_convention: sum
  model: conv64
  latents: 10
  batch_size: 64
  steps: 1000
grid:
  beta: [0.1, 1, 4, 10]
cases:
  - dataset: {name: xysquares, rgb: false}
    model: conv64_disent
    batch_size: 256
    optimizer: {name: adam, lr: 1e-2}
    grid: {seed: [123, 427, 235, 921]}
  - dataset: {name: xysquares, rgb: false}
    batch_size: 256
    optimizer: {name: adam, lr: 5e-4}
    grid: {seed: [123, 427, 235, 921]}
  - {dataset.spacing: 3, optimizer.lr: 1e-4, grid: {seed: [123, 427, 235]}}
  - {dataset.spacing: 4, optimizer.lr: 5e-4, grid: {seed: [123, 427, 235]}}
  - {dataset.spacing: 5, optimizer.lr: 5e-4, latents: 128, grid: {seed: [4723, 1263]}}
  - {dataset.spacing: 6, optimizer.lr: 5e-4, latents: 128, grid: {seed: [4723, 1263]}}
"""


def test_fil_has_72_trials(load: Load) -> None:
    grid = load(FIL)
    assert len({trial.trial_id for trial in grid.trials}) == len(grid.trials) == 72
    cells = Counter(
        rows(grid, "dataset.rgb", "dataset.spacing", "model", "optimizer.lr", "latents")
    )
    assert cells == {
        (False, 8, "conv64_disent", 1e-2, 10): 16,
        (False, 8, "conv64", 5e-4, 10): 16,
        (True, 3, "conv64", 1e-4, 10): 12,
        (True, 4, "conv64", 5e-4, 10): 12,
        (True, 5, "conv64", 5e-4, 128): 8,
        (True, 6, "conv64", 5e-4, 128): 8,
    }


# Song: one grid over latents at complexity K = 5, one over K at 20 latents with steps by K. Spacing
# stands in for K; the cell of K = 5 and 20 latents is in both, and its trials are the same ones.
SONG_HEAD = """\
trial:
  dataset: xysquares
  framework: beta_vae
  beta_convention: sum
  model: conv64
  reconstruction: bernoulli
  optimizer: {name: adam, lr: 5e-4}
grid:
  beta: [1, 2, 4, 8]
  seed: [0, 1, 2]
"""
SONG_LATENTS = "  - {dataset.spacing: 5, steps: 468750, grid: {latents: [5, 10, 15, 20]}}\n"
SONG_COMPLEXITY = """\
  - latents: 20
    zip:
      dataset.spacing: [1, 2, 3, 4, 5, 6, 7]
      steps: [156250, 156250, 312500, 468750, 468750, 937500, 937500]
"""


def test_song_has_two_grids_that_share_12_of_120_trials(load: Load) -> None:
    latents = load("study: song-latents\n" + SONG_HEAD + "cases:\n" + SONG_LATENTS)
    complexity = load("study: song-complexity\n" + SONG_HEAD + "cases:\n" + SONG_COMPLEXITY)
    ids = [{trial.trial_id for trial in grid.trials} for grid in (latents, complexity)]
    assert (len(ids[0]), len(ids[1])) == (48, 84)
    assert (len(ids[0] & ids[1]), len(ids[0] | ids[1])) == (12, 120)
    assert sum(trial.steps for trial in complexity.trials) == 41_250_000
    assert sum(trial.steps for trial in latents.trials) == 22_500_000


def test_song_in_one_file_says_the_shared_cell_once(load: Load) -> None:
    both = "study: song\n" + SONG_HEAD + "cases:\n" + SONG_LATENTS + SONG_COMPLEXITY
    with pytest.raises(GridError, match="two trials are the same: .*line 13.* and "):
        load(both)
    grid = load(both.replace("[5, 10, 15, 20]", "[5, 10, 15]"))
    assert len({trial.trial_id for trial in grid.trials}) == len(grid.trials) == 120
    assert sum(trial.steps for trial in grid.trials) == 58_125_000
